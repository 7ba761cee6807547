//! Whatever stands in the files of a network, it is read as it was meant or refused with a reason, and nothing panics.

use crate::common::{Description, Plan, TASKS, Weights, file, plans};
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::exhaustive::decide;
use gbmi::checker::meter::Meter;
use gbmi::checker::{Options, Run};
use gbmi::model::{MAX_HEADS, MAX_LAYERS, MAX_WIDTH, Network};
use gbmi::refusal::{Decline, Refusal};
use proptest::prelude::*;
use safetensors::Dtype;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The reason, as a typed refusal of the model; never another.
fn declined<T>(read: Result<T, Refusal>, what: &str) -> String {
    match read {
        Err(Refusal::Declined(
            why @ (Decline::Config(_) | Decline::Model(_) | Decline::TooLarge { .. }),
        )) => why.to_string(),
        Err(other) => panic!("{what}: {other}"),
        Ok(_) => panic!("{what}: accepted"),
    }
}

fn read(config: &Value, of: &Description) -> Result<Network, Refusal> {
    let labels = |name: &str| {
        assert_eq!(name, "labels.safetensors");
        Ok(of.labels())
    };
    Network::read(config.to_string().as_bytes(), &of.weights(), labels)
}

fn with(config: &Value, field: &str, value: Value) -> Value {
    let mut config = config.clone();
    config[field] = value;
    config
}

/// A transformer with everything that one can have.
fn everything() -> Description {
    let plan = |seed| Plan {
        seed,
        n_heads: 2,
        d_model: 3,
        d_head: 2,
        d_mlp: 4,
        norm: 1,
        eps: 3,
        rate: 2,
        weights: Weights::Normal,
        biases: true,
        more_outputs: 2,
        ..Plan::least()
    };
    let mut network = plan(0).describe();
    network.config["use_attn_scale"] = true.into();
    let outputs = network.tensors["unembed.b_U"].1.len();
    network.config["d_vocab_out"] = outputs.into();
    network
}

fn two_embeddings() -> Description {
    let plan = Plan {
        seed: 1,
        two_embeddings: true,
        d_model: 3,
        d_mlp: 4,
        weights: Weights::Normal,
        biases: true,
        ..Plan::least()
    };
    plan.describe()
}

/// One layer and head, and nothing else: the network of the published proofs.
fn plain() -> Description {
    let plan = |seed| Plan {
        seed,
        task: 0,
        d_model: 2,
        d_head: 2,
        weights: Weights::Normal,
        ..Plan::least()
    };
    let bare = |network: &Description| network.config["task"] == "max_of_n";
    let mut network = (0..).map(|seed| plan(seed).describe()).find(bare).unwrap();
    network.config["use_attn_scale"] = true.into();
    network
}

fn values() -> Vec<Value> {
    vec![
        Value::Null,
        false.into(),
        true.into(),
        0.into(),
        (-1).into(),
        1.into(),
        2.into(),
        3.into(),
        1.0.into(),
        0.5.into(),
        (-0.5).into(),
        (-0.0).into(),
        33.into(),
        4097.into(),
        (1_u64 << 40).into(),
        u64::MAX.into(),
        i64::MIN.into(),
        1e-300.into(),
        1e300.into(),
        5e-324.into(),
        "".into(),
        "x".into(),
        "LN".into(),
        "LNPre".into(),
        "RMS".into(),
        "relu".into(),
        "gelu".into(),
        "max_of_n".into(),
        json!([]),
        json!([1]),
        json!({}),
        json!({"name": "x"}),
        json!({"name": 1}),
    ]
}

/// Every field, driven to every value: what is not listed here is refused, and what is accepted is another function, or the
/// same by another name.
#[test]
fn every_field_of_a_network_is_checked() {
    let one_to =
        |most: f64| move |value: &Value| value.as_f64().is_some_and(|x| (0.0..=most).contains(&x));
    for network in [everything(), two_embeddings(), plain()] {
        let known = read(&network.config, &network).unwrap();
        let fields = network.config.as_object().unwrap();
        for (field, old) in fields {
            let mut without = network.config.clone();
            without.as_object_mut().unwrap().remove(field);
            let optional = [
                "eps",
                "attention_rate",
                "use_attn_scale",
                "d_vocab_out",
                "act_fn",
                "d_mlp",
            ];
            match read(&without, &network) {
                Ok(_) => assert!(optional.contains(&field.as_str()), "without {field}"),
                refused => drop(declined(refused, field)),
            }
            for value in values() {
                let what = format!("{field}: {value}, in {}", network.config);
                let result = read(&with(&network.config, field, value.clone()), &network);
                let same = value == *old;
                let is_allowed = match field.as_str() {
                    // Sizes are those of the tensors, and nothing else is a number.
                    "d_vocab_out" => {
                        let is_default = value.is_null() || value == -1;
                        is_default && network.size("d_vocab") == network.size("d_vocab_out")
                    }
                    "eps" => one_to(f64::MAX)(&value),
                    "attention_rate" => value.is_null() || one_to(1.0)(&value),
                    "use_attn_scale" => value.is_boolean(),
                    "act_fn" => value == "relu" || network.config["attn_only"] == true,
                    "normalization_type" => {
                        network.config["normalization_type"].is_null() && value == "LNPre"
                    }
                    // Any v and n.
                    "task" => value == "max_of_n",
                    _ => false,
                };
                match result {
                    Ok(read) => {
                        assert!(same || is_allowed, "{what}: accepted");
                        let is_free = ["act_fn", "d_vocab_out"].contains(&field.as_str());
                        let off = field == "attention_rate" && old == 0 && !one_to(1.0)(&value);
                        if !same && !is_free && !off {
                            let is_zero =
                                |value: &Value| value.is_null() || value.as_f64() == Some(0.0);
                            let alike = read.sha256 == known.sha256;
                            let number = |value: &Value| value.as_f64().map(f64::to_bits);
                            let says_the_same = number(old).is_some()
                                && number(old) == number(&value)
                                || is_zero(old) && is_zero(&value);
                            assert_eq!(alike, says_the_same, "{what}: the digests of both");
                        }
                    }
                    refused => {
                        let why = declined(refused, &what);
                        assert!(!is_allowed || field == "task", "{what}: {why}");
                    }
                }
            }
        }
    }
}

/// Fields that would make another function of the same weights.
#[test]
fn what_would_change_the_function_is_refused() {
    let (all, pair) = (everything(), two_embeddings());
    for (field, value) in [
        ("gated_mlp", json!(true)),
        ("parallel_attn_mlp", json!(true)),
        ("final_rms", json!(true)),
        ("uses_rms_norm", json!(true)),
        ("rmsnorm_uses_offset", json!(true)),
        ("positional_embedding_type", json!("rotary")),
        ("positional_embedding_type", json!("shortformer")),
        ("attention_dir", json!("bidirectional")),
        ("use_local_attn", json!(true)),
        ("attn_types", json!(["local"])),
        ("window_size", json!(2)),
        ("n_key_value_heads", json!(1)),
        ("scale_attn_by_inverse_layer_idx", json!(true)),
        ("attn_scale", json!(2.0)),
        ("attn_scale", json!(1.414)),
        ("attn_scores_soft_cap", json!(30.0)),
        ("output_logits_soft_cap", json!(30.0)),
        ("clip_qkv", json!(8.0)),
        ("clip_qkv", json!(0)),
        ("post_embedding_ln", json!(true)),
        ("use_normalization_before_and_after", json!(true)),
        ("use_qk_norm", json!(true)),
        ("num_experts", json!(2)),
        ("embedding_scale", json!(2)),
        ("dtype", json!("float64")),
        ("dtype", json!("bfloat16")),
        ("act_fn", json!("gelu")),
        ("act_fn", json!(null)),
        ("arch", json!("mlp")),
        ("arch", json!("group_mlp")),
        ("architecture", json!("GPT2LMHeadModel")),
        ("anything", json!([])),
        ("anything", json!({})),
    ] {
        declined(read(&with(&all.config, field, value.clone()), &all), field);
        if value != 0 && !["act_fn", "arch", "dtype"].contains(&field) {
            declined(read(&with(&pair.config, field, value), &pair), field);
        }
    }
    for field in [
        "n_ctx",
        "d_model",
        "n_heads",
        "n_layers",
        "attn_only",
        "use_attn_scale",
        "attention_rate",
    ] {
        declined(read(&with(&pair.config, field, true.into()), &pair), field);
        declined(read(&with(&pair.config, field, 2.into()), &pair), field);
    }
    // Native models were compared with the library in one shape only.
    let native = with(&all.config, "architecture", "TransformerLensNative".into());
    declined(read(&native, &all), "a native model of many parts");
    assert!(read(&with(&all.config, "attn_scale", json!(2_f64.sqrt())), &all).is_ok());
}

/// An attention rate reaches masked keys before the last position: it is refused for every task that is read there.
#[test]
fn an_attention_rate_is_read_at_the_last_position_only() {
    for (index, name) in TASKS.iter().enumerate() {
        for seed in 0..20 {
            let plan = Plan {
                seed,
                task: index,
                ..Plan::least()
            };
            let mut network = plan.describe();
            let is_early = *name == "sorted_list"
                || network.config["task"]["inputs"] == "exhaustive" && network.n_ctx() > 2;
            network.config["attention_rate"] = 0.5.into();
            match network.read() {
                Ok(_) => assert!(!is_early, "{}", network.config),
                refused => {
                    declined(refused, name);
                    assert!(is_early, "{}", network.config);
                }
            }
            network.config["attention_rate"] = 0.0.into();
            assert!(network.read().is_ok());
        }
    }
    let mut two = Plan {
        n_layers: 2,
        ..Plan::least()
    }
    .describe();
    two.config["attention_rate"] = 1e-300.into();
    declined(two.read(), "two layers");
}

/// The networks of the published proofs are what they were, by their digest and by the rules that prove them.
#[test]
fn one_head_is_one_head() {
    let network = plain();
    let known = network.read().unwrap();
    assert!(
        known.one_head().is_ok(),
        "{:?}",
        known.one_head().map(|_| ())
    );
    for (field, value) in [
        ("attention_rate", json!(0)),
        ("attention_rate", json!(0.0)),
        ("attention_rate", json!(-0.0)),
        ("attention_rate", json!(null)),
        ("eps", json!(0.5)),
        ("act_fn", json!("relu")),
        ("d_mlp", json!(7)),
        ("task", json!({"name": "max_of_n", "eos": null})),
    ] {
        let same = read(&with(&network.config, field, value.clone()), &network).unwrap();
        assert_eq!(same.sha256, known.sha256, "{field}: {value}");
        assert!(same.one_head().is_ok());
    }
    let mixed = read(
        &with(&network.config, "attention_rate", json!(5e-324)),
        &network,
    )
    .unwrap();
    assert!(mixed.one_head().is_err() && mixed.sha256 != known.sha256);
}

#[test]
fn a_configuration_that_is_no_object_is_refused() {
    let network = everything();
    let (config, weights) = (network.config(), network.weights());
    let labels = |_: &str| Ok(network.labels());
    for length in 0..config.len() {
        declined(Network::read(&config[..length], &weights, labels), "cut");
    }
    let text = String::from_utf8(config.clone()).unwrap();
    let deep = "[".repeat(100_000);
    for bad in [
        text.clone() + "x",
        text.replacen('{', "{\"n_ctx\":2,", 1),
        text.replacen('{', "{\"training\":1,\"training\":1,", 1),
        text.replacen('{', &format!("{{\"training\":{deep},"), 1),
        text.replacen('{', "{\"training\":1e999,", 1),
        text.replacen("\"d_model\":3", "\"d_model\":3.0", 1),
        text.replacen("\"d_model\":3", "\"d_model\":03", 1),
        text.replacen("\"d_model\":3", "\"d_model\":99999999999999999999999999", 1),
        text.replacen("\"d_model\":3", "\"d_model\":\"3\"", 1),
        text.replacen("\"d_model\":3", "\"D_MODEL\":3", 1),
    ] {
        assert_ne!(bad, text);
        declined(
            Network::read(bad.as_bytes(), &weights, labels),
            &bad[..bad.len().min(300)],
        );
    }
    declined(Network::read(&[0xff, 0xfe, 0], &weights, labels), "bytes");
}

#[test]
fn tensors_are_all_there_and_as_they_must_be() {
    for network in [everything(), two_embeddings()] {
        let n_layers = if network.is_transformer() { 1 } else { 0 };
        for name in network.tensors.keys() {
            let broken = |change: &dyn Fn(&mut Description)| {
                let mut other = network.clone();
                change(&mut other);
                declined(other.read(), name);
            };
            broken(&|other| drop(other.tensors.remove(name)));
            broken(&|other| {
                let tensor = other.tensors.remove(name).unwrap();
                other.tensors.insert(name.to_uppercase() + "_", tensor);
            });
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                broken(&|other| *other.tensors.get_mut(name).unwrap().1.last_mut().unwrap() = bad);
            }
            let shape = network.tensors[name].0.clone();
            let count: usize = shape.iter().product();
            let mut shapes = vec![vec![count], vec![count, 1], vec![1, count], vec![0], vec![]];
            shapes.push(shape.iter().rev().copied().collect());
            shapes.push(shape.iter().chain([&1]).copied().collect());
            shapes.push([1].iter().chain(&shape).copied().collect());
            shapes.push(shape.iter().map(|size| size + 1).collect());
            for other_shape in shapes.into_iter().filter(|other| *other != shape) {
                let count = other_shape.iter().product();
                broken(&|other| {
                    drop(
                        other
                            .tensors
                            .insert(name.clone(), (other_shape.clone(), vec![0.5; count])),
                    )
                });
            }
        }
        for extra in [
            "x",
            "blocks.0.mlp.W_gate",
            "blocks.1.attn.W_Q",
            "blocks.00.mlp.b_in",
            "ln_final.x",
        ] {
            for value in [0.0, 1.0] {
                let mut other = network.clone();
                other
                    .tensors
                    .insert(extra.into(), (vec![2], vec![value; 2]));
                declined(other.read(), &format!("{extra} {value}, {n_layers}"));
            }
        }
        // Other types of the same size.
        let view = |(name, (shape, weights)): (&String, &(Vec<usize>, Vec<f32>))| {
            (
                name.clone(),
                shape.clone(),
                weights
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect::<Vec<u8>>(),
            )
        };
        let tensors: Vec<_> = network.tensors.iter().map(view).collect();
        let tensors: Vec<_> = tensors
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), shape.as_slice(), bytes.clone()))
            .collect();
        for dtype in [Dtype::I32, Dtype::U32] {
            let weights = file(dtype, &tensors);
            declined(
                Network::read(&network.config(), &weights, |_| Ok(network.labels())),
                "type",
            );
        }
    }
    // Attention-only networks of TransformerLens 4 have MLPs of zeros beside them.
    let mut network = plain();
    for name in ["blocks.0.mlp.W_in", "blocks.0.mlp.W_out"] {
        network
            .tensors
            .insert(name.into(), (vec![2, 8], vec![0.0; 16]));
    }
    assert_eq!(
        network.read().unwrap().sha256,
        plain().read().unwrap().sha256
    );
    network.tensors.get_mut("blocks.0.mlp.W_in").unwrap().1[15] = 1e-45;
    declined(network.read(), "a weight of an MLP");
}

#[test]
fn a_file_that_is_not_safetensors_is_refused() {
    let network = two_embeddings();
    let (config, weights) = (network.config(), network.weights());
    let refused = |weights: &[u8]| {
        let started = Instant::now();
        declined(
            Network::read(&config, weights, |_| Ok(network.labels())),
            "weights",
        );
        assert!(started.elapsed() < Duration::from_secs(2));
    };
    for length in 0..weights.len() {
        refused(&weights[..length]);
    }
    refused(&[weights.clone(), vec![0]].concat());
    for header in [0, 1, u64::MAX, 1 << 40, 1 << 63, 100_000_000] {
        refused(&[header.to_le_bytes().as_slice(), &weights[8..]].concat());
    }
    let headers = [
        r#"{"embedding_left":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,4]}}"#,
        r#"{"embedding_left":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
        r#"{"embedding_left":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"embedding_left":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,0]}}"#,
        r#"{"embedding_left":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        r#"{"embedding_left":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"embedding_left":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"embedding_left":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        r"{}",
        r"[]",
        r"",
    ];
    for header in headers {
        let length = u64::try_from(header.len()).unwrap().to_le_bytes();
        refused(&[length.as_slice(), header.as_bytes(), &[0; 4]].concat());
        refused(&[length.as_slice(), header.as_bytes()].concat());
    }
}

#[test]
fn a_file_of_labels_has_a_label_for_every_sequence() {
    let network = Plan::least().describe();
    assert!(network.labels.is_some() && network.read().is_ok());
    let (n, v) = (network.n_ctx(), network.size("d_vocab"));
    let bytes = |labels: &[i32]| {
        labels
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let refused = |labels: Vec<u8>| {
        declined(
            Network::read(&network.config(), &network.weights(), |_| Ok(labels)),
            "labels",
        );
    };
    let good = network.labels();
    for length in 0..good.len() {
        refused(good[..length].to_vec());
    }
    let count = v.pow(n.try_into().unwrap());
    for shape in [
        vec![count],
        vec![v; n + 1],
        vec![v; n - 1],
        vec![v + 1; n],
        vec![1],
        vec![0],
        vec![0; n],
    ] {
        let labels = bytes(&vec![0; shape.iter().product()]);
        refused(file(Dtype::I32, &[("labels", &shape, labels)]));
    }
    let outputs = i32::try_from(network.tensors["unembed.b_U"].1.len()).unwrap();
    for label in [outputs, -2, i32::MAX, i32::MIN] {
        let mut labels = vec![0; count];
        labels[count - 1] = label;
        refused(file(Dtype::I32, &[("labels", &vec![v; n], bytes(&labels))]));
    }
    refused(file(
        Dtype::I32,
        &[("labels", &vec![v; n], bytes(&vec![-1; count]))],
    ));
    // What the file's reader says is said; no file is asked for without need, nor one of another name.
    let unreadable = || Refusal::Unreadable("no".into());
    let why =
        Network::read(&network.config(), &network.weights(), |_| Err(unreadable())).unwrap_err();
    assert_eq!(why, unreadable());
    for name in [
        "../labels",
        "a/b",
        "/etc/passwd",
        ".hidden",
        "",
        "a\\b",
        "a\0b",
        "ä",
    ] {
        let config = with(
            &network.config,
            "task",
            json!({"name": "table", "labels": name}),
        );
        let config = config.to_string();
        declined(
            Network::read(config.as_bytes(), &network.weights(), |_| {
                panic!("{name} was read")
            }),
            name,
        );
    }
    let none = plain();
    assert!(
        Network::read(&none.config(), &none.weights(), |name| panic!(
            "{name} was read"
        ))
        .is_ok()
    );
}

/// Sizes at the limits, and beyond: refused at once, before anything of their size is made.
#[test]
fn huge_sizes_are_refused_at_once() {
    let network = everything();
    let huge = [
        ("n_layers", MAX_LAYERS),
        ("n_heads", MAX_HEADS),
        ("d_model", MAX_WIDTH),
        ("d_head", MAX_WIDTH),
        ("d_mlp", MAX_WIDTH),
    ];
    let mut config = network.config.clone();
    config["attention_rate"] = 0.into();
    config["task"] = "max_of_n".into();
    for (field, most) in huge {
        config[field] = most.into();
    }
    for (d_vocab, n_ctx) in [
        (1024, 4),
        (1024, 5),
        (362, 32),
        (363, 32),
        (2, 32),
        (1025, 2),
        (2, 33),
    ] {
        config["d_vocab"] = d_vocab.into();
        config["n_ctx"] = n_ctx.into();
        config["d_vocab_out"] = d_vocab.into();
        let started = Instant::now();
        declined(read(&config, &network), "huge");
        assert!(started.elapsed() < Duration::from_millis(500));
    }
    for field in [
        "n_layers",
        "n_heads",
        "d_model",
        "d_head",
        "d_mlp",
        "d_vocab",
        "d_vocab_out",
        "n_ctx",
    ] {
        for size in [1_u64 << 13, 1 << 31, 1 << 32, 1 << 53, u64::MAX] {
            declined(
                read(&with(&network.config, field, size.into()), &network),
                field,
            );
        }
    }
}

/// A value of any kind.
fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..40).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(TASKS.to_vec()).prop_map(Value::from),
        prop::sample::select(values()),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let field = prop::sample::select(vec![
            "name",
            "eos",
            "nth",
            "p",
            "function",
            "functions",
            "function_tokens",
            "elements",
            "length",
            "separator",
            "table",
            "inputs",
            "labels",
            "x",
        ]);
        let fields = prop::collection::vec((field, inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// One field anything, one byte of the weights and of the labels anything: a network, or a refusal; and whatever is a
    /// network can be evaluated, or is declined.
    #[test]
    fn nothing_panics(
        plan in plans(), field in any::<prop::sample::Index>(), value in json_values(), is_changed in any::<bool>(),
        place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut network = Plan { trained: false, ..plan }.describe();
        let fields: Vec<String> = network.config.as_object().unwrap().keys().cloned().collect();
        if is_changed {
            network.config[field.get(&fields)] = value;
        }
        let change = |mut bytes: Vec<u8>, is_changed: bool| {
            if is_changed {
                let at = place.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        };
        let weights = network.tensors.values().map(|(_, weights)| weights.len() * 4).sum::<usize>();
        let weights = change(network.weights(), !is_changed && weights > 0);
        // Sizes of labels are those of the configuration before it was changed.
        let shape = network.config["d_vocab"].as_u64().filter(|v| *v < 8).is_some() && network.config.get("arch").is_some()
            || network.config["n_ctx"].as_u64().filter(|n| *n < 8).is_some();
        let labels = if shape && network.labels.is_some() && !is_changed { network.labels() } else { vec![] };
        let labels = if labels.is_empty() { labels } else { change(labels, byte % 2 == 0) };
        match Network::read(&network.config(), &weights, |_| Ok(labels)) {
            Ok(read) => {
                let limit = 200_000;
                let options = Options { max_flops: limit, ..Options::default() };
                let meter = &Meter::new(limit);
                let run = Run {
                    meter,
                    margin: None,
                    options,
                };
                match decide::<Fixed>(&read, &run) {
                    Ok(found) => prop_assert!(found.right + found.wrong <= read.task.size()),
                    Err(Refusal::Declined(
                        Decline::Work { .. } | Decline::Estimate { .. } | Decline::TooLarge { .. },
                    )) => {}
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
            Err(Refusal::Declined(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
