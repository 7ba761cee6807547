//! The networks of one layer and one causal attention head, without MLP and layer norm, that answer at the last position;
//! among them those of the published proofs, which answer with the largest token (`docs/theory.md`, T0).

use super::config::unsupported;
use super::{Dyadic, Function, Matrix, Network, Shape};
use crate::refusal::Refusal;
use serde_json::Value;

/// A network of one layer and one head, by its weights.
#[derive(Debug, Clone)]
pub struct OneHead<'a> {
    /// The network.
    pub network: &'a Network,
    /// Sizes and scale.
    pub config: Shape,
    /// The tokens that may stand at the last position, ascending.
    pub queries: Vec<usize>,
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
    /// Unembedding, `d_model × d_vocab_out`.
    pub w_u: &'a Matrix<Dyadic>,
    /// Query bias, `1 × d_head`.
    pub b_q: &'a Matrix<Dyadic>,
    /// Key bias, `1 × d_head`: it adds a constant to every score of a query, which softmax drops.
    pub b_k: &'a Matrix<Dyadic>,
    /// Value bias, `1 × d_head`.
    pub b_v: &'a Matrix<Dyadic>,
    /// Output bias, `1 × d_model`.
    pub b_o: &'a Matrix<Dyadic>,
    /// Unembedding bias, `1 × d_vocab_out`.
    pub b_u: &'a Matrix<Dyadic>,
}

/// Is a transformer of this shape one of one layer and one head, and no more?
fn is_plain(shape: &Shape) -> bool {
    let plain = Shape {
        n_layers: 1,
        n_heads: 1,
        d_mlp: None,
        norms: None,
        attention_rate: Dyadic::NONE,
        ..*shape
    };
    *shape == plain
}

/// Is it one of those of the published proofs?
pub(super) fn is_max_of_n(shape: &Shape, task: &Value) -> bool {
    task == "max_of_n" && shape.d_vocab_out == shape.d_vocab && is_plain(shape)
}

impl Network {
    /// This network by the weights of its one layer and head.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Model`] when it has others, or is read elsewhere than at the last position.
    pub fn one_head(&self) -> Result<OneHead<'_>, Refusal> {
        if let Function::Transformer(model) = &self.function
            && is_plain(&model.shape)
            && let [layer] = model.layers.as_slice()
            && let [head] = layer.heads.as_slice()
            && let [(position, queries)] = self.task.read_outs().as_slice()
            && position.checked_add(1) == Some(model.shape.n_ctx)
        {
            return Ok(OneHead {
                network: self,
                config: model.shape,
                queries: queries.iter().collect(),
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
            "one layer, one head, attention only, no layer norm, answers at the last position",
            "another network; prove it with --strategy exhaustive",
        ))
    }

    /// The same for a network that answers with the largest of all its tokens.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Model`] when it is another.
    pub fn max_of_n(&self) -> Result<OneHead<'_>, Refusal> {
        if let Function::Transformer(model) = &self.function
            && is_max_of_n(&model.shape, &self.task_name)
        {
            return self.one_head();
        }
        Err(unsupported(
            "config.json",
            "one layer, one head, attention only, no layer norm, task \"max_of_n\" without \"eos\"",
            "another network; prove it with --strategy exact",
        ))
    }
}
