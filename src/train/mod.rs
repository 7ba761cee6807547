//! Training: many models at once, by the recipes of the original's experiments, on the CPU or a card.
//!
//! Models that differ in their seed only are one tensor with a dimension over seeds. A model depends on its seed, its
//! recipe and the device, and neither on the models beside it nor on the number of threads. Untrusted and in float32.

mod data;
mod evaluate;
mod experiments;
mod files;
mod groups;
mod network;
mod parameters;
mod recipe;
mod trainer;
mod weights;

pub use evaluate::{Evaluated, Inputs, evaluate};
pub use files::{group, keep, kept, name};
pub use parameters::Parameter;
pub use recipe::{Architecture, Batches, Biases, Method, Normalization, Recipe, Said, Start};

use candle_core::Device;
use candle_core::Result as Computed;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use trainer::Trainer;

/// What keeps the optimisers from dividing by zero.
pub(crate) const EPS: f64 = 1e-8;
/// How many models a thread trains at a time, if they are small: few enough for a core's cache.
const ABREAST: usize = 2;
/// Those are small whose residual streams in a step have at most so many numbers.
const SMALL: usize = 1 << 16;
/// Models trained together on a card have residual streams of at most so many numbers.
const ON_A_CARD: usize = 1 << 28;

/// A trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Its seed.
    pub seed: u64,
    /// Its weights.
    pub weights: Vec<(Parameter, Vec<f32>)>,
    /// The mean loss over a batch, in nats, at some steps.
    pub losses: Vec<(usize, f32)>,
    /// How many answers are right.
    pub evaluated: Evaluated,
    /// They are those of all inputs, trained on or not; else of [`Recipe::samples`] inputs that are drawn.
    pub all: bool,
}

/// The random numbers of a seed: apart for the weights (0), the inputs trained on (1), those of the estimate (2), of an
/// evaluation (3), of nothing in particular (4), and for which inputs are trained on (5).
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
    let trainer = Trainer::new(recipe, device, progress)?;
    let queue = Mutex::new(groups(recipe, seeds, device));
    let work = || -> Computed<()> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(group) = next else { return Ok(()) };
            done(trainer.train(group)?)?;
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
pub fn groups<'a>(
    recipe: &Recipe,
    seeds: &'a [u64],
    device: &Device,
) -> std::slice::Chunks<'a, u64> {
    let inputs = match recipe.batch_size {
        Batches::Of(inputs) => inputs,
        // Two values, as a rule.
        Batches::Full => recipe.d_vocab * recipe.d_vocab,
    };
    let numbers = inputs * recipe.n_ctx * recipe.d_model.max(recipe.d_mlp);
    seeds.chunks(if !device.is_cpu() {
        (ON_A_CARD / numbers.max(1)).max(1)
    } else if numbers <= SMALL {
        ABREAST
    } else {
        1
    })
}

/// So many inputs, in parts of at most `most`.
fn at_once(inputs: usize, most: usize) -> impl Iterator<Item = usize> {
    (0..inputs)
        .step_by(most)
        .map(move |start| most.min(inputs - start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;
    use serde_json::json;
    use std::path::Path;
    use trainer::decay;

    /// Recipes with every option between them, small and of few steps.
    fn recipes() -> Vec<Recipe> {
        let recipes = [
            json!({"d_vocab": 6, "d_model": 8, "batch_size": 16}),
            json!({"task": {"name": "argmax_of_n", "eos": 5}, "n_heads": 3, "d_head": 2, "normalization_type": "LN"}),
            json!({"task": {"name": "sorted_list", "length": 2, "separator": 4}, "d_model": 6, "d_mlp": 5,
                "normalization_type": "LN"}),
            json!({"task": {"name": "modular", "function": "add", "p": 3}, "attention_rate": 0.25, "d_model": 8}),
            json!({"task": {"name": "modular", "function": "add", "p": 3, "eos": 3}, "attention_rate": 1.0,
                "d_model": 8, "normalization_type": "LNPre", "train_ratio": 0.5, "batch_size": 32}),
            json!({"task": {"name": "group", "group": "S3"}, "d_model": 5, "d_mlp": 7}),
            json!({"task": {"name": "induction", "inputs": "exhaustive"}, "d_vocab": 3, "n_ctx": 4, "d_model": 6,
                "n_layers": 3, "n_heads": 2, "batch_size": 8, "trained_biases": "all"}),
        ];
        let recipe = |said: serde_json::Value| {
            let mut said = said.as_object().unwrap().clone();
            said.insert("steps".into(), 60.into());
            said.insert("samples".into(), 100.into());
            Recipe::new(said, Path::new("")).unwrap()
        };
        recipes.map(recipe).to_vec()
    }

    fn trained(recipe: &Recipe, seeds: &[u64], threads: usize) -> Vec<Trained> {
        let found = Mutex::new(vec![]);
        let done = |more: Vec<Trained>| {
            found.lock().unwrap().extend(more);
            Ok(())
        };
        train(recipe, seeds, &Device::Cpu, threads, &done, &|| ()).unwrap();
        let mut found = found.into_inner().unwrap();
        found.sort_by_key(|trained| trained.seed);
        found
    }

    #[test]
    fn a_model_depends_on_its_seed_alone() {
        for recipe in recipes() {
            let together = trained(&recipe, &[0, 1, 2, 3], 2);
            let apart = [trained(&recipe, &[3], 1), trained(&recipe, &[2, 0], 1)].concat();
            let expected = [3, 0, 2].map(|seed: usize| together[seed].clone());
            assert!(apart == expected, "{}", recipe.task);
            assert_ne!(together[0].weights, together[1].weights);
            let [first, last] = [0, 1].map(|at| together[0].losses[at].1);
            assert!(last < first, "{:?}: {first} to {last}", recipe.task);
        }
    }

    #[test]
    fn what_is_trained_is_the_network_of_its_files() {
        for recipe in recipes() {
            let model = &trained(&recipe, &[5], 1)[0];
            let folder = tempfile::tempdir().unwrap();
            keep(folder.path(), &recipe, model).unwrap();
            assert!(kept(folder.path(), &recipe, 5).unwrap());
            assert!(kept(folder.path(), &recipe, 6).is_err());
            let network = crate::model::Network::load(folder.path()).unwrap();
            let counted = crate::answers::count(&network, 1, &|| ());
            let found = evaluate(&network, Inputs::All, &Device::Cpu).unwrap();
            assert_eq!((found.correct.into(), found.total.into()), counted);
            // Near-ties aside, float32 answers the same; none of these models has one.
            if model.all {
                assert_eq!(model.evaluated, found);
            }
            let frozen = model
                .weights
                .iter()
                .filter(|(parameter, _)| !parameter.trained);
            assert!(
                frozen
                    .flat_map(|(_, entries)| entries)
                    .all(|entry| *entry == 0.0)
            );
        }
    }

    #[test]
    fn rates_rise_and_fall() {
        let said = json!({"lr": 0.5, "lr_end": 0.1, "warmup_steps": 4, "steps": 100});
        let recipe = Recipe::new(said.as_object().unwrap().clone(), Path::new("")).unwrap();
        assert!((recipe.rate(0) - 0.125).abs() < 1e-12);
        assert!((recipe.rate(50) - 0.3).abs() < 1e-12);
        assert!(recipe.rate(99) < 0.1002 && recipe.rate(4) > 0.498);
    }

    #[test]
    fn adams_decay_is_part_of_the_gradient() {
        let variable = Var::new(&[2.0_f64], &Device::Cpu).unwrap();
        let mut gradients = (variable.as_tensor() * -1.0).unwrap().backward().unwrap();
        decay(&mut gradients, std::slice::from_ref(&variable), 0.75).unwrap();
        let gradient = gradients.get(&variable).unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(gradient, [-1.0 + 0.75 * 2.0]);
    }
}
