//! Family `levels`: tasks whose inputs fall into levels (`task/level.rs`), of networks of one layer and one head, with
//! tables token by token. Our brute force, cubic, subcubic and exact proofs of such networks are of this family; they
//! differ in their hints only.
//!
//! The path of the data: weights → `paths` → `tables` of `attention` and `margins` → `terms` (φ of a group of wrong answers) → `window`,
//! `whole`, `tree`, `grid` → `partition` → inputs right, inputs wrong. `docs/theory.md` has T1, T2 and what else these files
//! cite by number.

mod attention;
mod entries;
mod grid;
mod margins;
pub mod order;
mod partition;
mod paths;
mod tables;
mod terms;
mod tree;
mod whole;
mod window;

pub use entries::{sides, table};
pub use margins::Set;
pub use paths::Paths;
pub use tables::Tables;
pub use terms::{Answer, View};

use super::arithmetic::Enclosure;
use super::meter::Kind;
use super::run::{Decided, Run, in_order};
use crate::certificate::levels::Levels;
use crate::model::OneHead;
use crate::refusal::{Decline, Refusal};
use crate::task::Words;
use num_bigint::BigUint;
use terms::MOVE;

/// Decides as many inputs as these hints can.
///
/// # Errors
/// As [`super::certify`]; [`Decline::Task`] for a task whose inputs have no levels.
pub fn decide<R: Enclosure>(
    network: &OneHead<'_>,
    hints: &Levels,
    run: &Run<'_, R>,
) -> Result<Decided, Refusal> {
    let task = &network.network.task;
    let answers = || (0..network.config.d_vocab_out).rev();
    // That no input is in two levels is a theorem about each task; that none is missing, and none there too often, shows
    // here again.
    let mut found = BigUint::default();
    for level in answers().flat_map(|answer| task.levels(answer)) {
        run.meter.spend(Kind::Integer, MOVE * level.moves())?;
        let words = level.words();
        let queries = Words::by_query(&words).into_iter();
        run.meter.spend(Kind::Integer, queries.len())?;
        found += queries.map(|(_, words)| words.inputs()).sum::<BigUint>();
    }
    if found != task.size() {
        let expected = task.size();
        return Err(Decline::Task { expected, found }.into());
    }
    let tables = Tables::<R>::new(network, hints, run.margin.clone(), run.meter)?;
    // The largest answer first: of most tasks it has the most inputs.
    let decided = in_order(
        answers().collect(),
        run.meter,
        run.options,
        |answer, meter| {
            Answer::new(&tables, answer, meter).decided(&task.levels(answer), &hints.criterion)
        },
    )?;
    Ok(decided.into_iter().sum())
}
