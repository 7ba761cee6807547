//! A failure as JSON: one shape, whatever was refused (docs/outputs.md).

use crate::refusal::{Decline, Mismatch, Refusal, Rejection};
use clap::error::{ContextKind, Error};
use serde::Serialize;

/// What is not as it must be, and where.
#[derive(Serialize)]
pub(crate) struct Refused {
    /// `REJECTED`, `DECLINED` or `ERROR`: exit codes 1, 2 and 3.
    pub(crate) verdict: &'static str,
    /// The kind of refusal: it stays, where the words may change.
    pub(crate) code: &'static str,
    #[serde(flatten)]
    pub(crate) place: Place,
    /// The sentence for people.
    pub(crate) reason: String,
    /// All that is in the way, of a configuration; the first stands above too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<Place>,
}

/// What was expected somewhere, and found.
#[derive(Default, Clone, Serialize)]
pub(crate) struct Place {
    pub(crate) at: Option<String>,
    pub(crate) expected: Option<String>,
    pub(crate) found: Option<String>,
}

impl Place {
    fn new(at: &str, expected: impl ToString, found: impl ToString) -> Self {
        Self {
            at: Some(at.into()),
            expected: Some(expected.to_string()),
            found: Some(found.to_string()),
        }
    }
}

impl Refused {
    /// A failure that is no refusal of the library.
    pub(crate) fn other(code: &'static str, reason: &str) -> Self {
        Self {
            verdict: "ERROR",
            code,
            place: Place::default(),
            reason: reason.into(),
            reasons: vec![],
        }
    }

    /// What the command line's parser says.
    pub(crate) fn usage(error: &Error) -> Self {
        let context = |kind| error.get(kind).map(ToString::to_string);
        let rendered = error.render().to_string();
        let sentence: Vec<&str> = rendered
            .lines()
            .map(str::trim)
            .take_while(|line| !line.is_empty())
            .collect();
        let sentence = sentence.join(" ");
        let reason = sentence.strip_prefix("error: ").unwrap_or(&sentence);
        Self {
            place: Place {
                at: context(ContextKind::InvalidArg)
                    .or_else(|| context(ContextKind::InvalidSubcommand)),
                expected: context(ContextKind::ValidValue),
                found: context(ContextKind::InvalidValue)
                    .or_else(|| context(ContextKind::PriorArg)),
            },
            ..Self::other("usage", reason)
        }
    }
}

/// The word of a verdict that is not `ACCEPTED`.
pub(crate) fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Rejected(_) => "REJECTED",
        Refusal::Declined(_) => "DECLINED",
        Refusal::Unreadable(_) => "ERROR",
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let (code, place) = match refusal {
            Refusal::Rejected(reason) => rejected(reason),
            Refusal::Declined(reason) => declined(reason),
            Refusal::Unreadable(_) => ("unreadable", Place::default()),
        };
        let reasons = match refusal {
            Refusal::Declined(Decline::Config(reasons)) => reasons.iter().map(mismatch).collect(),
            _ => vec![],
        };
        Self {
            verdict: word(refusal),
            code,
            place,
            reason: refusal.to_string(),
            reasons,
        }
    }
}

fn rejected(reason: &Rejection) -> (&'static str, Place) {
    let found = |at: &str, found: &str| Place {
        at: Some(at.into()),
        expected: None,
        found: Some(found.into()),
    };
    match reason {
        Rejection::Malformed { path, found: what } => ("malformed", found(path, what)),
        Rejection::NotAPartition { path, found: what } => ("not_a_partition", found(path, what)),
        Rejection::WrongNetwork { expected, found } => {
            ("wrong_network", Place::new("network", expected, found))
        }
        Rejection::WrongClaim(reason) => ("wrong_claim", mismatch(reason)),
        Rejection::NotEstablished {
            path,
            claimed,
            certified,
        } => ("not_established", Place::new(path, claimed, certified)),
    }
}

fn declined(reason: &Decline) -> (&'static str, Place) {
    let at = |at: String| Place {
        at: Some(at),
        ..Place::default()
    };
    match reason {
        Decline::Version { found, supported } => ("version", Place::new("gbmi", supported, found)),
        Decline::Family { found, supported } => {
            ("family", Place::new("hints.family", supported, found))
        }
        Decline::Claim { field, .. } => ("claim", at(format!("claim.{field}"))),
        Decline::Model(reason) => ("model", mismatch(reason)),
        Decline::Config(reasons) => ("config", reasons.first().map(mismatch).unwrap_or_default()),
        Decline::TooLarge { what, limit, found } => ("too_large", Place::new(what, limit, found)),
        Decline::Work { limit } => (
            "work",
            Place {
                expected: Some(limit.to_string()),
                ..Place::default()
            },
        ),
        Decline::Estimate { flops, limit } => (
            "estimate",
            Place {
                at: None,
                expected: Some(limit.to_string()),
                found: Some(flops.to_string()),
            },
        ),
        Decline::Strategy { found, has } => ("strategy", Place::new("strategy", has, found)),
        Decline::Explain { .. } => ("explain", Place::default()),
        Decline::Task { expected, found } => ("task", Place::new("task", expected, found)),
        Decline::Arithmetic { found, hint } => {
            ("arithmetic", Place::new("arithmetic", hint, found))
        }
    }
}

fn mismatch(
    Mismatch {
        field,
        expected,
        found,
    }: &Mismatch,
) -> Place {
    Place::new(field, expected, found)
}
