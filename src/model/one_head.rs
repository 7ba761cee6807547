//! The networks of the published proofs: one layer, one causal attention head, no MLP, no layer norm, answering with the
//! largest token (`docs/theory.md`, T0).

use super::config::unsupported;
use super::{Dyadic, Function, Matrix, Network, Shape};
use crate::refusal::Refusal;
use serde_json::Value;

/// A network of one layer and one head, by its weights.
#[derive(Debug, Clone, Copy)]
pub struct OneHead<'a> {
    /// The network.
    pub network: &'a Network,
    /// Sizes and scale.
    pub config: Shape,
    /// Token embedding, `d_vocab × d_model`.
    pub w_e: &'a Matrix<Dyadic>,
    /// Position embedding, `n_ctx × d_model`.
    pub w_pos: &'a Matrix<Dyadic>,
    /// Query weights, `d_model × d_head`.
    pub w_q: &'a Matrix<Dyadic>,
    /// Key weights, `d_model × d_head`.
    pub w_k: &'a Matrix<Dyadic>,
    /// Value weights, `d_model × d_head`.
    pub w_v: &'a Matrix<Dyadic>,
    /// Output weights, `d_head × d_model`.
    pub w_o: &'a Matrix<Dyadic>,
    /// Unembedding, `d_model × d_vocab`.
    pub w_u: &'a Matrix<Dyadic>,
    /// Query bias, `1 × d_head`.
    pub b_q: &'a Matrix<Dyadic>,
    /// Key bias, `1 × d_head`: it adds a constant to every score of a query, which softmax drops.
    pub b_k: &'a Matrix<Dyadic>,
    /// Value bias, `1 × d_head`.
    pub b_v: &'a Matrix<Dyadic>,
    /// Output bias, `1 × d_model`.
    pub b_o: &'a Matrix<Dyadic>,
    /// Unembedding bias, `1 × d_vocab`.
    pub b_u: &'a Matrix<Dyadic>,
}

/// Is a transformer of this shape one that [`OneHead`] stands for?
pub(super) fn is_one_head(shape: &Shape, task: &Value) -> bool {
    let plain = Shape {
        d_vocab_out: shape.d_vocab,
        n_layers: 1,
        n_heads: 1,
        d_mlp: None,
        norms: None,
        attention_rate: Dyadic::NONE,
        ..*shape
    };
    task == "max_of_n" && *shape == plain
}

impl Network {
    /// This network by the weights of its one layer and head.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Model`] when it has others, or another task.
    pub fn one_head(&self) -> Result<OneHead<'_>, Refusal> {
        if let Function::Transformer(model) = &self.function
            && is_one_head(&model.shape, &self.task_name)
            && let [layer] = model.layers.as_slice()
            && let [head] = layer.heads.as_slice()
        {
            return Ok(OneHead {
                network: self,
                config: model.shape,
                w_e: &model.w_e,
                w_pos: &model.w_pos,
                w_q: &head.w_q,
                w_k: &head.w_k,
                w_v: &head.w_v,
                w_o: &head.w_o,
                w_u: &model.w_u,
                b_q: &head.b_q,
                b_k: &head.b_k,
                b_v: &head.b_v,
                b_o: &layer.b_o,
                b_u: &model.b_u,
            });
        }
        Err(unsupported(
            "config.json",
            "one layer, one head, attention only, no layer norm, task \"max_of_n\" without \"eos\"",
            "another network; prove it with --strategy exhaustive",
        ))
    }
}
