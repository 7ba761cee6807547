//! The proof length (`docs/theory.md`, T9): operations counted where they happen, and the limit on them; and the rules run
//! through.

use crate::refusal::{Decline, Refusal};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// What an operation was for. FLOPs are operations on real quantities; [`Kind::Integer`] are operations on counts,
/// histogram indices and bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Products with `W_Q W_Kᵀ`: the scores.
    Attention,
    /// Products with `W_V W_O W_U`, and the direct path.
    Logits,
    /// Exponentials and their products.
    Weights,
    /// Bounds by hinted orders, or selecting without a hint.
    Orders,
    /// Differences of logits and their products with weights: the terms φ.
    Terms,
    /// Bounds of the far class.
    Far,
    /// Whole-level tests.
    Whole,
    /// The tree: additions and comparisons with zero.
    Tree,
    /// Rounding to the grid.
    Grid,
    /// Integer operations: multiplicities, bins, convolutions.
    Integer,
}

impl Kind {
    /// Every kind, in order, with its name.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Attention, "attention"),
        (Self::Logits, "logits"),
        (Self::Weights, "weights"),
        (Self::Orders, "orders"),
        (Self::Terms, "terms"),
        (Self::Far, "far"),
        (Self::Whole, "whole"),
        (Self::Tree, "tree"),
        (Self::Grid, "grid"),
        (Self::Integer, "integer"),
    ];
}

/// A tally, and the limit on it. One belongs to one thread; the tallies of several are joined in a fixed order.
#[derive(Debug, Clone)]
pub struct Meter {
    counts: [Cell<u64>; Kind::ALL.len()],
    rules: RefCell<BTreeSet<&'static str>>,
    limit: u64,
}

impl Meter {
    /// An empty tally that allows `limit` FLOPs and as many integer operations.
    pub fn new(limit: u64) -> Self {
        Self {
            counts: Default::default(),
            rules: RefCell::default(),
            limit,
        }
    }

    /// An empty tally with the same limit.
    pub fn fork(&self) -> Self {
        Self::new(self.limit)
    }

    /// Adds another tally to this one.
    pub fn join(&self, other: &Self) {
        for (mine, theirs) in self.counts.iter().zip(&other.counts) {
            mine.set(mine.get().saturating_add(theirs.get()));
        }
        for rule in other.rules() {
            self.goes_by(rule);
        }
    }

    /// Notes that the proof goes by a rule.
    pub fn goes_by(&self, rule: &'static str) {
        if let Ok(mut rules) = self.rules.try_borrow_mut() {
            rules.insert(rule);
        }
    }

    /// The rules that the proof goes by, in alphabetical order.
    pub fn rules(&self) -> Vec<&'static str> {
        let rules = self.rules.try_borrow();
        rules.map_or_else(|_| Vec::new(), |rules| rules.iter().copied().collect())
    }

    fn slot(&self, kind: Kind) -> Option<&Cell<u64>> {
        // The enumeration's discriminants are the indices of `Kind::ALL` (tested).
        self.counts.get(kind as usize)
    }

    /// Adds operations that are about to be done, or have just been done in a bounded batch.
    pub fn add(&self, kind: Kind, operations: usize) {
        if let Some(slot) = self.slot(kind) {
            let operations = u64::try_from(operations).unwrap_or(u64::MAX);
            slot.set(slot.get().saturating_add(operations));
        }
    }

    /// Adds operations before a batch of them, unless the limit is passed.
    ///
    /// # Errors
    /// [`Decline::Work`] when the limit is passed.
    pub fn spend(&self, kind: Kind, operations: usize) -> Result<(), Refusal> {
        self.add(kind, operations);
        self.within()
    }

    /// Is the tally within its limit?
    ///
    /// # Errors
    /// [`Decline::Work`] when it is not.
    pub fn within(&self) -> Result<(), Refusal> {
        let (limit, spent) = (self.limit, self.flops().max(self.int_ops()));
        // A tally that no longer counts is beyond every limit.
        if spent > limit || spent == u64::MAX {
            Err(Decline::Work { limit }.into())
        } else {
            Ok(())
        }
    }

    /// The operations of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.slot(kind).map_or(0, Cell::get)
    }

    /// All operations on real quantities.
    pub fn flops(&self) -> u64 {
        let flops = Kind::ALL.iter().filter(|(kind, _)| *kind != Kind::Integer);
        flops.fold(0, |sum, (kind, _)| sum.saturating_add(self.of(*kind)))
    }

    /// All operations on integers.
    pub fn int_ops(&self) -> u64 {
        self.of(Kind::Integer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_listed_in_order() {
        assert!(
            Kind::ALL
                .iter()
                .enumerate()
                .all(|(index, (kind, _))| *kind as usize == index)
        );
    }

    #[test]
    fn the_limit_is_on_flops_and_on_integer_operations() {
        let (meter, other) = (Meter::new(10), Meter::new(10));
        assert!(meter.spend(Kind::Terms, 6).is_ok());
        assert!(other.spend(Kind::Integer, 10).is_ok());
        assert!(other.spend(Kind::Whole, 4).is_ok());
        assert_eq!(
            other.spend(Kind::Integer, 1),
            Err(Decline::Work { limit: 10 }.into())
        );
        meter.join(&other);
        assert_eq!(
            (meter.flops(), meter.int_ops(), meter.of(Kind::Whole)),
            (10, 11, 4)
        );
        assert!(meter.within().is_err() && meter.fork().within().is_ok());
        assert!(Meter::new(u64::MAX).spend(Kind::Tree, usize::MAX).is_err());
    }
}
