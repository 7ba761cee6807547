//! The corpora: every file of `tests/certificates/{accept,reject,decline}` is one test.
//!
//! A rejected or declined file has its reason beside it: the variant, and where it must say that the fault is.
//! Adding a case is adding a file. Mutations of accepted certificates are in `tests/mutation.rs`.

use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::{Fixed, Rational};
use gbmi::checker::{Certified, Options, check};
use gbmi::model::Network;
use gbmi::refusal::{Decline, Refusal, Rejection};
use std::collections::BTreeSet;
use std::path::Path;

fn checked(path: &Path) -> Result<Certified, Refusal> {
    let network = Network::load(Path::new("tests/data/tiny"))?;
    let text = std::fs::read(path).map_err(|error| Refusal::Unreadable(error.to_string()))?;
    let certificate = Certificate::read(&text)?;
    let fixed = check::<Fixed>(&network, &certificate, Options::default());
    let rational = check::<Rational>(&network, &certificate, Options::default());
    match (&fixed, &rational) {
        (Ok(a), Ok(b)) => assert_eq!((&a.correct, a.meter.flops()), (&b.correct, b.meter.flops())),
        (Err(a), Err(b)) => assert_eq!(a, b),
        (a, b) => panic!("fixed: {a:?}, rational: {b:?}"),
    }
    fixed
}

fn accept(path: &Path) -> datatest_stable::Result<()> {
    let certified =
        checked(path).map_err(|refusal| format!("expected to be accepted: {refusal}"))?;
    assert!(
        certified.correct <= 109_u8.into(),
        "the model answers 109 inputs correctly"
    );
    Ok(())
}

fn refuse(path: &Path) -> datatest_stable::Result<()> {
    let expected = std::fs::read_to_string(path.with_extension("expected"))?;
    let (variant, place) = expected
        .trim()
        .split_once(' ')
        .unwrap_or((expected.trim(), ""));
    let refusal = checked(path)
        .err()
        .ok_or("expected to be refused, and was accepted")?;
    let (found, at) = describe(&refusal);
    if found != variant || (place != "-" && !at.starts_with(place)) {
        return Err(format!(
            "refused for the wrong reason: expected {variant} at {place}, found {found} at {at}"
        )
        .into());
    }
    Ok(())
}

/// Every variant that a certificate can trigger has a fixture: this list and `describe` must be complete.
const VARIANTS: [&str; 5] = [
    "Malformed",
    "NotAPartition",
    "WrongNetwork",
    "WrongClaim",
    "NotEstablished",
];

fn describe(refusal: &Refusal) -> (&'static str, String) {
    match refusal {
        Refusal::Rejected(rejection) => match rejection {
            Rejection::Malformed { path, .. } => (VARIANTS[0], path.clone()),
            Rejection::NotAPartition { path, .. } => (VARIANTS[1], path.clone()),
            Rejection::WrongNetwork { .. } => (VARIANTS[2], String::new()),
            Rejection::WrongClaim(reason) => (VARIANTS[3], reason.field.clone()),
            Rejection::NotEstablished { path, .. } => (VARIANTS[4], (*path).into()),
        },
        Refusal::Declined(Decline::Version { .. }) => ("Version", String::new()),
        Refusal::Declined(Decline::Family { .. }) => ("Family", String::new()),
        Refusal::Declined(Decline::Claim { field, .. }) => ("Claim", (*field).into()),
        other => panic!("no certificate of the corpora should lead to {other:?}"),
    }
}

/// Fails when a variant of [`Rejection`] has no fixture. Hung on one file, as each test here is a file.
fn complete(path: &Path) -> datatest_stable::Result<()> {
    let folder = path.parent().ok_or("a file in a folder")?;
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "expected")
        {
            seen.extend(
                std::fs::read_to_string(path)?
                    .split_whitespace()
                    .next()
                    .map(str::to_string),
            );
        }
    }
    assert_eq!(seen, VARIANTS.map(str::to_string).into());
    Ok(())
}

datatest_stable::harness! {
    { test = accept, root = "tests/certificates/accept", pattern = r"\.json$" },
    { test = refuse, root = "tests/certificates/reject", pattern = r"\.json$" },
    { test = refuse, root = "tests/certificates/decline", pattern = r"\.json$" },
    { test = complete, root = "tests/certificates/reject", pattern = r"^claim_all\.json$" },
}
