//! The one-way arrow: the trusted rooms name nothing of the others, and stand under their lints.

use std::path::{Path, PathBuf};

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    std::fs::read_dir(path)
        .unwrap()
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect()
}

fn trusted() -> Vec<PathBuf> {
    let rooms = [
        "src/refusal.rs",
        "src/task",
        "src/model",
        "src/certificate",
        "src/checker",
    ];
    rooms
        .iter()
        .flat_map(|room| sources(Path::new(room)))
        .collect()
}

#[test]
fn trusted_rooms_name_no_untrusted_room() {
    let files = trusted();
    assert!(files.len() > 20);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for room in [
            "search", "strategy", "bundled", "coq", "explain", "import", "inspect", "kind",
            "numerals", "output", "report", "sweep", "train", "cli",
        ] {
            for path in [
                format!("crate::{room}"),
                format!("super::{room}"),
                format!("gbmi::{room}"),
            ] {
                assert!(!text.contains(&path), "{} names {path}", file.display());
            }
        }
        for package in [
            "candle_core",
            "nalgebra",
            "plotters",
            "indicatif",
            "clap",
            "tempfile",
        ] {
            assert!(
                !text.contains(package),
                "{} names {package}",
                file.display()
            );
        }
        assert!(
            file.ends_with("mpfr.rs") || !text.contains("rug::"),
            "{} names rug",
            file.display()
        );
    }
}

#[test]
fn trusted_rooms_refuse_what_may_panic_or_round() {
    for room in ["task", "model", "certificate", "checker"] {
        let text = std::fs::read_to_string(format!("src/{room}/mod.rs")).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{room}");
        for lint in [
            "float_arithmetic",
            "cast_possible_truncation",
            "indexing_slicing",
            "unwrap_used",
            "panic",
        ] {
            assert!(
                text.contains(&format!("clippy::{lint},")),
                "{room} allows {lint}"
            );
        }
    }
    // No room may take a lint back, but where the compiler evaluates a constant.
    let allowed: Vec<PathBuf> = trusted()
        .into_iter()
        .filter(|file| {
            std::fs::read_to_string(file)
                .unwrap()
                .contains("allow(clippy")
        })
        .collect();
    assert_eq!(allowed, [Path::new("src/checker/arithmetic/fixed.rs")]);
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    assert!(manifest.contains("[profile.release]\noverflow-checks = true"));
}
