//! Many models, many strategies: what a sweep is of, and what became of it, as files that a report reads.
//!
//! A folder holds `manifest.json` (a [`Manifest`]), the models in `models/NAME`, and one file for every unit of work,
//! `units/NAME/UNIT.json` (a [`Unit`]). A unit is `truth`, `frontier`, or a strategy's name. Each file appears only when
//! whole, so a sweep that is interrupted goes on where it was.

use serde::{Deserialize, Serialize};

/// What a sweep is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version that wrote it.
    pub gbmi: String,
    /// The models, in the order of the tables.
    pub models: Vec<Entry>,
    /// The units of every model, in the order of the tables.
    pub units: Vec<String>,
}

/// One model of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, and that of its folders; unique.
    pub name: String,
    /// Models of one group differ in their seed only; tables give means over groups.
    pub group: String,
}

/// What became of one unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// The proofs: one for a strategy, as many as there are for a frontier (shortest first), none for `truth`.
    pub proofs: Vec<Row>,
    /// The true accuracy, of the unit `truth` only.
    pub truth: Option<Truth>,
    /// Why there is no result.
    pub failure: Option<String>,
}

/// How many inputs a model answers correctly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Inputs answered correctly, as a decimal integer.
    pub correct: String,
    /// Of so many.
    pub total: String,
    /// Drawn at random, instead of all there are, and judged in floating point: not exact, only likely.
    pub sampled: bool,
}

/// One proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The strategy's name.
    pub strategy: String,
    /// Its asymptotic class, one of [`crate::strategy::CLASSES`].
    pub class: String,
    /// Inputs certified, as a decimal integer.
    pub correct: String,
    /// An upper bound on the inputs answered correctly; all inputs where the proof has none.
    pub upper: String,
    /// All inputs.
    pub total: String,
    /// The proof's length.
    pub flops: u64,
    /// Its integer operations.
    pub int_ops: u64,
    /// Its unexplained dimension, as a decimal integer.
    pub unexplained_dimension: String,
    /// The certificate's size.
    pub bytes: usize,
    /// What finding it took.
    pub prove_seconds: f64,
    /// What checking it took.
    pub check_seconds: f64,
}
