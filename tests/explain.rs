//! Explanations against the checker: what is certified, lost and shown wrong adds up, and names what is lost.
#![cfg(all(feature = "inspect", feature = "prove"))]

use assert_cmd::Command;
use gbmi::certificate::{Certificate, Hints};
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Options, certify};
use gbmi::explain::{DEFAULT_SPEND, Explanation, Outcome, explain};
use gbmi::model::Network;
use gbmi::refusal::Refusal;
use gbmi::search::{Request, prove_by};
use gbmi::strategy::Strategy;
use num_bigint::BigUint;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The tiny model's right inputs, of 125.
const RIGHT: u32 = 109;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn tiny() -> Network {
    Network::load(&here("tests/data/tiny")).unwrap()
}

fn accepted() -> Vec<(String, Certificate)> {
    let files = std::fs::read_dir(here("tests/certificates/accept"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    let read = |path: PathBuf| {
        let certificate = Certificate::read(&std::fs::read(&path).unwrap()).unwrap();
        (
            path.file_stem().unwrap().to_str().unwrap().to_string(),
            certificate,
        )
    };
    let certificates = files.into_iter().map(read);
    // A walk through every input loses none: there is nothing to explain.
    let explained = |certificate: &Certificate| !matches!(certificate.hints, Hints::Exhaustive(_));
    certificates
        .filter(|(_, certificate)| explained(certificate))
        .collect()
}

fn named(network: &Network, name: &str) -> Explanation {
    let found = accepted()
        .into_iter()
        .find(|(found, _)| found == name)
        .unwrap();
    explain(network, &found.1, DEFAULT_SPEND, Options::default()).unwrap()
}

/// What is lost with each replacement; none where it is not used.
fn lost(explanation: &Explanation) -> Vec<Option<u32>> {
    let lost = |outcome: &Outcome| match outcome {
        Outcome::Unused => None,
        Outcome::TooLong(limit) => panic!("more than {limit}"),
        Outcome::Done {
            certified, wrong, ..
        } => Some(u32::try_from(explanation.loss_with(certified, wrong)).unwrap()),
    };
    explanation
        .replacements
        .iter()
        .map(|replacement| lost(&replacement.outcome))
        .collect()
}

#[test]
fn every_accepted_certificate_adds_up() {
    let network = tiny();
    let certificates = accepted();
    assert!(certificates.len() > 30);
    for (name, certificate) in certificates {
        let explanation =
            explain(&network, &certificate, DEFAULT_SPEND, Options::default()).unwrap();
        let derived = certify::<Fixed>(&network, &certificate, Options::default()).unwrap();
        assert_eq!(explanation.certified(), derived.correct, "{name}");
        assert_eq!(
            explanation.wrong(),
            &derived.total - &derived.upper,
            "{name}"
        );
        assert_eq!(explanation.flops(), derived.meter.flops(), "{name}");
        // By the claim's margin: brute force decides every input.
        let request = Request {
            margin: certificate.claim.margin.clone(),
            ..Request::new(&network, None, Options::default())
        };
        let walked = prove_by(&request, Strategy::BruteForce, 0)
            .unwrap()
            .certified;
        assert_eq!(walked.correct, walked.upper);
        assert!(walked.correct == RIGHT.into() || certificate.claim.margin > 1_u8.into());
        assert_eq!(
            explanation.right().as_ref(),
            Some(&walked.correct),
            "{name}"
        );
        assert_eq!(
            explanation.loss(),
            walked.correct - &derived.correct,
            "{name}"
        );
        for row in &explanation.rows {
            assert_eq!(
                &row.certified + &row.wrong + row.undecided(),
                row.inputs,
                "{name}"
            );
            let right = row.right.clone().unwrap();
            assert!(
                row.certified <= right && &right + &row.wrong <= row.inputs,
                "{name}"
            );
            assert_eq!(&row.certified + row.loss(), right, "{name}");
        }
        let inputs: BigUint = explanation.rows.iter().map(|row| &row.inputs).sum();
        assert_eq!(
            (&inputs, &explanation.total),
            (&derived.total, &derived.total),
            "{name}"
        );
        for shares in [explanation.by_maximum(), explanation.by_query()] {
            let told_apart = !shares.is_empty();
            let loss: BigUint = shares.iter().map(|share| &share.loss).sum();
            assert!(!told_apart || loss == explanation.loss(), "{name}");
        }
        // Nothing does worse than what is there, and looking at every input is the truth.
        let most = u32::try_from(explanation.loss()).unwrap();
        assert!(
            lost(&explanation)
                .iter()
                .flatten()
                .all(|lost| *lost <= most),
            "{name}"
        );
        assert_eq!(lost(&explanation).last(), Some(&Some(0)), "{name}");
    }
}

#[test]
fn the_right_rule_is_named() {
    let network = tiny();
    // Entries, windows, groups, whole-level tests, counts; everything.
    assert_eq!(
        lost(&named(&network, "exact")),
        [None, None, None, None, None, Some(0)]
    );
    // Windows help here and there, counts where a test of all inputs fails, answers apart everywhere.
    let orders = named(&network, "order_badly_sorted_claims_less");
    assert_eq!(
        lost(&orders),
        [None, Some(52), Some(0), Some(20), None, Some(0)]
    );
    let causes = orders.answers.unwrap();
    assert_eq!(
        (causes[0].answers.as_str(), &causes[0].fails, causes[0].rows),
        ("all, tested whole", &34_u8.into(), 2)
    );
    let grid = named(&network, "grid_coarse_claims_less");
    assert_eq!(lost(&grid)[..4], [None; 4]);
    assert_eq!(lost(&grid)[4..], [Some(0); 2]);
}

#[test]
fn what_is_not_affordable_is_said() {
    let network = tiny();
    let certificate = &accepted()
        .into_iter()
        .find(|(name, _)| name == "tree_with_far_class")
        .unwrap()
        .1;
    let explanation = explain(&network, certificate, 10, Options::default()).unwrap();
    assert!(matches!(
        explanation.replacements.last().unwrap().outcome,
        Outcome::TooLong(10)
    ));
    assert_eq!(explanation.right(), None);
    assert!(explanation.unknown.is_some() && explanation.answers.is_none());
    assert_eq!(explanation.loss(), explanation.undecided());
}

#[test]
fn a_refused_certificate_is_not_explained() {
    let network = tiny();
    let text = std::fs::read(here(
        "tests/certificates/reject/claim_one_more_than_certified.json",
    ))
    .unwrap();
    let certificate = Certificate::read(&text).unwrap();
    let refusal = explain(&network, &certificate, DEFAULT_SPEND, Options::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::Rejected(_)));
}

fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("gbmi")
        .unwrap()
        .current_dir(folder)
        .arg("explain")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Arguments for a certificate about the tiny model.
fn about(path: &str) -> [String; 5] {
    let model = here("tests/data/tiny").display().to_string();
    [
        here(&format!("tests/certificates/{path}.json"))
            .display()
            .to_string(),
        "--model".into(),
        model,
        "--threads".into(),
        "1".into(),
    ]
}

#[test]
fn reports() {
    let folder = TempDir::new().unwrap();
    for name in [
        "tree_with_far_class",
        "order_badly_sorted_claims_less",
        "published_references_at_zero",
        "published_cubic",
    ] {
        let args = about(&format!("accept/{name}"));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (code, stdout, stderr) = run(folder.path(), &args);
        assert_eq!((code, stderr.as_str()), (0, ""), "{name}");
        let report = stdout.replace(env!("CARGO_MANIFEST_DIR"), "");
        insta::assert_snapshot!(name, report);
    }
}

#[test]
fn files_are_written() {
    let folder = TempDir::new().unwrap();
    for (format, start) in [("svg", b"<svg".as_slice()), ("png", b"\x89PNG".as_slice())] {
        let args = about("accept/tree_with_far_class");
        let args: Vec<&str> = args
            .iter()
            .map(String::as_str)
            .chain(["--out", "new/out", "--format", format])
            .collect();
        let (code, stdout, _) = run(folder.path(), &[&args[..], &["--json"]].concat());
        assert_eq!(code, 0);
        let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(
            (&object["total"], &object["right"], &object["certified"]),
            (&"125".into(), &"109".into(), &"109".into())
        );
        assert_eq!(object["replacements"].as_array().unwrap().len(), 6);
        let out = folder.path().join("new/out");
        assert_eq!(
            std::fs::read_to_string(out.join("explain.json")).unwrap(),
            stdout
        );
        let csv = std::fs::read_to_string(out.join("explain.csv")).unwrap();
        assert_eq!(csv.lines().count(), 1 + 5 * 6 / 2);
        assert_eq!(csv, run(folder.path(), &[&args[..], &["--csv"]].concat()).1);
        let picture = std::fs::read(out.join(format!("explain.{format}"))).unwrap();
        assert!(picture.starts_with(start) && picture.len() > 1000);
    }
}

/// A proof that leaves nothing undecided shows where the wrong inputs are.
#[test]
fn an_exact_proof_shows_where_the_wrong_inputs_lie() {
    let folder = TempDir::new().unwrap();
    let model = here("tests/data/tiny").display().to_string();
    let mut prove = Command::cargo_bin("gbmi").unwrap();
    let prove = prove.current_dir(folder.path());
    let proved = prove
        .args(["prove", &model, "--strategy", "exact"])
        .output();
    assert!(proved.unwrap().status.success());
    let args = ["cert.json", &model, "--out", "."];
    let (code, stdout, _) = run(folder.path(), &args);
    assert_eq!(code, 0);
    assert!(stdout.contains("shown wrong  FLOPs"), "{stdout}");
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("explain.svg").contains("Wrong inputs, by query and maximum"));
    let object: serde_json::Value = serde_json::from_str(&read("explain.json")).unwrap();
    assert_eq!(object["undecided"], "0");
    for sums in ["by_maximum", "by_query"] {
        let count =
            |row: &serde_json::Value| row["wrong"].as_str().unwrap().parse::<u32>().unwrap();
        let wrong: Vec<u32> = object[sums].as_array().unwrap().iter().map(count).collect();
        assert!(wrong.is_sorted_by(|a, b| a >= b));
        assert_eq!(wrong.iter().sum::<u32>(), 125 - 109);
    }
}

#[test]
fn refusals_have_the_exit_codes_of_check() {
    let folder = TempDir::new().unwrap();
    for (path, expected, said) in [
        (
            "reject/claim_one_more_than_certified",
            1,
            "claim not established",
        ),
        ("reject/not_json", 1, "malformed"),
        ("decline/version_4", 2, "unsupported certificate version"),
        ("no/such/file", 3, "no/such/file"),
    ] {
        let args = about(path);
        let args: Vec<&str> = args
            .iter()
            .map(String::as_str)
            .chain(["--out", "out"])
            .collect();
        let (code, stdout, stderr) = run(folder.path(), &args);
        assert_eq!((code, stdout.as_str()), (expected, ""), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        assert!(!folder.path().join("out").exists());
    }
    assert_eq!(run(folder.path(), &["cert.json", "--json", "--csv"]).0, 3);
}
