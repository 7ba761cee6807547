//! Any network in numbers: its sizes, its heads and its neurons.

use super::Spectrum;
use super::attention::Attention;
use super::composition::Compositions;
use super::neurons::{NeuronLayer, Tables};
use super::tables::doubles;
use crate::model::{Function, Network, Norms, Transformer};
use serde::Serialize;
use serde_json::Value;

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
    /// The inputs over which attention is averaged: drawn token by token, each of those that may stand there with the same
    /// chance, by a fixed seed.
    pub sampled_inputs: usize,
    /// How much heads read of those in earlier layers; null where there is one layer.
    pub composition: Option<Compositions>,
    /// The MLPs, if the task's inputs are pairs of values and all neurons' values for all pairs are at most 2²⁴ numbers.
    pub neurons: Vec<NeuronLayer>,
}

/// The two circuits of a head, between residual streams: before layer norms, scales and biases; and where it attends.
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
    /// Mean attention from a position to the one before: over sampled inputs and all positions that have one, up to the last
    /// read-out; with an attention rate at the read-out alone. Null where no input was found.
    pub previous_token: Option<f64>,
    /// Mean attention, at a read-out whose token stands before, to the positions right behind those places, together; null
    /// where no token does.
    pub induction: Option<f64>,
}

impl Heads {
    pub(super) fn new(
        network: &Network,
        attention: Option<&Attention>,
        neurons: &[Tables],
    ) -> Self {
        let (heads, composition) = match &network.function {
            Function::Transformer(model) => (circuits(model, attention), Compositions::new(model)),
            Function::TwoEmbeddings(_) => (vec![], None),
        };
        Self {
            task: network.task_name.clone(),
            d_vocab: network.sizes.d_vocab,
            d_vocab_out: network.sizes.d_vocab_out,
            n_ctx: network.sizes.n_ctx,
            parts: parts(network),
            sha256: network.sha256.clone(),
            heads,
            sampled_inputs: attention.map_or(0, |attention| attention.inputs),
            composition,
            neurons: neurons.iter().map(Tables::summary).collect(),
        }
    }
}

/// What a network consists of, in words.
pub fn parts(network: &Network) -> String {
    match &network.function {
        Function::Transformer(model) => parts_of_transformer(model),
        Function::TwoEmbeddings(model) => {
            let (width, neurons) = (model.embedding_left.cols(), model.unembedding.rows());
            format!("two embeddings of width {width}, {neurons} neurons (ReLU)")
        }
    }
}

fn parts_of_transformer(model: &Transformer) -> String {
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

fn circuits(model: &Transformer, attention: Option<&Attention>) -> Vec<Circuits> {
    let layers = model.layers.iter().enumerate();
    let heads = layers.flat_map(|(layer, parts)| {
        let heads = parts.heads.iter().enumerate();
        heads.map(move |(head, weights)| {
            let pattern = attention.map(|attention| &attention.patterns[layer][head]);
            Circuits {
                layer,
                head,
                qk: Spectrum::of_product(
                    &doubles(&weights.w_q),
                    &doubles(&weights.w_k).transpose(),
                ),
                ov: Spectrum::of_product(&doubles(&weights.w_v), &doubles(&weights.w_o)),
                previous_token: pattern.and_then(|pattern| pattern.previous_token),
                induction: pattern.and_then(|pattern| pattern.induction),
            }
        })
    });
    heads.collect()
}
