//! Any transformer's heads, and any network's sizes.

use super::tables::doubles;
use super::{SHOWN, Spectrum, number};
use crate::model::{Function, Network, Norms, Transformer};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// Sizes of a network, and the circuits of its heads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heads {
    /// The task.
    pub task: Value,
    /// Number of tokens.
    pub d_vocab: usize,
    /// Number of outputs.
    pub d_vocab_out: usize,
    /// Input length.
    pub n_ctx: usize,
    /// What it consists of, in words.
    pub parts: String,
    /// The network's digest: see [`Network::from_bytes`].
    #[serde(rename = "network_sha256")]
    pub sha256: String,
    /// The heads, layer by layer; none for an MLP over two tokens.
    pub heads: Vec<Circuits>,
}

/// The two circuits of a head, between residual streams: before layer norms, scales and biases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Circuits {
    /// The layer, from 0.
    pub layer: usize,
    /// The head, from 0.
    pub head: usize,
    /// `W_Q W_Kᵀ`, `d_model × d_model`.
    pub qk: Spectrum,
    /// `W_V W_O`, `d_model × d_model`.
    pub ov: Spectrum,
}

/// Computes what [`Heads`] lists, in double precision.
pub fn inspect_heads(network: &Network) -> Heads {
    let (parts, heads) = match &network.function {
        Function::Transformer(model) => (parts(model), circuits(model)),
        Function::TwoEmbeddings(model) => {
            let (width, neurons) = (model.embedding_left.cols(), model.unembedding.rows());
            let parts = format!("two embeddings of width {width}, {neurons} neurons (ReLU)");
            (parts, vec![])
        }
    };
    Heads {
        task: network.task_name.clone(),
        d_vocab: network.sizes.d_vocab,
        d_vocab_out: network.sizes.d_vocab_out,
        n_ctx: network.sizes.n_ctx,
        parts,
        sha256: network.sha256.clone(),
        heads,
    }
}

fn parts(model: &Transformer) -> String {
    let shape = &model.shape;
    let mut parts = vec![
        format!("n_layers {}", shape.n_layers),
        format!("n_heads {}", shape.n_heads),
        format!("d_model {}", shape.d_model),
        format!("d_head {}", shape.d_head),
    ];
    parts.push(match shape.d_mlp {
        Some(neurons) => format!("d_mlp {neurons} (ReLU)"),
        None => "attention only".into(),
    });
    parts.push(match shape.norms {
        Some(Norms { affine: true, .. }) => "LN".into(),
        Some(Norms { affine: false, .. }) => "LNPre".into(),
        None => "no layer norm".into(),
    });
    let rate = shape.attention_rate;
    if rate.mantissa != 0 {
        let rate = rate.mantissa as f64 * f64::from(rate.exponent).exp2();
        parts.push(format!("attention_rate {rate}"));
    }
    parts.join(", ")
}

fn circuits(model: &Transformer) -> Vec<Circuits> {
    let layers = model.layers.iter().enumerate();
    let heads = layers.flat_map(|(layer, parts)| {
        let heads = parts.heads.iter().enumerate();
        heads.map(move |(head, weights)| Circuits {
            layer,
            head,
            qk: Spectrum::of_product(&doubles(&weights.w_q), &doubles(&weights.w_k).transpose()),
            ov: Spectrum::of_product(&doubles(&weights.w_v), &doubles(&weights.w_o)),
        })
    });
    heads.collect()
}

impl fmt::Display for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network  {}", self.sha256)?;
        writeln!(
            f,
            "sizes    d_vocab {}, d_vocab_out {}, n_ctx {}",
            self.d_vocab, self.d_vocab_out, self.n_ctx
        )?;
        writeln!(f, "parts    {}", self.parts)?;
        if !self.heads.is_empty() {
            writeln!(f, "\nlayer head circuit   σ1/σ2   leading singular values")?;
        }
        for Circuits {
            layer,
            head,
            qk,
            ov,
        } in &self.heads
        {
            for (name, spectrum) in [("QK", qk), ("OV", ov)] {
                let ratio = spectrum.ratio.map_or("-".into(), number);
                let shown = spectrum.singular_values.iter().take(SHOWN);
                let shown: Vec<String> = shown.copied().map(number).collect();
                let more = if spectrum.singular_values.len() > SHOWN {
                    " …"
                } else {
                    ""
                };
                let shown = shown.join(" ");
                writeln!(
                    f,
                    "{layer:>5} {head:>4} {name:<7}  {ratio:>6}   {shown}{more}"
                )?;
            }
        }
        Ok(())
    }
}
