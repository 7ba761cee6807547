//! A proof and what it is worth, as tables have it.

use super::Proof;
use crate::certificate::Certificate;
use crate::checker::arithmetic::Fixed;
use crate::checker::{self, Options};
use crate::model::Network;
use crate::refusal::Refusal;
use crate::strategy::{Strategy, unexplained_dimension};
use serde::{Deserialize, Serialize};
use std::time::Instant;

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
    /// What finding it took; for a proof of a frontier, what finding them all took.
    pub prove_seconds: f64,
    /// What checking it took.
    pub check_seconds: f64,
}

impl Row {
    /// Checks a proof once more, from its text.
    ///
    /// # Errors
    /// Those of the checker.
    pub fn checked(
        network: &Network,
        strategy: Strategy,
        proof: &Proof,
        prove_seconds: f64,
        options: Options<'_>,
    ) -> Result<Self, Refusal> {
        let start = Instant::now();
        let certificate = Certificate::read(&proof.text)?;
        let certified = checker::check::<Fixed>(network, &certificate, options)?;
        Ok(Self {
            strategy: strategy.name().into_owned(),
            class: strategy.class().into(),
            correct: certified.correct.to_string(),
            upper: certified.upper.to_string(),
            total: certified.total.to_string(),
            flops: certified.meter.flops(),
            int_ops: certified.meter.int_ops(),
            unexplained_dimension: unexplained_dimension(&certificate, network).to_string(),
            bytes: proof.text.len(),
            prove_seconds,
            check_seconds: start.elapsed().as_secs_f64(),
        })
    }
}
