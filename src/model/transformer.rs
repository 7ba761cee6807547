//! Transformers as TransformerLens defines them (`docs/tasks.md` has the mathematics): any layers and heads, biases, layer
//! norms, ReLU MLPs, an attention rate.

use super::config::{Norms, Scale, Shape};
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
    /// The tensors by name, and their shapes.
    pub(super) fn tensors(shape: &Shape) -> Vec<(String, Vec<usize>)> {
        let Shape {
            d_model: d,
            d_head: h,
            n_heads,
            ..
        } = *shape;
        let mut tensors = vec![
            ("embed.W_E".into(), vec![shape.d_vocab, d]),
            ("pos_embed.W_pos".into(), vec![shape.n_ctx, d]),
            ("unembed.W_U".into(), vec![d, shape.d_vocab_out]),
            ("unembed.b_U".into(), vec![shape.d_vocab_out]),
        ];
        let gains = matches!(shape.norms, Some(Norms { affine: true, .. }));
        let norm = |name: String| {
            let parts = ["w", "b"].map(|part| (format!("{name}.{part}"), vec![d]));
            parts.into_iter().filter(move |_| gains)
        };
        tensors.extend(norm("ln_final".into()));
        for layer in 0..shape.n_layers {
            let block = format!("blocks.{layer}");
            for name in ["W_Q", "W_K", "W_V"] {
                tensors.push((format!("{block}.attn.{name}"), vec![n_heads, d, h]));
            }
            for name in ["b_Q", "b_K", "b_V"] {
                tensors.push((format!("{block}.attn.{name}"), vec![n_heads, h]));
            }
            tensors.push((format!("{block}.attn.W_O"), vec![n_heads, h, d]));
            tensors.push((format!("{block}.attn.b_O"), vec![d]));
            tensors.extend(norm(format!("{block}.ln1")));
            if let Some(m) = shape.d_mlp {
                tensors.push((format!("{block}.mlp.W_in"), vec![d, m]));
                tensors.push((format!("{block}.mlp.b_in"), vec![m]));
                tensors.push((format!("{block}.mlp.W_out"), vec![m, d]));
                tensors.push((format!("{block}.mlp.b_out"), vec![d]));
                tensors.extend(norm(format!("{block}.ln2")));
            }
        }
        tensors
    }

    /// Puts the tensors together.
    pub(super) fn new(shape: Shape, tensors: &mut Tensors) -> Result<Self, Refusal> {
        let layers = (0..shape.n_layers).map(|layer| Layer::new(&shape, layer, tensors));
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            w_e: tensors.take("embed.W_E")?,
            w_pos: tensors.take("pos_embed.W_pos")?,
            ln_final: Norm::new(&shape, "ln_final", tensors)?,
            w_u: tensors.take("unembed.W_U")?,
            b_u: tensors.take("unembed.b_U")?,
            shape,
        })
    }

    /// What scores are divided by.
    pub fn scale(&self) -> Scale {
        self.shape.scale
    }
}

impl Layer {
    fn new(shape: &Shape, layer: usize, tensors: &mut Tensors) -> Result<Self, Refusal> {
        let block = format!("blocks.{layer}");
        let mut of_heads = |name: &str, rows: usize| -> Result<Vec<Matrix<Dyadic>>, Refusal> {
            let all = tensors.take(&format!("{block}.attn.{name}"))?;
            let head = |head: usize| all.block((head * rows, (head + 1) * rows), (0, all.cols()));
            Ok((0..shape.n_heads).map(head).collect())
        };
        let (d, h) = (shape.d_model, shape.d_head);
        let weights = [
            of_heads("W_Q", d)?,
            of_heads("W_K", d)?,
            of_heads("W_V", d)?,
            of_heads("W_O", h)?,
            of_heads("b_Q", 1)?,
            of_heads("b_K", 1)?,
            of_heads("b_V", 1)?,
        ];
        let mut weights = weights.map(Vec::into_iter);
        let mut heads = Vec::with_capacity(shape.n_heads);
        while let [
            Some(w_q),
            Some(w_k),
            Some(w_v),
            Some(w_o),
            Some(b_q),
            Some(b_k),
            Some(b_v),
        ] = weights.each_mut().map(Iterator::next)
        {
            heads.push(Head {
                w_q,
                w_k,
                w_v,
                w_o,
                b_q,
                b_k,
                b_v,
            });
        }
        let mlp = shape
            .d_mlp
            .map(|_| -> Result<Mlp, Refusal> {
                Ok(Mlp {
                    ln2: Norm::new(shape, &format!("{block}.ln2"), tensors)?,
                    w_in: tensors.take(&format!("{block}.mlp.W_in"))?,
                    b_in: tensors.take(&format!("{block}.mlp.b_in"))?,
                    w_out: tensors.take(&format!("{block}.mlp.W_out"))?,
                    b_out: tensors.take(&format!("{block}.mlp.b_out"))?,
                })
            })
            .transpose()?;
        Ok(Self {
            ln1: Norm::new(shape, &format!("{block}.ln1"), tensors)?,
            heads,
            b_o: tensors.take(&format!("{block}.attn.b_O"))?,
            mlp,
        })
    }
}

impl Norm {
    fn new(shape: &Shape, name: &str, tensors: &mut Tensors) -> Result<Option<Self>, Refusal> {
        let Some(Norms { affine, eps }) = shape.norms else {
            return Ok(None);
        };
        let mut part = |part: &str| tensors.take(&format!("{name}.{part}"));
        let affine = if affine {
            Some((part("w")?, part("b")?))
        } else {
            None
        };
        Ok(Some(Self { affine, eps }))
    }
}
