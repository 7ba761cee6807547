//! The tables of a network: scores A and B, logits EV and PV, direct path D, and what the rules make of them.
//!
//! Cost: the matrix products (rule `product`), in the cheapest order of multiplication.

use super::attention::Attention;
use super::entries::table;
use super::margins::DirectPath;
use crate::certificate::levels::{Entries, Levels};
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
    /// `v × (v + n)`: A(q, t) in column t, B(q, p) in column v + p. In units of softmax exponents.
    pub scores: Matrix<R>,
    /// `(v + n) × v`: EV(t, j) in row t, PV(p, j) in row v + p. In units of logits.
    pub logits: Matrix<R>,
    /// `v × v`: D(q, j). In units of logits.
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
            scores: table(qk, scores, meter, Kind::Attention)?,
            logits: table(ov, logits, meter, Kind::Logits)?,
            direct: factors.biased(table(d, direct, meter, Kind::Logits)?, meter),
        })
    }
}

/// The tables that all maxima share.
#[derive(Debug)]
pub struct Tables<R> {
    /// Attention weights.
    pub attention: Attention<R>,
    /// Logit rows.
    pub direct_path: DirectPath<R>,
    /// Number of tokens, v.
    pub d_vocab: usize,
    /// Input length, n.
    pub n_ctx: usize,
}

impl<R: Enclosure> Tables<R> {
    /// The tables of a network, with every hinted order of attention and of logits bounded. A margin is added to the
    /// margins of all wrong answers.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn new(
        network: &OneHead<'_>,
        hints: &Levels,
        margin: Option<R>,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let Levels {
            attention,
            direct_path: split,
            ..
        } = hints;
        let paths = Paths::<R>::new(
            network,
            [
                attention.entries.as_ref(),
                split.logits.as_deref(),
                split.direct.as_deref(),
            ],
            meter,
        )?;
        Ok(Self {
            attention: Attention::new(&paths.scores, &attention.orders, meter)?,
            direct_path: DirectPath::new(&paths.logits, &paths.direct, split, margin, meter)?,
            d_vocab: paths.d_vocab,
            n_ctx: paths.n_ctx,
        })
    }
}
