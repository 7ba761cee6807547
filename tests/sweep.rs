//! Sweeps: every unit once, whatever happens on the way.
#![cfg(feature = "sweep")]

use assert_cmd::Command;
use gbmi::model::Network;
use gbmi::sweep::{Manifest, Row, Unit};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(crate) const CONFIG: &str = r#"
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
pub(crate) fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sweep.toml"), config).unwrap();
    folder
}

pub(crate) fn command(folder: &Path, out: &str, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gbmi"));
    command
        .arg("sweep")
        .arg("--config")
        .arg(folder.join("sweep.toml"))
        .arg("--out")
        .arg(folder.join(out))
        .args(args);
    command
}

/// What the sweep says that it did.
fn sweep(folder: &Path, out: &str, args: &[&str]) -> BTreeMap<String, u64> {
    let run = Command::from_std(command(folder, out, args))
        .args(["--json", "--quiet"])
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let mut said: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(said.remove("refused"), Some(serde_json::json!([])));
    said.into_iter()
        .map(|(name, count)| (name, count.as_u64().unwrap()))
        .collect()
}

/// Every unit, without what differs from run to run.
pub(crate) fn units(out: &Path) -> BTreeMap<(String, String), Unit> {
    let manifest = Manifest::read(&out.join("manifest.json")).unwrap();
    let mut found = BTreeMap::new();
    for model in &manifest.models {
        for unit in &manifest.units {
            let path = out
                .join("units")
                .join(&model.name)
                .join(format!("{unit}.json"));
            let Some(mut read) = Unit::read(&path) else {
                continue;
            };
            read.proofs
                .iter_mut()
                .for_each(|row: &mut Row| (row.prove_seconds, row.check_seconds) = (0.0, 0.0));
            found.insert((model.name.clone(), unit.clone()), read);
        }
    }
    found
}

/// Kills a sweep now and then, until one run ends.
fn killed_until_it_ends(folder: &Path) {
    let mut killed = 0;
    for milliseconds in (20..).step_by(40) {
        let mut run = command(folder, "killed", &["--threads", "1", "--quiet"])
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        if run.try_wait().unwrap().is_some() {
            break;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        killed += 1;
    }
    assert!(killed >= 2, "the sweep was killed {killed} times");
}

/// Nothing is lost, done twice or other than without the kills; a table's labels are copied with its model.
#[test]
fn a_killed_sweep_over_several_experiments_goes_on() {
    let folder = folder(
        r#"
strategies = ["exhaustive"]
models = ["table_seed0"]
[[train]]
name = "sum"
seeds = "0..2"
task = { name = "modular", function = "add", p = 3 }
d_model = 8
d_mlp = 8
steps = 100
[[train]]
seeds = "0..2"
task = { name = "induction", inputs = "exhaustive" }
d_vocab = 2
n_ctx = 4
d_model = 8
batch_size = 16
steps = 100
[[train]]
seeds = "0..2"
task = { name = "group", group = "C4" }
d_model = 4
d_mlp = 8
steps = 100
"#,
    );
    let folder = folder.path();
    crate::train::table_task(folder);
    let task = folder.join("task.json").display().to_string();
    let table = [
        "--n-ctx",
        "2",
        "--d-vocab",
        "2",
        "--d-model",
        "4",
        "--name",
        "table",
    ];
    let mut train = Command::cargo_bin("gbmi").unwrap();
    let train = train
        .args(["train", "--quiet", "--steps", "1", "--task", &task])
        .args(table);
    train.arg("--out").arg(folder).assert().success();
    let done = sweep(folder, "whole", &[]);
    assert_eq!(
        (done["models"], done["computed"], done["failed"]),
        (7, 14, 0)
    );
    let whole = units(&folder.join("whole"));
    killed_until_it_ends(folder);
    assert_eq!(units(&folder.join("killed")), whole);
    assert_eq!(sweep(folder, "killed", &[])["computed"], 0);
    for ((model, name), unit) in &whole {
        let truth = whole[&(model.clone(), "truth".into())]
            .truth
            .clone()
            .unwrap();
        assert!(!truth.sampled);
        let counts = unit
            .proofs
            .iter()
            .map(|row| (&row.correct, &row.upper, &row.total));
        let expected = (&truth.correct, &truth.correct, &truth.total);
        assert!(
            counts.eq((name == "exhaustive").then_some(expected)),
            "{model}"
        );
    }
    let report = gbmi::report::report(&folder.join("whole"), &folder.join("report"), 2).unwrap();
    let groups: Vec<_> = report
        .groups
        .iter()
        .map(|means| (&*means.group, means.models))
        .collect();
    let names = [
        "sum",
        "induction_of_4_exhaustive_v2_d8_l2",
        "group_v4_d4_m8_two_embeddings",
        "table",
    ];
    assert_eq!(
        groups,
        names.into_iter().zip([2, 2, 2, 1]).collect::<Vec<_>>()
    );
    assert!(
        report
            .groups
            .iter()
            .all(|means| means.best[0].of == "exhaustive")
    );
    let page = std::fs::read_to_string(folder.join("report/index.html")).unwrap();
    assert!(page.contains("modular") && page.contains("d_mlp 8 (ReLU)"));
}

#[test]
fn a_sweep_that_is_killed_and_sharded_equals_one_that_is_not() {
    let folder = folder(CONFIG);
    let folder = folder.path();
    let done = sweep(folder, "whole", &["--threads", "2"]);
    assert_eq!(
        (
            done["models"],
            done["found"],
            done["computed"],
            done["failed"]
        ),
        (5, 0, UNITS, 0)
    );
    let whole = units(&folder.join("whole"));
    assert_eq!(whole.len() as u64, UNITS);
    for ((model, _), unit) in &whole {
        let truth = whole[&(model.clone(), "truth".into())]
            .truth
            .clone()
            .unwrap();
        assert!(!truth.sampled);
        let (least, most) = (
            |row: &Row| row.correct.parse::<u64>().unwrap(),
            |row: &Row| row.upper.parse::<u64>().unwrap(),
        );
        let truth: u64 = truth.correct.parse().unwrap();
        assert!(
            unit.proofs
                .iter()
                .all(|row| least(row) <= truth && truth <= most(row))
        );
    }

    killed_until_it_ends(folder);
    assert_eq!(units(&folder.join("killed")), whole);
    assert_eq!(sweep(folder, "killed", &[])["computed"], 0);

    let shards =
        ["0/3", "1/3", "2/3"].map(|shard| sweep(folder, "shards", &["--shard", shard])["computed"]);
    assert_eq!(shards, [10, 10, 5]);
    assert_eq!(units(&folder.join("shards")), whole);
}

/// The digest of the network that a sweep has under a name.
pub(crate) fn digest(out: &Path, model: &str) -> Option<String> {
    Some(
        Network::load(&out.join("models").join(model))
            .unwrap()
            .sha256,
    )
}

pub(crate) fn copy_model(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

pub(crate) fn tiny() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny")
}

/// Keeps the first half of a file.
pub(crate) fn halve(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// Gives each of two files the contents of the other.
pub(crate) fn swap([one, other]: [&Path; 2]) {
    let contents = [one, other].map(|path| std::fs::read(path).unwrap());
    std::fs::write(other, &contents[0]).unwrap();
    std::fs::write(one, &contents[1]).unwrap();
}

const TWO: &str = "strategies = [\"exact\"]\n[[train]]\nseeds = \"0..2\"\nn_ctx = 2\nd_vocab = 6\nd_model = 8\nsteps = 40\n";
const TWO_MODELS: [&str; 2] = ["max_of_2_v6_d8_seed0", "max_of_2_v6_d8_seed1"];

#[test]
fn a_unit_is_about_the_weights_that_it_was_computed_on() {
    let folder = folder(TWO);
    let out = folder.path().join("out");
    assert_eq!(sweep(folder.path(), "out", &[])["computed"], 4);
    let before = units(&out);
    for ((model, _), unit) in &before {
        assert_eq!(unit.network, digest(&out, model));
    }
    let weights = TWO_MODELS.map(|model| out.join("models").join(model).join("model.safetensors"));
    swap([&weights[0], &weights[1]]);
    let done = sweep(folder.path(), "out", &[]);
    assert_eq!(
        (
            done["models"],
            done["found"],
            done["computed"],
            done["failed"]
        ),
        (0, 0, 4, 0)
    );
    let of = |model: usize, unit: &str| (TWO_MODELS[model].to_owned(), unit.to_owned());
    let swapped = units(&out);
    for unit in ["truth", "exact"] {
        assert_eq!(
            [0, 1].map(|model| &swapped[&of(model, unit)]),
            [1, 0].map(|model| &before[&of(model, unit)])
        );
    }
    swap([&weights[0], &weights[1]]);

    // What cannot be read is not done.
    assert_eq!(sweep(folder.path(), "out", &[])["computed"], 4);
    let path = |model: usize, unit: &str| out.join("units").join(TWO_MODELS[model]).join(unit);
    std::fs::write(path(0, "truth.json"), "").unwrap();
    halve(&path(0, "exact.json"));
    std::fs::write(path(1, "truth.json"), "{}").unwrap();
    std::fs::remove_file(path(1, "exact.json")).unwrap();
    std::fs::create_dir(path(1, "exact.json")).unwrap();
    let run = command(folder.path(), "out", &["--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        run.status.code() == Some(3) && said.contains("a folder has that name"),
        "{said}"
    );
    std::fs::remove_dir(path(1, "exact.json")).unwrap();
    assert_eq!(sweep(folder.path(), "out", &[])["computed"], 1);
    assert_eq!(units(&out), before);
}

#[test]
fn a_broken_model_is_named_and_written_down_and_stops_nothing() {
    let models = ["missing", "sound", "unsupported", "truncated"];
    let folder = folder(&format!("strategies = [\"exact\"]\nmodels = {models:?}\n"));
    let path = folder.path();
    for model in &models[1..] {
        copy_model(&tiny(), &path.join(model));
    }
    let config = path.join("unsupported/config.json");
    let unsupported = std::fs::read_to_string(&config)
        .unwrap()
        .replace("\"n_layers\": 1", "\"n_layers\": 5");
    std::fs::write(&config, &unsupported).unwrap();
    halve(&path.join("truncated/model.safetensors"));
    let run = || {
        let run = command(path, "out", &["--json", "--quiet"])
            .output()
            .unwrap();
        let done: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&run.stdout).unwrap();
        let counts = done
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_u64()?)));
        (
            run.status.code().unwrap(),
            counts.collect::<BTreeMap<String, u64>>(),
            String::from_utf8(run.stderr).unwrap(),
        )
    };
    let (code, done, said) = run();
    assert_eq!(
        (code, done["models"], done["computed"], done["failed"]),
        (3, 1, 8, 6)
    );
    let reasons = [
        ("missing", "there is no such file"),
        (
            "unsupported",
            "n_layers: expected a whole number from 1 to 4, found 5",
        ),
        ("truncated", "unsupported model at model.safetensors"),
    ];
    assert_eq!(said.lines().count(), reasons.len(), "{said}");
    let found = units(&path.join("out"));
    for ((model, reason), line) in reasons.iter().zip(said.lines()) {
        assert!(
            line.starts_with(&format!("gbmi: {model}: ")) && line.contains(reason),
            "{line}"
        );
        let exact = &found[&(model.to_string(), "exact".to_string())];
        assert!(
            exact.network.is_none() && exact.failure.as_ref().unwrap().contains(reason),
            "{exact:?}"
        );
    }
    assert_eq!(
        found[&("sound".to_string(), "exact".to_string())].proofs[0].correct,
        "109"
    );

    // Mended, they are computed. One that is broken only then keeps its results, and its copy stands for it.
    for model in ["missing", "truncated", "unsupported"] {
        copy_model(&tiny(), &path.join(model));
    }
    std::fs::remove_dir_all(path.join("sound")).unwrap();
    let (code, done, _) = run();
    assert_eq!(
        (
            code,
            done["models"],
            done["found"],
            done["computed"],
            done["failed"]
        ),
        (0, 3, 2, 6, 0)
    );
    let before = units(&path.join("out"));
    halve(&path.join("out/models/sound/model.safetensors"));
    let (code, done, said) = run();
    assert_eq!(
        (code, done["found"], done["computed"], done["failed"]),
        (3, 8, 0, 2)
    );
    assert!(said.starts_with("gbmi: sound: no model at "), "{said}");
    assert_eq!(units(&path.join("out")), before);
    // A copy that is another's is made again.
    copy_model(&tiny(), &path.join("sound"));
    swap([
        &path.join("out/models/sound/model.safetensors"),
        &path.join("out/models/missing/config.json"),
    ]);
    let (code, done, said) = run();
    assert_eq!(
        (code, done["models"], done["found"], done["computed"]),
        (0, 2, 8, 0),
        "{said}"
    );
    // A model that is not supported is declined.
    std::fs::write(&config, unsupported).unwrap();
    std::fs::remove_dir_all(path.join("out/models/unsupported")).unwrap();
    assert_eq!(run().0, 2);
}

#[test]
fn models_of_one_name_have_folders_of_their_own() {
    let names = [
        "one/m_seed1",
        "two/m_seed1",
        "two/m_seed1_2",
        "three/m_seed1",
    ];
    let folder = folder(&format!("strategies = [\"exact\"]\nmodels = {names:?}\n"));
    names
        .iter()
        .for_each(|name| copy_model(&tiny(), &folder.path().join(name)));
    assert_eq!(sweep(folder.path(), "out", &[])["computed"], 8);
    let manifest = Manifest::read(&folder.path().join("out/manifest.json")).unwrap();
    let found: Vec<(&str, &str)> = manifest
        .models
        .iter()
        .map(|entry| (entry.name.as_str(), entry.group.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("m_seed1", "m"),
            ("m_seed1_2", "m_2"),
            ("m_seed1_2_2", "m_2"),
            ("m_seed1_3", "m_3")
        ]
    );
    assert_eq!(units(&folder.path().join("out")).len(), 8);
}

#[test]
fn temporary_files_of_killed_runs_are_removed_and_those_of_others_are_not() {
    let folder = folder(TWO);
    let out = folder.path().join("out");
    sweep(folder.path(), "out", &[]);
    let places = [
        ".",
        "units/max_of_2_v6_d8_seed0",
        "models/max_of_2_v6_d8_seed1",
    ];
    let leave = |name: &str, minutes: u64| {
        places.map(|place| {
            let path = out.join(place).join(name);
            let file = std::fs::File::create(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * minutes))
                .unwrap();
            path
        })
    };
    let [old, young, other] = [
        leave(".gbmi-old.json", 61),
        leave(".gbmi-young", 59),
        leave("gbmi-other", 1000),
    ];
    sweep(folder.path(), "out", &[]);
    assert!(old.iter().all(|path| !path.exists()));
    assert!(young.iter().chain(&other).all(|path| path.exists()));
}

#[test]
fn what_fails_is_written_down_and_tried_again_when_asked() {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models/max_of_2_seed123");
    let config = format!(
        "strategies = [\"brute-force\", \"exact\"]\nmax_flops = 2_000_000\nmodels = [{models:?}]\n"
    );
    let folder = folder(&config);
    let done = sweep(folder.path(), "out", &[]);
    assert_eq!(
        (done["models"], done["computed"], done["failed"]),
        (1, 3, 1)
    );
    let found = units(&folder.path().join("out"));
    let of = |unit: &str| &found[&("max_of_2_seed123".to_string(), unit.to_string())];
    assert!(
        of("brute-force")
            .failure
            .as_ref()
            .unwrap()
            .contains("2000000"),
        "{:?}",
        of("brute-force")
    );
    assert_eq!(of("exact").proofs[0].correct, "4096");
    assert_eq!(
        (done["failed"], sweep(folder.path(), "out", &[])["failed"]),
        (1, 1)
    );
    std::fs::write(
        folder.path().join("sweep.toml"),
        config.replace("2_000_000", "50_000_000"),
    )
    .unwrap();
    let done = sweep(folder.path(), "out", &["--retry"]);
    assert_eq!((done["found"], done["computed"], done["failed"]), (2, 1, 0));
}

#[test]
fn wrong_configurations_and_folders_are_refused() {
    for (config, expected) in [
        ("", "missing field `strategies`"),
        ("strategies = []", "no models"),
        (
            "strategies = [\"no-such\"]\n[[train]]\nseeds = 0",
            "no strategy has the name \"no-such\"",
        ),
        (
            "strategies = []\n[[train]]\nseeds = \"1..0\"",
            "expected a seed",
        ),
        ("strategies = []\n[[train]]\nn_ctx = 4", "expected seeds"),
        (
            "strategies = []\n[[train]]\nseeds = 0\nsteeps = 4",
            "unknown field `steeps`",
        ),
        (
            "strategies = []\n[[train]]\nseeds = 0\nn_ctx = 1",
            "n_ctx: expected a whole number from 2 to 32, found 1",
        ),
        (
            "strategies = []\n[[train]]\nseeds = 0\n[[train]]\nseeds = 0",
            "two models have the name",
        ),
        ("strategies = []\nmodels = [\"no/such\"]", "no such file"),
        ("strategies = []\nmodels = [\"..\"]", "no name of a folder"),
        ("strategies = 3", "invalid type"),
        ("\u{0}", "configuration"),
    ] {
        let folder = folder(config);
        let run = command(folder.path(), "out", &["--quiet"])
            .output()
            .unwrap();
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
        assert_eq!(
            command(folder.path(), "new", &["--shard", shard])
                .output()
                .unwrap()
                .status
                .code(),
            Some(3)
        );
    }
}

#[test]
fn a_job_array_is_written_for_slurm() {
    let folder = folder(CONFIG);
    let run = command(folder.path(), "it's", &["--slurm", "8", "--dry-run"])
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let script = std::fs::read_to_string(folder.path().join("it's/sweep.sbatch")).unwrap();
    // No more shards than models; paths are quoted for the shell.
    assert!(
        script.contains("#SBATCH --array=0-4\n") && script.contains("it'\\''s"),
        "{script}"
    );
    let script = script.replace(
        &format!("'{}'", assert_cmd::cargo::cargo_bin!("gbmi").display()),
        "echo",
    );
    let shell = std::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .env("SLURM_ARRAY_TASK_ID", "3")
        .output()
        .unwrap();
    let said = String::from_utf8(shell.stdout).unwrap();
    assert!(
        said.contains("--shard 3/5 --threads 1\n") && said.contains("it's"),
        "{said}"
    );
}
