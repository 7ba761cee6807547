//! What every command prints with `--json` has the shape of `docs/outputs.schema.json`, on success and on failure.
#![cfg(all(
    feature = "sweep",
    feature = "import",
    feature = "optimise",
    feature = "coq"
))]

use crate::cli::{copy_tiny, edit, gbmi, here, with_certificate};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn schema() -> Value {
    serde_json::from_str(include_str!("../docs/outputs.schema.json")).unwrap()
}

/// A field that the schema does not name may be added later: here it is an error.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            if object.get("properties").is_some_and(Value::is_object)
                && object.get("type") == Some(&"object".into())
            {
                object.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// Fails unless a value has the shape of a definition.
fn validate(name: &str, value: &Value) {
    let mut schema = schema();
    close(&mut schema);
    schema["$ref"] = format!("#/$defs/{name}").into();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?} in {value}");
}

/// What a command prints: one value on one line.
fn printed(folder: &Path, args: &[&str], code: i32) -> (Value, String) {
    let run = gbmi(folder, &[args, &["--json"]].concat());
    assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
    assert!(
        run.stdout.ends_with('\n') && run.stdout.lines().count() == 1,
        "{args:?}: {}",
        run.stdout
    );
    (serde_json::from_str(&run.stdout).unwrap(), run.stderr)
}

const SWEEP: &str = "strategies = [\"exact\", \"published-cubic\"]\nmodels = [\"model\"]\n";

/// A folder with what the commands below read.
fn folder() -> tempfile::TempDir {
    let folder = with_certificate();
    let path = folder.path();
    std::fs::write(path.join("sweep.toml"), SWEEP).unwrap();
    std::fs::write(
        path.join("none.toml"),
        SWEEP.replace("\"model\"", "\"none\""),
    )
    .unwrap();
    copy_tiny(&path.join("deep"));
    edit(
        &path.join("deep/config.json"),
        "\"n_layers\": 1",
        "\"n_layers\": 5",
    );
    edit(
        &path.join("deep/config.json"),
        "\"d_vocab\": 5",
        "\"d_vocab\": 1",
    );
    let modular = crate::anatomy::modular();
    std::fs::create_dir(path.join("modular")).unwrap();
    std::fs::write(path.join("modular/config.json"), modular.config()).unwrap();
    std::fs::write(path.join("modular/model.safetensors"), modular.weights()).unwrap();
    std::fs::copy(path.join("cert.json"), path.join("more.json")).unwrap();
    edit(&path.join("more.json"), "\"109\"", "\"110\"");
    folder
}

#[test]
fn every_command_prints_one_value_of_its_shape() {
    let folder = folder();
    let path = folder.path();
    let (checkpoint, config) = (
        here("tests/data/foreign/pl.ckpt"),
        here("tests/data/foreign/config.json"),
    );
    let families = ["f_g_max_min", "induction_exhaustive_7", "group_S4_mlp"];
    let families =
        families.map(|name| format!("inspect {}", here(&format!("tests/data/families/{name}"))));
    let train = "train --n-ctx 2 --d-vocab 4 --d-model 4 --steps 0.001k --samples 1 --out trained";
    let commands = [
        "prove model --out again.json",
        "prove model --strategy exact --margin 0.5 --out margin.json",
        "prove model --budget 2.5k --out short.json",
        "check cert.json",
        "check cert.json model",
        "check margin.json --model model",
        "compare model --strategies own,published-cubic",
        "compare model --strategies exact,cubic --max-flops 2.1k",
        "frontier model",
        "frontier --model model --published --out frontier",
        "explain cert.json model --spend 1k",
        "explain cert.json --out explained",
        "wrong model",
        "wrong cert.json model --limit 0.002k",
        "inspect model --out pictures",
        &families[0],
        &families[1],
        &families[2],
        "inspect modular --out pictures",
        &format!("import {checkpoint} --config {config} --out imported"),
        "export-coq cert.json model --out cert.v",
        train,
        "evaluate model",
        "evaluate model --samples 1k",
        "sweep --config sweep.toml --out swept",
        "sweep --config sweep.toml --out array --slurm 2 --dry-run",
        "report swept",
        "strategies",
    ];
    let mut seen = BTreeSet::new();
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        let (value, _) = printed(path, &args, 0);
        validate(args[0], &value);
        seen.insert(args[0]);
    }
    // Files have the same shape.
    for (name, file) in [
        ("frontier", "frontier/frontier.json"),
        ("explain", "explained/explain.json"),
    ] {
        let text = std::fs::read_to_string(path.join(file)).unwrap();
        validate(name, &serde_json::from_str(&text).unwrap());
    }
    // No command that has the flag is forgotten.
    let help = gbmi(path, &["--help"]).stdout;
    let names = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next());
    let all: BTreeSet<&str> = names
        .filter(|name| !["help", "completions", "man"].contains(name))
        .collect();
    assert_eq!(seen, all);
}

#[test]
fn every_failure_has_a_code_and_the_sentence_of_stderr() {
    let folder = folder();
    let path = folder.path();
    let other = here("models/max_of_2_seed123");
    let gpt2 = here("tests/data/foreign/gpt2.json");
    let config = here("tests/data/foreign/config.json");
    let cases = [
        (format!("check cert.json {other}"), 1, "wrong_network"),
        ("check more.json".into(), 1, "not_established"),
        ("check sweep.toml".into(), 1, "malformed"),
        ("check cert.json --max-flops 0.1k".into(), 2, "work"),
        ("check cert.json deep".into(), 2, "config"),
        ("check none.json".into(), 3, "unreadable"),
        ("check".into(), 3, "usage"),
        ("prove model --model model".into(), 3, "usage"),
        ("prove deep".into(), 2, "config"),
        ("prove model --one-sided".into(), 3, "usage"),
        (
            "prove model --out no/such/cert.json".into(),
            3,
            "unreadable",
        ),
        (
            "prove model --at-least 110 --out x.json".into(),
            1,
            "not_established",
        ),
        (
            "prove model --strategy published-cubic --margin 1".into(),
            2,
            "claim",
        ),
        ("compare --strategies magic".into(), 3, "usage"),
        (
            "compare model --strategies own --class quadratic-qk".into(),
            3,
            "usage",
        ),
        ("frontier none".into(), 3, "unreadable"),
        ("explain none.json".into(), 3, "unreadable"),
        ("explain more.json".into(), 1, "not_established"),
        ("wrong none.json".into(), 3, "unreadable"),
        ("wrong model --model model".into(), 3, "usage"),
        (format!("wrong cert.json {other}"), 1, "wrong_network"),
        ("inspect deep".into(), 2, "config"),
        (
            format!("import {gpt2} --config {config} --out imported"),
            2,
            "model",
        ),
        ("export-coq cert.json --out cert-1.v".into(), 3, "usage"),
        ("train --steps 0 --out trained".into(), 3, "unreadable"),
        ("evaluate none".into(), 3, "unreadable"),
        ("evaluate --samples 0".into(), 3, "usage"),
        ("sweep --config none --out swept".into(), 3, "unreadable"),
        ("report none".into(), 3, "unreadable"),
        ("strategies --magic".into(), 3, "usage"),
        ("nonsense".into(), 3, "usage"),
    ];
    for (command, code, expected) in cases {
        let args: Vec<&str> = command.split(' ').collect();
        let (value, said) = printed(path, &args, code);
        assert_eq!(value["code"], expected, "{command}: {value}");
        let verdict = ["", "REJECTED", "DECLINED", "ERROR"][usize::try_from(code).unwrap()];
        assert_eq!(value["verdict"], verdict, "{command}");
        let reason = value["reason"].as_str().unwrap();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&said).contains(reason), "{command}: {reason}, {said}");
        // The parser refuses before there is a verdict.
        let is_verdict = value.get("arithmetic").is_some();
        validate(if is_verdict { args[0] } else { "refusal" }, &value);
        if expected == "config" {
            let reasons = value["reasons"].as_array().unwrap();
            assert_eq!(reasons.len(), 2, "{value}");
            assert_eq!(
                (&value["at"], &value["found"]),
                (&reasons[0]["at"], &reasons[0]["found"])
            );
        }
    }
    let (both, _) = printed(path, &["prove", "model", "--model", "model"], 3);
    assert_eq!(
        (&both["at"], &both["found"]),
        (&"[MODEL]".into(), &"--model <MODEL>".into())
    );
    // What goes on past a refusal says it in its row, and prints nothing else.
    let (rows, _) = printed(
        path,
        &["compare", "none", "model", "--strategies", "exact"],
        3,
    );
    validate("compare", &rows);
    assert_eq!(
        (&rows[0]["code"], &rows[1]["code"]),
        (&json!("unreadable"), &Value::Null)
    );
    let (done, _) = printed(
        path,
        &["sweep", "--config", "none.toml", "--out", "swept"],
        3,
    );
    validate("sweep", &done);
    assert_eq!(done["refused"][0]["code"], "unreadable");
    // stdout is the certificate's, or nobody's.
    let run = gbmi(
        path,
        &["prove", "model", "--out", "-", "--json", "--budget", "x"],
    );
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    assert!(run.stderr.starts_with("{\""), "{}", run.stderr);
}

/// Those of the page are those of the schema.
#[test]
fn the_page_has_every_code() {
    let page = std::fs::read_to_string("docs/outputs.md").unwrap();
    for code in schema()["$defs"]["code"]["enum"].as_array().unwrap() {
        let code = code.as_str().unwrap();
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}
