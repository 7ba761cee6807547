//! Scores for the subcubic family: a table and, for every query, how far differences within its row may be off.
//!
//! **Statement** (theorem `score_differences`). `A(q,t) − A(q,m) ≤ table(q,t) − table(q,m) + error(q)` for all t, m:
//! rule `peel` splits A into the table and a product whose rows have range at most the error; with exact scores the
//! error is zero.

use super::peel::{Peeled, peel};
use super::residual;
use crate::certificate::published::{Attention, Chain, LowRank};
use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::Factors;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::product;
use crate::model::Matrix;
use crate::refusal::Refusal;

/// Enclosures of the scores.
#[derive(Debug, Clone)]
pub struct Scores<R> {
    /// `v × v`: A(q, t), up to the error. In units of softmax exponents.
    pub table: Matrix<R>,
    /// By query; `None` for zero.
    pub error: Option<Vec<R>>,
    /// `v × n`: B(q, p).
    pub positions: Matrix<R>,
}

/// The two or four factors of the token scores.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn chain<R: Enclosure>(
    factors: &Factors<R>,
    kind: Chain,
    meter: &Meter,
) -> Result<Vec<Matrix<R>>, Refusal> {
    let Factors {
        query,
        w_q,
        w_k,
        sources,
        ..
    } = factors;
    let v = query.rows();
    let keys = Matrix::from_fn(v, sources.cols(), R::everything(), |t, k| {
        sources.at(t, k).clone()
    })
    .transposed();
    if kind == Chain::Four {
        return Ok(vec![query.clone(), w_q.clone(), w_k.clone(), keys]);
    }
    let queries = product(vec![query.clone(), w_q.clone()], meter, Kind::Attention)?;
    Ok(vec![
        queries,
        product(vec![w_k.clone(), keys], meter, Kind::Attention)?,
    ])
}

impl<R: Enclosure> Scores<R> {
    /// Computes the table and bounds the error.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn new(factors: &Factors<R>, hints: &Attention, meter: &Meter) -> Result<Self, Refusal> {
        let Factors {
            query,
            w_q,
            w_k,
            sources,
            ..
        } = factors;
        let v = query.rows();
        let n = sources.rows().saturating_sub(v);
        let places = Matrix::from_fn(n, sources.cols(), R::everything(), |p, k| {
            sources.at(v + p, k).clone()
        });
        let path = vec![query.clone(), w_q.clone(), w_k.clone(), places.transposed()];
        let positions = product(path, meter, Kind::Attention)?;
        let (table, error) = match hints {
            Attention::Exact(_) => {
                meter.goes_by("scores-exact");
                let chain = chain(factors, Chain::Two, meter)?;
                (product(chain, meter, Kind::Attention)?, None)
            }
            Attention::LowRank(LowRank {
                factors: kind,
                peel: hinted,
                error,
            }) => {
                let Peeled { table, rests } = peel(&chain(factors, *kind, meter)?, hinted, meter)?;
                let zero = || Matrix::from_fn(v, v, R::everything(), |_, _| R::dyadic(0, 0));
                (
                    table.unwrap_or_else(zero),
                    Some(residual::bound(&rests, error, meter)?),
                )
            }
        };
        Ok(Self {
            table,
            error,
            positions,
        })
    }
}
