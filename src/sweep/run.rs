//! Doing what is missing of a sweep.

use super::config::{Config, Model, Source};
use super::{Manifest, Truth, Unit};
use crate::checker::{Options, parallel};
use crate::kind;
use crate::model::{MAX_CONFIG_BYTES, MAX_WEIGHT_BYTES, Network, read_limited};
use crate::output::{Pending, unwritable};
use crate::refusal::Refusal;
use crate::search::{self, MOST_INPUTS, Row};
use crate::strategy::Strategy;
use crate::train::{Inputs, Recipe, Trained, evaluate, keep, kept, train};
use candle_core::Device;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One unit of work on a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// How many inputs are answered correctly.
    Truth,
    /// Our own proofs from the shortest to the longest.
    Frontier,
    /// One strategy.
    Strategy(Strategy),
}

impl Work {
    /// The name of its file.
    pub fn name(&self) -> String {
        match self {
            Self::Truth => "truth".into(),
            Self::Frontier => "frontier".into(),
            Self::Strategy(strategy) => strategy.name().into_owned(),
        }
    }
}

/// What a run of a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    /// Models that were trained, or fetched.
    pub models: usize,
    /// Units that were there already.
    pub found: usize,
    /// Units that were computed, failures included.
    pub computed: usize,
    /// Units, computed or found, that have no result.
    pub failed: usize,
}

/// How a sweep is run.
#[derive(Clone)]
pub struct How<'a> {
    /// Of every `shard.1` models the one numbered `shard.0`, from 0.
    pub shard: (usize, usize),
    /// Compute units again that failed.
    pub retry: bool,
    /// Where models are trained and evaluated.
    pub device: Device,
    /// Number of threads; the results do not depend on it.
    pub threads: usize,
    /// Called with the number of steps that there are, and then after every step.
    pub progress: &'a (dyn Fn(Step) + Sync),
}

/// How far a sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There are so many models to train.
    Training(usize),
    /// There are so many units to compute.
    Units(usize),
    /// One of them is done.
    One,
}

impl Config {
    /// The work on every model.
    pub fn work(&self) -> Vec<Work> {
        let strategies = self.strategies.iter().copied().map(Work::Strategy);
        [Work::Truth].into_iter().chain(strategies).chain(self.frontier.then_some(Work::Frontier)).collect()
    }
}

/// Trains the models that are missing in the sweep's folder, and computes the units that are.
///
/// # Errors
/// [`Refusal::Unreadable`] for what cannot be read or written, when another sweep is in the folder, or when training
/// fails. What a unit cannot do is written down as its result, and ends nothing.
pub fn sweep(config: &Config, out: &Path, how: &How<'_>) -> Result<Done, Refusal> {
    create(out)?;
    write_manifest(&config.manifest(), &out.join("manifest.json"))?;
    let (index, count) = how.shard;
    let models: Vec<&Model> = config.models.iter().skip(index).step_by(count.max(1)).collect();
    let mut done = Done { models: fetch(&models, out, how)?, ..Done::default() };

    let mut missing = vec![];
    for model in &models {
        create(&out.join("units").join(&model.entry.name))?;
    }
    // Every model's first unit before any model's second: the dearest, the frontier, comes last.
    for (work, model) in config.work().into_iter().flat_map(|work| models.iter().map(move |model| (work, model))) {
        let path = out.join("units").join(&model.entry.name).join(format!("{}.json", work.name()));
        match Unit::read(&path).filter(|unit| !how.retry || unit.failure.is_none()) {
            Some(unit) => {
                done.found += 1;
                done.failed += usize::from(unit.failure.is_some());
            }
            None => missing.push((out.join("models").join(&model.entry.name), work, path)),
        }
    }
    done.computed = missing.len();
    (how.progress)(Step::Units(missing.len()));
    let results = parallel(missing, how.threads, |_, (model, work, path): (PathBuf, Work, PathBuf)| {
        let unit = compute(&model, work, config, &how.device);
        let json = serde_json::to_string(&unit).map_err(|error| unwritable(&path, error))?;
        Pending::with_contents(&path, format!("{json}\n").as_bytes())?.keep()?;
        (how.progress)(Step::One);
        Ok(usize::from(unit.failure.is_some()))
    });
    done.failed += results.into_iter().sum::<Result<usize, Refusal>>()?;
    Ok(done)
}

fn create(folder: &Path) -> Result<(), Refusal> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))
}

/// Says what the sweep is of. More models or units than before are welcome: what is there stays.
fn write_manifest(manifest: &Manifest, path: &Path) -> Result<(), Refusal> {
    if path.exists() {
        let found = Manifest::read(path)?;
        if found.gbmi != manifest.gbmi {
            return Err(unwritable(path, format!("gbmi {} made it: use another folder", found.gbmi)));
        }
        if found == *manifest {
            return Ok(());
        }
    }
    let json = serde_json::to_string_pretty(manifest).map_err(|error| unwritable(path, error))?;
    Pending::with_contents(path, format!("{json}\n").as_bytes())?.keep().map(drop)
}

/// Trains or copies the models that are missing; how many those are.
fn fetch(models: &[&Model], out: &Path, how: &How<'_>) -> Result<usize, Refusal> {
    let mut untrained: Vec<(&Recipe, Vec<u64>)> = vec![];
    let mut fetched = 0;
    for model in models {
        let folder = out.join("models").join(&model.entry.name);
        create(&folder)?;
        match &model.source {
            Source::Trained(recipe, seed) => {
                if kept(&folder, recipe, *seed)? {
                    continue;
                }
                match untrained.last_mut().filter(|(same, _)| *same == recipe) {
                    Some((_, seeds)) => seeds.push(*seed),
                    None => untrained.push((recipe, vec![*seed])),
                }
            }
            Source::Found(path) => {
                if !copy(path, &folder)? {
                    continue;
                }
            }
        }
        fetched += 1;
    }
    (how.progress)(Step::Training(untrained.iter().map(|(recipe, seeds)| recipe.steps * seeds.len()).sum()));
    for (recipe, seeds) in untrained {
        let done = |trained: Vec<Trained>| {
            let keep =
                |model: &Trained| keep(&out.join("models").join(crate::train::name(recipe, model.seed)), recipe, model);
            trained.iter().try_for_each(keep).map_err(candle_core::Error::wrap)
        };
        train(recipe, &seeds, &how.device, how.threads, &done, &|| (how.progress)(Step::One))
            .map_err(|error| Refusal::Unreadable(format!("training failed: {error}")))?;
    }
    Ok(fetched)
}

/// Copies a model's two files, unless they are there already.
fn copy(from: &Path, folder: &Path) -> Result<bool, Refusal> {
    let network = kind::load(from)?;
    if folder.join("model.safetensors").exists() {
        if Network::load(folder)?.sha256 == network.sha256 {
            return Ok(false);
        }
        return Err(unwritable(folder, "another model is there: use another folder, or remove it"));
    }
    let files = [("config.json", MAX_CONFIG_BYTES), ("model.safetensors", MAX_WEIGHT_BYTES)];
    let copy = |(name, limit): (&str, u64)| {
        Pending::with_contents(&folder.join(name), &read_limited(&from.join(name), limit)?)?.keep().map(drop)
    };
    files.into_iter().try_for_each(copy).map(|()| true)
}

/// One unit; whatever goes wrong is its result.
fn compute(model: &Path, work: Work, config: &Config, device: &Device) -> Unit {
    let attempt = catch_unwind(AssertUnwindSafe(|| attempt(model, work, config, device)));
    let result = attempt.unwrap_or_else(|_| Err("it panicked: please report this".into()));
    result.unwrap_or_else(|reason| Unit { failure: Some(reason), ..Unit::default() })
}

fn attempt(model: &Path, work: Work, config: &Config, device: &Device) -> Result<Unit, String> {
    let refused = |refusal: Refusal| refusal.to_string();
    let network = Network::load(model).map_err(refused)?;
    let options = Options { max_flops: config.max_flops, ..Options::default() };
    let few = network.config.inputs() <= MOST_INPUTS.into();
    let start = Instant::now();
    let proofs = match work {
        Work::Truth => {
            let truth = truth(&network, few, config.samples, device)?;
            return Ok(Unit { truth: Some(truth), ..Unit::default() });
        }
        Work::Strategy(Strategy::BruteForce) if !few => {
            return Err(format!("not run: {} inputs", network.config.inputs()));
        }
        Work::Strategy(strategy) => vec![search::prove(&network, strategy, None, options).map_err(refused)?],
        Work::Frontier => search::frontier(&network, false, None, options).map_err(refused)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let strategy = if let Work::Strategy(strategy) = work { strategy } else { Strategy::Auto };
    let rows = proofs.iter().map(|proof| Row::checked(&network, strategy, proof, seconds, options));
    let proofs = rows.collect::<Result<_, _>>().map_err(refused)?;
    Ok(Unit { proofs, ..Unit::default() })
}

/// The true accuracy: exact where every input can be looked at and is decided.
fn truth(network: &Network, few: bool, samples: usize, device: &Device) -> Result<Truth, String> {
    if few {
        let proof =
            search::prove(network, Strategy::BruteForce, None, Options { max_flops: u64::MAX, ..Options::default() });
        let certified = proof.map_err(|refusal| refusal.to_string())?.certified;
        if certified.correct == certified.upper {
            let (correct, total) = (certified.correct.to_string(), certified.total.to_string());
            return Ok(Truth { correct, total, sampled: false });
        }
    }
    let inputs = Inputs::Sampled { samples, seed: 0 };
    let found = evaluate(network, inputs, device, 1).map_err(|error| error.to_string())?;
    Ok(Truth { correct: found.correct.to_string(), total: found.total.to_string(), sampled: true })
}
