//! What is asked of a network: which inputs there are, where answers are read, and which answer is right there.
//!
//! Tokens `0 … v−1` are values; special tokens (an end of sequence, a separator, function tokens) are those from v on.
//! `docs/tasks.md` has every task in mathematics, and how to add one.
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

use num_bigint::BigUint;
use std::fmt::Debug;
use std::ops::Range;

/// A finite set of inputs, all of one length, with the right answers at their read-outs.
///
/// The inputs are the longest sequences that [`Task::next`] allows, which have length [`Task::n_ctx`]; a prefix may have
/// no way on, and is then no input and the beginning of none. A read-out is a prefix with an answer: what a causal network
/// says at its last position depends on nothing behind it.
pub trait Task: Debug + Send + Sync {
    /// The length of every input.
    fn n_ctx(&self) -> usize;

    /// The tokens that may stand behind a prefix that is shorter than an input.
    fn next(&self, prefix: &[usize]) -> Tokens;

    /// The right answer at the last position of a prefix of an input, if one is read there.
    fn answer(&self, prefix: &[usize]) -> Option<usize>;

    /// The number of pairs of an input and a read-out of it, in closed form.
    fn size(&self) -> BigUint;
}

/// A set of tokens, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokens {
    /// All from the first to before the last.
    Range(Range<usize>),
    /// These, ascending and distinct.
    These(Vec<usize>),
}

/// What a task must fit: a network's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Input length.
    pub n_ctx: usize,
    /// Number of tokens.
    pub d_vocab: usize,
    /// Number of outputs: all compete.
    pub d_vocab_out: usize,
}
