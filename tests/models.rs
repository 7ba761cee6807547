//! Models that are read, and models that are declined with the place, what was expected and what was found.

use gbmi::model::{Dyadic, Matrix, Network, Scale};
use gbmi::refusal::{Decline, Mismatch, Refusal};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tiny() -> (Value, Tensors) {
    let config =
        serde_json::from_slice(&std::fs::read("tests/data/tiny/config.json").unwrap()).unwrap();
    let bytes = std::fs::read("tests/data/tiny/model.safetensors").unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    let tensors = tensors
        .map(|(name, t)| (name, (t.dtype(), t.shape().to_vec(), t.data().to_vec())))
        .collect();
    (config, tensors)
}

fn bytes(tensors: &Tensors) -> Vec<u8> {
    let view = |(name, (dtype, shape, data)): (&String, &(Dtype, Vec<usize>, Vec<u8>))| {
        (
            name.clone(),
            TensorView::new(
                *dtype,
                shape.clone(),
                Box::leak(data.clone().into_boxed_slice()),
            )
            .unwrap(),
        )
    };
    safetensors::serialize(tensors.iter().map(view), None).unwrap()
}

fn read(config: &Value, tensors: &Tensors) -> Result<Network, Refusal> {
    Network::from_bytes(config.to_string().as_bytes(), &bytes(tensors))
}

/// The refusal must be a decline about this place, with this among what was found.
fn declined(result: Result<Network, Refusal>, place: &str, finding: &str) {
    match result {
        Err(Refusal::Declined(Decline::Model(Mismatch {
            field: at,
            expected,
            found,
        }))) => {
            assert!(
                at.contains(place) && found.contains(finding),
                "at {at}: expected {expected}, found {found}"
            );
        }
        Err(Refusal::Declined(Decline::Config(reasons))) => {
            let named = reasons
                .iter()
                .any(|reason| reason.field == place && reason.found.contains(finding));
            assert!(named, "{place}: {reasons:?}");
        }
        Err(Refusal::Declined(Decline::TooLarge { what, found, .. })) => {
            assert!(
                what.contains(place) && found.to_string().contains(finding),
                "{what}: {found}"
            );
        }
        Err(other) => panic!("declined for another reason: {other:?}"),
        Ok(_) => panic!("{place} should have been declined"),
    }
}

#[test]
fn configurations_that_change_the_function_are_declined() {
    let (config, tensors) = tiny();
    let cases = [
        ("task", Value::Null, "null"),
        ("n_layers", json!(5), "5"),
        ("n_heads", json!(17), "17"),
        ("attn_only", json!(1), "1"),
        ("normalization_type", json!("RMS"), "RMS"),
        ("attention_dir", json!("bidirectional"), "bidirectional"),
        ("positional_embedding_type", json!("rotary"), "rotary"),
        (
            "positional_embedding_type",
            json!("shortformer"),
            "shortformer",
        ),
        ("dtype", json!("float64"), "float64"),
        ("dtype", json!("torch.bfloat16"), "bfloat16"),
        ("d_vocab_out", json!(0), "0"),
        ("attn_scale", json!(2.0), "2"),
        (
            "attn_scale",
            json!(2_f64.sqrt().next_up()),
            "1.4142135623730954",
        ),
        ("attn_scores_soft_cap", json!(50.0), "50"),
        ("output_logits_soft_cap", json!(30.0), "30"),
        ("use_local_attn", json!(true), "true"),
        ("window_size", json!(2), "2"),
        ("scale_attn_by_inverse_layer_idx", json!(true), "true"),
        ("parallel_attn_mlp", json!(true), "true"),
        ("post_embedding_ln", json!(true), "true"),
        ("prepend_bos", json!(true), "true"),
        ("num_experts", json!(4), "4"),
        ("n_key_value_heads", json!(2), "2"),
        ("d_vocab", json!(1), "1"),
        ("d_vocab", json!(-5), "-5"),
        ("d_vocab", json!(1025), "1025"),
        ("d_vocab", json!("5"), ""),
        ("d_vocab", json!(5.0), ""),
        ("n_ctx", json!(1), "1"),
        ("n_ctx", json!(33), "33"),
        ("d_model", json!(0), "0"),
        ("d_head", json!(i64::MAX), "9223372036854775807"),
    ];
    for (field, value, finding) in cases {
        let mut changed = config.clone();
        changed[field] = value;
        if field == "d_vocab" {
            changed.as_object_mut().unwrap().remove("d_vocab_out");
        }
        declined(read(&changed, &tensors), field, finding);
    }
    for field in [
        "task",
        "d_vocab",
        "n_ctx",
        "d_model",
        "d_head",
        "n_heads",
        "n_layers",
        "attn_only",
    ] {
        let mut changed = config.clone();
        changed.as_object_mut().unwrap().remove(field);
        assert!(
            matches!(read(&changed, &tensors), Err(Refusal::Declined(_))),
            "{field}"
        );
    }
    let large = json!({"d_vocab": 1024, "d_vocab_out": 1024, "n_ctx": 20});
    let mut changed = config.clone();
    changed
        .as_object_mut()
        .unwrap()
        .extend(large.as_object().unwrap().clone());
    declined(read(&changed, &tensors), "d_vocab² · n_ctx", "20971520");
    for text in [
        "",
        "[]",
        "{",
        "null",
        "{\"task\":\"max_of_n\",\"task\":\"max_of_n\"}",
    ] {
        declined(
            Network::from_bytes(text.as_bytes(), &bytes(&tensors)),
            "config.json",
            "",
        );
    }
    let deep = "[".repeat(100_000);
    declined(
        Network::from_bytes(deep.as_bytes(), &bytes(&tensors)),
        "config.json",
        "",
    );
}

#[test]
fn configurations_that_do_not_are_read() {
    let (config, tensors) = tiny();
    let digest = read(&config, &tensors).unwrap().sha256;
    let cases = [
        ("attn_scale", json!(2_f64.sqrt()), true),
        ("attn_scores_soft_cap", json!(-1.0), true),
        ("default_prepend_bos", json!(true), true),
        ("d_vocab_out", json!(-1), true),
        ("attn_scale", json!(-1), true),
        ("d_vocab_out", json!(5), true),
        ("dtype", json!("torch.float32"), true),
        ("act_fn", json!("relu"), true),
        ("seed", json!(123), true),
        ("n_key_value_heads", Value::Null, true),
        ("use_attn_scale", json!(false), false),
    ];
    for (field, value, same) in cases {
        let mut changed = config.clone();
        changed[field] = value;
        assert_eq!(
            read(&changed, &tensors).unwrap().sha256 == digest,
            same,
            "{field}"
        );
    }
    let mut unscaled = config;
    unscaled["use_attn_scale"] = json!(false);
    unscaled["attn_scale"] = json!(1.0);
    assert_eq!(
        read(&unscaled, &tensors)
            .unwrap()
            .one_head()
            .unwrap()
            .config
            .scale,
        Scale::One
    );
}

#[test]
fn tensors_that_do_not_fit_are_declined() {
    let (config, tensors) = tiny();
    for name in tensors.keys() {
        let mut changed = tensors.clone();
        changed.remove(name);
        let place = format!("tensor {name}");
        match read(&config, &changed) {
            Err(Refusal::Declined(Decline::Model(Mismatch { expected, .. }))) => {
                assert_eq!(expected, place)
            }
            other => panic!("{name}: {other:?}"),
        }
        let mut changed = tensors.clone();
        changed.get_mut(name).unwrap().1.push(1);
        declined(read(&config, &changed), name, "1]");
        for (bits, what) in [
            (f32::NAN, "NaN"),
            (f32::INFINITY, "NaN"),
            (f32::NEG_INFINITY, "NaN"),
        ] {
            let mut changed = tensors.clone();
            let data = &mut changed.get_mut(name).unwrap().2;
            let last = data.len() - 4;
            data[last..].copy_from_slice(&bits.to_le_bytes());
            declined(read(&config, &changed), name, what);
        }
        let mut changed = tensors.clone();
        changed.get_mut(name).unwrap().0 = Dtype::I32;
        declined(read(&config, &changed), name, "I32");
    }
    for extra in [
        "blocks.0.mlp.W_in",
        "blocks.0.ln1.w",
        "blocks.1.attn.W_Q",
        "ln_final.w",
        "blocks.0.attn.mask",
    ] {
        let mut changed = tensors.clone();
        changed.insert(extra.into(), (Dtype::F32, vec![1], vec![0, 0, 0, 1]));
        declined(read(&config, &changed), "model.safetensors", extra);
    }
    let whole = bytes(&tensors);
    for length in [0, 7, 8, 100, whole.len() - 1] {
        declined(
            Network::from_bytes(config.to_string().as_bytes(), &whole[..length]),
            "model.safetensors",
            "",
        );
    }
    // A header that says it is longer than any file.
    let mut lying = whole;
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    declined(
        Network::from_bytes(config.to_string().as_bytes(), &lying),
        "model.safetensors",
        "",
    );
}

/// The causal mask, the score that stands for it, and the zero MLP of an attention-only model are stored by some versions
/// of TransformerLens; another mask or MLP is another function.
#[test]
fn tensors_that_say_nothing_are_passed_over_only_if_they_say_nothing() {
    let (config, tensors) = tiny();
    let digest = read(&config, &tensors).unwrap().sha256;
    let mask = vec![1, 0, 0, 1, 1, 0, 1, 1, 1];
    let nothing = [
        (
            "blocks.0.attn.mask",
            (Dtype::BOOL, vec![3, 3], mask.clone()),
        ),
        (
            "blocks.0.attn.IGNORE",
            (Dtype::F32, vec![], f32::NEG_INFINITY.to_le_bytes().to_vec()),
        ),
        ("blocks.0.mlp.W_in", (Dtype::F32, vec![6, 24], vec![0; 576])),
    ];
    for (name, (dtype, shape, data)) in nothing {
        let mut changed = tensors.clone();
        changed.insert(name.into(), (dtype, shape.clone(), data.clone()));
        assert_eq!(read(&config, &changed).unwrap().sha256, digest, "{name}");
        for place in 0..data.len() {
            let mut other = data.clone();
            other[place] ^= 1;
            changed.insert(name.into(), (dtype, shape.clone(), other));
            declined(read(&config, &changed), "model.safetensors", name);
        }
    }
    let (short, long) = (mask[..8].to_vec(), [mask.as_slice(), &[1]].concat());
    for data in [short, long] {
        let mut changed = tensors.clone();
        changed.insert(
            "blocks.0.attn.mask".into(),
            (Dtype::BOOL, vec![data.len()], data),
        );
        declined(
            read(&config, &changed),
            "model.safetensors",
            "blocks.0.attn.mask",
        );
    }
}

/// The digest is about the function: not about the order or layout of the file, but about every weight and the scale.
#[test]
fn the_digest_binds_every_weight() {
    let (config, tensors) = tiny();
    let network = read(&config, &tensors).unwrap();
    let original = std::fs::read("tests/data/tiny/model.safetensors").unwrap();
    assert_ne!(original, bytes(&tensors), "the file is laid out anew");
    let again = Network::from_bytes(config.to_string().as_bytes(), &original).unwrap();
    assert_eq!(network.sha256, again.sha256);
    for name in tensors.keys() {
        let mut changed = tensors.clone();
        changed.get_mut(name).unwrap().2[0] ^= 1;
        assert_ne!(
            read(&config, &changed).unwrap().sha256,
            network.sha256,
            "{name}"
        );
    }
}

#[test]
fn weights_are_read_exactly() {
    for value in [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-45,
        -1e-45,
        16_777_215.0,
    ] {
        let Dyadic { mantissa, exponent } = Dyadic::from_f32_bits(value.to_bits()).unwrap();
        assert_eq!(
            f64::from(mantissa) * f64::from(exponent).exp2(),
            f64::from(value),
            "{value}"
        );
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(Dyadic::from_f32_bits(value.to_bits()), None);
    }
    assert!(Matrix::new(3, vec![1, 2, 3, 4], 0).row(1).is_empty());
}

#[test]
fn the_bundled_model_is_the_one_in_the_repository() {
    let bundled = Network::bundled().unwrap();
    let folder = format!("models/{}", gbmi::bundled::BUNDLED);
    assert_eq!(
        bundled.sha256,
        Network::load(folder.as_ref()).unwrap().sha256
    );
    assert_eq!(
        bundled.sha256,
        Network::load(format!("{folder}/model.safetensors").as_ref())
            .unwrap()
            .sha256
    );
}
