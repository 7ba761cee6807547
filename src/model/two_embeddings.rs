//! MLPs over two tokens, each with an embedding of its own: the networks of the published work on groups.

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
    /// v tokens, embeddings of width e, m neurons.
    pub(super) fn new([v, e, m]: [usize; 3], tensors: &mut Tensors<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            embedding_left: tensors.take("embedding_left", &[v, e])?,
            embedding_right: tensors.take("embedding_right", &[v, e])?,
            linear_left: tensors.take("linear_left", &[e, m])?,
            linear_right: tensors.take("linear_right", &[e, m])?,
            unembedding: tensors.take("unembedding", &[m, v])?,
            unembed_bias: tensors.take("unembed_bias", &[v])?,
        })
    }
}
