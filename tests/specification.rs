//! `docs/certificate.md` and its schema say what the reader does.

use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Options, check};
use gbmi::model::Network;
use serde_json::Value;
use std::path::Path;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The accepted certificates and `gbmi`'s own output have the schema's shape.
#[test]
fn accepted_certificates_have_the_schema_s_shape() {
    let schema = json(Path::new("docs/certificate.schema.json"));
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir("tests/certificates/accept").unwrap() {
        let path = entry.unwrap().path();
        if let Err(error) = schema.validate(&json(&path)) {
            panic!("{}: {error}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 15);
    // What a shape can say, the schema says: these rejected files must not have it.
    let bad = ["claim_as_json_number", "claim_leading_zero", "unknown_field", "unknown_rule", "upper_null", "no_plans"];
    for name in bad {
        assert!(!schema.is_valid(&json(Path::new(&format!("tests/certificates/reject/{name}.json")))), "{name}");
    }
}

#[test]
fn the_worked_example_is_accepted_as_told() {
    let page = std::fs::read_to_string("docs/certificate.md").unwrap();
    let (_, example) = page.split_once("<!-- example -->\n```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let fixture = json(Path::new("tests/certificates/accept/brute_force.json"));
    assert_eq!(serde_json::from_str::<Value>(example).unwrap(), fixture);
    let network = Network::load(Path::new("tests/data/tiny")).unwrap();
    let certificate = Certificate::parse(example.as_bytes(), &network.config).unwrap();
    let certified = check::<Fixed>(&network, &certificate, Options::default()).unwrap();
    assert!(page.contains(&format!("finds {} of the {} inputs certified", certified.correct, certified.total)));
}

/// The limits that the page states are those of the code.
#[test]
fn the_limits_are_those_of_the_code() {
    use gbmi::certificate::{MAX_BYTES, MAX_GRID_BITS, OFFSET_BITS};
    use gbmi::model::{Config, MAX_CONFIG_BYTES, MAX_WEIGHT_BYTES};
    let page = std::fs::read_to_string("docs/certificate.md").unwrap();
    for stated in [
        format!("| a certificate | {} MiB |", MAX_BYTES >> 20),
        format!("| a weights file | {} MiB |", MAX_WEIGHT_BYTES >> 20),
        format!("| `config.json` | {} MiB |", MAX_CONFIG_BYTES >> 20),
        format!("| `d_vocab` | 2 to {},{:03} |", Config::MAX_VOCAB / 1000, Config::MAX_VOCAB % 1000),
        format!("| `n_ctx` | 2 to {} |", Config::MAX_CTX),
        format!("| `d_vocab² · n_ctx` | 2^{} |", Config::MAX_ROWS.trailing_zeros()),
        format!("| `d_model`, `d_head` | {},{:03} |", Config::MAX_WIDTH / 1000, Config::MAX_WIDTH % 1000),
        format!("0 ≤ b ≤ {MAX_GRID_BITS}"),
        format!("in units of 2^-{OFFSET_BITS}"),
    ] {
        assert!(page.contains(&stated), "{stated}");
    }
    assert_eq!(gbmi::checker::DEFAULT_MAX_FLOPS, 50_000_000_000);
    assert!(page.contains("`--max-flops`, 5·10^10"));
}
