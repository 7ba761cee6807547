//! Rule `direct_path exact`: the largest entries of `R(t,p,·) + D̃(q,·)` for every query, token and position.
//!
//! **Statement** (theorem `margin_exact`; T2). `max_{j∈S} [c_j − c_m]` is at most the first of the row's largest
//! entries that lies in S, minus entry m.
//! **Why.** The entries are selected by comparisons: no unselected entry has a larger upper end than a selected one.
//! **Cost.** For every (q, t, p) that is used: v additions and (v−1) + (v−2) + … comparisons, `depth` terms.

use super::Set;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::model::Matrix;
use std::sync::OnceLock;

/// The `depth` largest entries of each row, selected when first asked for.
#[derive(Debug)]
pub(super) struct ExactRows<R> {
    depth: usize,
    selected: Matrix<OnceLock<Vec<(usize, R)>>>,
}

impl<R: Enclosure> ExactRows<R> {
    /// Nothing selected yet, for rows (row, query).
    pub(super) fn new(depth: usize, rows: usize, queries: usize) -> Self {
        let outside = OnceLock::from(Vec::new());
        Self { depth, selected: Matrix::from_fn(rows, queries, outside, |_, _| OnceLock::new()) }
    }

    /// The largest entry in the set of the row with these entries; everything if it is not among the selected.
    pub(super) fn select(
        &self,
        (row, query): (usize, usize),
        entries: impl FnOnce() -> Vec<R>,
        set: &Set,
        meter: &Meter,
    ) -> R {
        let selected = self.selected.at(row, query).get_or_init(|| {
            let mut row: Vec<(usize, R)> = entries().into_iter().enumerate().collect();
            let mut tops = Vec::new();
            for _ in 0..self.depth {
                meter.add(Kind::Orders, row.len().saturating_sub(1));
                let larger = |best: usize, next: usize| match (row.get(best), row.get(next)) {
                    (Some(a), Some(b)) if b.1.upper_at_most(&a.1) => best,
                    _ => next,
                };
                let Some(best) = (0..row.len()).reduce(larger) else { break };
                tops.push(row.swap_remove(best));
            }
            tops
        });
        selected.iter().find(|(answer, _)| set.contains(*answer)).map_or(R::everything(), |(_, entry)| entry.clone())
    }
}
