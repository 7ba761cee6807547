//! The JSON of a certificate, as it stands in the file: `docs/certificate.md` says what each field means.

use super::published::{PeelText, ResidualText};
use super::{Entries, MAX_BYTES, VERSION};
use crate::refusal::{Decline, Refusal, Rejection};
use serde::{Deserialize, Serialize};

/// A certificate file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The version; the first field.
    pub gbmi: String,
    /// SHA-256 of the network.
    pub network: String,
    /// Where the prover found the model, relative to this file.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A label.
    pub strategy: String,
    /// What is claimed.
    pub claim: Claim,
    /// The attention rule and its hints.
    pub attention: Attention,
    /// The direct-path rule and its hints.
    pub direct_path: DirectPath,
    /// The criterion and its hints.
    pub criterion: Criterion,
}

/// What is claimed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// `max_of_n`.
    pub task: String,
    /// Number of tokens.
    pub d_vocab: String,
    /// Input length.
    pub n_ctx: String,
    /// At least this many inputs are answered correctly.
    pub correct: String,
    /// At most this many.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub upper: Option<String>,
}

/// The attention rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Attention {
    /// Scores computed in full.
    Exact {
        /// Tokens by descending attention, one row for every query.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        orders: Vec<String>,
        /// Which scores are computed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entries: Option<Entries>,
    },
    /// See [`super::published::Scores::LowRank`].
    LowRank {
        /// 2 or 4 factors.
        factors: String,
        /// The low-rank part of each factor.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        peel: Vec<PeelText>,
        /// How what is left is bounded.
        error: ResidualText,
    },
}

/// The direct-path rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum DirectPath {
    /// See [`super::DirectPathHints`].
    Split {
        /// D̄.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        offset: String,
        /// Orders of token rows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        token_orders: Vec<String>,
        /// Orders of query rows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        query_orders: Vec<String>,
        /// Orders of last rows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        last_orders: Vec<String>,
        /// Which entries of EV and PV are computed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logits: Option<Entries>,
        /// Which entries of D are computed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direct: Option<Entries>,
    },
    /// See [`super::published::Direct::MaxDiff`].
    MaxDiff {
        /// The direction taken out.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        mean: String,
    },
    /// See [`super::published::Direct::MaxDiffExact`].
    MaxDiffExact {},
    /// See [`super::published::Direct::GlobalMaxDiffExact`].
    GlobalMaxDiffExact {},
}

/// The criterion.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Criterion {
    /// Partition of the wrong answers, window, whole-level test, count.
    Partition {
        /// The distinct plans.
        plans: Vec<Plan>,
        /// Plan numbers: one row for every maximum, one number for every query up to it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        assignment: Vec<String>,
    },
    /// See [`super::published::Gaps`].
    Gaps {
        /// Reference ratios by maximum and number of copies.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        references: Vec<String>,
        /// Slopes, likewise.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        slopes: Vec<String>,
        /// Gaps: one row for every maximum, n − 1 numbers for every query up to it.
        gaps: Vec<String>,
    },
    /// See [`super::Published::Convexity`].
    Convexity {},
}

/// How the inputs of one (query, maximum) are certified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The groups of wrong answers.
    pub groups: Vec<Group>,
    /// How failures are counted.
    #[serde(default, skip_serializing_if = "Count::is_tree")]
    pub count: Count,
    /// The window of the count.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub window: String,
}

/// Wrong answers that are tested together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Answers, `rest` or `each`.
    pub answers: String,
    /// How.
    pub test: Test,
    /// The window of a whole-level test.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub window: String,
}

/// How a group is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Whole-level test, positions pooled.
    Pooled,
    /// Whole-level test, position by position.
    Unpooled,
    /// Counted.
    Count,
    /// Given up.
    Forfeit,
}

/// How failures are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Count {
    /// By a tree over the inputs.
    Tree {
        /// For each position and counted group, an order of the items.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        upper: Vec<String>,
        /// Likewise, for wrong inputs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lower: Vec<String>,
        /// The nodes.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        walk: String,
    },
    /// By convolution on a grid.
    Grid {
        /// Fractional bits.
        bits: String,
    },
}

impl Default for Count {
    fn default() -> Self {
        Self::Tree { upper: vec![], lower: vec![], walk: String::new() }
    }
}

impl Count {
    fn is_tree(&self) -> bool {
        *self == Self::default()
    }
}

/// An optional field may be left out, but not null.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

fn all() -> String {
    "all".into()
}

fn is_all(window: &str) -> bool {
    window == "all"
}

/// The version alone, whatever else the file holds.
#[derive(Deserialize)]
struct Version {
    gbmi: String,
}

impl File {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] with the path; [`Decline::Version`]; [`Decline::TooLarge`] above [`MAX_BYTES`].
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let found = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if found > MAX_BYTES {
            return Err(Decline::TooLarge { what: "the certificate".into(), limit: MAX_BYTES, found }.into());
        }
        let start: Vec<u8> = text.iter().filter(|byte| !byte.is_ascii_whitespace()).take(7).copied().collect();
        if start != br#"{"gbmi""# {
            let found = "the first field must be the version, \"gbmi\"".into();
            return Err(Rejection::Malformed { path: ".".into(), found }.into());
        }
        let Version { gbmi } = deserialize(text)?;
        if gbmi != VERSION {
            let found = format!("{:?}", gbmi.chars().take(40).collect::<String>());
            return Err(Decline::Version { found, supported: VERSION }.into());
        }
        deserialize(text)
    }
}

fn deserialize<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        Rejection::Malformed { path, found: error.inner().to_string() }
    })?;
    json.end().map_err(|error| Rejection::Malformed { path: ".".into(), found: error.to_string() })?;
    Ok(value)
}
