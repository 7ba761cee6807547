//! Hints of the published strategies: form only, as everywhere in a certificate.

use super::file::{self, Criterion, DirectPath, File};
use super::numbers::{integers, naturals, out_of_range, small};
use crate::model::Config;
use crate::refusal::{Refusal, Rejection};
use serde::{Deserialize, Serialize};

/// Vectors are hinted in units of 2^-20.
pub const VECTOR_BITS: i32 = super::OFFSET_BITS;
/// The two numbers of the spectral bound are hinted in units of 2^-40.
pub const SPECTRAL_BITS: i32 = 40;
/// The most columns that are taken out of one factor.
const MAX_RANK: usize = 32;

/// Hints of a published strategy.
#[derive(Debug, Clone)]
pub enum Published {
    /// The cubic proof: no hints.
    Convexity,
    /// The subcubic family.
    Gaps(Gaps),
}

/// Hints of the subcubic family: one gap for every (query, maximum, copies).
#[derive(Debug, Clone)]
pub struct Gaps {
    /// How the scores are bounded.
    pub scores: Scores,
    /// How the direct path is bounded.
    pub direct: Direct,
    /// By maximum, then copies c − 1: the ratio at which all answers are compared, and the slope up to it. Empty when
    /// the answer is pessimised apart from attention.
    pub references: Vec<Vec<(i64, i64)>>,
    /// By maximum: for every query q ≤ m and 1 ≤ c < n copies of other tokens, the least distance of those below the
    /// maximum; 0 to certify nothing.
    pub gaps: Vec<Vec<usize>>,
}

/// How the scores are bounded.
#[derive(Debug, Clone)]
pub enum Scores {
    /// Computed in full.
    Exact,
    /// A low-rank part, and a bound on the rest.
    LowRank {
        /// Is the product taken as four factors, not two?
        four: bool,
        /// The low-rank part of each factor.
        peel: Vec<Peel>,
        /// The bound on the rest.
        residual: Residual,
    },
}

/// A low-rank part: the sum of the products of each column with its row.
#[derive(Debug, Clone, Default)]
pub struct Peel {
    /// The columns.
    pub left: Vec<Vec<i64>>,
    /// The rows.
    pub right: Vec<Vec<i64>>,
}

/// A bound on the range of each row of a product of factors.
#[derive(Debug, Clone)]
pub enum Residual {
    /// The product is computed.
    Exact,
    /// √2 times its largest singular value is at most `bound`.
    Svd {
        /// The bound, in units of 2^-SPECTRAL_BITS.
        bound: i64,
        /// A scale that is at least 2/bound², likewise.
        scale: i64,
    },
    /// Dimension by dimension, at the best place to split the product; with a mean row taken out at each split.
    MaxDiff(Vec<Vec<i64>>),
    /// Dimension by dimension, factor by factor; with a mean row taken out of each factor.
    Recursive(Vec<Vec<i64>>),
}

/// A [`Peel`] as it stands in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeelText {
    /// Columns.
    pub left: Vec<String>,
    /// Rows.
    pub right: Vec<String>,
}

/// A [`Residual`] as it stands in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResidualText {
    /// Computed.
    Exact {},
    /// By the largest singular value.
    Svd {
        /// The bound.
        bound: String,
        /// The scale.
        scale: String,
    },
    /// Dimension by dimension.
    MaxDiff {
        /// The mean row at each split.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        means: Vec<String>,
    },
    /// Dimension by dimension, factor by factor.
    Recursive {
        /// The mean row of each factor.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        means: Vec<String>,
    },
}

/// How the direct path is bounded.
#[derive(Debug, Clone)]
pub enum Direct {
    /// Dimension by dimension, with this row taken out of all queries.
    MaxDiff(Vec<i64>),
    /// The range of every query's row.
    MaxDiffExact,
    /// The range of all rows together.
    GlobalMaxDiffExact,
}

impl Published {
    /// Checks the form of a published strategy's hints; `None` if the file holds none.
    pub(super) fn from_file(file: &File, config: &Config) -> Result<Option<Self>, Refusal> {
        let v = config.d_vocab;
        let unfit = |path: &str| out_of_range(path, "a rule that goes with the criterion".into(), "another").into();
        let (references, slopes, gaps) = match &file.criterion {
            Criterion::Partition { .. } => return Ok(None),
            Criterion::Convexity {} => match (&file.attention, &file.direct_path) {
                (file::Attention::Exact { orders, entries: None }, DirectPath::MaxDiffExact {})
                    if orders.is_empty() =>
                {
                    return Ok(Some(Self::Convexity));
                }
                _ => return Err(unfit("criterion.rule")),
            },
            Criterion::Gaps { references, slopes, gaps } => (references, slopes, gaps),
        };
        let scores = match &file.attention {
            file::Attention::Exact { orders, entries: None } if orders.is_empty() => Scores::Exact,
            file::Attention::Exact { .. } => return Err(unfit("attention.orders")),
            file::Attention::LowRank { factors, peel, error } => Scores::LowRank {
                four: match factors.as_str() {
                    "2" => false,
                    "4" => true,
                    other => return Err(out_of_range("attention.factors", "2 or 4".into(), other).into()),
                },
                peel: peel
                    .iter()
                    .enumerate()
                    .map(|(index, peel)| {
                        let part = |side, texts| vectors(&format!("attention.peel[{index}].{side}"), texts);
                        Ok(Peel { left: part("left", &peel.left)?, right: part("right", &peel.right)? })
                    })
                    .collect::<Result<_, Refusal>>()?,
                residual: match error {
                    ResidualText::Exact {} => Residual::Exact,
                    ResidualText::Svd { bound, scale } => Residual::Svd {
                        bound: number("attention.error.bound", bound)?,
                        scale: number("attention.error.scale", scale)?,
                    },
                    ResidualText::MaxDiff { means } => Residual::MaxDiff(vectors("attention.error.means", means)?),
                    ResidualText::Recursive { means } => Residual::Recursive(vectors("attention.error.means", means)?),
                },
            },
        };
        let direct = match &file.direct_path {
            DirectPath::MaxDiff { mean } => Direct::MaxDiff(vector("direct_path.mean", mean)?),
            DirectPath::MaxDiffExact {} => Direct::MaxDiffExact,
            DirectPath::GlobalMaxDiffExact {} => Direct::GlobalMaxDiffExact,
            _ => return Err(unfit("direct_path.rule")),
        };
        let copies = config.n_ctx.saturating_sub(1);
        let by_copies = |path: &str, rows: &[String]| -> Result<Vec<Vec<i64>>, Refusal> {
            if rows.len() != v {
                return Err(out_of_range(path, format!("{v} rows"), rows.len()).into());
            }
            let row = |(m, text): (usize, &String)| {
                let path = format!("{path}[{m}]");
                exactly(&path, integers(&path, text, 1 << 60)?, copies)
            };
            rows.iter().enumerate().map(row).collect()
        };
        let references = if references.is_empty() && slopes.is_empty() {
            vec![]
        } else {
            let references = by_copies("criterion.references", references)?;
            if references.iter().flatten().any(|ratio| *ratio < 0) {
                return Err(
                    out_of_range("criterion.references", "ratios, at least 0".into(), "a negative number").into()
                );
            }
            let slopes = by_copies("criterion.slopes", slopes)?;
            references.into_iter().zip(slopes).map(|(row, slopes)| row.into_iter().zip(slopes).collect()).collect()
        };
        if gaps.len() != v {
            return Err(out_of_range("criterion.gaps", format!("{v} rows"), gaps.len()).into());
        }
        let gaps = gaps.iter().enumerate().map(|(m, text)| {
            let path = format!("criterion.gaps[{m}]");
            exactly(&path, naturals(&path, text, m.saturating_add(1))?, m.saturating_add(1).saturating_mul(copies))
        });
        Ok(Some(Self::Gaps(Gaps { scores, direct, references, gaps: gaps.collect::<Result<_, _>>()? })))
    }
}

fn exactly<T>(path: &str, row: Vec<T>, length: usize) -> Result<Vec<T>, Refusal> {
    if row.len() == length { Ok(row) } else { Err(out_of_range(path, format!("{length} numbers"), row.len()).into()) }
}

fn number(path: &str, text: &str) -> Result<i64, Rejection> {
    let value = integers(path, text, 1 << 60)?;
    match value.as_slice() {
        [value] => Ok(*value),
        other => Err(out_of_range(path, "one number".into(), other.len())),
    }
}

/// A hinted vector; entries that are left out are zero.
fn vector(path: &str, text: &str) -> Result<Vec<i64>, Refusal> {
    let vector = integers(path, text, 1 << 40)?;
    small(path, &vector.len().to_string(), 0, 1 << 12)?;
    Ok(vector)
}

fn vectors(path: &str, texts: &[String]) -> Result<Vec<Vec<i64>>, Refusal> {
    small(path, &texts.len().to_string(), 0, MAX_RANK)?;
    texts.iter().enumerate().map(|(index, text)| vector(&format!("{path}[{index}]"), text)).collect()
}
