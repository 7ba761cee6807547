//! Streams that are closed or full: what a command says may be lost, what it found out may not.
#![cfg(all(
    target_os = "linux",
    feature = "sweep",
    feature = "import",
    feature = "optimise",
    feature = "coq"
))]

use crate::cli::{copy_tiny, edit, here, with_certificate};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Ways to start a program that cannot say anything, or something.
const WAYS: [&str; 7] = [
    ">&-",
    "2>&-",
    ">/dev/full",
    "2>/dev/full",
    ">/dev/full 2>&1",
    ">&- 2>&- <&-",
    "1</dev/null",
];

/// Runs `gbmi` in a folder, with a shell's redirections.
fn gbmi(folder: &Path, args: &[&str], way: &str) -> Output {
    let program = assert_cmd::cargo::cargo_bin!("gbmi");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("exec \"$0\" \"$@\" {way}"))
        .arg(program)
        .args(args)
        .current_dir(folder);
    command.output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn the_exit_code_is_the_verdict_whoever_listens() {
    let folder = with_certificate();
    let path = folder.path();
    for (name, from, to) in [
        ("false.json", "\"109\"", "\"110\""),
        ("later.json", "\"gbmi\":\"3\"", "\"gbmi\":\"4\""),
    ] {
        std::fs::copy(path.join("cert.json"), path.join(name)).unwrap();
        edit(&path.join(name), from, to);
    }
    for (name, verdict) in [("cert.json", 0), ("false.json", 1), ("later.json", 2)] {
        for way in WAYS {
            for args in [["check", name, "--quiet"], ["check", name, "--json"]] {
                assert_eq!(
                    code(&gbmi(path, &args, way)),
                    Some(verdict),
                    "{args:?} {way}"
                );
            }
        }
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gbmi"));
        let run = command
            .current_dir(path)
            .args(["check", name])
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        assert_eq!(
            run.status().unwrap().code(),
            Some(verdict),
            "{name}, a pipe that nobody reads"
        );
    }
    let run = gbmi(path, &["check", "cert.json"], ">/dev/full");
    assert_eq!(
        run.stderr,
        b"gbmi: cannot write to stdout: No space left on device (os error 28)\n"
    );
}

#[test]
fn a_certificate_is_kept_whoever_listens() {
    let folder = with_certificate();
    let path = folder.path();
    let certificate = std::fs::read(path.join("cert.json")).unwrap();
    for way in WAYS {
        let run = gbmi(
            path,
            &["prove", "--model", "model", "--out", "again.json"],
            way,
        );
        assert_eq!(code(&run), Some(0), "{way}");
        // No message is in it either.
        assert_eq!(
            std::fs::read(path.join("again.json")).unwrap(),
            certificate,
            "{way}"
        );
        std::fs::remove_file(path.join("again.json")).unwrap();
        let run = gbmi(
            path,
            &[
                "prove",
                "--model",
                "model",
                "--at-least",
                "110",
                "--out",
                "again.json",
            ],
            way,
        );
        assert_eq!(
            (code(&run), path.join("again.json").exists()),
            (Some(1), false),
            "{way}"
        );
    }
}

/// The commands without a verdict: which of them are nothing without stdout.
#[test]
fn a_product_that_is_lost_is_a_failure_and_a_remark_is_not() {
    const SWEEP: &str = "strategies = [\"exact\"]\nmodels = [\"model\"]\n";
    let folder = with_certificate();
    let path = folder.path();
    std::fs::write(path.join("sweep.toml"), SWEEP).unwrap();
    copy_tiny(&path.join("other"));
    let (state_dict, config) = (
        here("tests/data/max_of_4_seed50_state_dict.pth"),
        here("models/max_of_4_seed50/config.json"),
    );
    let train = [
        "train",
        "--n-ctx",
        "2",
        "--d-vocab",
        "4",
        "--d-model",
        "4",
        "--steps",
        "1",
        "--samples",
        "1",
    ];
    let commands: [(&[&str], bool); 17] = [
        (&["strategies"], true),
        (&["strategies", "--json"], true),
        (&["completions", "fish"], true),
        (&["--help"], true),
        (&["check", "--help"], true),
        (&["--version"], true),
        (&["inspect", "model", "--out", "pictures"], true),
        (&["evaluate", "model"], true),
        (
            &["compare", "model", "--strategies", "exact", "--csv"],
            true,
        ),
        (&["explain", "cert.json"], true),
        (&["frontier", "--model", "model"], true),
        (&["prove", "--model", "model", "--out", "-"], true),
        (&["explain", "cert.json", "--out", "explained"], false),
        (
            &["frontier", "--model", "model", "--out", "frontier"],
            false,
        ),
        (&["export-coq", "cert.json", "--out", "theorem.v"], false),
        (
            &[
                "import",
                &state_dict,
                "--config",
                &config,
                "--out",
                "imported",
            ],
            false,
        ),
        (&[&train[..], &["--out", "trained"]].concat(), false),
    ];
    let sweeps: [(&[&str], bool); 2] = [
        (
            &["sweep", "--config", "sweep.toml", "--out", "swept"],
            false,
        ),
        (&["report", "swept"], false),
    ];
    for (args, product) in commands.into_iter().chain(sweeps) {
        let run = gbmi(path, args, ">/dev/full");
        let said = String::from_utf8(run.stderr.clone()).unwrap();
        assert_eq!(
            code(&run),
            Some(if product { 3 } else { 0 }),
            "{args:?}: {said}"
        );
        assert_eq!(
            said.matches("cannot write to stdout").count(),
            1,
            "{args:?}: {said}"
        );
        for way in [">&-", "2>&-", "2>/dev/full"] {
            let run = gbmi(path, args, way);
            assert_eq!(
                code(&run),
                Some(0),
                "{args:?} {way}: {}",
                String::from_utf8_lossy(&run.stderr)
            );
        }
    }
    for file in [
        "pictures/qk.svg",
        "explained/explain.csv",
        "frontier/01.json",
        "theorem.v",
        "swept/report/index.html",
    ] {
        assert!(path.join(file).exists(), "{file}");
    }
    // What fails fails, and says so where it can.
    for args in [
        ["check", "none.json"],
        ["explain", "none.json"],
        ["report", "none"],
        ["nonsense", "."],
    ] {
        for way in WAYS {
            assert_eq!(code(&gbmi(path, &args, way)), Some(3), "{args:?} {way}");
        }
    }
}

/// A stream that was closed is not the next file that is opened.
#[test]
fn nothing_is_said_into_a_file() {
    let folder = with_certificate();
    let path = folder.path();
    let before = std::fs::read(path.join("cert.json")).unwrap();
    let run = gbmi(
        path,
        &["explain", "cert.json", "--out", "explained"],
        "<&- >&- 2>&-",
    );
    assert_eq!(code(&run), Some(0));
    let loud = gbmi(path, &["explain", "cert.json", "--out", "loud"], "");
    assert!(!loud.stdout.is_empty() && !loud.stderr.is_empty());
    for name in ["explain.csv", "explain.json", "explain.svg"] {
        let read = |folder: &str| std::fs::read(path.join(folder).join(name)).unwrap();
        assert_eq!(read("explained"), read("loud"), "{name}");
    }
    assert_eq!(std::fs::read(path.join("cert.json")).unwrap(), before);
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gbmi"));
    command
        .current_dir(path)
        .args(["check", "cert.json"])
        .stdin(Stdio::null());
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

/// What is done, line by line on stderr, where that is asked for; stdout is as without it.
#[test]
fn stages_are_said_where_that_is_asked_for() {
    let folder = with_certificate();
    let path = folder.path();
    let silent = gbmi(path, &["check", "cert.json", "model", "--quiet"], "");
    for args in [
        &["check", "cert.json", "model", "--quiet", "-v"][..],
        &["--verbose", "check", "cert.json", "model", "--quiet"],
    ] {
        let said = gbmi(path, args, "");
        assert_eq!((code(&said), &said.stdout), (Some(0), &silent.stdout));
        let stderr = String::from_utf8(said.stderr).unwrap();
        let stages: Vec<&str> = stderr
            .lines()
            .map(|line| line.split_once(" s: ").unwrap().1)
            .collect();
        let expected = [
            "reading the certificate cert.json",
            "reading the model model",
            "checking it in fixed arithmetic",
        ];
        assert_eq!(stages, expected);
    }
}
