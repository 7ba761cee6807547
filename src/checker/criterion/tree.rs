//! Rule `tree`: all groups together, input by input with shared prefixes.
//!
//! **Statement** (theorem `tree_counts`). The inputs of (q, m) are the sequences of tokens ≤ m at n − 1 positions, with
//! at least one m if q < m, told apart by the first position that holds it. Those on which every group's sum of terms is negative are certified; an item that stands
//! for the far class counts as many times as the class has tokens.
//! **Why.** Terms bound φ from above and are added exactly.
//! **Cost.** One addition for each group and inner node, an addition and a comparison for each group and leaf.

use super::{Level, Window};
use crate::checker::arithmetic::{Enclosure, Term};
use crate::checker::meter::Kind;
use crate::checker::rules::Margin;
use crate::refusal::{Decline, Refusal};
use num_bigint::BigUint;

/// What may stand at a position: a row of terms, one for each group, and how many tokens it stands for.
type Item<T> = (Vec<T>, u128);

impl<R: Enclosure> Level<'_, R> {
    /// The inputs that are not certified.
    pub(super) fn tree(&mut self, q: usize, groups: &[Margin<'_, R>], window: &Window) -> Result<BigUint, Refusal> {
        let n = self.tables.n_ctx;
        let all = self.inputs(q);
        if all.bits() > 127 {
            return Err(
                Decline::TooLarge { what: "the tree's count, in bits".into(), limit: 127, found: all.bits() }.into()
            );
        }
        let last: Vec<R::Term> = groups.iter().map(|group| self.last_term(group, q).upper_term(n)).collect();
        let positions: Vec<Vec<Item<R::Term>>> = (0..n - 1).map(|p| self.items(q, groups, window, p)).collect();
        // Patterns by the first position that holds m: it comes first, tokens before it exclude m.
        let pattern = |first: usize| {
            let at = |p: usize| positions.get(p).map_or(&[][..], Vec::as_slice);
            let others = (0..n - 1).filter(|p| *p != first).map(|p| at(p).get(usize::from(p < first)..).unwrap_or(&[]));
            std::iter::once(at(first).get(..1).unwrap_or(&[])).chain(others).collect::<Vec<_>>()
        };
        let patterns: Vec<_> = if q == self.m {
            vec![positions.iter().map(Vec::as_slice).collect()]
        } else {
            (0..n - 1).map(pattern).collect()
        };
        let mut certified = 0_u128;
        for lists in patterns {
            self.meter.spend(Kind::Tree, groups.len().saturating_mul(operations(&lists)))?;
            let count = walk(&lists, &last).and_then(|count| certified.checked_add(count));
            certified = count.ok_or(Decline::Work { limit: u64::MAX })?;
        }
        Ok(all - BigUint::from(certified))
    }

    /// The items of position p: m, the other tokens of the window, the far class.
    fn items(&mut self, q: usize, groups: &[Margin<'_, R>], window: &Window, p: usize) -> Vec<Item<R::Term>> {
        let n = self.tables.n_ctx;
        let mut items = Vec::new();
        for t in &window.tokens {
            let attention = &self.tables.attention;
            let (weight, shift) = (attention.weight(q, *t, p, self.meter), attention.shift(q, self.m, *t));
            self.meter.add(Kind::Terms, groups.len());
            let term = |group| weight.mul_term(&self.margins.at(group, *t, p), shift, n);
            items.push((groups.iter().map(term).collect(), 1));
        }
        if window.far > 0 {
            let far = self.far_term(window, q, p).upper_term(n);
            items.push((vec![far; groups.len()], u128::try_from(window.far).unwrap_or(0)));
        }
        items
    }
}

/// The certified inputs below a node, given what may stand at each position still to come.
fn walk<T: Term>(lists: &[&[Item<T>]], prefix: &[T]) -> Option<u128> {
    let (items, deeper) = lists.split_first()?;
    if deeper.is_empty() {
        let certified = items.iter().filter(|(row, _)| T::all_negative(prefix, row));
        return certified.map(|(_, times)| *times).try_fold(0, u128::checked_add);
    }
    let mut certified = 0_u128;
    for (row, times) in *items {
        let prefix: Vec<T> = prefix.iter().zip(row).map(|(sum, term)| sum.plus(term)).collect();
        certified = certified.checked_add(times.checked_mul(walk(deeper, &prefix)?)?)?;
    }
    Some(certified)
}

/// Operations of the walk for each group: one for every inner node below the root, two for every leaf.
fn operations<T>(lists: &[&[Item<T>]]) -> usize {
    let (mut nodes, mut operations) = (1_usize, 0_usize);
    for list in lists {
        nodes = nodes.saturating_mul(list.len());
        operations = operations.saturating_add(nodes);
    }
    operations.saturating_add(nodes)
}
