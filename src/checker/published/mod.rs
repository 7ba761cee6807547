//! The rules of the published strategies (Gross et al., arXiv 2406.11779), in sound form. Nothing else uses them.
//!
//! `docs/strategies.md` has each rule's statement, proof and cost, and what differs from the original.

pub mod convexity;
pub mod direct;
pub mod gaps;
pub mod peel;
pub mod places;
pub mod residual;
pub mod scores;

use super::arithmetic::Enclosure;
use super::meter::{Kind, Meter};
use super::run::{Certified, Options, in_order};
use crate::certificate::published::VECTOR_BITS;
use crate::certificate::{Attention, Certificate, Criterion, DirectPath};
use crate::model::{Matrix, Network};
use crate::refusal::{Refusal, Rejection};
use num_bigint::BigUint;

/// Derives the bound that a published strategy's hints establish.
///
/// # Errors
/// As [`super::certify`]; [`Rejection::Malformed`] when the rules are not those of a published strategy.
pub fn certify<R: Enclosure>(
    network: &Network,
    certificate: &Certificate,
    options: Options<'_>,
) -> Result<Certified, Refusal> {
    let Certificate {
        attention,
        direct_path,
        criterion,
        ..
    } = certificate;
    let meter = Meter::new(options.max_flops);
    // What only the criterion `partition` goes with.
    let ordered = matches!(attention, Attention::Exact(hints) if !hints.orders.is_empty() || hints.entries.is_some());
    let own = ordered || matches!(direct_path, DirectPath::Split(_));
    let correct = match (criterion, attention, direct_path) {
        (Criterion::Convexity(_), Attention::Exact(_), DirectPath::MaxDiffExact(_)) if !own => {
            let tables = convexity::Tables::<R>::new(network, &meter)?;
            levels(network, &meter, options, |m, meter| {
                tables.certified(m, meter)
            })?
        }
        (Criterion::Gaps(gaps), ..) if !own => {
            let tables = gaps::Tables::<R>::new(network, attention, direct_path, &meter)?;
            let certified =
                |m, meter: &Meter| gaps::Level::new(&tables, m, meter).certified(gaps, meter);
            levels(network, &meter, options, certified)?
        }
        _ => {
            let found =
                "expected rules for attention and the direct path that go with it, found others"
                    .into();
            return Err(Rejection::Malformed {
                path: "criterion.rule".into(),
                found,
            }
            .into());
        }
    };
    let total = network.config.inputs();
    Ok(Certified {
        correct,
        upper: total.clone(),
        total,
        meter,
    })
}

/// The sum over all maxima, the largest first.
fn levels(
    network: &Network,
    meter: &Meter,
    options: Options<'_>,
    certified: impl Fn(usize, &Meter) -> Result<BigUint, Refusal> + Sync,
) -> Result<BigUint, Refusal> {
    let levels = in_order(
        (0..network.config.d_vocab).rev().collect(),
        meter,
        options,
        certified,
    )?;
    Ok(levels.into_iter().sum())
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
