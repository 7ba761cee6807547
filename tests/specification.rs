//! `docs/certificate.md` and its schema say what the reader does.

use crate::common::written;
use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Options, certify, check};
use gbmi::model::Network;
use gbmi::refusal::{Mismatch, Refusal, Rejection};
use gbmi::strategy::Family;
use serde_json::{Value, json};
use std::path::Path;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The accepted certificates and `gbmi`'s own output have the schema's shape.
#[test]
fn accepted_certificates_have_the_schema_s_shape() {
    let schema = schema();
    let mut seen = 0;
    for entry in std::fs::read_dir("tests/certificates/accept").unwrap() {
        let path = entry.unwrap().path();
        if let Err(error) = schema.validate(&read(&path)) {
            panic!("{}: {error}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 60);
    // What a shape can say, the schema says: these rejected files must not have it.
    let bad = [
        "claim_as_json_number",
        "claim_leading_zero",
        "unknown_field",
        "unknown_rule",
        "upper_null",
        "count_tree_with_a_field",
        "script_unknown_field",
        "script_rule_script",
        "script_on_a_grid",
    ];
    for name in bad {
        assert!(
            !schema.is_valid(&read(Path::new(&format!(
                "tests/certificates/reject/{name}.json"
            )))),
            "{name}"
        );
    }
}

fn schema() -> jsonschema::Validator {
    jsonschema::validator_for(&read(Path::new("docs/certificate.schema.json"))).unwrap()
}

/// For rejected published certificates, scripts and shapes, the schema says what the reader says of the shape.
#[test]
fn the_schema_refuses_the_shapes_that_the_reader_refuses() {
    let schema = schema();
    let (mut shapes, mut claims) = (0, 0);
    for entry in std::fs::read_dir("tests/certificates/reject").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !["published", "script", "shape"]
            .iter()
            .any(|kind| name.starts_with(kind))
            || path.extension().unwrap() != "json"
        {
            continue;
        }
        let expected = std::fs::read_to_string(path.with_extension("expected")).unwrap();
        let valid = schema.is_valid(&read(&path));
        match expected.split(' ').next().unwrap() {
            // The schema sees the last of two fields, and no end of digits.
            "Malformed"
                if ["published_error_twice", BEYOND, "script_walk_above_64_bits"]
                    .contains(&name) =>
            {
                assert!(valid, "{name}");
            }
            "Malformed" => {
                assert!(!valid, "{name}");
                shapes += 1;
            }
            "NotEstablished" => {
                assert!(valid, "{name}");
                claims += 1;
            }
            _ => {}
        }
    }
    assert!(shapes > 40 && claims > 40);
}

const BEYOND: &str = "published_reference_beyond_64_bits";

fn fixture(name: &str) -> Value {
    read(Path::new(&format!("tests/certificates/accept/{name}.json")))
}

/// Every combination of the published rules: the reader and the schema take those of the page's table.
#[test]
fn reader_and_schema_agree_which_rules_go_together() {
    let schema = schema();
    let low_rank = json!({"rule": "low_rank", "factors": "2", "error": {"rule": "exact"}});
    let attentions = [
        ("none", None),
        ("`exact`", Some(json!({"rule": "exact"}))),
        ("`low_rank`", Some(low_rank)),
        ("of levels", Some(json!({"orders": ["0", "1"]}))),
        (
            "with orders",
            Some(json!({"rule": "exact", "orders": ["0", "1"]})),
        ),
    ];
    let directs = [
        "none",
        "`split`",
        "`max_diff`",
        "`max_diff_exact`",
        "`global_max_diff_exact`",
    ];
    let rules = [
        ("gaps", fixture("published_gaps")["hints"]["gaps"].clone()),
        ("convexity", Value::Null),
    ];
    let page = std::fs::read_to_string("docs/certificate.md").unwrap();
    let mut fitting = 0;
    for (rule, gaps) in &rules {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{rule}` |")))
            .unwrap();
        let [_, _, attention_cell, direct_cell, _] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        for (attention, attention_json) in &attentions {
            for direct in directs {
                let mut hints = json!({"family": "published", "rule": rule});
                let direct_json =
                    (direct != "none").then(|| json!({"rule": direct.trim_matches('`')}));
                for (field, value) in [("attention", attention_json), ("direct_path", &direct_json)]
                {
                    if let Some(value) = value {
                        hints[field] = value.clone();
                    }
                }
                if !gaps.is_null() {
                    hints["gaps"] = gaps.clone();
                }
                let mut certificate = fixture("brute_force");
                certificate["hints"] = hints;
                let fits = attention_cell.contains(attention) && direct_cell.contains(direct);
                let case = format!("{attention}, {direct}, {rule}");
                assert_eq!(schema.is_valid(&certificate), fits, "schema: {case}");
                let read = Certificate::read(written(&certificate).as_bytes());
                assert_eq!(read.is_ok(), fits, "reader: {case}, {read:?}");
                fitting += usize::from(fits);
            }
        }
    }
    assert_eq!(fitting, 6 + 1);
}

/// Tasks of any shape, and margins: shape by the schema, ranges by the reader.
#[test]
fn reader_and_schema_agree_on_claims() {
    let schema = schema();
    let cases = [
        (
            "/claim/task",
            json!({"name": "a", "of": [1, -2, null, true]}),
            true,
            true,
        ),
        ("/claim/task", json!([1.5]), false, false),
        (
            "/claim/task",
            json!(18_446_744_073_709_551_615_u64),
            true,
            true,
        ),
        ("/claim/task", json!("a".repeat(1 << 19)), true, true),
        ("/claim/task", json!("a".repeat(1 << 20)), true, false),
        ("/claim/task", json!(vec![0; (1 << 19) - 1]), true, true),
        ("/claim/task", json!(vec![0; 1 << 19]), true, false),
        ("/claim/margin", json!("1"), true, true),
        ("/claim/margin", json!("9".repeat(100)), true, true),
        ("/claim/margin", json!("9".repeat(101)), false, false),
        ("/claim/margin", json!("0"), false, false),
        ("/claim/margin", json!("-1"), false, false),
        ("/claim/margin", json!("1.0"), false, false),
        ("/claim/total", json!("01"), false, false),
    ];
    for (pointer, value, shape, reads) in cases {
        let mut certificate = fixture("brute_force");
        certificate["claim"]["margin"] = "1".into();
        *certificate.pointer_mut(pointer).unwrap() = value;
        let case = &certificate["claim"].to_string();
        let case = &case[..case.len().min(200)];
        assert_eq!(schema.is_valid(&certificate), shape, "schema: {case}");
        let read = Certificate::read(written(&certificate).as_bytes());
        assert_eq!(read.is_ok(), reads, "reader: {case}");
    }
}

/// A published certificate with references and slopes of zero, and one value changed.
fn changed(pointer: &str, value: Value) -> String {
    let mut certificate = fixture("published_error_svd");
    certificate["hints"]["references"] = vec!["0 0"; 5].into();
    certificate["hints"]["slopes"] = vec!["0 0"; 5].into();
    *certificate.pointer_mut(pointer).unwrap() = value;
    written(&certificate)
}

/// The ranges of numbers that the page states, at both sides of each end.
#[test]
fn the_reader_keeps_the_stated_ranges() {
    let network = Network::load(Path::new("tests/data/tiny")).unwrap();
    let (nines, zeros) = ("9".repeat(100), format!("1{}", "0".repeat(100)));
    let integers = [
        ("9223372036854775807", true),
        ("9223372036854775808", false),
        ("-9223372036854775808", true),
        ("-9223372036854775809", false),
    ];
    let naturals = [
        ("18446744073709551615", true),
        ("18446744073709551616", false),
        ("-1", false),
    ];
    let mut cases: Vec<(&str, Value, bool)> = vec![];
    for (number, fits) in integers {
        for pointer in [
            "/hints/direct_path/mean",
            "/hints/attention/error/bound",
            "/hints/attention/error/scale",
        ] {
            cases.push((pointer, number.into(), fits));
        }
        for pointer in [
            "/hints/attention/peel/0/left",
            "/hints/references",
            "/hints/slopes",
        ] {
            cases.push((pointer, vec!["", number].into(), fits));
        }
    }
    for (number, fits) in naturals {
        cases.push(("/hints/gaps", vec![number].into(), fits));
    }
    // A natural of a hundred digits is read, and then found to be too large a claim.
    for (number, malformed) in [(&nines, false), (&zeros, true)] {
        let found = Certificate::read(changed("/claim/correct", number.as_str().into()).as_bytes());
        let found = found.and_then(|certificate| Ok(certificate.is_about(&network)?));
        let Err(Refusal::Rejected(reason)) = found else {
            panic!("{found:?}")
        };
        assert_eq!(
            matches!(reason, Rejection::Malformed { .. }),
            malformed,
            "{reason:?}"
        );
        assert_eq!(
            matches!(
                &reason,
                Rejection::WrongClaim(Mismatch { field, .. }) if field == "claim.correct"
            ),
            !malformed,
            "{reason:?}"
        );
    }
    for (pointer, value, fits) in cases {
        let found = Certificate::read(changed(pointer, value).as_bytes());
        assert_eq!(found.is_ok(), fits, "{pointer}: {:?}", found.err());
    }
    for (bits, fits) in [("4294967295", true), ("4294967296", false)] {
        let mut certificate = fixture("grid_each");
        certificate["hints"]["criterion"]["plans"][0]["count"]["bits"] = bits.into();
        assert_eq!(
            Certificate::read(written(&certificate).as_bytes()).is_ok(),
            fits,
            "{bits}"
        );
    }
}

/// What the page says counts for nothing: it proves no more than without it, and is no reason to reject.
#[test]
fn what_is_beyond_its_place_counts_for_nothing() {
    let network = Network::load(Path::new("tests/data/tiny")).unwrap();
    let certified = |text: &[u8]| {
        let certificate = Certificate::read(text).unwrap();
        certify::<Fixed>(&network, &certificate, Options::default())
            .unwrap()
            .correct
    };
    let published = |pointer: &str, value: Value| certified(changed(pointer, value).as_bytes());
    let list = |entries: &[&str]| Value::from(entries.join(" "));
    let rows =
        |row: &str, count: usize, last: &str| Value::from([vec![row; count], vec![last]].concat());
    let mean = [vec!["1048576"; 5], vec!["77"; 4092]].concat();
    let width = network.one_head().unwrap().config.d_model;
    let pairs = [
        ("/hints/direct_path/mean", list(&mean), list(&mean[..width])),
        ("/hints/gaps", rows("0 0", 5, "1 1"), rows("0 0", 4, "0 0")),
        (
            "/hints/gaps/2",
            "1 1 1 1 1 1 1 1".into(),
            "1 1 1 1 1 1".into(),
        ),
        ("/hints/gaps/2", "3 3 3 3 1 3".into(), "0 0 0 0 1 0".into()),
        (
            "/hints/references",
            rows("0 0 7", 5, "1"),
            rows("0 0", 4, "0 0"),
        ),
        (
            "/hints/slopes",
            rows("0 0 7 7", 5, "1"),
            rows("0 0", 4, "0 0"),
        ),
    ];
    for (pointer, beyond, within) in pairs {
        assert_eq!(
            published(pointer, beyond),
            published(pointer, within),
            "{pointer}"
        );
    }
    // The first 32 columns and rows of a factor.
    let peeled = |count: usize, last: &str| {
        let mut certificate = fixture("published_error_exact");
        let sides: Vec<&str> = std::iter::repeat_n("0", count).chain([last]).collect();
        certificate["hints"]["attention"]["peel"] = json!([{"left": sides, "right": sides}]);
        certificate
    };
    let flops = |certificate: &Value| {
        let certificate = Certificate::read(written(certificate).as_bytes()).unwrap();
        certify::<Fixed>(&network, &certificate, Options::default())
            .unwrap()
            .meter
            .flops()
    };
    assert_eq!(flops(&peeled(32, "1048576")), flops(&peeled(31, "0")));
    assert_ne!(flops(&peeled(31, "0")), flops(&peeled(30, "0")));
    assert_eq!(
        certified(written(&peeled(32, "1048576")).as_bytes()),
        certified(written(&peeled(31, "0")).as_bytes())
    );
    // Windows, bits, plans.
    let own = |name: &str, change: fn(&mut Value)| {
        let mut certificate = fixture(name);
        change(&mut certificate["hints"]["criterion"]);
        certified(written(&certificate).as_bytes())
    };
    let zero = own("grid_each", |criterion| {
        criterion["plans"][0]["window"] = "0".into()
    });
    let one = own("grid_each", |criterion| {
        criterion["plans"][0]["window"] = "1".into()
    });
    let fine = own("grid_each", |criterion| {
        criterion["plans"][0]["count"]["bits"] = "4294967295".into()
    });
    let finest = own("grid_each", |criterion| {
        criterion["plans"][0]["count"]["bits"] = "16".into()
    });
    assert_eq!((zero, fine), (one, finest));
    let some = own("grid_each", |criterion| {
        criterion["assignment"] = json!(["0", "0 0", "0 1 0", "", "0 0 0 0 0"])
    });
    let all = own("grid_each", |_| ());
    let none = own("grid_each", |criterion| criterion["plans"] = json!([]));
    assert!(
        none < some && some < all && none == 0_u8.into(),
        "{none}, {some}, {all}"
    );
}

/// Scripts: shape by the schema, ranges by the reader.
#[test]
fn reader_and_schema_agree_on_scripts() {
    let schema = schema();
    let cases = [
        (json!({}), true, true),
        (json!({"order": "", "walk": ""}), true, true),
        (json!({"order": "6 0 0"}), true, true),
        (json!({"walk": "0 2 18446744073709551615"}), true, true),
        (json!({"walk": "18446744073709551616"}), true, false),
        (json!({"walk": " "}), false, false),
        (json!({"walk": "0 01"}), false, false),
        (json!({"walk": "-1"}), false, false),
        (json!({"walk": ["0"]}), false, false),
        (json!({"walk": null}), false, false),
        (json!({"order": ["0"]}), false, false),
        (json!({"order": "0  1"}), false, false),
        (json!({"upper": ["0"]}), false, false),
        (json!({"bits": "0"}), false, false),
        (json!({"script": "0"}), false, false),
    ];
    for (fields, shape, reads) in cases {
        let mut count = fields.clone();
        count["rule"] = "tree".into();
        let mut certificate = fixture("brute_force");
        certificate["hints"]["criterion"]["plans"][0]["count"] = count;
        assert_eq!(schema.is_valid(&certificate), shape, "schema: {fields}");
        assert_eq!(
            Certificate::read(written(&certificate).as_bytes()).is_ok(),
            reads,
            "reader: {fields}"
        );
    }
}

/// Orders that name an item which does not exist bound no less than others: the bug that this is for certifies 4,062 of
/// 4,037 rightly answered inputs.
#[test]
fn items_that_do_not_exist_hide_no_bound() {
    let network = Network::load(Path::new("models/max_of_2_undertrained")).unwrap();
    let v = network.one_head().unwrap().config.d_vocab;
    let mut certificate = fixture("brute_force");
    certificate["network"] = network.sha256.clone().into();
    certificate["claim"] =
        json!({"task": "max_of_n", "correct": "0", "total": (v * v).to_string()});
    let mut plans = vec![certificate["hints"]["criterion"]["plans"][0].clone(); 2];
    // Whatever comes first, all is said to be right at once.
    let order = format!("{} {v} 0", v + 1);
    plans[1]["count"] = json!({"rule": "tree", "order": order, "walk": "0"});
    certificate["hints"]["criterion"]["plans"] = plans.into();
    let assignment: Vec<String> = (0..v).map(|m| format!("{}1", "0 ".repeat(m))).collect();
    certificate["hints"]["criterion"]["assignment"] = assignment.into();
    let certificate = Certificate::read(written(&certificate).as_bytes()).unwrap();
    let certified = check::<Fixed>(&network, &certificate, Options::default()).unwrap();
    assert!(
        certified.correct <= 4037_u32.into(),
        "{}",
        certified.correct
    );
}

/// The table of published names is complete, with the dimensions of the original.
#[test]
fn the_table_of_published_names_is_complete() {
    let page = std::fs::read_to_string("docs/strategies.md").unwrap();
    let (_, table) = page.split_once("<!-- names -->\n").unwrap();
    let (table, _) = table.split_once("<!-- end of names -->").unwrap();
    let cells = |row: &str| {
        row.split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = table.lines().skip(4).map(cells).collect();
    let reference = std::fs::read_to_string("tests/data/reference/max_of_4_seed123.csv").unwrap();
    assert_eq!(rows.len(), 100);
    for (row, family) in rows.iter().zip(Family::all()) {
        assert_eq!(
            (row[1].as_str(), row[2].as_str()),
            (family.to_string().as_str(), family.class())
        );
        let line = reference
            .lines()
            .find(|line| line.starts_with(&format!("{family},")))
            .unwrap();
        assert_eq!(line.rsplit(',').next(), Some(row[5].as_str()), "{family}");
    }
}

#[test]
fn the_worked_example_is_accepted_as_told() {
    let page = std::fs::read_to_string("docs/certificate.md").unwrap();
    let (_, example) = page.split_once("<!-- example -->\n```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let fixture = read(Path::new("tests/certificates/accept/brute_force.json"));
    assert_eq!(serde_json::from_str::<Value>(example).unwrap(), fixture);
    let network = Network::load(Path::new("tests/data/tiny")).unwrap();
    let certificate = Certificate::read(example.as_bytes()).unwrap();
    let certified = check::<Fixed>(&network, &certificate, Options::default()).unwrap();
    assert!(page.contains(&format!(
        "finds {} of the {} inputs certified",
        certified.correct, certified.total
    )));
}

/// The limits that the page states are those of the code.
#[test]
fn the_limits_are_those_of_the_code() {
    use gbmi::certificate::MAX_BYTES;
    use gbmi::certificate::levels::{MAX_GRID_BITS, OFFSET_BITS};
    use gbmi::certificate::published::{MAX_RANK, SPECTRAL_BITS, VECTOR_BITS};
    use gbmi::model::{self, MAX_CONFIG_BYTES, MAX_WEIGHT_BYTES};
    let page = std::fs::read_to_string("docs/certificate.md").unwrap();
    for stated in [
        format!("| a certificate | {} MiB |", MAX_BYTES >> 20),
        format!("| a weights file | {} MiB |", MAX_WEIGHT_BYTES >> 20),
        format!("| `config.json` | {} MiB |", MAX_CONFIG_BYTES >> 20),
        format!(
            "| `d_vocab` | 2 to {},{:03} |",
            model::MAX_VOCAB / 1000,
            model::MAX_VOCAB % 1000
        ),
        format!("| `n_ctx` | 2 to {} |", model::MAX_CTX),
        format!(
            "| `d_vocab² · n_ctx` | 2^{} |",
            model::MAX_ROWS.trailing_zeros()
        ),
        format!(
            "| `d_model`, `d_head`, `d_mlp`, `d_embed` | {},{:03} |",
            model::MAX_WIDTH / 1000,
            model::MAX_WIDTH % 1000
        ),
        format!(
            "| `n_layers`, `n_heads` | {}, {} |",
            model::MAX_LAYERS,
            model::MAX_HEADS
        ),
        format!("| columns taken out of one factor (`left`, `right`) | {MAX_RANK} |"),
        format!("the first {MAX_RANK} pairs"),
        format!("0 ≤ b ≤ {MAX_GRID_BITS}"),
        format!("A larger b is read as {MAX_GRID_BITS}"),
        format!("in units of 2^-{OFFSET_BITS}"),
        format!("integers in units of 2^-{VECTOR_BITS}"),
        format!("Integers in units of 2^-{SPECTRAL_BITS}"),
    ] {
        assert!(page.contains(&stated), "{stated}");
    }
    assert_eq!(gbmi::checker::DEFAULT_MAX_FLOPS, 50_000_000_000);
    assert!(page.contains("`--max-flops`, 5·10^10"));
}
