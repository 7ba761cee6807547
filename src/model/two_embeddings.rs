//! MLPs over two tokens, each with an embedding of its own: the networks of the published work on groups.

use super::config::PairShape;
use super::{Dyadic, Matrix, Tensors};
use crate::refusal::Refusal;

/// `logits(x, y) = relu(E_l[x] W_l + E_r[y] W_r) U + b`.
#[derive(Debug, Clone)]
pub struct TwoEmbeddings {
    /// Embedding of the first token, `d_vocab × d_embed`.
    pub embedding_left: Matrix<Dyadic>,
    /// Embedding of the second token, `d_vocab × d_embed`.
    pub embedding_right: Matrix<Dyadic>,
    /// `d_embed × d_mlp`.
    pub linear_left: Matrix<Dyadic>,
    /// `d_embed × d_mlp`.
    pub linear_right: Matrix<Dyadic>,
    /// `d_mlp × d_vocab`.
    pub unembedding: Matrix<Dyadic>,
    /// `1 × d_vocab`.
    pub unembed_bias: Matrix<Dyadic>,
}

impl TwoEmbeddings {
    /// The tensors by name, and their shapes.
    pub(super) fn tensors(shape: PairShape) -> Vec<(String, Vec<usize>)> {
        let PairShape {
            d_vocab: v,
            d_embed: e,
            d_mlp: m,
        } = shape;
        vec![
            ("embedding_left".into(), vec![v, e]),
            ("embedding_right".into(), vec![v, e]),
            ("linear_left".into(), vec![e, m]),
            ("linear_right".into(), vec![e, m]),
            ("unembedding".into(), vec![m, v]),
            ("unembed_bias".into(), vec![v]),
        ]
    }

    /// Puts the tensors together.
    pub(super) fn new(tensors: &mut Tensors) -> Result<Self, Refusal> {
        Ok(Self {
            embedding_left: tensors.take("embedding_left")?,
            embedding_right: tensors.take("embedding_right")?,
            linear_left: tensors.take("linear_left")?,
            linear_right: tensors.take("linear_right")?,
            unembedding: tensors.take("unembedding")?,
            unembed_bias: tensors.take("unembed_bias")?,
        })
    }
}
