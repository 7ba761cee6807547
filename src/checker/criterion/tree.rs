//! Rule `tree`: all groups together, input by input with shared prefixes.
//!
//! **Statement** (theorem `tree_counts`). The inputs of (q, m) are the sequences of tokens ≤ m at n − 1 positions, with
//! at least one m if q < m. Those on which every group's sum of terms is negative are certified; an item that stands
//! for the far class counts as many times as the class has tokens.
//! **Why.** Terms bound φ from above and are added exactly.
//! **Cost.** One addition for each group and inner node, an addition and a comparison for each group and leaf.

use super::{Level, Window};
use crate::checker::arithmetic::{Enclosure, Term};
use crate::checker::meter::Kind;
use crate::checker::rules::Margin;
use crate::refusal::{Decline, Refusal};
use num_bigint::BigUint;

/// The items of one position: a row of terms, one for each group, and how many tokens the item stands for. m first.
type Items<T> = Vec<(Vec<T>, u128)>;

impl<R: Enclosure> Level<'_, R> {
    /// The inputs that are not certified.
    pub(super) fn tree(&mut self, q: usize, groups: &[Margin<'_, R>], window: &Window) -> Result<BigUint, Refusal> {
        let (n, seen) = (self.tables.n_ctx, q == self.m);
        let all = self.inputs(q);
        if all.bits() > 127 {
            return Err(Decline::TooLarge { what: "the tree's count, in bits".into(), limit: 127, found: all.bits() }.into());
        }
        let size = window.tokens.len() + usize::from(window.far > 0);
        self.meter.spend(Kind::Tree, groups.len().saturating_mul(nodes(size, n - 1, seen)))?;
        let last = groups.iter().map(|group| self.last_term(group, q).upper_term(n)).collect::<Vec<_>>();
        let mut positions = Vec::new();
        for p in 0..n - 1 {
            let mut items = Items::new();
            for t in &window.tokens {
                let row = groups.iter().map(|group| self.term(group, q, *t, p).upper_term(n)).collect();
                items.push((row, 1));
            }
            if window.far > 0 {
                let far = self.far_term(window, q, p).upper_term(n);
                items.push((vec![far; groups.len()], u128::try_from(window.far).unwrap_or(0)));
            }
            positions.push(items);
        }
        let certified = walk(&positions, &last, seen).ok_or(Decline::Work { limit: u64::MAX })?;
        Ok(all - BigUint::from(certified))
    }
}

/// The certified inputs below a node; `seen` says whether m already stands at some position.
fn walk<T: Term>(positions: &[Items<T>], prefix: &[T], seen: bool) -> Option<u128> {
    let (items, deeper) = positions.split_first()?;
    let mut certified = 0_u128;
    for (index, (row, times)) in items.iter().enumerate() {
        let seen = seen || index == 0;
        let below = if deeper.is_empty() {
            u128::from(seen && T::all_negative(prefix, row))
        } else {
            let prefix: Vec<T> = prefix.iter().zip(row).map(|(sum, term)| sum.plus(term)).collect();
            walk(deeper, &prefix, seen)?
        };
        certified = certified.checked_add(times.checked_mul(below)?)?;
    }
    Some(certified)
}

/// Operations of the walk for each group: one for every inner node below the root, two for every leaf.
fn nodes(items: usize, positions: usize, seen: bool) -> usize {
    let power = |base: usize, exponent: usize| base.saturating_pow(u32::try_from(exponent).unwrap_or(u32::MAX));
    let inner = (1..positions).fold(0_usize, |sum, level| sum.saturating_add(power(items, level)));
    // Without an m before the last position, only m itself is a leaf.
    let unseen = if seen { 0 } else { power(items - 1, positions - 1) };
    let leaves = (power(items, positions - 1) - unseen).saturating_mul(items).saturating_add(unseen);
    leaves.saturating_mul(2).saturating_add(inner)
}
