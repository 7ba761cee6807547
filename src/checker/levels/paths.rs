//! The paths of a network as tables: scores A and B, logits EV and PV, direct path D.
//!
//! Cost: the matrix products (rule `product`), in the cheapest order of multiplication.

use super::entries::table;
use crate::certificate::levels::Entries;
use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::Factors;
use crate::checker::meter::{Kind, Meter};
use crate::model::{Matrix, OneHead};
use crate::refusal::Refusal;

/// Enclosures of the network's paths.
#[derive(Debug)]
pub struct Paths<R> {
    /// Number of tokens, v.
    pub d_vocab: usize,
    /// Input length, n.
    pub n_ctx: usize,
    /// The tokens that may stand at the last position, ascending: a row each.
    pub queries: Vec<usize>,
    /// `· × (v + n)`: A(q, t) in column t, B(q, p) in column v + p. In units of softmax exponents.
    pub scores: Matrix<R>,
    /// `(v + n) × d_vocab_out`: EV(t, j) in row t, PV(p, j) in row v + p. In units of logits.
    pub logits: Matrix<R>,
    /// `· × d_vocab_out`: D(q, j). In units of logits.
    pub direct: Matrix<R>,
}

impl<R: Enclosure> Paths<R> {
    /// The tables, in full or as far as the hints say (rule `entries`).
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`] when the products pass the meter's limit.
    pub fn new(
        network: &OneHead<'_>,
        hints: [Option<&Entries>; 3],
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let [scores, logits, direct] = hints;
        let factors = Factors::<R>::new(network, meter)?;
        let [qk, ov, d] = factors.chains();
        Ok(Self {
            d_vocab: network.config.d_vocab,
            n_ctx: network.config.n_ctx,
            queries: network.queries.clone(),
            scores: table(qk, scores, meter, Kind::Attention)?,
            logits: table(ov, logits, meter, Kind::Logits)?,
            direct: factors.biased(table(d, direct, meter, Kind::Logits)?, meter),
        })
    }
}
