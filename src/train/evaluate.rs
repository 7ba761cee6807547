//! How many inputs a network answers correctly, in floating point: every input, or inputs drawn at random.
//!
//! In float64, many inputs at once. Near-ties may fall either way: what counts is what a proof says. Every input on a CPU
//! is sooner counted by [`crate::answers::count`].

use super::data::Domain;
use super::network::{Form, Networks};
use super::{at_once, stream};
use crate::answers::Number;
use crate::model::{Dyadic, Function, Head, Matrix, Network};
use candle_core::{Device, Result, Tensor};
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Inputs that are evaluated at once, at most.
pub(super) const AT_ONCE: usize = 1 << 11;
/// The same on a card: enough to fill it.
const ON_A_CARD: usize = 1 << 16;

/// Answers right, and answers looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// The right answer's logit is strictly greater than every other.
    pub correct: u64,
    /// Of so many pairs of an input and a read-out.
    pub total: u64,
}

impl Evaluated {
    /// The standard error of the share of right answers, if the inputs were drawn: at least that of one wrong answer. (Of
    /// several read-outs of one input, as if they were independent.)
    pub fn standard_error(&self) -> f64 {
        let total = self.total.max(1) as f64;
        let share = |answers: u64| answers.max(1) as f64 / total;
        (share(self.correct) * share(self.total - self.correct) / total).sqrt()
    }
}

impl AddAssign for Evaluated {
    fn add_assign(&mut self, more: Self) {
        self.correct += more.correct;
        self.total += more.total;
    }
}

/// Which inputs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// Every one.
    All,
    /// Drawn uniformly and independently, the same ones for the same seed.
    Sampled {
        /// How many.
        samples: usize,
        /// What they depend on.
        seed: u64,
    },
}

/// Evaluates a network.
///
/// # Errors
/// Those of candle: a device that fails, or lacks the memory.
pub fn evaluate(network: &Network, inputs: Inputs, device: &Device) -> Result<Evaluated> {
    let domain = Domain::new(&network.task);
    let networks = loaded(network, device)?;
    let most = if device.is_cpu() { AT_ONCE } else { ON_A_CARD };
    let mut found = Evaluated::default();
    let mut count = |inputs: &[Vec<usize>]| -> Result<()> {
        let batch = domain.batch(inputs.iter().map(Vec::as_slice), 1, device)?;
        networks
            .right(&batch)?
            .into_iter()
            .for_each(|more| found += more);
        Ok(())
    };
    match inputs {
        Inputs::Sampled { samples, seed } => {
            let mut random = stream(seed, 3);
            for inputs in at_once(samples, most) {
                let drawn = (0..inputs).map(|_| domain.draw(&mut random));
                count(&drawn.collect::<Result<Vec<_>>>()?)?;
            }
        }
        Inputs::All => {
            let mut waiting = vec![];
            let mut result = Ok(());
            domain.each(&mut |input| {
                waiting.push(input.to_vec());
                if waiting.len() == most {
                    result = count(&waiting);
                    waiting.clear();
                }
                result.is_ok()
            });
            result?;
            if !waiting.is_empty() {
                count(&waiting)?;
            }
        }
    }
    Ok(found)
}

/// The network in float64.
fn loaded(network: &Network, device: &Device) -> Result<Networks> {
    let table = |weights: &Matrix<Dyadic>| {
        let rows = weights.iter_rows().flatten();
        let entries = rows.map(|weight| f64::dyadic(weight.mantissa.into(), weight.exponent));
        let shape = (1, weights.rows(), weights.cols());
        Tensor::from_iter(entries, device)?.reshape(shape)
    };
    let mut weights = BTreeMap::new();
    let mut put = |name: String, tables: Vec<&Matrix<Dyadic>>, axis: usize| -> Result<()> {
        let tables = tables.into_iter().map(table).collect::<Result<Vec<_>>>()?;
        weights.insert(name, Tensor::cat(&tables, axis)?);
        Ok(())
    };
    match &network.function {
        Function::TwoEmbeddings(model) => {
            for (name, weights) in [
                ("embedding_left", &model.embedding_left),
                ("embedding_right", &model.embedding_right),
                ("linear_left", &model.linear_left),
                ("linear_right", &model.linear_right),
                ("unembedding", &model.unembedding),
                ("unembed_bias", &model.unembed_bias),
            ] {
                put(name.into(), vec![weights], 1)?;
            }
        }
        Function::Transformer(model) => {
            for (name, weights) in [
                ("embed.W_E", &model.w_e),
                ("pos_embed.W_pos", &model.w_pos),
                ("unembed.W_U", &model.w_u),
                ("unembed.b_U", &model.b_u),
            ] {
                put(name.into(), vec![weights], 1)?;
            }
            let mut norms = vec![("ln_final".to_owned(), &model.ln_final)];
            for (number, layer) in model.layers.iter().enumerate() {
                let name = |part: &str| format!("blocks.{number}.{part}");
                let heads = |of: fn(&Head) -> &Matrix<Dyadic>| layer.heads.iter().map(of).collect();
                put(name("attn.W_Q"), heads(|head| &head.w_q), 2)?;
                put(name("attn.W_K"), heads(|head| &head.w_k), 2)?;
                put(name("attn.W_V"), heads(|head| &head.w_v), 2)?;
                put(name("attn.W_O"), heads(|head| &head.w_o), 1)?;
                put(name("attn.b_Q"), heads(|head| &head.b_q), 2)?;
                put(name("attn.b_K"), heads(|head| &head.b_k), 2)?;
                put(name("attn.b_V"), heads(|head| &head.b_v), 2)?;
                put(name("attn.b_O"), vec![&layer.b_o], 1)?;
                norms.push((name("ln1"), &layer.ln1));
                if let Some(mlp) = &layer.mlp {
                    put(name("mlp.W_in"), vec![&mlp.w_in], 1)?;
                    put(name("mlp.b_in"), vec![&mlp.b_in], 1)?;
                    put(name("mlp.W_out"), vec![&mlp.w_out], 1)?;
                    put(name("mlp.b_out"), vec![&mlp.b_out], 1)?;
                    norms.push((name("ln2"), &mlp.ln2));
                }
            }
            for (name, norm) in norms {
                if let Some((gain, bias)) = norm.as_ref().and_then(|norm| norm.affine.as_ref()) {
                    put(format!("{name}.w"), vec![gain], 1)?;
                    put(format!("{name}.b"), vec![bias], 1)?;
                }
            }
        }
    }
    Ok(Networks {
        form: Form::of(network),
        weights,
    })
}
