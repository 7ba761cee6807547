//! Rules `direct max_diff | max_diff_exact | global_max_diff_exact`: the direct path, split by query and answer.
//!
//! **Statement** (theorem `direct_split`). `D(q,j) − D(q,m) ≤ offset(j) − offset(m) + spread(q)` for all j, m:
//! - max_diff (published `mean_query+max_diff`, `svd_query+max_diff`, `max_diff`, by what μ is hinted): for any row μ,
//!   `offset = μW_U + b_U` and `spread(q) = Σ_k |x_q,k − μ_k| range_j W_U(k,j)`, with `x_q = Ê_q + b_V W_O + b_O`.
//! - max_diff_exact: offset 0, and the range of D(q,·).
//! - global_max_diff_exact: offset 0, and the largest entry of D minus the smallest.
//!
//! **Cost.** O(v·d); v²·d for the exact ones.

use super::{largest, ranges, spread, vector};
use crate::certificate::published::{DirectPath, MaxDiff};
use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::Factors;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::product;
use crate::model::Matrix;
use crate::refusal::Refusal;

/// The two parts. In units of logits.
#[derive(Debug, Clone)]
pub struct Direct<R> {
    /// By answer; `None` for zero.
    pub offset: Option<Vec<R>>,
    /// By query.
    pub spread: Vec<R>,
}

impl<R: Enclosure> Direct<R> {
    /// Splits the direct path; `table` is D(q, j).
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn new(
        factors: &Factors<R>,
        table: &Matrix<R>,
        hints: &DirectPath,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        const KIND: Kind = Kind::Logits;
        let Factors {
            stream, w_u, b_u, ..
        } = factors;
        Ok(match hints {
            DirectPath::MaxDiff(MaxDiff { mean }) => {
                meter.goes_by("direct-max-diff");
                let mean = vector::<R>(mean, stream.cols());
                let widths = ranges(w_u, KIND, meter);
                let spread = spread(stream, mean.as_deref(), &widths, KIND, meter);
                let bias = b_u.as_ref().map(|b_u| b_u.row(0).to_vec());
                let offset = match mean {
                    None => bias,
                    Some(mean) => {
                        let mean = Matrix::new(stream.cols(), mean, R::everything());
                        let row = product(vec![mean, w_u.clone()], meter, KIND)?
                            .row(0)
                            .to_vec();
                        Some(match bias {
                            None => row,
                            Some(bias) => {
                                meter.add(KIND, row.len());
                                row.iter().zip(&bias).map(|(a, b)| a.add(b)).collect()
                            }
                        })
                    }
                };
                Self { offset, spread }
            }
            DirectPath::MaxDiffExact(_) => {
                meter.goes_by("direct-max-diff-exact");
                Self {
                    offset: None,
                    spread: ranges(table, KIND, meter),
                }
            }
            DirectPath::GlobalMaxDiffExact(_) => {
                meter.goes_by("direct-global-max-diff-exact");
                meter.add(KIND, 2 * table.rows() * table.cols() - 1);
                let entries = || table.iter_rows().flatten().cloned();
                let range = largest(entries()).zip(entries().reduce(|a, b| a.min(&b)));
                let range = range.map_or_else(R::everything, |(most, least)| most.sub(&least));
                Self {
                    offset: None,
                    spread: vec![range; table.rows()],
                }
            }
        })
    }
}
