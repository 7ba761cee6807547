//! Every field of TransformerLens's configuration classes, against the table of docs/transformerlens.md.

use gbmi::model::Network;
use gbmi::refusal::{Decline, Refusal};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What `cfg.to_dict()` says of an attention-only model, by version and class.
const DUMPS: [&str; 4] = [
    "2.18.0_HookedTransformerConfig",
    "3.9.0_HookedTransformerConfig",
    "3.9.0_TransformerBridgeConfig",
    "4.3.0_TransformerBridgeConfig",
];

fn object(path: &str) -> Map<String, Value> {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A dump with the sizes of the tiny model.
fn dump(name: &str) -> Map<String, Value> {
    let mut config = object(&format!("tests/data/transformerlens/{name}.json"));
    let sizes = object("tests/data/tiny/config.json");
    for field in [
        "task",
        "d_vocab",
        "d_vocab_out",
        "n_ctx",
        "d_model",
        "d_head",
        "n_heads",
    ] {
        config.insert(field.into(), sizes[field].clone());
    }
    config.insert("attn_scale".into(), json!(-1.0));
    config
}

fn read(config: &Map<String, Value>) -> Result<String, Refusal> {
    let weights = std::fs::read("tests/data/tiny/model.safetensors").unwrap();
    Network::from_bytes(json!(config).to_string().as_bytes(), &weights)
        .map(|network| network.sha256)
}

/// The fields that stand in the way.
fn in_the_way(config: &Map<String, Value>) -> Vec<String> {
    match read(config) {
        Err(Refusal::Declined(Decline::Config(reasons))) => {
            reasons.into_iter().map(|reason| reason.field).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The table of the docs: by field, what stands in its second column.
fn table() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string("docs/transformerlens.md").unwrap();
    let (_, section) = page
        .split_once("\n## Every field of config.json\n")
        .expect("the section of the table");
    let mut table = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        for field in cells[1].split('`').skip(1).step_by(2) {
            let twice = table.insert(field.to_string(), cells[2].to_string());
            assert_eq!(twice, None, "{field} stands twice in the table");
        }
    }
    table
}

#[test]
fn every_field_of_the_classes_is_in_the_table_and_as_dumped_it_is_read() {
    let (table, digest) = (
        table(),
        read(&object("tests/data/tiny/config.json")).unwrap(),
    );
    for name in DUMPS {
        let config = dump(name);
        assert!(config.len() > 65, "{name} is whole");
        for field in config.keys() {
            assert!(
                table.contains_key(field),
                "{field} of {name} is not in the table"
            );
        }
        assert_eq!(read(&config).unwrap(), digest, "{name}");
    }
}

#[test]
fn every_field_is_free_or_declined_by_name_as_the_table_says() {
    let digest = read(&object("tests/data/tiny/config.json")).unwrap();
    let values = [
        json!(true),
        json!(7),
        json!(-1),
        json!(0.5),
        json!("Olmo2ForCausalLM"),
        json!(["local"]),
        json!({}),
    ];
    let (mut free, mut kept) = (0, 0);
    for (field, here) in table()
        .into_iter()
        .filter(|(_, here)| !here.starts_with("read"))
    {
        for name in DUMPS {
            for value in &values {
                let mut config = dump(name);
                config.insert(field.clone(), value.clone());
                // What the table allows, as JSON between backticks.
                let shown = value.to_string();
                let allowed = here.split('`').skip(1).step_by(2).any(|text| text == shown);
                if here.starts_with("free") || allowed {
                    assert_eq!(read(&config).unwrap(), digest, "{field}: {value} in {name}");
                    free += 1;
                } else {
                    assert_eq!(
                        in_the_way(&config),
                        [field.as_str()],
                        "{field}: {value} in {name}"
                    );
                    kept += 1;
                }
            }
        }
    }
    assert!(free > 1_000 && kept > 1_000, "{free} free, {kept} kept");
}

#[test]
fn what_changes_the_function_is_declined_by_name() {
    let cases = [
        ("clip_qkv", json!(0.5)),
        ("clip_qkv", json!(0)),
        ("clip_qkv", json!(false)),
        ("use_logn_attn", json!(true)),
        ("original_architecture", json!("Olmo2ForCausalLM")),
        ("use_local_attn", json!(-1)),
        ("use_qk_norm", json!(-1)),
        ("attention_dir", Value::Null),
        ("positional_embedding_type", Value::Null),
        ("normalization_type", json!("RMS")),
        ("normalisation_type", json!("LN")),
        ("attn_scale", json!(0)),
        ("attn_scale", json!(-2)),
        ("use_attn_scale", Value::Null),
        ("architecture", json!("GPT2LMHeadModel")),
        ("a_field_of_the_next_version", json!(1)),
    ];
    for name in DUMPS {
        for (field, value) in &cases {
            let mut config = dump(name);
            config.insert((*field).into(), value.clone());
            assert_eq!(in_the_way(&config), [*field], "{value} in {name}");
        }
    }
    // Native models divide by √d_head whatever this says; others do not.
    for name in DUMPS {
        let mut config = dump(name);
        config.insert("use_attn_scale".into(), json!(false));
        if config.contains_key("architecture") {
            assert_eq!(in_the_way(&config), ["use_attn_scale"], "{name}");
        } else {
            assert_ne!(read(&config).unwrap(), read(&dump(name)).unwrap(), "{name}");
        }
    }
}

/// Absent, it is something else to TransformerLens.
#[test]
fn a_field_with_another_default_must_be_there() {
    for field in [
        "task",
        "n_layers",
        "n_heads",
        "attn_only",
        "normalization_type",
        "d_vocab",
        "n_ctx",
        "d_head",
    ] {
        let mut config = dump(DUMPS[0]);
        config.remove(field);
        assert_eq!(in_the_way(&config), [field]);
    }
}

#[test]
fn all_reasons_are_given_at_once() {
    let mut config = dump(DUMPS[3]);
    for (field, value) in [
        ("n_layers", json!(5)),
        ("clip_qkv", json!(1)),
        ("final_rms", json!(true)),
    ] {
        config.insert(field.into(), value);
    }
    config.remove("normalization_type");
    let refusal = read(&config).unwrap_err();
    assert_eq!(
        in_the_way(&config),
        ["n_layers", "clip_qkv", "normalization_type", "final_rms"]
    );
    let message = refusal.to_string();
    assert!(
        message.contains("at config.json, n_layers: expected a whole number from 1 to 1, found 5;"),
        "{message}"
    );
    assert!(message.contains("\"training\""), "{message}");
}

#[test]
fn notes_of_a_trainer_go_into_training() {
    let mut config = dump(DUMPS[1]);
    config.insert("learning_rate".into(), json!(0.001));
    assert_eq!(in_the_way(&config), ["learning_rate"]);
    let learning_rate = config.remove("learning_rate").unwrap();
    config.insert(
        "training".into(),
        json!({ "learning_rate": learning_rate, "clip_qkv": 1 }),
    );
    assert!(read(&config).is_ok());
}
