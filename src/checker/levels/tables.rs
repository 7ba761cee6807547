//! What the rules make of a network's paths: weights and their orders, logit rows and theirs.

use super::attention::Attention;
use super::margins::DirectPath;
use super::paths::Paths;
use crate::certificate::levels::Levels;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::Meter;
use crate::model::OneHead;
use crate::refusal::Refusal;

/// The tables that all answers share.
#[derive(Debug)]
pub struct Tables<R> {
    /// Attention weights.
    pub attention: Attention<R>,
    /// Logit rows.
    pub direct_path: DirectPath<R>,
    /// Number of tokens, v.
    pub d_vocab: usize,
    /// Number of answers, d_vocab_out.
    pub answers: usize,
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
            attention: Attention::new(
                &paths.scores,
                (&paths.queries, paths.d_vocab),
                &attention.orders,
                meter,
            )?,
            direct_path: DirectPath::new(&paths, split, margin, meter)?,
            d_vocab: paths.d_vocab,
            answers: network.config.d_vocab_out,
            n_ctx: paths.n_ctx,
        })
    }
}
