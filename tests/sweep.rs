//! Sweeps: every unit once, whatever happens on the way.
#![cfg(feature = "sweep")]

use assert_cmd::Command;
use gbmi::sweep::{Manifest, Row, Unit};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const CONFIG: &str = r#"
strategies = ["brute-force", "exact", "published-cubic"]
frontier = true

[[train]]
seeds = "0..5"
n_ctx = 2
d_vocab = 6
d_model = 8
steps = 40
samples = 100
"#;
/// Four strategies and the truth, of five models.
const UNITS: u64 = 25;

/// A folder with a configuration.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sweep.toml"), config).unwrap();
    folder
}

fn command(folder: &Path, out: &str, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gbmi"));
    command.arg("sweep").arg("--config").arg(folder.join("sweep.toml")).arg("--out").arg(folder.join(out)).args(args);
    command
}

/// What the sweep says that it did.
fn sweep(folder: &Path, out: &str, args: &[&str]) -> BTreeMap<String, u64> {
    let run = Command::from_std(command(folder, out, args)).args(["--json", "--quiet"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).unwrap()
}

/// Every unit, without what differs from run to run.
fn units(out: &Path) -> BTreeMap<(String, String), Unit> {
    let manifest = Manifest::read(&out.join("manifest.json")).unwrap();
    let mut found = BTreeMap::new();
    for model in &manifest.models {
        for unit in &manifest.units {
            let path = out.join("units").join(&model.name).join(format!("{unit}.json"));
            let Some(mut read) = Unit::read(&path) else { continue };
            read.proofs.iter_mut().for_each(|row: &mut Row| (row.prove_seconds, row.check_seconds) = (0.0, 0.0));
            found.insert((model.name.clone(), unit.clone()), read);
        }
    }
    found
}

#[test]
fn a_sweep_that_is_killed_and_sharded_equals_one_that_is_not() {
    let folder = folder(CONFIG);
    let folder = folder.path();
    let done = sweep(folder, "whole", &["--threads", "2"]);
    assert_eq!((done["models"], done["found"], done["computed"], done["failed"]), (5, 0, UNITS, 0));
    let whole = units(&folder.join("whole"));
    assert_eq!(whole.len() as u64, UNITS);
    for ((model, _), unit) in &whole {
        let truth = whole[&(model.clone(), "truth".into())].truth.clone().unwrap();
        assert!(!truth.sampled);
        let (least, most) =
            (|row: &Row| row.correct.parse::<u64>().unwrap(), |row: &Row| row.upper.parse::<u64>().unwrap());
        let truth: u64 = truth.correct.parse().unwrap();
        assert!(unit.proofs.iter().all(|row| least(row) <= truth && truth <= most(row)));
    }

    // Killed now and then, until one run ends.
    let mut killed = 0;
    for milliseconds in (20..).step_by(40) {
        let mut run = command(folder, "killed", &["--threads", "1", "--quiet"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        if run.try_wait().unwrap().is_some() {
            break;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        killed += 1;
    }
    assert!(killed >= 2, "the sweep was killed {killed} times");
    assert_eq!(units(&folder.join("killed")), whole);
    assert_eq!(sweep(folder, "killed", &[])["computed"], 0);

    let shards = ["0/3", "1/3", "2/3"].map(|shard| sweep(folder, "shards", &["--shard", shard])["computed"]);
    assert_eq!(shards, [10, 10, 5]);
    assert_eq!(units(&folder.join("shards")), whole);
}

#[test]
fn what_fails_is_written_down_and_tried_again_when_asked() {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models/max_of_2_seed123");
    let config = format!("strategies = [\"brute-force\", \"exact\"]\nmax_flops = 2_000_000\nmodels = [{models:?}]\n");
    let folder = folder(&config);
    let done = sweep(folder.path(), "out", &[]);
    assert_eq!((done["models"], done["computed"], done["failed"]), (1, 3, 1));
    let found = units(&folder.path().join("out"));
    let of = |unit: &str| &found[&("max_of_2_seed123".to_string(), unit.to_string())];
    assert!(of("brute-force").failure.as_ref().unwrap().contains("2000000"), "{:?}", of("brute-force"));
    assert_eq!(of("exact").proofs[0].correct, "4096");
    assert_eq!((done["failed"], sweep(folder.path(), "out", &[])["failed"]), (1, 1));
    std::fs::write(folder.path().join("sweep.toml"), config.replace("2_000_000", "50_000_000")).unwrap();
    let done = sweep(folder.path(), "out", &["--retry"]);
    assert_eq!((done["found"], done["computed"], done["failed"]), (2, 1, 0));
}

#[test]
fn wrong_configurations_and_folders_are_refused() {
    for (config, expected) in [
        ("", "missing field `strategies`"),
        ("strategies = []", "no models"),
        ("strategies = [\"no-such\"]\n[[train]]\nseeds = 0", "no strategy has the name \"no-such\""),
        ("strategies = []\n[[train]]\nseeds = \"1..0\"", "expected a seed"),
        ("strategies = []\n[[train]]\nn_ctx = 4", "expected seeds"),
        ("strategies = []\n[[train]]\nseeds = 0\nsteeps = 4", "unknown field `steeps`"),
        ("strategies = []\n[[train]]\nseeds = 0\nn_ctx = 1", "n_ctx: expected 2 to 20, found 1"),
        ("strategies = []\n[[train]]\nseeds = 0\n[[train]]\nseeds = 0", "two models have the name"),
        ("strategies = []\nmodels = [\"no/such\"]", "no such file"),
        ("strategies = []\nmodels = [\"..\"]", "no name of a folder"),
        ("strategies = 3", "invalid type"),
        ("\u{0}", "configuration"),
    ] {
        let folder = folder(config);
        let run = command(folder.path(), "out", &["--quiet"]).output().unwrap();
        let message = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(3), "{config:?}: {message}");
        assert!(message.contains(expected), "{config:?}: {message}");
    }
    let folder = folder(CONFIG);
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let manifest = r#"{"gbmi": "0.0.1", "models": [], "units": []}"#;
    std::fs::write(folder.path().join("out/manifest.json"), manifest).unwrap();
    let run = command(folder.path(), "out", &[]).output().unwrap();
    assert!(String::from_utf8_lossy(&run.stderr).contains("gbmi 0.0.1 made it"));
    for shard in ["3/3", "a/b", "1", "0/0"] {
        assert_eq!(command(folder.path(), "new", &["--shard", shard]).output().unwrap().status.code(), Some(3));
    }
}

#[test]
fn a_job_array_is_written_for_slurm() {
    let folder = folder(CONFIG);
    let run = command(folder.path(), "it's", &["--slurm", "8", "--dry-run"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let script = std::fs::read_to_string(folder.path().join("it's/sweep.sbatch")).unwrap();
    // No more shards than models; paths are quoted for the shell.
    assert!(script.contains("#SBATCH --array=0-4\n") && script.contains("it'\\''s"), "{script}");
    let script = script.replace(&format!("'{}'", assert_cmd::cargo::cargo_bin!("gbmi").display()), "echo");
    let shell =
        std::process::Command::new("sh").arg("-c").arg(script).env("SLURM_ARRAY_TASK_ID", "3").output().unwrap();
    let said = String::from_utf8(shell.stdout).unwrap();
    assert!(said.contains("--shard 3/5 --threads 1 --quiet") && said.contains("it's"), "{said}");
}
