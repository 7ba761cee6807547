//! Rules `residual exact | svd | max_diff | recursive`: bounds on the range of each row of a product of factors.
//!
//! **Statement** (theorem `row_range`). For `E = F_1⋯F_k`, the result r satisfies `E(q,t) − E(q,t') ≤ r(q)` for all
//! t, t':
//! - exact: the largest entry of the row minus the smallest.
//! - max_diff: for every split `E = L·M` and any row μ, `range_t(μM) + Σ_k |L(q,k) − μ_k| range_t M(k,·)`; the least
//!   over the splits.
//! - recursive: the same at the first split, with the range of each row of M bounded in the same way.
//! - svd: `√2 σ₁(E)`. With `E = L·M` and `G = LᵀL·MMᵀ`, whose eigenvalues are the squared singular values of E and zeros, so none
//!   is negative: if `trace((τG)^64) < 1` then `τσ₁² < 1`; if also `b²τ > 2` and `b ≥ 0`, then `√2 σ₁ < b`.
//!
//! **Cost.** exact v²d; max_diff v·d·h per product; recursive O(v·d); svd O(v·h² + h³) and the products on both sides of
//! the smallest inner dimension. A hint that fails its test bounds nothing.

use super::{ranges, spread, vector};
use crate::certificate::Rows;
use crate::certificate::published::{Residual, SPECTRAL_BITS, Spectral};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::{plain, product};
use crate::model::Matrix;
use crate::refusal::Refusal;

const KIND: Kind = Kind::Attention;
/// Squarings before the trace, which is one more.
const SQUARINGS: usize = 5;

/// The bound for every row.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn bound<R: Enclosure>(
    chain: &[Matrix<R>],
    rule: &Residual,
    meter: &Meter,
) -> Result<Vec<R>, Refusal> {
    let (name, bound) = match rule {
        Residual::Exact(_) => {
            let product = product(chain.to_vec(), meter, KIND)?;
            ("residual-exact", Ok(ranges(&product, KIND, meter)))
        }
        Residual::Svd(hints) => ("residual-svd", svd(chain, *hints, meter)),
        Residual::MaxDiff(hints) => ("residual-max-diff", max_diff(chain, &hints.means, meter)),
        Residual::Recursive(hints) => ("residual-recursive", recursive(chain, &hints.means, meter)),
    };
    meter.goes_by(name);
    bound
}

fn max_diff<R: Enclosure>(
    chain: &[Matrix<R>],
    means: &Rows<i64>,
    meter: &Meter,
) -> Result<Vec<R>, Refusal> {
    let mut right: Vec<Matrix<R>> = vec![];
    for factor in chain.iter().skip(1).rev() {
        let next = match right.last() {
            Some(last) => product(vec![factor.clone(), last.clone()], meter, KIND)?,
            None => factor.clone(),
        };
        right.push(next);
    }
    let mut best: Option<Vec<R>> = None;
    let mut left: Option<Matrix<R>> = None;
    for (index, (factor, right)) in chain.iter().zip(right.iter().rev()).enumerate() {
        let table = match left.take() {
            Some(before) => product(vec![before, factor.clone()], meter, KIND)?,
            None => factor.clone(),
        };
        let mean = means
            .get(index)
            .and_then(|mean| vector::<R>(mean, table.cols()));
        let bound = split(
            &table,
            mean,
            std::slice::from_ref(right),
            &ranges(right, KIND, meter),
            meter,
        )?;
        best = Some(match best {
            Some(best) => {
                meter.add(KIND, best.len());
                best.iter().zip(&bound).map(|(a, b)| a.min(b)).collect()
            }
            None => bound,
        });
        left = Some(table);
    }
    Ok(best.unwrap_or_default())
}

fn recursive<R: Enclosure>(
    chain: &[Matrix<R>],
    means: &Rows<i64>,
    meter: &Meter,
) -> Result<Vec<R>, Refusal> {
    let mut bound = chain
        .last()
        .map(|last| ranges(last, KIND, meter))
        .unwrap_or_default();
    for (index, factor) in chain.iter().enumerate().rev().skip(1) {
        let mean = means
            .get(index)
            .and_then(|mean| vector::<R>(mean, factor.cols()));
        bound = split(
            factor,
            mean,
            chain.get(index + 1..).unwrap_or(&[]),
            &bound,
            meter,
        )?;
    }
    Ok(bound)
}

/// `range(mean·right) + Σ_k |left_k − mean_k| range_k` for every row of `left`.
fn split<R: Enclosure>(
    left: &Matrix<R>,
    mean: Option<Vec<R>>,
    right: &[Matrix<R>],
    ranges_of_right: &[R],
    meter: &Meter,
) -> Result<Vec<R>, Refusal> {
    meter.spend(KIND, 0)?;
    let rest = spread(left, mean.as_deref(), ranges_of_right, KIND, meter);
    let Some(mean) = mean else { return Ok(rest) };
    let mean = Matrix::new(left.cols(), mean, R::everything());
    let shared = ranges(
        &product([&[mean], right].concat(), meter, KIND)?,
        KIND,
        meter,
    );
    meter.add(KIND, rest.len());
    Ok(rest
        .iter()
        .map(|rest| rest.add(&super::entry(&shared, 0)))
        .collect())
}

fn svd<R: Enclosure>(
    chain: &[Matrix<R>],
    hints: Spectral,
    meter: &Meter,
) -> Result<Vec<R>, Refusal> {
    // At the smallest inner dimension: G is never larger than the weights.
    let inner = chain
        .iter()
        .enumerate()
        .skip(1)
        .min_by_key(|(_, factor)| factor.rows());
    let (left, right) = chain.split_at(inner.map_or(0, |(index, _)| index));
    let (left, right) = (
        product(left.to_vec(), meter, KIND)?,
        product(right.to_vec(), meter, KIND)?,
    );
    let Spectral { bound, scale } = hints;
    let [b, tau] = [bound, scale].map(|number| R::dyadic(number, -SPECTRAL_BITS));
    let rows = left.rows();
    // The bound hangs on the last digits of these powers.
    let gram = plain(&left.transposed(), &left.transposed(), meter, KIND)?;
    let other = plain(&right, &right, meter, KIND)?;
    let mut power = plain(&gram, &other.transposed(), meter, KIND)?;
    let size = power.rows();
    meter.spend(KIND, size * size)?;
    power = power.map(R::everything(), |entry| entry.mul(&tau));
    for _ in 0..SQUARINGS {
        power = plain(&power, &power.transposed(), meter, KIND)?;
    }
    meter.spend(KIND, 2 * size * size + 5)?;
    let transposed = power.transposed();
    let trace = R::dot(
        power
            .iter_rows()
            .flatten()
            .zip(transposed.iter_rows().flatten()),
    );
    let small = trace.sub(&R::dyadic(1, 0)).is_negative();
    let wide = R::dyadic(2, 0).sub(&b.mul(&b).mul(&tau)).is_negative();
    Ok(vec![
        if small && wide && bound >= 0 {
            b
        } else {
            R::everything()
        };
        rows
    ])
}
