//! Family `levels`: Max-of-n level by level of the maximum, with tables token by token. Our brute force, cubic,
//! subcubic and exact proofs of such networks are of this family; they differ in their hints only.
//!
//! The path of the data: weights → `tables` → `attention` and `margins` → `terms` (φ of a group of wrong answers) → `window`,
//! `whole`, `tree`, `grid` → `partition` → inputs right, inputs wrong. `docs/theory.md` has T1, T2 and what else these files
//! cite by number.

mod attention;
mod entries;
mod grid;
mod margins;
pub mod order;
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
use super::run::{Decided, Run, in_order};
use crate::certificate::levels::Levels;
use crate::model::OneHead;
use crate::refusal::Refusal;

/// Decides as many inputs as these hints can.
///
/// # Errors
/// As [`super::certify`].
pub fn decide<R: Enclosure>(
    network: &OneHead<'_>,
    hints: &Levels,
    run: &Run<'_, R>,
) -> Result<Decided, Refusal> {
    let tables = Tables::<R>::new(network, hints, run.margin.clone(), run.meter)?;
    // The largest maximum, with the most inputs, first.
    let maxima = (0..tables.d_vocab).rev().collect();
    let levels = in_order(maxima, run.meter, run.options, |m, meter| {
        Level::new(&tables, m, meter).decided(&hints.criterion)
    })?;
    Ok(levels.into_iter().sum())
}
