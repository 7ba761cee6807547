//! The rules of the published strategies (Gross et al., arXiv 2406.11779), in sound form. Nothing else uses them.
//!
//! `docs/strategies.md` has each rule's statement, proof and cost, and what differs from the original. The theorems named at
//! the heads of these files are statements there: none of them is in `proofs`.

pub mod convexity;
pub mod direct;
pub mod gaps;
pub mod peel;
pub mod places;
pub mod residual;
pub mod scores;

use super::arithmetic::Enclosure;
use super::meter::{Kind, Meter};
use super::run::{Decided, Run, in_order};
use crate::certificate::published::{Published, VECTOR_BITS};
use crate::model::{Matrix, OneHead};
use crate::refusal::{Decline, Refusal};
use num_bigint::BigUint;

/// Decides as many inputs as these hints can: it shows none wrong.
///
/// # Errors
/// As [`super::certify`]; [`Decline::Claim`] for a margin.
pub fn decide<R: Enclosure>(
    network: &OneHead<'_>,
    hints: &Published,
    run: &Run<'_, R>,
) -> Result<Decided, Refusal> {
    if run.margin.is_some() {
        let reason = "the published rules prove none";
        return Err(Decline::Claim {
            field: "margin",
            reason,
        }
        .into());
    }
    // The largest maximum, with the most inputs, first.
    let maxima = (0..network.config.d_vocab).rev().collect();
    let right = match hints {
        Published::Convexity(_) => {
            let tables = convexity::Tables::<R>::new(network, run.meter)?;
            in_order(maxima, run.meter, run.options, |m, meter| {
                tables.certified(m, meter)
            })?
        }
        Published::Gaps(gaps) => {
            let tables =
                gaps::Tables::<R>::new(network, &gaps.attention, &gaps.direct_path, run.meter)?;
            in_order(maxima, run.meter, run.options, |m, meter| {
                gaps::Level::new(&tables, m, meter).certified(gaps, meter)
            })?
        }
    };
    Ok(Decided {
        right: right.into_iter().sum(),
        wrong: BigUint::default(),
    })
}

/// A hinted vector of this length; `None` if nothing is hinted. Missing entries are zero, others too many.
fn vector<R: Enclosure>(hint: &[i64], length: usize) -> Option<Vec<R>> {
    let entry = |index| R::dyadic(hint.get(index).copied().unwrap_or(0), -VECTOR_BITS);
    (!hint.is_empty()).then(|| (0..length).map(entry).collect())
}

/// The entry; everything outside.
fn entry<R: Enclosure>(row: &[R], index: usize) -> R {
    row.get(index).cloned().unwrap_or_else(R::everything)
}

fn largest<R: Enclosure>(values: impl IntoIterator<Item = R>) -> Option<R> {
    values.into_iter().reduce(|a, b| a.max(&b))
}

/// The largest entry minus the smallest, of every row: 2c − 1 FLOPs for c entries.
fn ranges<R: Enclosure>(table: &Matrix<R>, kind: Kind, meter: &Meter) -> Vec<R> {
    meter.add(kind, table.rows() * (2 * table.cols() - 1));
    let range = |row: &[R]| {
        let least = row.iter().cloned().reduce(|a, b| a.min(&b));
        largest(row.iter().cloned())
            .zip(least)
            .map_or_else(R::everything, |(most, least)| most.sub(&least))
    };
    table.iter_rows().map(range).collect()
}

/// `Σ_k |row_k − mean_k| weights_k` for every row: what rows can contribute to a difference, when the k-th dimension
/// differs by at most `weights_k`.
fn spread<R: Enclosure>(
    table: &Matrix<R>,
    mean: Option<&[R]>,
    weights: &[R],
    kind: Kind,
    meter: &Meter,
) -> Vec<R> {
    let (rows, cols) = (table.rows(), table.cols());
    meter.add(kind, rows * (cols * if mean.is_some() { 5 } else { 4 } - 1));
    let zero = R::dyadic(0, 0);
    let term = |row: &[R], k: usize| {
        let centred = mean.map_or_else(|| entry(row, k), |mean| entry(row, k).sub(&entry(mean, k)));
        centred.max(&zero.sub(&centred)).mul(&entry(weights, k))
    };
    let sum = |row: &[R]| {
        (0..cols)
            .map(|k| term(row, k))
            .reduce(|a, b| a.add(&b))
            .unwrap_or_else(R::everything)
    };
    table.iter_rows().map(sum).collect()
}

/// `C(n, k)`; 0 for k > n.
fn binomial(n: usize, k: usize) -> BigUint {
    (0..k).fold(BigUint::from(1_u8), |product, i| {
        product * n.saturating_sub(i) / (i + 1)
    })
}
