//! One group of seeds, from drawn weights to counted answers.

use super::data::{Batch, Domain, Training};
use super::network::{Form, Networks};
use super::weights::{Weights, drawn};
use super::{Batches, EPS, Evaluated, Method, Recipe, Trained, at_once, evaluate, stream};
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The loss is recorded every so many steps.
const RECORDED: usize = 50;

/// What is the same for every group.
pub(super) struct Trainer<'a> {
    recipe: &'a Recipe,
    form: Form,
    domain: Domain,
    /// Every input, where they are split or taken all at once.
    listed: Option<Vec<Vec<usize>>>,
    device: &'a Device,
    progress: &'a (dyn Fn() + Sync),
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        device: &'a Device,
        progress: &'a (dyn Fn() + Sync),
    ) -> Result<Self> {
        let network = recipe.network().map_err(candle_core::Error::wrap)?;
        let domain = Domain::new(&network.task);
        let listed = recipe.lists_inputs().then(|| domain.list());
        Ok(Self {
            recipe,
            form: Form::of(&network),
            domain,
            listed,
            device,
            progress,
        })
    }

    pub(super) fn train(&self, seeds: &[u64]) -> Result<Vec<Trained>> {
        let recipe = self.recipe;
        let weights = drawn(recipe, seeds, self.device)?;
        let networks = Networks {
            form: self.form,
            weights: weights.iter().filter_map(Weights::that_matters).collect(),
        };
        let variables: Vec<Var> = weights
            .iter()
            .filter_map(|weights| weights.variable.clone())
            .collect();
        let decoupled = recipe.optimizer == Method::AdamW;
        let rates = ParamsAdamW {
            lr: recipe.lr,
            beta1: recipe.betas[0],
            beta2: recipe.betas[1],
            eps: EPS,
            weight_decay: if decoupled { recipe.weight_decay } else { 0.0 },
        };
        let mut optimiser = AdamW::new(variables.clone(), rates)?;
        let training = self.training(seeds)?;
        let mut streams: Vec<_> = seeds.iter().map(|seed| stream(*seed, 1)).collect();
        let mut losses = vec![vec![]; seeds.len()];
        for step in 0..recipe.steps {
            let batch = self.batch(&training, &mut streams)?;
            let loss = networks.losses(&batch)?;
            if step % RECORDED == 0 || step + 1 == recipe.steps {
                let now = loss.to_vec1::<f64>()?;
                losses
                    .iter_mut()
                    .zip(now)
                    .for_each(|(losses, loss)| losses.push((step + 1, loss as f32)));
            }
            let mut gradients = loss.sum_all()?.backward()?;
            if !decoupled {
                decay(&mut gradients, &variables, recipe.weight_decay)?;
            }
            optimiser.set_learning_rate(recipe.rate(step));
            optimiser.step(&gradients)?;
            (self.progress)();
        }
        let evaluated = self.estimate(seeds, &networks)?;
        let of_seed = |(index, losses): (usize, Vec<(usize, f32)>)| {
            let weights = weights.iter().map(|weights| weights.of(index));
            Ok(Trained {
                seed: seeds[index],
                weights: weights.collect::<Result<_>>()?,
                losses,
                evaluated: evaluated[index],
                all: self.listed.is_some(),
            })
        };
        losses.into_iter().enumerate().map(of_seed).collect()
    }

    /// What these seeds are trained on.
    fn training(&self, seeds: &[u64]) -> Result<Training> {
        let Some(listed) = &self.listed else {
            return Ok(Training::Drawn);
        };
        let kept = (listed.len() as f64 * self.recipe.train_ratio) as usize;
        let split = |seed: &u64| {
            let mut inputs = listed.clone();
            if kept < inputs.len() {
                inputs.shuffle(&mut stream(*seed, 5));
                inputs.truncate(kept.max(1));
            }
            inputs
        };
        let split: Vec<Vec<Vec<usize>>> = seeds.iter().map(split).collect();
        if self.recipe.batch_size != Batches::Full {
            return Ok(Training::Part(split));
        }
        let inputs = split.iter().flatten().map(Vec::as_slice);
        let batch = self.domain.batch(inputs, seeds.len(), self.device)?;
        Ok(Training::Whole(batch))
    }

    fn batch(&self, training: &Training, streams: &mut [ChaCha8Rng]) -> Result<Batch> {
        let Batches::Of(inputs) = self.recipe.batch_size else {
            return match training {
                Training::Whole(batch) => Ok(batch.clone()),
                _ => candle_core::bail!("a full batch is all that is trained on"),
            };
        };
        let seeds = streams.len();
        if let Training::Part(split) = training {
            let picked = streams.iter_mut().zip(split).flat_map(|(random, split)| {
                (0..inputs).map(move |_| split[random.random_range(0..split.len())].as_slice())
            });
            return self.domain.batch(picked, seeds, self.device);
        }
        self.drawn(inputs, streams)
    }

    fn drawn(&self, inputs: usize, streams: &mut [ChaCha8Rng]) -> Result<Batch> {
        let mut drawn = vec![];
        for random in &mut *streams {
            for _ in 0..inputs {
                drawn.push(self.domain.draw(random)?);
            }
        }
        let drawn = drawn.iter().map(Vec::as_slice);
        self.domain.batch(drawn, streams.len(), self.device)
    }

    /// How many answers of each network are right.
    fn estimate(&self, seeds: &[u64], networks: &Networks) -> Result<Vec<Evaluated>> {
        let mut streams: Vec<_> = seeds.iter().map(|seed| stream(*seed, 2)).collect();
        let mut found = vec![Evaluated::default(); seeds.len()];
        let mut count = |batch: &Batch| -> Result<()> {
            for (sum, more) in found.iter_mut().zip(networks.right(batch)?) {
                *sum += more;
            }
            Ok(())
        };
        if let Some(listed) = &self.listed {
            for inputs in listed.chunks(evaluate::AT_ONCE) {
                let of_each = seeds.iter().flat_map(|_| inputs).map(Vec::as_slice);
                count(&self.domain.batch(of_each, seeds.len(), self.device)?)?;
            }
        } else {
            for inputs in at_once(self.recipe.samples, evaluate::AT_ONCE) {
                count(&self.drawn(inputs, &mut streams)?)?;
            }
        }
        Ok(found)
    }
}

impl Recipe {
    /// The learning rate of a step, numbered from 0.
    pub(super) fn rate(&self, step: usize) -> f64 {
        let risen = (step + 1) as f64 / self.warmup_steps.max(1) as f64;
        let way = step as f64 / self.steps as f64;
        let falling = (1.0 + (std::f64::consts::PI * way).cos()) / 2.0;
        (self.lr_end + (self.lr - self.lr_end) * falling) * risen.min(1.0)
    }
}

/// Adds the weights, times the decay, to their gradients.
pub(super) fn decay(gradients: &mut GradStore, variables: &[Var], decay: f64) -> Result<()> {
    for variable in variables {
        if let Some(gradient) = gradients.get(variable) {
            let more = (gradient + (variable.as_tensor().detach() * decay)?)?;
            gradients.insert(variable, more);
        }
    }
    Ok(())
}
