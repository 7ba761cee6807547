//! A task's parameters, and the network that they must fit.

use super::fields::Fields;
use super::sizes::Sizes;
use crate::refusal::Mismatch;

/// What the field `task` says, and of what network.
pub(super) struct Parameters<'a> {
    /// The task's name.
    pub(super) name: &'static str,
    /// The network's sizes.
    pub(super) sizes: Sizes,
    /// The contents of the file of labels, if there is one.
    pub(super) labels: Option<&'a [u8]>,
    /// Every other field that is not null.
    pub(super) fields: Fields,
}

impl Parameters<'_> {
    /// Refuses sizes that do not fit.
    pub(super) fn fit(&mut self, fits: bool, expected: &str) -> Option<()> {
        let Sizes {
            n_ctx,
            d_vocab,
            d_vocab_out,
        } = self.sizes;
        if fits {
            return Some(());
        }
        let expected = format!("for {}: {expected}", self.name);
        let found = format!("n_ctx = {n_ctx}, d_vocab = {d_vocab}, d_vocab_out = {d_vocab_out}");
        let wrong = Mismatch::new("task", expected, found);
        self.fields.wrong.push(wrong);
        None
    }

    /// Refuses a network with fewer outputs than there may be answers.
    pub(super) fn answers(&mut self, answers: usize) -> Option<()> {
        let expected = format!("d_vocab_out at least {answers}, so that every answer is an output");
        self.fit(answers <= self.sizes.d_vocab_out, &expected)
    }
}
