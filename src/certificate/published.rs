//! Hints of the published strategies.

use super::numbers::{Rows, text};
use serde::{Deserialize, Serialize};

/// Vectors, references and slopes are hinted in units of 2^-20.
pub const VECTOR_BITS: i32 = 20;
/// The two numbers of the spectral bound are hinted in units of 2^-40.
pub const SPECTRAL_BITS: i32 = 40;
/// The most columns that are taken out of one factor.
pub const MAX_RANK: usize = 32;

/// A rule without hints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoHints {}

/// The hints of the family: the rule, with those that go with it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Published {
    /// A gap below the maximum: the subcubic family.
    Gaps(Box<Gaps>),
    /// The cubic proof, which has no hints.
    Convexity(NoHints),
}

named!("rule", Published: "gaps" => Gaps(Gaps), "convexity" => Convexity(NoHints));

/// How scores are read.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Attention {
    /// One by one.
    Exact(NoHints),
    /// A low-rank part, and a bound on the rest.
    LowRank(LowRank),
}

named!("rule", Attention: "exact" => Exact(NoHints), "low_rank" => LowRank(LowRank));

/// How the direct path is bounded.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum DirectPath {
    /// Dimension by dimension.
    MaxDiff(MaxDiff),
    /// The range of every query's row.
    MaxDiffExact(NoHints),
    /// The range of all rows together.
    GlobalMaxDiffExact(NoHints),
}

named!("rule", DirectPath: "max_diff" => MaxDiff(MaxDiff), "max_diff_exact" => MaxDiffExact(NoHints),
    "global_max_diff_exact" => GlobalMaxDiffExact(NoHints));

/// Hints for rule `low_rank`: the scores are a product of factors; a part of low rank is computed, the rest is bounded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LowRank {
    /// Two factors, or four.
    pub factors: Chain,
    /// The low-rank part of each factor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peel: Vec<Peel>,
    /// The bound on the rest.
    pub error: Residual,
}

/// The product that the scores are taken as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chain {
    /// (Ê W_Q)(W_Kᵀ W_Eᵀ).
    #[serde(rename = "2")]
    Two,
    /// Ê · W_Q · W_Kᵀ · W_Eᵀ.
    #[serde(rename = "4")]
    Four,
}

/// A low-rank part: the sum of the products of each column with its row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peel {
    /// The columns.
    pub left: Rows<i64>,
    /// The rows.
    pub right: Rows<i64>,
}

/// A bound on the range of each row of a product of factors.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Residual {
    /// The product is computed.
    Exact(NoHints),
    /// √2 times its largest singular value is at most a bound.
    Svd(Spectral),
    /// Dimension by dimension, at the best place to split the product: a mean row is taken out at each split.
    MaxDiff(Means),
    /// Dimension by dimension, factor by factor: a mean row is taken out of each.
    Recursive(Means),
}

named!("rule", Residual: "exact" => Exact(NoHints), "svd" => Svd(Spectral), "max_diff" => MaxDiff(Means), "recursive" => Recursive(Means));

/// Hints for rule `svd`, in units of 2^-SPECTRAL_BITS.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spectral {
    /// The bound.
    #[serde(with = "text")]
    pub bound: i64,
    /// A scale above 2/bound².
    #[serde(with = "text")]
    pub scale: i64,
}

/// Mean rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Means {
    /// For each place, or each factor.
    #[serde(skip_serializing_if = "Rows::is_empty")]
    pub means: Rows<i64>,
}

/// Hints for the direct path dimension by dimension.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxDiff {
    /// A row that is taken out of all queries.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "text")]
    pub mean: Vec<i64>,
}

/// Hints of the subcubic family: one gap for every (query, maximum, copies).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaps {
    /// How scores are read.
    pub attention: Attention,
    /// How the direct path is bounded.
    pub direct_path: DirectPath,
    /// By maximum, then copies c − 1: the ratio at which all answers are compared. Empty when the answer is pessimised
    /// apart from attention.
    #[serde(default, skip_serializing_if = "Rows::is_empty")]
    pub references: Rows<i64>,
    /// Likewise: the slope up to that ratio.
    #[serde(default, skip_serializing_if = "Rows::is_empty")]
    pub slopes: Rows<i64>,
    /// By maximum: for every query q ≤ m and 1 ≤ c < n copies of other tokens, the least distance of those below the
    /// maximum; 0 to certify nothing.
    pub gaps: Rows<usize>,
}
