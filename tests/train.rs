//! Training and evaluating: what comes out is a model, the same every time.
#![cfg(feature = "train")]

use crate::common::tiny::file;
use assert_cmd::Command;
use gbmi::model::Network;
use std::path::Path;

const SMALL: [&str; 8] = [
    "--n-ctx",
    "2",
    "--d-vocab",
    "6",
    "--d-model",
    "8",
    "--samples",
    "500",
];

fn train(out: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("gbmi").unwrap();
    command
        .args(["train", "--quiet", "--json", "--out"])
        .arg(out)
        .args(SMALL)
        .args(args)
        .output()
        .unwrap()
}

/// The models that were trained, as printed.
fn trained(out: &Path, args: &[&str]) -> Vec<serde_json::Value> {
    let run = train(out, args);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    serde_json::from_slice(&run.stdout).unwrap()
}

fn files(out: &Path, seed: u64) -> [Vec<u8>; 3] {
    let folder = out.join(format!("max_of_2_v6_d8_seed{seed}"));
    ["config.json", "model.safetensors", "losses.csv"]
        .map(|name| std::fs::read(folder.join(name)).unwrap())
}

#[test]
fn a_model_is_learnt_read_and_proved() {
    let folder = tempfile::tempdir().unwrap();
    let found = trained(
        folder.path(),
        &["--seeds", "7", "--steps", "600", "--lr", "0.01"],
    );
    let model = folder.path().join(found[0]["model"].as_str().unwrap());
    let network = Network::load(&model).unwrap();
    assert_eq!(
        (
            network.one_head().unwrap().config.n_ctx,
            network.one_head().unwrap().config.d_vocab,
            network.one_head().unwrap().config.d_model
        ),
        (2, 6, 8)
    );
    // Untrained, one in six would be right.
    let correct = found[0]["correct"]
        .as_str()
        .unwrap()
        .parse::<u64>()
        .unwrap();
    assert!(correct > 450, "{correct} of 500");
    let strategy = gbmi::strategy::Strategy::BruteForce;
    let proof =
        gbmi::search::prove(&network, strategy, None, gbmi::checker::Options::default()).unwrap();
    let (all, cpu) = (gbmi::train::Inputs::All, candle_core::Device::Cpu);
    let evaluated = gbmi::train::evaluate(&network, all, &cpu).unwrap();
    let counted = gbmi::answers::count(&network, 2, &|| ());
    assert_eq!(
        (evaluated.correct.into(), evaluated.total.into()),
        counted.clone()
    );
    assert_eq!((proof.certified.correct, proof.certified.total), counted);
}

#[test]
fn training_goes_on_where_it_was_interrupted_with_the_same_models() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let steps = ["--steps", "20", "--seeds"];
    let run = |out: &Path, seeds: &str, threads: &str| {
        trained(out, &[&steps[..], &[seeds, "--threads", threads]].concat())
    };
    assert_eq!(run(whole.path(), "0..5", "2").len(), 5);
    assert_eq!(run(parts.path(), "3", "1").len(), 1);
    let before = std::fs::metadata(parts.path().join("max_of_2_v6_d8_seed3/model.safetensors"))
        .unwrap()
        .modified();
    assert_eq!(run(parts.path(), "0..5", "1").len(), 4);
    let after = std::fs::metadata(parts.path().join("max_of_2_v6_d8_seed3/model.safetensors"))
        .unwrap()
        .modified();
    assert_eq!(before.unwrap(), after.unwrap());
    for seed in 0..5 {
        assert_eq!(files(whole.path(), seed), files(parts.path(), seed));
    }
    // Another recipe does not overwrite them.
    let run = train(whole.path(), &["--steps", "21"]);
    assert_eq!(run.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&run.stderr).contains("another model is there"));
}

/// Writes `task.json` and its labels: of two tokens the first.
pub(crate) fn table_task(folder: &Path) {
    let labels: Vec<u8> = [0, 0, 1, 1_i32]
        .iter()
        .flat_map(|label| label.to_le_bytes())
        .collect();
    let labels = file(safetensors::Dtype::I32, &[("labels", &[2, 2], labels)]);
    std::fs::write(folder.join("first.safetensors"), labels).unwrap();
    let task = r#"{"name": "table", "labels": "first.safetensors"}"#;
    std::fs::write(folder.join("task.json"), task).unwrap();
}

/// The task's own recipe, by its name, its JSON or its file; what a file names lies beside it.
#[test]
fn any_task_is_learnt_by_the_recipe_of_its_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    table_task(path);
    let table = path.join("task.json").display().to_string();
    for (task, args, name) in [
        (
            "min_of_n",
            "--n-ctx 2 --d-vocab 6 --d-model 8 --lr 0.01",
            "min_of_2_v6_d8",
        ),
        (
            r#"{"name": "group", "group": "C3"}"#,
            "--d-model 8 --d-mlp 16",
            "group_v3_d8_m16_two_embeddings",
        ),
        (
            r#"{"name": "modular", "function": "add", "p": 3}"#,
            "--d-model 8 --d-mlp 32 --train-ratio 1 --weight-decay 0.01 --betas 0.9,0.98 --lr 0.01",
            "modular_of_2_add_v3_d8_h4_m32",
        ),
        (
            &table,
            "--n-ctx 2 --d-vocab 2 --d-model 4 --lr 0.01",
            "table_v2_d4",
        ),
    ] {
        let run = Command::cargo_bin("gbmi")
            .unwrap()
            .args([
                "train",
                "--quiet",
                "--json",
                "--steps",
                "400",
                "--samples",
                "500",
            ])
            .arg("--out")
            .arg(path.join("out"))
            .args(["--task", task])
            .args(args.split(' '))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{task}: {said}");
        let found: Vec<serde_json::Value> = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(found[0]["model"], format!("{name}_seed0"));
        let model = path.join("out").join(found[0]["model"].as_str().unwrap());
        let network = Network::load(&model).unwrap();
        let (right, all) = gbmi::answers::count(&network, 1, &|| ());
        assert_eq!(right, all, "{task}");
    }
}

/// On every kind of network: the tensors of training against the definition, read-out by read-out.
#[test]
fn evaluating_is_what_the_definition_says() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
    for name in [
        "group_S4_mlp",
        "second_max_of_3_two_heads",
        "sorted_list_3_ln",
        "f_g_max_min",
    ] {
        let network = Network::load(&families.join(name)).unwrap();
        let cpu = candle_core::Device::Cpu;
        let found = gbmi::train::evaluate(&network, gbmi::train::Inputs::All, &cpu).unwrap();
        let counted = gbmi::answers::count(&network, 2, &|| ());
        assert_eq!(
            (found.correct.into(), found.total.into()),
            counted,
            "{name}"
        );
        let inputs = gbmi::train::Inputs::Sampled {
            samples: 4000,
            seed: 3,
        };
        let sampled = gbmi::train::evaluate(&network, inputs, &cpu).unwrap();
        let share = |found: gbmi::train::Evaluated| found.correct as f64 / found.total as f64;
        let apart = share(sampled) - share(found);
        assert!(
            apart.abs() < 5.0 * sampled.standard_error(),
            "{name}: {apart}"
        );
    }
}

#[test]
fn every_configuration_of_a_sweep_can_be_trained() {
    let mut count = 0;
    for entry in std::fs::read_dir("sweeps").unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let config = gbmi::sweep::Config::parse(&text, Path::new("sweeps"));
        let config = config.unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
        count += config.models.len();
    }
    assert!(count > 200, "{count} models");
}

#[test]
fn impossible_recipes_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        ["--steps", "0"],
        ["--d-vocab", "1"],
        ["--n-ctx", "33"],
        ["--lr", "NaN"],
        ["--lr", "-1"],
        ["--batch-size", "0"],
        ["--seeds", "5..5"],
        ["--seeds", "a"],
        ["--seeds", "18446744073709551615"],
        ["--train-ratio", "2"],
        ["--betas", "1,1"],
        ["--betas", "0.9"],
        ["--batch-size", "full"],
        ["--batch-size", "half"],
        ["--train-ratio", "0.5"],
        ["--n-layers", "9"],
        ["--d-mlp", "1000000000"],
        ["--d-model", "1000000000"],
        ["--attention-rate", "2"],
        ["--name", "../escaped"],
        ["--task", "max"],
        ["--task", "{"],
        ["--task", r#"{"name": "group", "group": "Q8"}"#],
        [
            "--task",
            r#"{"name": "modular", "function": "add", "p": 0}"#,
        ],
        [
            "--task",
            r#"{"name": "table", "labels": "none.safetensors"}"#,
        ],
    ] {
        // A flag that is there twice is refused too: the one for sizes is left out.
        let mut command = Command::cargo_bin("gbmi").unwrap();
        let run = command
            .args(["train", "--quiet", "--out"])
            .arg(folder.path().join("out"))
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(
            matches!(run.status.code(), Some(2 | 3)) && !said.contains("panicked"),
            "{args:?}: {said}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
