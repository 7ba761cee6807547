//! Transformers as TransformerLens defines them (`docs/theory.md`, T0, has the mathematics): any layers and heads, biases,
//! layer norms, ReLU MLPs, an attention rate.

use super::config::{Norms, Shape};
use super::{Dyadic, Matrix, Tensors};
use crate::refusal::Refusal;

/// A decoder: `r_p = W_E[x_p] + W_pos[p]`, the layers, then `LN(r) W_U + b_U`.
#[derive(Debug, Clone)]
pub struct Transformer {
    /// Sizes, and what no weight says.
    pub shape: Shape,
    /// Token embedding, `d_vocab × d_model`.
    pub w_e: Matrix<Dyadic>,
    /// Position embedding, `n_ctx × d_model`.
    pub w_pos: Matrix<Dyadic>,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// The layer norm before the unembedding.
    pub ln_final: Option<Norm>,
    /// Unembedding, `d_model × d_vocab_out`.
    pub w_u: Matrix<Dyadic>,
    /// Unembedding bias, `1 × d_vocab_out`.
    pub b_u: Matrix<Dyadic>,
}

/// `r += Σ_h attention_h(LN1(r)) + b_O`, then `r += MLP(LN2(r))` where there is one.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The layer norm before attention.
    pub ln1: Option<Norm>,
    /// The attention heads.
    pub heads: Vec<Head>,
    /// Output bias of attention, `1 × d_model`.
    pub b_o: Matrix<Dyadic>,
    /// The MLP, unless the network is attention-only.
    pub mlp: Option<Mlp>,
}

/// An attention head.
#[derive(Debug, Clone)]
pub struct Head {
    /// Query weights, `d_model × d_head`.
    pub w_q: Matrix<Dyadic>,
    /// Key weights, `d_model × d_head`.
    pub w_k: Matrix<Dyadic>,
    /// Value weights, `d_model × d_head`.
    pub w_v: Matrix<Dyadic>,
    /// Output weights, `d_head × d_model`.
    pub w_o: Matrix<Dyadic>,
    /// Query bias, `1 × d_head`.
    pub b_q: Matrix<Dyadic>,
    /// Key bias, `1 × d_head`: it adds a constant to every score of a query, which softmax drops.
    pub b_k: Matrix<Dyadic>,
    /// Value bias, `1 × d_head`.
    pub b_v: Matrix<Dyadic>,
}

/// `relu(x W_in + b_in) W_out + b_out` of the residual stream, after a layer norm where there is one.
#[derive(Debug, Clone)]
pub struct Mlp {
    /// The layer norm before it.
    pub ln2: Option<Norm>,
    /// `d_model × d_mlp`.
    pub w_in: Matrix<Dyadic>,
    /// `1 × d_mlp`.
    pub b_in: Matrix<Dyadic>,
    /// `d_mlp × d_model`.
    pub w_out: Matrix<Dyadic>,
    /// `1 × d_model`.
    pub b_out: Matrix<Dyadic>,
}

/// A layer norm, `(y − mean)/√(var + eps)·w + b`, with var over d and eps inside the root.
#[derive(Debug, Clone)]
pub struct Norm {
    /// Gain and bias, each `1 × d_model`; none for "LNPre", which has gain 1 and bias 0.
    pub affine: Option<(Matrix<Dyadic>, Matrix<Dyadic>)>,
    /// The number inside the root.
    pub eps: Dyadic<i64>,
}

impl Transformer {
    pub(super) fn new(shape: Shape, tensors: &mut Tensors<'_>) -> Result<Self, Refusal> {
        let d = shape.d_model;
        let layers = (0..shape.n_layers).map(|layer| Layer::new(&shape, layer, tensors));
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            w_e: tensors.take("embed.W_E", &[shape.d_vocab, d])?,
            w_pos: tensors.take("pos_embed.W_pos", &[shape.n_ctx, d])?,
            ln_final: Norm::new(&shape, "ln_final", tensors)?,
            w_u: tensors.take("unembed.W_U", &[d, shape.d_vocab_out])?,
            b_u: tensors.take("unembed.b_U", &[shape.d_vocab_out])?,
            shape,
        })
    }
}

impl Layer {
    fn new(shape: &Shape, layer: usize, tensors: &mut Tensors<'_>) -> Result<Self, Refusal> {
        let (d, h, n_heads) = (shape.d_model, shape.d_head, shape.n_heads);
        let mut take = |part: &str, shape: &[usize]| {
            let name = format!("blocks.{layer}.{part}");
            tensors.take(&name, shape)
        };
        let w_q = take("attn.W_Q", &[n_heads, d, h])?;
        let w_k = take("attn.W_K", &[n_heads, d, h])?;
        let w_v = take("attn.W_V", &[n_heads, d, h])?;
        let w_o = take("attn.W_O", &[n_heads, h, d])?;
        let b_q = take("attn.b_Q", &[n_heads, h])?;
        let b_k = take("attn.b_K", &[n_heads, h])?;
        let b_v = take("attn.b_V", &[n_heads, h])?;
        let b_o = take("attn.b_O", &[d])?;
        // The tables of all heads stand one below the other.
        let head = |head: usize| {
            let of_head = |table: &Matrix<Dyadic>| {
                let rows = table.rows() / n_heads.max(1);
                table.block((head * rows, (head + 1) * rows), (0, table.cols()))
            };
            Head {
                w_q: of_head(&w_q),
                w_k: of_head(&w_k),
                w_v: of_head(&w_v),
                w_o: of_head(&w_o),
                b_q: of_head(&b_q),
                b_k: of_head(&b_k),
                b_v: of_head(&b_v),
            }
        };
        let mlp = match shape.d_mlp {
            Some(m) => Some(Mlp {
                w_in: take("mlp.W_in", &[d, m])?,
                b_in: take("mlp.b_in", &[m])?,
                w_out: take("mlp.W_out", &[m, d])?,
                b_out: take("mlp.b_out", &[d])?,
                ln2: Norm::new(shape, &format!("blocks.{layer}.ln2"), tensors)?,
            }),
            None => None,
        };
        Ok(Self {
            ln1: Norm::new(shape, &format!("blocks.{layer}.ln1"), tensors)?,
            heads: (0..n_heads).map(head).collect(),
            b_o,
            mlp,
        })
    }
}

impl Norm {
    fn new(shape: &Shape, name: &str, tensors: &mut Tensors<'_>) -> Result<Option<Self>, Refusal> {
        let Some(Norms { affine, eps }) = shape.norms else {
            return Ok(None);
        };
        let mut part = |part: &str| tensors.take(&format!("{name}.{part}"), &[shape.d_model]);
        let affine = if affine {
            Some((part("w")?, part("b")?))
        } else {
            None
        };
        Ok(Some(Self { affine, eps }))
    }
}
