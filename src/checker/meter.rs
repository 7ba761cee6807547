//! The proof length (THEORY T9): operations counted where they happen, and the limit on them.

use crate::refusal::{Decline, Refusal};
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
    /// Every kind, in order.
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

/// A tally shared by all threads. Totals do not depend on the order of the threads.
#[derive(Debug)]
pub struct Meter {
    counts: [AtomicU64; Kind::ALL.len()],
    limit: u64,
}

impl Meter {
    /// An empty tally that allows `limit` FLOPs and as many integer operations.
    pub fn new(limit: u64) -> Self {
        Self { counts: Default::default(), limit }
    }

    fn slot(&self, kind: Kind) -> Option<&AtomicU64> {
        Kind::ALL.iter().zip(&self.counts).find(|((other, _), _)| *other == kind).map(|(_, count)| count)
    }

    /// Adds operations that are about to be done, or have just been done in a bounded batch.
    pub fn add(&self, kind: Kind, operations: usize) {
        if let (Some(slot), Ok(operations)) = (self.slot(kind), u64::try_from(operations)) {
            // Saturating: a tally cannot wrap back below the limit.
            let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count.saturating_add(operations)));
        }
    }

    /// Adds operations before a batch of them, unless that passes the limit.
    ///
    /// # Errors
    /// [`Decline::Work`] when the limit is passed.
    pub fn spend(&self, kind: Kind, operations: usize) -> Result<(), Refusal> {
        self.add(kind, operations);
        if self.flops() > self.limit || self.int_ops() > self.limit {
            return Err(Decline::Work { limit: self.limit }.into());
        }
        Ok(())
    }

    /// The operations of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.slot(kind).map_or(0, |slot| slot.load(Ordering::Relaxed))
    }

    /// All operations on real quantities.
    pub fn flops(&self) -> u64 {
        Kind::ALL.iter().filter(|(kind, _)| *kind != Kind::Integer).fold(0, |sum, (kind, _)| sum.saturating_add(self.of(*kind)))
    }

    /// All operations on integers.
    pub fn int_ops(&self) -> u64 {
        self.of(Kind::Integer)
    }
}
