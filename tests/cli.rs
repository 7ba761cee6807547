//! The command line, as a user meets it: words, exit codes, files.
#![cfg(all(
    feature = "prove",
    feature = "import",
    feature = "inspect",
    feature = "optimise",
    feature = "coq"
))]

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `gbmi` in a folder.
pub(crate) fn gbmi(folder: &Path, args: &[&str]) -> Run {
    let output = Command::cargo_bin("gbmi")
        .unwrap()
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap();
    Run {
        code: output.status.code().expect("no signal ends it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn here(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(path)
        .display()
        .to_string()
}

/// A folder with a copy of the tiny model in `model` and a certificate about it, `cert.json`.
pub(crate) fn with_certificate() -> TempDir {
    let folder = TempDir::new().unwrap();
    copy_tiny(&folder.path().join("model"));
    let run = gbmi(folder.path(), &["prove", "--model", "model", "--quiet"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "ACCEPTED\n"),
        "{}",
        run.stderr
    );
    folder
}

pub(crate) fn copy_tiny(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(here(&format!("tests/data/tiny/{name}")), to.join(name)).unwrap();
    }
}

/// Replaces text in a file that must hold it.
pub(crate) fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

macro_rules! snapshot {
    ($($args:tt)*) => {
        insta::with_settings!({filters => vec![(r"\d+\.\d{3} s", "[time] s")]}, { insta::assert_snapshot!($($args)*) })
    };
}

#[test]
fn the_first_command_of_the_readme() {
    let folder = TempDir::new().unwrap();
    let proved = gbmi(folder.path(), &["prove", "--strategy", "exact"]);
    assert_eq!((proved.code, proved.stderr.as_str()), (0, ""));
    snapshot!("prove_bundled", proved.stdout);
    let checked = gbmi(folder.path(), &["check", "cert.json"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
    snapshot!("check_bundled", checked.stdout);
    // The README shows this output.
    let readme = std::fs::read_to_string(here("README.md")).unwrap();
    for line in checked
        .stdout
        .lines()
        .filter(|line| !line.contains("checked"))
    {
        assert!(readme.contains(line), "README.md lacks: {line}");
    }
}

#[test]
fn json_is_one_line_with_every_field() {
    let folder = with_certificate();
    for args in [
        vec!["check", "cert.json", "--json"],
        vec!["prove", "--model", "model", "--json"],
    ] {
        let run = gbmi(folder.path(), &args);
        assert_eq!((run.code, run.stdout.lines().count()), (0, 1));
        let object: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(object["verdict"], "ACCEPTED");
        assert_eq!(object["strategy"], "subcubic");
        assert_eq!(object["family"], "levels");
        assert_eq!(
            (&object["rules"][0], &object["rules"][1]),
            (&"attention".into(), &"margins".into())
        );
        assert_eq!(
            (&object["correct"], &object["total"], &object["upper"]),
            (&"109".into(), &"125".into(), &Value::Null)
        );
        assert_eq!(
            (&object["bound"], &object["bound_decimal"]),
            (&"109/125".into(), &"0.872000000".into())
        );
        assert_eq!(
            (&object["n_ctx"], &object["d_vocab"]),
            (&3.into(), &5.into())
        );
        assert_eq!(object["network_sha256"].as_str().unwrap().len(), 64);
        for number in ["flops", "int_ops", "seconds"] {
            assert!(object[number].as_f64().unwrap() > 0.0, "{number}");
        }
        let tally: u64 = object["tally"]
            .as_object()
            .unwrap()
            .values()
            .map(|count| count.as_u64().unwrap())
            .sum();
        assert_eq!(
            tally,
            object["flops"].as_u64().unwrap() + object["int_ops"].as_u64().unwrap()
        );
    }
    let refused = gbmi(
        folder.path(),
        &[
            "check",
            "cert.json",
            "--model",
            &here("models/max_of_2_seed123"),
            "--json",
        ],
    );
    let object: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(
        (refused.code, &object["verdict"], &object["correct"]),
        (1, &"REJECTED".into(), &Value::Null)
    );
    assert!(
        object["reason"]
            .as_str()
            .unwrap()
            .starts_with("wrong network")
    );
}

#[test]
fn exit_codes_and_words() {
    let folder = with_certificate();
    let path = folder.path();
    std::fs::write(path.join("not.json"), "accepted").unwrap();
    std::fs::copy(path.join("cert.json"), path.join("v3.json")).unwrap();
    edit(&path.join("v3.json"), "\"gbmi\":\"3\"", "\"gbmi\":\"4\"");
    std::fs::copy(path.join("cert.json"), path.join("more.json")).unwrap();
    edit(&path.join("more.json"), "\"109\"", "\"110\"");
    std::fs::copy(path.join("cert.json"), path.join("moved.json")).unwrap();
    edit(
        &path.join("moved.json"),
        "\"model\":\"model\"",
        "\"model\":\"moved\"",
    );
    let archive = here("tests/data/max_of_4_seed50_state_dict.pth");
    let cases: [(&[&str], i32, &str, &str); 27] = [
        (&["check", "cert.json", "--quiet"], 0, "ACCEPTED\n", ""),
        (
            &["check", "cert.json", "--quiet", "--arithmetic", "rational"],
            0,
            "ACCEPTED\n",
            "",
        ),
        (
            &["check", "more.json"],
            1,
            "REJECTED\n",
            "claimed 110, certified 109",
        ),
        (
            &["check", "not.json"],
            1,
            "REJECTED\n",
            "malformed certificate",
        ),
        (
            &["check", "v3.json"],
            2,
            "DECLINED\n",
            "unsupported certificate version \"4\"",
        ),
        (
            &["check", "cert.json", "--max-flops", "100"],
            2,
            "DECLINED\n",
            "raise --max-flops",
        ),
        (&["check", "none.json"], 3, "", "cannot read none.json"),
        (&["check", "."], 3, "", "not a regular file"),
        (
            &["check", "cert.json", "--model", "none"],
            3,
            "",
            "no model at none",
        ),
        (&["check"], 3, "", "required"),
        (
            &["check", "cert.json", "--threads", "0"],
            3,
            "",
            "invalid value",
        ),
        (
            &["check", "cert.json", "--model", "model.pth"],
            3,
            "",
            "no model at model.pth",
        ),
        (
            &["check", "cert.json", "--model", &archive],
            2,
            "DECLINED\n",
            "a PyTorch archive; `gbmi import`",
        ),
        (
            &["check", "moved.json"],
            3,
            "",
            "name the model behind the certificate",
        ),
        (
            &[
                "prove",
                "--model",
                "model",
                "--at-least",
                "0.88",
                "--out",
                "x.json",
            ],
            1,
            "REJECTED\n",
            "certified 109",
        ),
        (
            &["prove", "--model", "model", "--strategy", "magic"],
            3,
            "",
            "expected exhaustive, brute-force",
        ),
        (
            &["prove", "--model", "model", "--out", "no/such/folder.json"],
            3,
            "",
            "cannot write",
        ),
        // Before the search, which would decline.
        (
            &[
                "prove",
                "--model",
                "model",
                "--max-flops",
                "1",
                "--out",
                "no/such/folder.json",
            ],
            3,
            "",
            "cannot write",
        ),
        (
            &[
                "prove",
                "--model",
                "model",
                "--strategy",
                "exact",
                "--optimise",
                "1",
            ],
            3,
            "",
            "--optimise is for",
        ),
        (
            &["export-coq", "cert.json", "--out", "cert-1.v"],
            3,
            "",
            "expected a file of letters",
        ),
        (
            &["prove", "--model", "model", "--at-least", "1.5"],
            3,
            "",
            "from 0 to 1",
        ),
        (
            &["prove", "--model", "model", "--eupu", "max_diff"],
            3,
            "",
            "possible values: mean-query+max-diff",
        ),
        (
            &[
                "prove",
                "--model",
                "model",
                "--eupu",
                "max-diff",
                "--strategy",
                "cubic",
            ],
            3,
            "",
            "cannot be used with",
        ),
        (
            &["prove", "--model", "model", "--published", "best"],
            3,
            "",
            "--class",
        ),
        (
            &["compare", "model", "--strategies", "magic"],
            3,
            "",
            "expected own, published, all",
        ),
        (
            &[
                "compare",
                "model",
                "--strategies",
                "own",
                "--class",
                "quadratic-qk",
            ],
            3,
            "",
            "no strategy is of the classes",
        ),
        (&["nonsense"], 3, "", "unrecognized subcommand"),
    ];
    for (args, code, stdout, stderr) in cases {
        let run = gbmi(path, args);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (code, stdout),
            "{args:?}: {}",
            run.stderr
        );
        assert!(run.stderr.contains(stderr), "{args:?}: {}", run.stderr);
    }
    assert!(!path.join("x.json").exists());
    if cfg!(not(feature = "mpfr")) {
        let run = gbmi(path, &["check", "cert.json", "--arithmetic", "mpfr"]);
        assert_eq!((run.code, run.stdout.as_str()), (2, "DECLINED\n"));
    }
}

#[test]
fn bounds_that_are_reached_are_written() {
    let folder = with_certificate();
    for bound in ["0.872", "109", "109/125", "0", "0.0"] {
        let run = gbmi(
            folder.path(),
            &["prove", "--model", "model", "--quiet", "--at-least", bound],
        );
        assert_eq!(run.code, 0, "{bound}: {}", run.stderr);
    }
    for bound in ["0.8720001", "110", "1.0", "110/125"] {
        let run = gbmi(
            folder.path(),
            &["prove", "--model", "model", "--quiet", "--at-least", bound],
        );
        assert_eq!(run.code, 1, "{bound}: {}", run.stderr);
    }
}

/// A certificate finds its model beside it, but cannot choose another network or leave its own folder.
#[test]
fn a_certificate_suggests_a_model_and_does_not_choose_it() {
    let folder = with_certificate();
    let path = folder.path();
    let certificate = std::fs::read_to_string(path.join("cert.json")).unwrap();
    assert!(certificate.contains("\"model\":\"model\""));
    // From another folder.
    let away = TempDir::new().unwrap();
    let run = gbmi(
        away.path(),
        &["check", &path.join("cert.json").display().to_string()],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout
            .contains(&path.join("model").display().to_string())
    );
    // The suggestion leads to another network: the digest decides.
    std::fs::create_dir(path.join("other")).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(
            here(&format!("models/max_of_2_seed123/{name}")),
            path.join("other").join(name),
        )
        .unwrap();
    }
    edit(
        &path.join("cert.json"),
        "\"model\":\"model\"",
        "\"model\":\"other\"",
    );
    let run = gbmi(path, &["check", "cert.json"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, "REJECTED\n"));
    // The suggestion is no path below the folder.
    let below = path.join("below");
    std::fs::create_dir(&below).unwrap();
    for suggestion in [
        "../model",
        "x/../../model",
        "/etc",
        "../../../../etc/passwd",
        "./../model",
    ] {
        let text = certificate.replace(
            "\"model\":\"model\"",
            &format!("\"model\":\"{suggestion}\""),
        );
        std::fs::write(below.join("cert.json"), text).unwrap();
        let run = gbmi(path, &["check", "below/cert.json"]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{suggestion}");
        assert!(
            run.stderr.contains("relative path without `..`"),
            "{suggestion}: {}",
            run.stderr
        );
        let run = gbmi(path, &["check", "below/cert.json", "--model", "model"]);
        assert_eq!(run.code, 0, "{suggestion}: --model decides");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(path.join("model"), below.join("model")).unwrap();
        std::fs::write(below.join("cert.json"), &certificate).unwrap();
        let run = gbmi(path, &["check", "below/cert.json"]);
        assert_eq!(run.code, 3);
        assert!(run.stderr.contains("symbolic links"), "{}", run.stderr);
    }
    // No suggestion, no --model: the bundled model is the only candidate.
    std::fs::write(
        path.join("cert.json"),
        certificate.replace("\"model\":\"model\",", ""),
    )
    .unwrap();
    let run = gbmi(path, &["check", "cert.json"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, "REJECTED\n"));
    assert!(
        run.stderr
            .contains("name the right model behind the certificate")
    );
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    for strategy in ["subcubic", "cubic", "brute-force"] {
        let mut texts = Vec::new();
        for (threads, out) in [("1", "a.json"), ("2", "b.json"), ("7", "c.json")] {
            let model = here("models/max_of_2_undertrained");
            let args = [
                "prove",
                "--strategy",
                strategy,
                "--model",
                &model,
                "--threads",
                threads,
                "--out",
                out,
                "--json",
            ];
            let run = gbmi(folder.path(), &args);
            assert_eq!(run.code, 0, "{}", run.stderr);
            let object: Value = serde_json::from_str(&run.stdout).unwrap();
            texts.push((
                std::fs::read(folder.path().join(out)).unwrap(),
                object["tally"].clone(),
            ));
        }
        assert!(
            texts.windows(2).all(|pair| pair[0] == pair[1]),
            "{strategy}"
        );
    }
}

/// A published strategy by its name, by its parts, and as the best of its class.
#[test]
fn published_strategies_by_name_and_by_parts() {
    let folder = with_certificate();
    let path = folder.path();
    let name = "EUPU-max-diff-exact--attn-mean-query+diff--attn-err-max-diff-exact";
    let prove = |args: &[&str], out: &str| {
        let run = gbmi(
            path,
            &[&["prove", "--model", "model", "--json", "--out", out], args].concat(),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        let object: Value = serde_json::from_str(&run.stdout).unwrap();
        (
            object["strategy"].as_str().unwrap().to_string(),
            std::fs::read(path.join(out)).unwrap(),
        )
    };
    let by_name = prove(&["--strategy", name], "a.json");
    assert_eq!(by_name.0, name);
    assert_eq!(
        prove(
            &[
                "--eupu",
                "max-diff-exact",
                "--attention-error",
                "max-diff-exact"
            ],
            "b.json"
        ),
        by_name
    );
    let run = gbmi(path, &["check", "a.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains(name) && run.stdout.contains("published: "),
        "{}",
        run.stdout
    );
    let (best, _) = prove(&["--published", "best", "--class", "subcubic"], "c.json");
    let compared = gbmi(
        path,
        &[
            "compare",
            "model",
            "--strategies",
            "published",
            "--class",
            "subcubic",
            "--json",
        ],
    );
    let rows: Value = serde_json::from_str(&compared.stdout).unwrap();
    let correct = |row: &Value| row["correct"].as_str().unwrap().parse::<u32>().unwrap();
    let most = rows.as_array().unwrap().iter().map(correct).max().unwrap();
    let best = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["strategy"] == best.as_str())
        .unwrap();
    assert!(
        (correct(best), rows.as_array().unwrap().len()) == (most, 8),
        "{rows}"
    );
}

#[test]
fn compare_shows_strategies_side_by_side() {
    let folder = with_certificate();
    let path = folder.path();
    let args = [
        "compare",
        "model",
        "--strategies",
        "own,published-cubic",
        "--out",
        "certificates",
    ];
    let run = gbmi(path, &args);
    assert_eq!(run.code, 0, "{}", run.stderr);
    insta::with_settings!({filters => vec![(r"\d+\.\d\d\n", "[time]\n")]}, { insta::assert_snapshot!("compare", run.stdout) });
    for name in ["brute-force", "cubic", "subcubic", "published-cubic"] {
        let certificate = format!("certificates/model/{name}.json");
        let run = gbmi(
            path,
            &["check", &certificate, "--model", "model", "--quiet"],
        );
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (0, "ACCEPTED\n"),
            "{name}: {}",
            run.stderr
        );
    }
    let run = gbmi(path, &[args.as_slice(), &["--csv"]].concat());
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with(
        "model,class,strategy,verdict,correct,total,bound,bound_decimal,bound_over_true,flops,flops_over_exhaustive,int_ops,"
    ));
    assert!(
        lines.len() == 8
            && lines[1].starts_with("model,brute-force,brute-force,ACCEPTED,109,125,109/125,0.872")
    );
    // What is declined is a row of its own; the others go on.
    let run = gbmi(
        path,
        &[args.as_slice(), &["--json", "--max-flops", "3000"]].concat(),
    );
    let rows: Value = serde_json::from_str(&run.stdout).unwrap();
    let verdicts: Vec<bool> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["verdict"] == "ACCEPTED")
        .collect();
    assert!(
        run.code == 0 && verdicts.contains(&true) && verdicts.contains(&false),
        "{rows}"
    );
}

#[test]
fn compare_goes_on_past_what_is_broken() {
    let folder = with_certificate();
    let path = folder.path();
    for name in ["twice/model", "unsupported"] {
        copy_tiny(&path.join(name));
    }
    edit(
        &path.join("unsupported/config.json"),
        "\"n_layers\": 1",
        "\"n_layers\": 5",
    );
    let compare = |models: &[&str]| {
        let run = gbmi(
            path,
            &[
                &["compare", "--strategies", "exact", "--json", "--out", "all"],
                models,
            ]
            .concat(),
        );
        let rows: Value = serde_json::from_str(&run.stdout).unwrap();
        let verdicts: Vec<String> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let reason = row["reason"].as_str();
                reason.or(row["verdict"].as_str()).unwrap().to_owned()
            })
            .collect();
        (run.code, verdicts, run.stderr)
    };
    let missing = "no model at missing: there is no such file";
    let unsupported =
        "unsupported model at config.json, n_layers: expected a whole number from 1 to 4, found 5";
    let (code, verdicts, said) = compare(&["missing", "model", "unsupported", "twice/model"]);
    assert_eq!(verdicts, [missing, "ACCEPTED", unsupported, "ACCEPTED"]);
    assert_eq!(
        (code, said),
        (
            3,
            format!("gbmi: missing: {missing}\ngbmi: unsupported: {unsupported}\n")
        )
    );
    // Two folders of one name: neither overwrites the other.
    assert_eq!(
        files(&path.join("all")),
        [path.join("all/model"), path.join("all/model_2")]
    );
    assert_eq!(compare(&["unsupported", "model"]).0, 2);
    // A certificate that cannot be written.
    std::fs::remove_file(path.join("all/model/exact.json")).unwrap();
    std::fs::create_dir(path.join("all/model/exact.json")).unwrap();
    let (code, verdicts, said) = compare(&["model", "twice/model"]);
    assert!(
        code == 3 && verdicts[0].contains("a folder has that name") && verdicts[1] == "ACCEPTED",
        "{verdicts:?}"
    );
    assert!(
        said.contains("gbmi: model, exact: cannot write all/model/exact.json"),
        "{said}"
    );
}

/// What is asked for is reached, or refused with the nearest proof.
#[test]
fn budgets_and_targets() {
    let folder = with_certificate();
    let prove = |args: &[&str]| {
        gbmi(
            folder.path(),
            &[&["prove", "--model", "model", "--json"], args].concat(),
        )
    };
    let proved = |args: &[&str]| {
        let run = prove(args);
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        let object: Value = serde_json::from_str(&run.stdout).unwrap();
        let correct: u64 = object["correct"].as_str().unwrap().parse().unwrap();
        assert_eq!(gbmi(folder.path(), &["check", "cert.json"]).code, 0);
        (
            object["strategy"].as_str().unwrap().to_string(),
            correct,
            object["flops"].as_u64().unwrap(),
        )
    };
    let (strategy, best, longest) = proved(&["--strategy", "auto"]);
    assert_eq!(strategy, "auto");
    let (_, within, flops) = proved(&["--budget", "2.5k"]);
    assert!(
        within == best && flops <= 2500,
        "{within} of {best}, {flops}"
    );
    let (_, reached, shorter) = proved(&["--target", "0.8"]);
    assert!(
        reached >= 100 && shorter <= longest,
        "{reached} in {shorter}"
    );
    let (_, both, flops) = proved(&["--target", "0.8", "--budget", &longest.to_string()]);
    assert_eq!((both, flops), (reached, shorter));
    let (strategy, ..) = proved(&["--budget", "2.5k", "--class", "cubic"]);
    assert_eq!(strategy, "cubic");
    // Our own is far ahead of the published ones of its class.
    let (strategy, ..) = proved(&["--target", "100", "--class", "subcubic"]);
    assert_eq!(strategy, "auto");
    // Impossible.
    for (name, args) in [
        ("goal_budget", ["--budget", "1k"].as_slice()),
        ("goal_target", &["--target", "0.999"]),
        (
            "goal_both",
            &[
                "--target",
                "0.999",
                "--budget",
                "4k",
                "--class",
                "brute-force",
            ],
        ),
    ] {
        let run = prove(&[args, &["--out", "none.json"]].concat());
        assert_eq!(run.code, 1);
        insta::assert_snapshot!(name, run.stderr);
    }
    assert!(!folder.path().join("none.json").exists());
    // What is said to be the shortest is no longer than any.
    let frontier = gbmi(folder.path(), &["frontier", "model", "--json"]).stdout;
    let frontier: Value = serde_json::from_str(&frontier).unwrap();
    let lengths = frontier
        .as_array()
        .unwrap()
        .iter()
        .map(|proof| proof["flops"].as_u64());
    let refused: Value = serde_json::from_str(&prove(&["--budget", "1"]).stdout).unwrap();
    let found = refused["found"].as_str().unwrap();
    let shortest = found.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(
        lengths.flatten().all(|length| length >= shortest),
        "{found}"
    );
    for (args, message) in [
        (["--budget", "1.5"].as_slice(), "expected a number such as"),
        (&["--budget", "1e6"], "expected a number such as"),
        (&["--budget", "1.0001k"], "expected a number such as"),
        (&["--target", "1.5"], "from 0 to 1"),
        (
            &["--budget", "1M", "--strategy", "cubic"],
            "--strategy auto",
        ),
        (&["--one-sided"], "--strategy exact"),
        (
            &["--budget", "1M", "--published", "best", "--class", "cubic"],
            "cannot be used with",
        ),
        (&["--class", "cubic"], "required"),
    ] {
        let run = prove(args);
        assert!(
            run.code == 3 && run.stderr.contains(message),
            "{args:?}: {}",
            run.stderr
        );
    }
}

/// A margin is a part of the claim, in every proof of ours and in its verdict.
#[test]
fn margins_are_claimed_proved_and_said() {
    let folder = with_certificate();
    let prove = |args: &[&str]| {
        let args = [&["prove", "--model", "model"], args].concat();
        gbmi(folder.path(), &args)
    };
    let mut last = 125;
    for margin in ["0", "1/1000000000000", "0.1", "3/10", "2", "4096"] {
        let run = prove(&["--strategy", "exact", "--margin", margin, "--json"]);
        let object: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(run.code, 0, "{margin}: {object}");
        let correct: u64 = object["correct"].as_str().unwrap().parse().unwrap();
        let upper = object["upper"]
            .as_str()
            .map_or(125, |upper| upper.parse().unwrap());
        assert!(
            correct <= upper && upper <= last,
            "{margin}: {correct} to {upper}"
        );
        last = correct;
        assert_eq!(object["margin"].is_null(), margin == "0");
        let checked = gbmi(folder.path(), &["check", "cert.json", "--json"]);
        let again: Value = serde_json::from_str(&checked.stdout).unwrap();
        assert_eq!((checked.code, &again["margin"]), (0, &object["margin"]));
        let rational = ["check", "cert.json", "--arithmetic", "rational"];
        assert_eq!(gbmi(folder.path(), &rational).code, 0, "{margin}");
    }
    assert_eq!(last, 0);
    let run = prove(&["--strategy", "exact", "--margin", "0.5"]);
    let line = run.stdout.lines().nth(1).unwrap();
    assert!(
        line.ends_with("are answered correctly by more than 0.500000000 (1/2)"),
        "{line}"
    );
    for args in [
        ["--strategy", "auto"].as_slice(),
        &["--target", "1"],
        &["--strategy", "brute-force"],
        &["--budget", "1M", "--class", "subcubic"],
    ] {
        let run = prove(&[args, &["--margin", "0.5", "--quiet"]].concat());
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (0, "ACCEPTED\n"),
            "{args:?}: {}",
            run.stderr
        );
    }
    let run = prove(&["--strategy", "published-cubic", "--margin", "0.5"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("unsupported claim.margin"),
        "{}",
        run.stderr
    );
    for margin in ["-1", "NaN", "0x1", "1/0", "1099511627776.1", ""] {
        let run = prove(&["--margin", margin]);
        assert!(
            run.code == 3 && run.stderr.contains("expected a margin from 0 to 2^40"),
            "{margin}: {}",
            run.stderr
        );
    }
}

/// Longer proofs prove more; the same files every time.
#[test]
fn the_frontier_rises_and_is_drawn() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    copy_tiny(&path.join("model"));
    let run = |threads: &str, out: &str| {
        let args = [
            "frontier",
            "--model",
            "model",
            "--published",
            "--csv",
            "--threads",
            threads,
            "--out",
            out,
        ];
        let run = gbmi(path, &args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert_eq!(
            run.stdout,
            std::fs::read_to_string(path.join(out).join("frontier.csv")).unwrap()
        );
        run.stdout
    };
    let table = run("1", "one");
    run("3", "three");
    let names = |folder: &str| -> Vec<_> {
        files(&path.join(folder))
            .iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("one"), names("three"));
    for name in names("one") {
        let read = |folder: &str| std::fs::read(path.join(folder).join(&name)).unwrap();
        assert!(
            !read("one").is_empty() && read("one") == read("three"),
            "{name:?}"
        );
    }
    assert!(
        std::fs::read(path.join("one/frontier.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    assert!(
        std::fs::read_to_string(path.join("one/frontier.svg"))
            .unwrap()
            .contains("our frontier")
    );
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<std::collections::BTreeMap<String, String>> =
        reader.deserialize().map(Result::unwrap).collect();
    let (own, published): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["strategy"] == "auto");
    assert!(!own.is_empty() && published.len() == 102);
    let number = |row: &std::collections::BTreeMap<String, String>, name: &str| {
        row[name].parse::<u64>().unwrap()
    };
    for pair in own.windows(2) {
        assert!(
            ["flops", "correct"]
                .iter()
                .all(|name| number(pair[0], name) < number(pair[1], name)),
            "{table}"
        );
    }
    for row in own {
        let certificate = format!("one/{}", row["certificate"]);
        let run = gbmi(path, &["check", &certificate, "--model", "model", "--json"]);
        let object: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(
            (run.code, &object["correct"]),
            (0, &row["correct"].as_str().into()),
            "{}",
            run.stderr
        );
        assert_eq!(
            (&object["flops"], &object["int_ops"]),
            (&number(row, "flops").into(), &number(row, "int_ops").into())
        );
    }
    let shown = gbmi(path, &["frontier", "--model", "model", "--published"]);
    insta::assert_snapshot!("frontier", shown.stdout);
    let shown = gbmi(path, &["frontier", "--model", "model", "--json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&shown.stdout).unwrap()[0]["bound"],
        "109/125"
    );
}

#[test]
fn nothing_half_written_is_left() {
    let folder = TempDir::new().unwrap();
    copy_tiny(&folder.path().join("model"));
    edit(
        &folder.path().join("model/config.json"),
        "\"n_layers\": 1",
        "\"n_layers\": 5",
    );
    let run = gbmi(folder.path(), &["prove", "--model", "model"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, "DECLINED\n"));
    assert!(
        run.stderr
            .contains("n_layers: expected a whole number from 1 to 4, found 5"),
        "{}",
        run.stderr
    );
    let file = here("tests/data/foreign/pickled_whole.pth");
    let config = here("models/max_of_4_seed50/config.json");
    let run = gbmi(
        folder.path(),
        &["import", &file, "--config", &config, "--out", "imported"],
    );
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("2 layers"), "{}", run.stderr);
    assert_eq!(files(folder.path()), [folder.path().join("model")]);
    // A folder in the place of the certificate.
    std::fs::create_dir(folder.path().join("cert.json")).unwrap();
    edit(
        &folder.path().join("model/config.json"),
        "\"n_layers\": 5",
        "\"n_layers\": 1",
    );
    let run = gbmi(folder.path(), &["prove", "--model", "model"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn import_then_prove() {
    let folder = TempDir::new().unwrap();
    let file = here("tests/data/max_of_4_seed50_state_dict.pth");
    let config = here("models/max_of_4_seed50/config.json");
    let run = gbmi(
        folder.path(),
        &["import", &file, "--config", &config, "--out", "imported"],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    snapshot!("import", run.stdout);
    for (name, file, flags) in [
        ("import_checkpoint", "pl.ckpt", [].as_slice()),
        ("import_compiled", "compiled.pth", &[]),
        ("import_narrow", "narrow.pth", &["--zero-biases"]),
    ] {
        let (file, config) = (
            here(&format!("tests/data/foreign/{file}")),
            here("tests/data/foreign/config.json"),
        );
        let run = gbmi(
            folder.path(),
            &[
                &["import", &file, "--config", &config, "--out", name],
                flags,
            ]
            .concat(),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        snapshot!(name, run.stdout);
    }
    let run = gbmi(
        folder.path(),
        &[
            "prove",
            "--model",
            "imported",
            "--quiet",
            "--at-least",
            "0.99",
        ],
    );
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "ACCEPTED\n"),
        "{}",
        run.stderr
    );
    let run = gbmi(
        folder.path(),
        &[
            "check",
            "cert.json",
            "--quiet",
            "--model",
            &here("models/max_of_4_seed50"),
        ],
    );
    assert_eq!(
        run.code, 0,
        "a re-saved model has the same digest: {}",
        run.stderr
    );
}

#[test]
fn inspect_shows_and_draws() {
    let folder = TempDir::new().unwrap();
    let run = gbmi(
        folder.path(),
        &["inspect", "--out", "pictures", "--format", "png"],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    snapshot!("inspect_bundled", run.stdout);
    for name in ["qk.png", "ov.png"] {
        assert!(
            std::fs::read(folder.path().join("pictures").join(name))
                .unwrap()
                .starts_with(b"\x89PNG")
        );
    }
    for name in ["induction_exhaustive_7", "group_S4_mlp"] {
        let model = here(&format!("tests/data/families/{name}"));
        let run = gbmi(folder.path(), &["inspect", &model]);
        // Behind the line with the model's path.
        let (_, printed) = run.stdout.split_once('\n').unwrap();
        snapshot!(format!("inspect_{name}"), printed);
    }
    let run = gbmi(
        folder.path(),
        &["inspect", &here("tests/data/tiny"), "--json"],
    );
    assert_eq!(
        serde_json::from_str::<Value>(&run.stdout).unwrap()["d_vocab"],
        5
    );
}

#[test]
fn lists_and_help() {
    let folder = TempDir::new().unwrap();
    snapshot!("strategies", gbmi(folder.path(), &["strategies"]).stdout);
    let rows: Value =
        serde_json::from_str(&gbmi(folder.path(), &["strategies", "--json"]).stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 108);
    for (name, args) in [
        ("help", vec!["--help"]),
        ("help_prove", vec!["prove", "--help"]),
        ("help_check", vec!["check", "--help"]),
        ("help_compare", vec!["compare", "--help"]),
        ("help_frontier", vec!["frontier", "--help"]),
        ("help_import", vec!["import", "--help"]),
    ] {
        let run = gbmi(folder.path(), &args);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        snapshot!(name, run.stdout);
    }
    let run = gbmi(folder.path(), &["man", "man/man1"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let page =
        |name: &str| std::fs::read_to_string(folder.path().join("man/man1").join(name)).unwrap();
    assert!(page("gbmi.1").contains("gbmi\\-check(1)"));
    assert!(page("gbmi-check.1").contains("max\\-flops"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            gbmi(folder.path(), &["completions", shell])
                .stdout
                .contains("max-flops"),
            "{shell}"
        );
    }
    assert_eq!(
        gbmi(folder.path(), &["--version"]).stdout,
        format!("gbmi {}\n", env!("CARGO_PKG_VERSION"))
    );
}
