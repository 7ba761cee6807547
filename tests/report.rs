//! Reports of sweeps: numbers computed again another way, the same bytes every time, nothing fetched.
#![cfg(feature = "sweep")]

use gbmi::model::Network;
use gbmi::refusal::Refusal;
use gbmi::report::report;
use gbmi::sweep::{Entry, Manifest, Row, Truth, Unit};
use std::path::{Path, PathBuf};

const MODELS: [&str; 2] = ["max_of_4_seed50", "max_of_4_seed7238"];
const UNITS: [&str; 4] = ["truth", "exact", "published-cubic", "frontier"];

fn row(strategy: &str, class: &str, correct: u64, flops: u64, seconds: f64) -> Row {
    Row {
        strategy: strategy.into(),
        class: class.into(),
        correct: correct.to_string(),
        upper: "16777216".into(),
        total: "16777216".into(),
        flops,
        int_ops: 7,
        unexplained_dimension: "12800".into(),
        bytes: 1000,
        prove_seconds: seconds,
        check_seconds: seconds,
    }
}

/// What a unit of a model is: computed on its network.
fn unit(model: &str) -> Unit {
    Unit {
        network: Some(Network::load(&of_repository(model)).unwrap().sha256),
        ..Unit::default()
    }
}

fn proofs(model: &str, proofs: Vec<Row>) -> Unit {
    Unit {
        proofs,
        ..unit(model)
    }
}

fn of_repository(model: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("models")
        .join(model)
}

/// A sweep of two real models, with made results; `seconds` differ from run to run.
fn sweep(folder: &Path, seconds: f64) {
    let entry = |name: &&str| Entry {
        name: (*name).into(),
        group: "max_of_4".into(),
    };
    let units = UNITS.iter().map(|unit| (*unit).into()).collect();
    write_manifest(
        folder,
        &Manifest {
            gbmi: "1".into(),
            models: MODELS.iter().map(entry).collect(),
            units,
        },
    );
    for (index, model) in (0_u64..).zip(MODELS) {
        let here = folder.join("models").join(model);
        std::fs::create_dir_all(&here).unwrap();
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(of_repository(model).join(file), here.join(file)).unwrap();
        }
        let truth = Truth {
            correct: "16000000".into(),
            total: "16777216".into(),
            sampled: false,
        };
        write(
            folder,
            model,
            "truth",
            &Unit {
                truth: Some(truth),
                ..unit(model)
            },
        );
        write(
            folder,
            model,
            "exact",
            &proofs(
                model,
                vec![row("exact", "subcubic", 16_000_000, 1_000_000, seconds)],
            ),
        );
        let cubic = row(
            "published-cubic",
            "cubic",
            12_000_000 + index * 1_000_000,
            3_000_000,
            seconds,
        );
        write(
            folder,
            model,
            "published-cubic",
            &proofs(model, vec![cubic]),
        );
        let frontier = [(600_000 + index, 8_000_000), (900_000, 15_000_000)];
        let frontier =
            frontier.map(|(flops, correct)| row("auto", "subcubic", correct, flops, seconds));
        write(folder, model, "frontier", &proofs(model, frontier.to_vec()));
    }
}

fn write_manifest(folder: &Path, manifest: &Manifest) {
    std::fs::write(
        folder.join("manifest.json"),
        serde_json::to_string(manifest).unwrap(),
    )
    .unwrap();
}

fn write(folder: &Path, model: &str, unit: &str, contents: &Unit) {
    let folder = folder.join("units").join(model);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join(format!("{unit}.json")),
        serde_json::to_string(contents).unwrap(),
    )
    .unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn means_and_deviations_are_those_of_the_proofs() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), 0.1);
    let found = report(folder.path(), &folder.path().join("report"), 2).unwrap();
    let best = |of| {
        let best = &found.groups[0].best;
        best.iter().find(|best| best.of == of).unwrap()
    };
    assert_eq!((found.missing, found.groups[0].models), (0, 2));
    assert_eq!(
        (best("exact").mean_bound, best("cubic").mean_flops),
        (16e6 / 16_777_216.0, 3e6)
    );
    assert_eq!(best("frontier").mean_bound_over_true, Some(0.9375));
    let markdown = read(&folder.path().join("report"), "summary.md");
    let line = |start: &str| {
        let line = markdown
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("{start}: {markdown}"));
        line.split('|')
            .map(|cell| cell.trim().to_string())
            .collect::<Vec<_>>()
    };
    // Bounds of 12 and 13 million: the deviation of two numbers is their distance over √2.
    let (all, right) = (16_777_216.0, 16e6);
    let cubic = line("| cubic");
    let shown = |mean: f64, distance: f64| format!("{mean:.5} ± {:.5}", distance / 2_f64.sqrt());
    assert_eq!(
        cubic[2..5],
        [
            "2".into(),
            shown(12.5e6 / all, 1e6 / all),
            shown(12.5e6 / right, 1e6 / right)
        ]
    );
    assert_eq!(cubic[5..], ["3,000,000", "12,800", "0.9539 ± 0.008", ""]);
    // Two models of one accuracy: the difference is that of the means in the paper's standard error.
    let accuracy = line("| 2 | exact");
    assert_eq!(accuracy[3], shown(right / all, 0.0));
    let difference = (right / all - 0.9992) / (0.0015 / 151_f64.sqrt());
    assert_eq!(accuracy[7], format!("{difference:+.2}"));
    // The frontier's first proof is 600,001 FLOPs long on the second model: no budget is below that.
    assert_eq!(
        line("| frontier, at most 601,000")[2..4],
        ["2".to_string(), shown(8e6 / all, 0.0)]
    );
    assert!(markdown.contains("On 2 of 2 models the frontier dominates every published strategy"));
    let results = read(&folder.path().join("report"), "results.csv");
    assert_eq!(results.lines().count(), 1 + 2 * 4);
    assert!(results.contains(
        "published-cubic,published-cubic,cubic,12000000,16777216,16777216,46875/65536,0.715255737,0.750000000,"
    ));
    assert_eq!(read(&folder.path().join("report"), "failures.csv"), "");
}

#[test]
fn two_runs_of_one_sweep_give_the_same_bytes_but_for_the_timings() {
    let folders = [0.1, 7.5].map(|seconds| {
        let folder = tempfile::tempdir().unwrap();
        sweep(folder.path(), seconds);
        report(
            folder.path(),
            &folder.path().join("report"),
            if seconds > 1.0 { 1 } else { 2 },
        )
        .unwrap();
        folder
    });
    let [one, other] = [0, 1].map(|index| folders[index].path().join("report"));
    let png = format!("models/{}/bounds.png", MODELS[0]);
    let pages = MODELS.map(|model| format!("models/{model}.html"));
    let fixed = [
        "index.html",
        "results.csv",
        "summary.csv",
        "summary.md",
        "failures.csv",
        "figures/max_of_4_flops.svg",
        &png,
    ];
    for name in fixed.into_iter().chain(pages.iter().map(String::as_str)) {
        assert_eq!(
            std::fs::read(one.join(name)).unwrap(),
            std::fs::read(other.join(name)).unwrap(),
            "{name}"
        );
    }
    assert_ne!(read(&one, "timings.csv"), read(&other, "timings.csv"));
    let index = read(&one, "index.html");
    // The only addresses are the names of SVG's own name space.
    assert!(
        !index
            .replace("http://www.w3.org/2000/svg", "")
            .contains("http")
    );
    assert!(index.contains("<svg") && index.contains("models/max_of_4_seed50.html"));
}

#[test]
fn what_is_missing_is_listed_and_names_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), 0.1);
    let failure = Unit {
        failure: Some("<b>bad</b> & worse".into()),
        ..unit(MODELS[0])
    };
    write(folder.path(), MODELS[0], "exact", &failure);
    let units = folder.path().join("units").join(MODELS[1]);
    std::fs::remove_file(units.join("truth.json")).unwrap();
    std::fs::write(units.join("frontier.json"), "{").unwrap();
    let odd = row("<i>odd</i>", "cubic", 0, 0, 0.0);
    let bad = Row {
        correct: "NaN".into(),
        ..odd.clone()
    };
    write(
        folder.path(),
        MODELS[0],
        "published-cubic",
        &proofs(MODELS[0], vec![bad]),
    );
    write(
        folder.path(),
        MODELS[1],
        "published-cubic",
        &proofs(
            MODELS[1],
            vec![Row {
                total: "0".into(),
                ..odd
            }],
        ),
    );
    let out = folder.path().join("report");
    report(folder.path(), &out, 2).unwrap();
    let failures = read(&out, "failures.csv");
    let expected = [
        format!("{},exact,<b>bad</b> & worse", MODELS[0]),
        format!("{},published-cubic,its file cannot be read", MODELS[0]),
        format!("{},truth,not run", MODELS[1]),
        format!("{},frontier,its file cannot be read", MODELS[1]),
    ];
    assert_eq!(failures.lines().skip(1).collect::<Vec<_>>(), expected);
    let index = read(&out, "index.html");
    assert!(
        index.contains("&lt;b&gt;bad&lt;/b&gt; &amp; worse")
            && !index.contains("<b>")
            && !index.contains("<i>")
    );
}

#[test]
fn a_model_that_cannot_be_read_or_is_another_is_named_and_the_rest_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    sweep(path, 0.1);
    let out = path.join("report");
    let whole = report(path, &out, 2).unwrap();
    assert_eq!(whole.missing, 0);
    assert!(!read(&out, "summary.md").contains("Without a result"));
    let lines = |model: &str| {
        read(&out, "results.csv")
            .lines()
            .filter(|line| line.contains(model))
            .count()
    };
    // Another model's weights.
    let weights = |model: &str| path.join("models").join(model).join("model.safetensors");
    std::fs::copy(weights(MODELS[0]), weights(MODELS[1])).unwrap();
    let found = report(path, &out, 2).unwrap();
    assert_eq!((lines(MODELS[0]), lines(MODELS[1])), (4, 0));
    assert_eq!(found.missing, 4);
    let summary = read(&out, "summary.md");
    assert!(
        summary.contains(&format!(
            "| {} | 4 of 4 | truth, exact, published-cubic, frontier |",
            MODELS[1]
        )),
        "{summary}"
    );
    assert_eq!(
        read(&out, "failures.csv")
            .matches("computed on another network than the model's")
            .count(),
        4
    );
    // Half of them; one unit has failed by itself.
    let bytes = std::fs::read(weights(MODELS[0])).unwrap();
    std::fs::write(weights(MODELS[1]), &bytes[..bytes.len() / 2]).unwrap();
    write(path, MODELS[1], "exact", &Unit::failed("too long"));
    report(path, &out, 2).unwrap();
    assert_eq!((lines(MODELS[0]), lines(MODELS[1])), (4, 0));
    let failures = read(&out, "failures.csv");
    assert!(
        failures.contains(&format!("{},exact,too long\n", MODELS[1])),
        "{failures}"
    );
    assert_eq!(
        failures
            .matches("the model cannot be read: unsupported model at model.safetensors")
            .count(),
        3
    );
    // None is left.
    std::fs::remove_dir_all(path.join("models")).unwrap();
    let found = report(path, &out, 2).unwrap();
    assert_eq!((found.missing, found.groups.len()), (8, 0));
    let summary = read(&out, "summary.md");
    assert!(
        summary.starts_with("## Without a result") && summary.contains("| 4 of 4 |"),
        "{summary}"
    );
    assert!(read(&out, "index.html").contains("there is no such file"));
}

#[test]
fn what_is_no_sweep_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || match report(folder.path(), &folder.path().join("report"), 1) {
        Err(Refusal::Unreadable(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert!(refused().contains("manifest.json"));
    std::fs::write(folder.path().join("manifest.json"), "[]").unwrap();
    assert!(refused().contains("no manifest of a sweep"));
    for name in ["../x", "", ".", "a/b"] {
        let models = vec![Entry {
            name: name.into(),
            group: "g".into(),
        }];
        write_manifest(
            folder.path(),
            &Manifest {
                gbmi: "1".into(),
                models,
                units: vec![],
            },
        );
        let reason = refused();
        assert!(reason.contains("no name of a file"), "{name:?}: {reason}");
    }
    assert!(!folder.path().join("report").exists());
}
