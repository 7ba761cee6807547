//! Family `levels`: Max-of-n level by level of the maximum, with tables token by token. All our own proofs are of this
//! family; brute force, cubic, subcubic and exact proofs differ in their hints only.
//!
//! The path of the data: weights → `tables` → `attention` and `margins` → `terms` (φ of a group of wrong answers) → `window`,
//! `whole`, `tree`, `grid` → `partition` → certified inputs.

mod attention;
mod entries;
mod grid;
mod margins;
mod partition;
mod tables;
mod terms;
mod tree;
mod whole;
mod window;

pub use entries::{sides, table};
pub use margins::Set;
pub use tables::{Paths, Tables};
pub use terms::Level;

use super::arithmetic::Enclosure;
use super::meter::Meter;
use super::run::{Certified, Options, in_order};
use crate::certificate::levels::{ExactAttention, Partition, Split};
use crate::model::Network;
use crate::refusal::Refusal;
use num_bigint::BigUint;

/// Derives the bound that these hints establish.
///
/// # Errors
/// As [`super::certify`].
pub fn certify<R: Enclosure>(
    network: &Network,
    (attention, split, partition): (&ExactAttention, &Split, &Partition),
    options: Options<'_>,
) -> Result<Certified, Refusal> {
    let meter = Meter::new(options.max_flops);
    let tables = Tables::<R>::new(network, attention, split, &meter)?;
    // The largest maximum, with the most inputs, first.
    let certified = |m, meter: &Meter| Level::new(&tables, m, meter).certified(partition);
    let levels = in_order(
        (0..tables.d_vocab).rev().collect(),
        &meter,
        options,
        certified,
    )?;
    let total = network.config.inputs();
    let (mut correct, mut upper) = (BigUint::default(), total.clone());
    for (certified, wrong) in levels {
        (correct, upper) = (correct + certified, upper - wrong);
    }
    Ok(Certified {
        correct,
        upper,
        total,
        meter,
    })
}
