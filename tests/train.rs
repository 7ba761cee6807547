//! Training and evaluating: what comes out is a model, the same every time.
#![cfg(feature = "train")]

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
    let one_head = network.one_head().unwrap();
    let (all, cpu) = (gbmi::train::Inputs::All, candle_core::Device::Cpu);
    let evaluated = gbmi::train::evaluate(&one_head, all, &cpu).unwrap();
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
    ] {
        // A flag that is there twice is refused too: the one for sizes is left out.
        let mut command = Command::cargo_bin("gbmi").unwrap();
        let run = command
            .args(["train", "--quiet", "--out"])
            .arg(folder.path().join("out"))
            .args(args)
            .output()
            .unwrap();
        assert_eq!(
            run.status.code(),
            Some(3),
            "{args:?}: {}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
