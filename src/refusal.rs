//! Why a certificate, a model or a file was not accepted: the typed errors of the trusted code.
//!
//! *Rejected* means: this certificate does not prove its claim about this network. *Declined* means: the question is
//! outside what the checker supports or is allowed to spend. *Unreadable* means: a file could not be read at all.

use num_bigint::BigUint;
use std::fmt;

/// The reason for a verdict other than "accepted".
///
/// ```
/// use gbmi::model::Network;
/// use gbmi::refusal::{Decline, Refusal};
///
/// let config = br#"{"n_layers": 5}"#;
/// let Err(Refusal::Declined(Decline::Config(reasons))) = Network::from_bytes(config, b"") else {
///     panic!("five layers are too many");
/// };
/// // All that is in the way, not the first alone.
/// let layers = reasons.iter().find(|reason| reason.field == "n_layers").unwrap();
/// assert_eq!(layers.found, "5");
/// assert!(reasons.len() > 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The certificate does not prove its claim (exit code 1).
    Rejected(Rejection),
    /// The model, version or amount of work is outside what is supported (exit code 2).
    Declined(Decline),
    /// A file could not be read (exit code 3): the path and the system's reason.
    Unreadable(String),
}

/// Where a rejected certificate goes wrong. Paths name places in the certificate, such as `claim.correct`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are what their names say
pub enum Rejection {
    /// Not JSON, or not of the certificate's shape: unknown, missing or repeated fields, wrong types, too deep; a number
    /// that is too large or not in its one spelling.
    Malformed { path: String, found: String },
    /// The groups of a plan do not cover every wrong answer exactly once.
    NotAPartition { path: String, found: String },
    /// The certificate is about another network than the model given.
    WrongNetwork { expected: String, found: String },
    /// The claim is about another task or size than the model's, or about more inputs than it has.
    WrongClaim(Mismatch),
    /// Everything was checked, and the claim does not follow.
    NotEstablished {
        path: &'static str,
        claimed: String,
        certified: String,
    },
}

/// What is not supported, or not affordable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are what their names say
pub enum Decline {
    /// A certificate version outside the reader's window.
    Version {
        found: String,
        supported: &'static str,
    },
    /// The hints are for a family of rules that this build does not have.
    Family {
        found: String,
        supported: &'static str,
    },
    /// The claim says more than this build can check.
    Claim {
        field: &'static str,
        reason: &'static str,
    },
    /// The model is not one that the theorems speak about.
    Model(Mismatch),
    /// The model's `config.json` is not that of a network that the theorems speak about: all that is in the way.
    Config(Vec<Mismatch>),
    /// A file, a model or a hint is larger than the limit for it.
    TooLarge {
        what: String,
        limit: u64,
        found: u64,
    },
    /// The proof asks for more work than allowed (`--max-flops`).
    Work { limit: u64 },
    /// The proof would take more work than allowed: about how much is known before it begins.
    Estimate { flops: BigUint, limit: u64 },
    /// The network has no proofs by this strategy.
    Strategy { found: String, has: String },
    /// A proof of which there is nothing to explain.
    Explain { reason: &'static str },
    /// A task has not as many pairs of an input and a read-out as it says.
    Task { expected: BigUint, found: BigUint },
    /// The arithmetic asked for is not built in.
    Arithmetic { found: String, hint: &'static str },
}

/// A field of `config.json`, or another place, that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are what their names say
pub struct Mismatch {
    pub field: String,
    pub expected: String,
    pub found: String,
}

impl Mismatch {
    /// What was expected at a place, and what was found.
    pub fn new(
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// The beginning of a text that may be long.
pub fn cut(text: impl ToString) -> String {
    text.to_string().chars().take(80).collect()
}

impl Decline {
    /// [`Decline::TooLarge`] for sizes of any type.
    pub fn too_large(
        what: impl Into<String>,
        limit: impl TryInto<u64>,
        found: impl TryInto<u64>,
    ) -> Self {
        Self::TooLarge {
            what: what.into(),
            limit: limit.try_into().unwrap_or(u64::MAX),
            found: found.try_into().unwrap_or(u64::MAX),
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(reason: Rejection) -> Self {
        Self::Rejected(reason)
    }
}

impl From<Decline> for Refusal {
    fn from(reason: Decline) -> Self {
        Self::Declined(reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(reason) => reason.fmt(f),
            Self::Declined(reason) => reason.fmt(f),
            Self::Unreadable(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Malformed { path, found } => format!("malformed certificate at {path}: {found}"),
            Self::NotAPartition { path, found } => {
                format!("groups at {path} must cover every wrong answer exactly once: {found}")
            }
            Self::WrongNetwork { expected, found } => format!(
                "wrong network: the certificate is about the network with SHA-256 {expected}, and this is {found}; name the right model behind the certificate"
            ),
            Self::WrongClaim(reason) => format!("claim does not fit the model at {reason}"),
            Self::NotEstablished {
                path,
                claimed,
                certified,
            } => {
                format!("claim not established at {path}: claimed {claimed}, certified {certified}")
            }
        };
        f.write_str(&reason)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            expected,
            found,
        } = self;
        write!(f, "{field}: expected {expected}, found {found}")
    }
}

impl fmt::Display for Decline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Version { found, supported } => {
                format!("unsupported certificate version {found}: this build reads {supported}")
            }
            Self::Family { found, supported } => {
                format!("unsupported family of rules {found:?}: this build has {supported}")
            }
            Self::Claim { field, reason } => format!("unsupported claim.{field}: {reason}"),
            Self::Model(reason) => format!("unsupported model at {reason}"),
            Self::Config(reasons) => {
                let reason = |reason| format!("at config.json, {reason}");
                let reasons: Vec<String> = reasons.iter().map(reason).collect();
                format!("unsupported model {}", reasons.join("; "))
            }
            Self::TooLarge { what, limit, found } => {
                format!("{what} too large: {found}, the limit is {limit}")
            }
            Self::Work { limit } => format!(
                "the proof takes more than {limit} FLOPs or integer operations; raise --max-flops to allow it"
            ),
            Self::Estimate { flops, limit } => format!(
                "the proof would take about {flops} FLOPs, more than the {limit} that are allowed"
            ),
            Self::Strategy { found, has } => {
                format!("no strategy {found} for this network: it has {has}")
            }
            Self::Explain { reason } => format!("nothing to explain of this proof: {reason}"),
            Self::Task { expected, found } => format!(
                "the task has {expected} pairs of an input and a read-out by its formula, and {found} were found"
            ),
            Self::Arithmetic { found, hint } => {
                format!("arithmetic {found} is not built in: {hint}")
            }
        };
        f.write_str(&reason)
    }
}

impl std::error::Error for Refusal {}
