//! Any network taken apart: once, for its numbers and its pictures.

use super::Heads;
use super::attention::Attention;
use super::draw;
use super::neurons::Tables;
use super::picture::Format;
use crate::model::{Function, Network};
use crate::refusal::Refusal;
use std::path::{Path, PathBuf};

/// A network's numbers, and the tables behind them.
#[derive(Debug)]
pub struct Anatomy<'a> {
    /// The numbers.
    pub heads: Heads,
    pub(super) network: &'a Network,
    /// None of an MLP over two tokens, and where no input of the task was found.
    pub(super) attention: Option<Attention>,
    /// Those of [`Heads::neurons`].
    pub(super) neurons: Vec<Tables>,
}

impl<'a> Anatomy<'a> {
    /// In double precision; the result does not depend on the number of threads.
    pub fn new(network: &'a Network, threads: usize) -> Self {
        let attention = match &network.function {
            Function::Transformer(model) => Attention::new(network, model),
            Function::TwoEmbeddings(_) => None,
        };
        let neurons = Tables::of(network, threads);
        Self {
            heads: Heads::new(network, attention.as_ref(), &neurons),
            network,
            attention,
            neurons,
        }
    }

    /// Draws into the folder `out`, which is created if there is none, and returns the paths. For head h of layer l:
    ///
    /// - `l{l}h{h}_qk`, `d_vocab × d_vocab`: the score W_E W_Q W_Kᵀ W_Eᵀ / scale of key tokens for query tokens;
    /// - `l{l}h{h}_positions`, `n_ctx × n_ctx`: the score W_pos W_Q W_Kᵀ W_posᵀ / scale of key positions for query positions;
    /// - `l{l}h{h}_ov`, `d_vocab × d_vocab_out`: the logits W_E W_V W_O W_U of tokens that are attended to;
    /// - `l{l}h{h}_attention`, `n_ctx × n_ctx`: mean attention over sampled inputs.
    ///
    /// The first three are of the direct path, from the embeddings to this head and from it to the logits: without biases,
    /// with nothing of other layers, and with layer norms as the identity. They are drawn less the mean of every row.
    ///
    /// Of all heads `composition`; of the MLP of layer l `l{l}_neurons`, the neurons of largest deviation before the ReLU,
    /// and `l{l}_frequencies`, the share of every neuron's variance by frequency.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when a file cannot be written; no half-written file is left.
    pub fn draw(&self, out: &Path, format: Format) -> Result<Vec<PathBuf>, Refusal> {
        draw::draw_anatomy(self, out, format)
    }
}
