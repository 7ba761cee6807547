//! Training: many models at once, by the paper's recipe (appendix A), on the CPU or a card.
//!
//! Models that differ in their seed only are one tensor with a dimension over seeds. A model depends on its seed, its
//! recipe and the device, and neither on the models beside it nor on the number of threads. Untrusted and in float32.

mod evaluate;
mod files;
mod network;

pub use evaluate::{Evaluated, Inputs, evaluate};
pub use files::{group, keep, kept, name};

use crate::model::{MAX_CTX, MAX_VOCAB, MAX_WIDTH};
use crate::refusal::Refusal;
use candle_core::Device;
use candle_core::Result as Computed;
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use network::{Batch, Networks};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// What is trained, and how: everything but the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Input length, n.
    pub n_ctx: usize,
    /// Number of tokens, v.
    pub d_vocab: usize,
    /// Width of the residual stream, and of the head.
    pub d_model: usize,
    /// Steps of AdamW.
    pub steps: usize,
    /// Inputs in a step, drawn uniformly and independently.
    pub batch_size: usize,
    /// Learning rate.
    pub lr: f64,
    /// Decay of the weights in a step, times the learning rate.
    pub weight_decay: f64,
    /// Inputs on which a trained model's accuracy is estimated.
    pub samples: usize,
}

impl Default for Recipe {
    /// The paper's, for Max-of-4.
    fn default() -> Self {
        Self {
            n_ctx: 4,
            d_vocab: 64,
            d_model: 32,
            steps: 3000,
            batch_size: 128,
            lr: 1e-3,
            weight_decay: 0.01,
            samples: 100_000,
        }
    }
}

/// Decay rates of AdamW's two means.
pub(crate) const BETAS: (f64, f64) = (0.9, 0.999);
/// What keeps AdamW from dividing by zero.
pub(crate) const EPS: f64 = 1e-8;
/// The loss is recorded every so many steps.
const RECORDED: usize = 50;
/// How many models a thread trains at a time: few enough for a core's cache.
const ABREAST: usize = 2;

impl Recipe {
    /// Sizes that the checker supports, and numbers that training can work with?
    ///
    /// # Errors
    /// [`Refusal::Unreadable`], which says what was expected and found.
    pub fn check(&self) -> Result<(), Refusal> {
        let sizes = [
            ("n_ctx", self.n_ctx, 2..=MAX_CTX),
            ("d_vocab", self.d_vocab, 2..=MAX_VOCAB),
            ("d_model", self.d_model, 1..=MAX_WIDTH),
            ("steps", self.steps, 1..=100_000_000),
            ("batch_size", self.batch_size, 1..=1 << 20),
            ("samples", self.samples, 1..=1_000_000_000),
        ];
        for (name, found, expected) in sizes {
            if !expected.contains(&found) {
                let (least, most) = expected.into_inner();
                return Err(Refusal::Unreadable(format!(
                    "{name}: expected {least} to {most}, found {found}"
                )));
            }
        }
        for (name, found) in [("lr", self.lr), ("weight_decay", self.weight_decay)] {
            if !(0.0..=1.0).contains(&found) {
                return Err(Refusal::Unreadable(format!(
                    "{name}: expected a number from 0 to 1, found {found}"
                )));
            }
        }
        Ok(())
    }

    /// The standard deviation of all initial weights (TransformerLens, `init_mode` gpt2).
    pub fn initializer_range(&self) -> f64 {
        0.8 / (self.d_model as f64).sqrt()
    }
}

/// Weights: name, shape and entries.
pub type Weights = Vec<(&'static str, Vec<usize>, Vec<f32>)>;

/// A trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Its seed.
    pub seed: u64,
    /// Its weights.
    pub weights: Weights,
    /// The mean loss over a batch, in nats, at some steps.
    pub losses: Vec<(usize, f32)>,
    /// How many of [`Recipe::samples`] inputs it answers correctly.
    pub correct: usize,
}

/// The random numbers of a seed: apart for the weights, the inputs trained on, and those of the estimate.
fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}

/// Trains a model for every seed. On a CPU `threads` groups of seeds are trained at a time, on a card all together.
///
/// `done` is given every group once it is trained, from any thread; `progress` is called once for every step of a group,
/// of which there are [`Recipe::steps`] for each of [`groups`].
///
/// Each thread computes alone. candle's own threads are in the way, and finding out how many there should be takes it
/// longer than a small product: set `RAYON_NUM_THREADS` to 1.
///
/// # Errors
/// Those of candle: a device that fails, or lacks the memory. The first error of `done` ends the training too.
pub fn train(
    recipe: &Recipe,
    seeds: &[u64],
    device: &Device,
    threads: usize,
    done: &(dyn Fn(Vec<Trained>) -> Computed<()> + Sync),
    progress: &(dyn Fn() + Sync),
) -> Computed<()> {
    let queue = Mutex::new(groups(seeds, device));
    let work = || -> Computed<()> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(group) = next else { return Ok(()) };
            done(train_together(recipe, group, device, progress)?)?;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let results = workers
            .into_iter()
            .map(|worker| worker.join().expect("training does not panic"));
        results.fold(Ok(()), Computed::and)
    })
}

/// Seeds as users write them: one, such as `123`, or a range without its end, such as `0..151`.
///
/// # Errors
/// What was expected.
pub fn seeds(text: &str) -> Result<Range<u64>, String> {
    let expected = || "expected a seed such as 123, or a range such as 0..151".to_string();
    let number = |text: &str| text.parse::<u64>().map_err(|_| expected());
    let (first, end) = match text.split_once("..") {
        Some((first, end)) => (number(first)?, number(end)?),
        None => (
            number(text)?,
            number(text)?.checked_add(1).ok_or_else(expected)?,
        ),
    };
    if first < end {
        Ok(first..end)
    } else {
        Err(expected())
    }
}

/// The seeds that are trained together.
pub fn groups<'a>(seeds: &'a [u64], device: &Device) -> std::slice::Chunks<'a, u64> {
    seeds.chunks(if device.is_cpu() {
        ABREAST
    } else {
        seeds.len().max(1)
    })
}

fn train_together(
    recipe: &Recipe,
    seeds: &[u64],
    device: &Device,
    progress: &(dyn Fn() + Sync),
) -> Computed<Vec<Trained>> {
    let networks = Networks::new(recipe, seeds, device)?;
    let rates = ParamsAdamW {
        lr: recipe.lr,
        beta1: BETAS.0,
        beta2: BETAS.1,
        eps: EPS,
        weight_decay: recipe.weight_decay,
    };
    let mut optimiser = AdamW::new(networks.variables(), rates)?;
    let mut streams: Vec<_> = seeds.iter().map(|seed| stream(*seed, 1)).collect();
    let mut losses = vec![vec![]; seeds.len()];
    for step in 0..recipe.steps {
        let batch = Batch::draw(recipe, recipe.batch_size, &mut streams, device)?;
        let loss = networks.losses(&batch)?;
        if step % RECORDED == 0 || step + 1 == recipe.steps {
            let now = loss.to_vec1::<f32>()?;
            losses
                .iter_mut()
                .zip(now)
                .for_each(|(losses, loss)| losses.push((step + 1, loss)));
        }
        optimiser.backward_step(&loss.sum_all()?)?;
        progress();
    }
    let correct = estimate(recipe, seeds, &networks, device)?;
    let mut trained = vec![];
    for (index, (losses, correct)) in losses.into_iter().zip(correct).enumerate() {
        trained.push(Trained {
            seed: seeds[index],
            weights: networks.weights(index)?,
            losses,
            correct,
        });
    }
    Ok(trained)
}

/// How many of the samples each network answers correctly.
fn estimate(
    recipe: &Recipe,
    seeds: &[u64],
    networks: &Networks,
    device: &Device,
) -> Computed<Vec<usize>> {
    let mut streams: Vec<_> = seeds.iter().map(|seed| stream(*seed, 2)).collect();
    let mut correct = vec![0; seeds.len()];
    for inputs in at_once(recipe.samples, 2048) {
        let batch = Batch::draw(recipe, inputs, &mut streams, device)?;
        let more = networks.correct(&batch)?;
        correct
            .iter_mut()
            .zip(more)
            .for_each(|(correct, more)| *correct += more);
    }
    Ok(correct)
}

/// So many inputs, in parts of at most `most`.
fn at_once(inputs: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..inputs)
        .step_by(most)
        .map(move |start| most.min(inputs - start))
}

/// Tokens drawn uniformly.
fn tokens(random: &mut ChaCha8Rng, count: usize, range: Range<u32>) -> impl Iterator<Item = u32> {
    (0..count).map(move |_| random.random_range(range.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(seeds: &[u64], threads: usize) -> Vec<Trained> {
        let recipe = Recipe {
            d_vocab: 6,
            d_model: 8,
            steps: 30,
            batch_size: 16,
            samples: 100,
            ..Recipe::default()
        };
        let found = Mutex::new(vec![]);
        let done = |more: Vec<Trained>| {
            found.lock().unwrap().extend(more);
            Ok(())
        };
        train(&recipe, seeds, &Device::Cpu, threads, &done, &|| ()).unwrap();
        let mut found = found.into_inner().unwrap();
        found.sort_by_key(|trained| trained.seed);
        found
    }

    #[test]
    fn a_model_depends_on_its_seed_alone() {
        let together = trained(&[0, 1, 2, 3, 4, 5], 2);
        let apart = [trained(&[5], 1), trained(&[2, 0], 1)].concat();
        assert_eq!(
            apart,
            [
                together[5].clone(),
                together[0].clone(),
                together[2].clone()
            ]
        );
        assert_ne!(together[0].weights, together[1].weights);
    }
}
