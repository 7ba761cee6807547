//! How many inputs a network answers correctly, in floating point: every input, or inputs drawn at random.
//!
//! In float64 through tables over tokens, many inputs at once. Near-ties may fall either way: what counts is what a proof
//! says. Every input on a CPU is sooner counted by [`crate::answers::count`].

use super::{at_once, stream, tokens};
use crate::inspect;
use crate::model::OneHead;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops::softmax;
use nalgebra::DMatrix;

/// Inputs that are evaluated at once, at most: few enough for a core's cache, enough to fill a card.
fn most(device: &Device) -> usize {
    if device.is_cpu() { 1 << 16 } else { 1 << 18 }
}

/// Inputs right, and inputs looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluated {
    /// The largest token's logit is strictly greater than every other.
    pub correct: u64,
    /// Of so many inputs.
    pub total: u64,
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

/// Tables in units of scores and logits; rows are queries, tokens or positions.
struct Tables {
    /// A(q, t), B(q, p): scores of tokens and positions.
    scores: (Tensor, Tensor),
    /// EV(t, j), PV(p, j): logits from what is read.
    read: (Tensor, Tensor),
    /// D(q, j): logits from the query itself.
    direct: Tensor,
}

impl Tables {
    fn new(network: &OneHead<'_>, device: &Device) -> Result<Self> {
        // nalgebra's matrices stand column by column.
        let load = |table: &DMatrix<f64>| {
            Tensor::from_slice(table.as_slice(), (table.ncols(), table.nrows()), device)?
                .t()?
                .contiguous()
        };
        let tables = inspect::Tables::new(network);
        Ok(Self {
            scores: (load(&tables.a())?, load(&tables.b())?),
            read: (load(&tables.ev())?, load(&tables.pv())?),
            direct: load(&tables.d)?,
        })
    }

    /// How many of these inputs, `inputs × n_ctx`, are answered correctly.
    fn correct(&self, inputs: &Tensor) -> Result<u64> {
        let (count, n) = inputs.dims2()?;
        let last = inputs.narrow(1, n - 1, 1)?.flatten_all()?;
        let by_token = self.scores.0.index_select(&last, 0)?.gather(inputs, 1)?;
        let weights = softmax(&(by_token + self.scores.1.index_select(&last, 0)?)?, 1)?;
        let masses = Tensor::zeros((count, self.direct.dim(0)?), DType::F64, inputs.device())?;
        let masses = masses.scatter_add(inputs, &weights, 1)?;
        let read = (masses.matmul(&self.read.0)? + weights.matmul(&self.read.1)?)?;
        let logits = (read + self.direct.index_select(&last, 0)?)?;
        let answered = logits.gather(&inputs.max_keepdim(1)?, 1)?;
        let rivals = logits
            .broadcast_ge(&answered)?
            .to_dtype(DType::U32)?
            .sum(1)?;
        let right = rivals
            .eq(1_u32)?
            .to_dtype(DType::U32)?
            .sum_all()?
            .to_scalar::<u32>()?;
        Ok(u64::from(right))
    }
}

/// Evaluates a network.
///
/// # Errors
/// Those of candle: a device that fails, or lacks the memory.
pub fn evaluate(network: &OneHead<'_>, inputs: Inputs, device: &Device) -> Result<Evaluated> {
    let tables = Tables::new(network, device)?;
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    match inputs {
        Inputs::Sampled { samples, seed } => {
            let mut random = stream(seed, 3);
            let mut correct = 0;
            for inputs in at_once(samples, most(device)) {
                let drawn = tokens(&mut random, inputs * n, 0..v as u32).collect();
                correct += tables.correct(&Tensor::from_vec(drawn, (inputs, n), device)?)?;
            }
            Ok(Evaluated {
                correct,
                total: samples as u64,
            })
        }
        Inputs::All => {
            // Blocks that differ in their first tokens; what follows is the same in all.
            let free = (1..n)
                .take_while(|free| v.pow(*free as u32) <= most(device))
                .last()
                .unwrap_or(1);
            let (inputs, blocks) = (v.pow(free as u32), v.pow((n - free) as u32));
            let digits = |number: usize, count: usize| {
                (0..count)
                    .rev()
                    .map(move |place| (number / v.pow(place as u32) % v) as u32)
            };
            let endings = (0..inputs)
                .flat_map(|ending| digits(ending, free))
                .collect();
            let endings = Tensor::from_vec(endings, (inputs, free), device)?;
            let mut correct = 0;
            for block in 0..blocks {
                let start =
                    Tensor::from_vec(digits(block, n - free).collect(), (1, n - free), device)?;
                let start = start.broadcast_as((inputs, n - free))?;
                correct += tables.correct(&Tensor::cat(&[&start, &endings], 1)?)?;
            }
            Ok(Evaluated {
                correct,
                total: (inputs * blocks) as u64,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_of_the_bundled_model_are_counted_as_the_exact_proof_does() {
        let network = crate::model::Network::bundled().unwrap();
        let counted = crate::answers::count(&network, 2, &|| ());
        assert_eq!(counted, (16_763_235_u32.into(), 16_777_216_u32.into()));
        let network = network.one_head().unwrap();
        let sampled = Inputs::Sampled {
            samples: 100_000,
            seed: 0,
        };
        let found = evaluate(&network, sampled, &Device::Cpu).unwrap();
        let share = found.correct as f64 / found.total as f64;
        assert!(
            (share - 16_763_235.0 / 16_777_216.0).abs() < 5.0 * (0.000_833_f64 / 100_000.0).sqrt(),
            "{share}"
        );
    }
}
