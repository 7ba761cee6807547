//! The proof length (THEORY T9): operations counted where they happen, and the limit on them.

use crate::refusal::{Decline, Refusal};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Verifying that hinted orders descend, or selecting without a hint.
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

/// One thread's tally, and what all threads together have spent of the limit.
#[derive(Debug)]
pub struct Meter {
    counts: [Cell<u64>; Kind::ALL.len()],
    /// FLOPs and integer operations already reported to the pool.
    reported: Cell<(u64, u64)>,
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Pool {
    limit: u64,
    flops: AtomicU64,
    int_ops: AtomicU64,
}

impl Meter {
    /// An empty tally that allows `limit` FLOPs and as many integer operations.
    pub fn new(limit: u64) -> Self {
        let pool = Pool { limit, flops: AtomicU64::new(0), int_ops: AtomicU64::new(0) };
        Self { counts: Default::default(), reported: Cell::default(), pool: Arc::new(pool) }
    }

    /// An empty tally for another thread, with the same limit on all together.
    pub fn fork(&self) -> Self {
        Self { counts: Default::default(), reported: Cell::default(), pool: Arc::clone(&self.pool) }
    }

    /// Adds another thread's tally to this one.
    pub fn join(&self, other: &Self) {
        for (mine, theirs) in self.counts.iter().zip(&other.counts) {
            mine.set(mine.get().saturating_add(theirs.get()));
        }
        let ((a, b), (c, d)) = (self.reported.get(), other.reported.get());
        self.reported.set((a.saturating_add(c), b.saturating_add(d)));
    }

    fn slot(&self, kind: Kind) -> Option<&Cell<u64>> {
        // The enumeration's discriminants are the indices of `Kind::ALL` (tested).
        self.counts.get(kind as usize)
    }

    /// Adds operations that are about to be done, or have just been done in a bounded batch.
    pub fn add(&self, kind: Kind, operations: usize) {
        if let Some(slot) = self.slot(kind) {
            slot.set(slot.get().saturating_add(u64::try_from(operations).unwrap_or(u64::MAX)));
        }
    }

    /// Adds operations before a batch of them, unless all threads together have passed the limit.
    ///
    /// # Errors
    /// [`Decline::Work`] when the limit is passed.
    pub fn spend(&self, kind: Kind, operations: usize) -> Result<(), Refusal> {
        self.add(kind, operations);
        let (flops, int_ops) = (self.flops(), self.int_ops());
        let (flops_before, int_ops_before) = self.reported.replace((flops, int_ops));
        let limit = self.pool.limit;
        let passes = |pool: &AtomicU64, more: u64| {
            // A sum of more than 2^64 operations passes any limit at the operation that makes it so.
            pool.fetch_add(more, Ordering::Relaxed).checked_add(more).is_none_or(|spent| spent > limit)
        };
        let flops = passes(&self.pool.flops, flops - flops_before);
        if passes(&self.pool.int_ops, int_ops - int_ops_before) || flops {
            return Err(Decline::Work { limit }.into());
        }
        Ok(())
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
        assert!(Kind::ALL.iter().enumerate().all(|(index, (kind, _))| *kind as usize == index));
    }

    #[test]
    fn the_limit_is_on_all_threads_together() {
        let meter = Meter::new(10);
        let other = meter.fork();
        assert!(meter.spend(Kind::Terms, 6).is_ok());
        assert!(other.spend(Kind::Integer, 6).is_ok());
        assert!(other.spend(Kind::Whole, 4).is_ok());
        assert_eq!(other.spend(Kind::Whole, 1), Err(Decline::Work { limit: 10 }.into()));
        meter.join(&other);
        assert_eq!((meter.flops(), meter.int_ops(), meter.of(Kind::Whole)), (11, 6, 5));
        assert!(Meter::new(u64::MAX - 1).spend(Kind::Tree, usize::MAX).is_err());
    }
}
