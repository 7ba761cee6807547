//! What a task must fit.

/// The largest `n_ctx` of which a task is read.
pub const MAX_CTX: usize = 32;
/// The largest `d_vocab` of which a task is read.
pub const MAX_VOCAB: usize = 1024;

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
