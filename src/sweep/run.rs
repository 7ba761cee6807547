//! Doing what is missing of a sweep.

use super::config::{Config, Model, Source};
use super::{Manifest, Truth, Unit};
use crate::checker::{Options, exhaustive};
use crate::kind;
use crate::model::{MAX_CONFIG_BYTES, MAX_WEIGHT_BYTES, Network, read_limited};
use crate::output::{Pending, remove_abandoned, unwritable};
use crate::parallel::parallel;
use crate::refusal::Refusal;
use crate::search::{self, MOST_INPUTS, Request, Row, has_levels};
use crate::strategy::Strategy;
use crate::task::{MAX_LABELS_BYTES, labels_file};
use crate::train::{Inputs, Recipe, Trained, evaluate, keep, kept, train};
use candle_core::Device;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Models that were trained, or fetched.
    pub models: usize,
    /// Units that were there already.
    pub found: usize,
    /// Units that were computed, failures included.
    pub computed: usize,
    /// Units, computed or found, that have no result, or a model that cannot be read.
    pub failed: usize,
    /// Models that cannot be read or trained, and units that could not be written: each with its model's name.
    #[serde(skip)]
    pub refused: Vec<(String, Refusal)>,
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
        [Work::Truth]
            .into_iter()
            .chain(strategies)
            .chain(self.frontier.then_some(Work::Frontier))
            .collect()
    }
}

/// Trains the models that are missing in the sweep's folder, and computes the units that are.
///
/// What a unit cannot do is written down as its result; a model that cannot be read is the failure of its units. Neither
/// ends anything.
///
/// # Errors
/// [`Refusal::Unreadable`] when the folder or its manifest cannot be written, or another sweep is there.
pub fn sweep(config: &Config, out: &Path, how: &How<'_>) -> Result<Done, Refusal> {
    create(out)?;
    remove_abandoned(out);
    write_manifest(&config.manifest(), &out.join("manifest.json"))?;
    let (index, count) = how.shard;
    let models: Vec<&Model> = config
        .models
        .iter()
        .skip(index)
        .step_by(count.max(1))
        .collect();
    let (fetched, models) = fetch(&models, out, how);
    let refused = models
        .iter()
        .filter_map(|model| Some((model.name.to_owned(), model.network.clone().err()?)));
    let mut done = Done {
        models: fetched,
        refused: refused.collect(),
        ..Done::default()
    };

    let mut missing = vec![];
    // Every model's first unit before any model's second: the truth after proofs that may tell it, and the dearest, the
    // frontier, last.
    let mut order = config.work();
    order.sort_by_key(|work| match work {
        Work::Strategy(_) => 0,
        Work::Truth => 1,
        Work::Frontier => 2,
    });
    for (work, model) in order
        .into_iter()
        .flat_map(|work| models.iter().map(move |model| (work, model)))
    {
        let path = out
            .join("units")
            .join(model.name)
            .join(format!("{}.json", work.name()));
        match Unit::read(&path).filter(|unit| model.is_done(unit, how.retry)) {
            Some(unit) => {
                done.found += 1;
                done.failed += usize::from(unit.failure.is_some() || model.network.is_err());
            }
            None => missing.push((model, work, path)),
        }
    }
    (how.progress)(Step::Units(missing.len()));
    let results = parallel(missing, how.threads, |_, (model, work, path)| {
        let unit = match &model.network {
            Ok(digest) => {
                let units = out.join("units").join(model.name);
                let known = (work == Work::Truth).then(|| proved(&units, digest));
                known.flatten().unwrap_or_else(|| {
                    let folder = out.join("models").join(model.name);
                    compute(&folder, work, config, &how.device)
                })
            }
            Err(reason) => Unit::failed(reason),
        };
        (how.progress)(Step::One);
        let written = write(&unit, &path).map_err(|reason| (model.name.to_owned(), reason));
        written.map(|()| unit.failure.is_some())
    });
    for result in results {
        match result {
            Ok(failed) => {
                done.computed += 1;
                done.failed += usize::from(failed);
            }
            Err(refused) => done.refused.push(refused),
        }
    }
    Ok(done)
}

/// A model of the sweep, as its folder has it.
struct There<'a> {
    name: &'a str,
    /// The network's digest, or why there is none.
    network: Result<String, Refusal>,
}

impl There<'_> {
    /// Does what became of a unit stand?
    fn is_done(&self, unit: &Unit, retry: bool) -> bool {
        match &self.network {
            Ok(digest) => {
                unit.network.as_ref() == Some(digest) && !(retry && unit.failure.is_some())
            }
            // A result stays for when the model can be read again.
            Err(_) => unit.network.is_some() && unit.failure.is_none(),
        }
    }
}

fn create(folder: &Path) -> Result<(), Refusal> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))
}

/// Says what the sweep is of. More models or units than before are welcome: what is there stays.
fn write_manifest(manifest: &Manifest, path: &Path) -> Result<(), Refusal> {
    if path.exists() {
        let found = Manifest::read(path)?;
        if found.gbmi != manifest.gbmi {
            return Err(unwritable(
                path,
                format!("gbmi {} made it: use another folder", found.gbmi),
            ));
        }
        if found == *manifest {
            return Ok(());
        }
    }
    write(manifest, path)
}

fn write(contents: &impl Serialize, path: &Path) -> Result<(), Refusal> {
    let json = serde_json::to_string_pretty(contents).map_err(|error| unwritable(path, error))?;
    Pending::with_contents(path, format!("{json}\n").as_bytes())?
        .keep()
        .map(drop)
}

/// Trains or copies the models that are missing: how many those are, and what is there then.
fn fetch<'a>(models: &[&'a Model], out: &Path, how: &How<'_>) -> (usize, Vec<There<'a>>) {
    let folder = |name: &str| out.join("models").join(name);
    let is_there = |model: &&Model| {
        let (model, source) = (&model.entry.name, &model.source);
        for folder in [folder(model), out.join("units").join(model)] {
            create(&folder)?;
            remove_abandoned(&folder);
        }
        match source {
            Source::Trained(recipe, seed) => kept(&folder(model), recipe, *seed),
            Source::Found(path) => copied(path, &folder(model)),
        }
    };
    let mut found: Vec<Result<bool, Refusal>> = models.iter().map(is_there).collect();
    let mut untrained: Vec<(&Arc<Recipe>, Vec<u64>)> = vec![];
    for (model, found) in models.iter().zip(&found) {
        let (Source::Trained(recipe, seed), Ok(false)) = (&model.source, found) else {
            continue;
        };
        match untrained.last_mut().filter(|(same, _)| *same == recipe) {
            Some((_, seeds)) => seeds.push(*seed),
            None => untrained.push((recipe, vec![*seed])),
        }
    }
    (how.progress)(Step::Training(
        untrained
            .iter()
            .map(|(recipe, seeds)| recipe.steps * seeds.len())
            .sum(),
    ));
    for (recipe, seeds) in untrained {
        let done = |trained: Vec<Trained>| {
            let keep = |model: &Trained| {
                keep(
                    &folder(&crate::train::name(recipe, model.seed)),
                    recipe,
                    model,
                )
            };
            trained
                .iter()
                .try_for_each(keep)
                .map_err(candle_core::Error::wrap)
        };
        let Err(error) = train(recipe, &seeds, &how.device, how.threads, &done, &|| {
            (how.progress)(Step::One)
        }) else {
            continue;
        };
        for (model, found) in models.iter().zip(&mut found) {
            let of_recipe = matches!(&model.source, Source::Trained(other, _) if other == recipe);
            if of_recipe && !folder(&model.entry.name).join("model.safetensors").exists() {
                *found = Err(Refusal::Unreadable(format!("training failed: {error}")));
            }
        }
    }
    let fetched = found
        .iter()
        .filter(|found| matches!(found, Ok(false)))
        .count();
    let there = |(model, found): (&&'a Model, Result<bool, Refusal>)| {
        let name = &model.entry.name;
        There {
            name,
            network: found.and_then(|_| Ok(kind::load(&folder(name))?.sha256)),
        }
    };
    (fetched, models.iter().zip(found).map(there).collect())
}

/// Is the copy of a model's files there? It is made where it is not, or is that of another network; where the model
/// itself is gone, a copy made earlier will do.
fn copied(from: &Path, folder: &Path) -> Result<bool, Refusal> {
    match (kind::load(from), kind::load(folder)) {
        (Ok(model), Ok(copy)) if model.sha256 == copy.sha256 => return Ok(true),
        (Err(_), Ok(_)) => return Ok(true),
        (Err(reason), Err(_)) => return Err(reason),
        (Ok(_), _) => {}
    }
    let config = read_limited(&from.join("config.json"), MAX_CONFIG_BYTES)?;
    let task = serde_json::from_slice(&config).unwrap_or(serde_json::Value::Null);
    let labels = labels_file(&task["task"]).map(|name| (name, MAX_LABELS_BYTES));
    let weights = ("model.safetensors", MAX_WEIGHT_BYTES);
    let files = labels.into_iter().chain([weights]);
    let copy = |(name, limit): (&str, u64)| {
        Pending::with_contents(&folder.join(name), &read_limited(&from.join(name), limit)?)
    };
    let config = Pending::with_contents(&folder.join("config.json"), &config);
    let pending = std::iter::once(config).chain(files.map(copy));
    Pending::keep_all(pending.collect::<Result<_, _>>()?).map(|()| false)
}

/// The truth of the network of this digest, where a proof among its units has shown it from both sides.
fn proved(units: &Path, digest: &String) -> Option<Unit> {
    let mut walks = [Strategy::Exhaustive, Strategy::BruteForce].into_iter();
    walks.find_map(|strategy| {
        let unit = Unit::read(&units.join(format!("{}.json", strategy.name())))?;
        let of_this = unit.network.as_ref() == Some(digest);
        let mut proofs = unit.proofs.into_iter().filter(|_| of_this);
        let row = proofs.find(|row| row.correct == row.upper)?;
        Some(Unit {
            network: Some(digest.clone()),
            truth: Some(Truth {
                correct: row.correct,
                total: row.total,
                sampled: false,
            }),
            ..Unit::default()
        })
    })
}

/// One unit; whatever goes wrong is its result.
fn compute(model: &Path, work: Work, config: &Config, device: &Device) -> Unit {
    let network = match Network::load(model) {
        Ok(network) => network,
        Err(reason) => return Unit::failed(reason),
    };
    let attempt = catch_unwind(AssertUnwindSafe(|| attempt(&network, work, config, device)));
    let result = attempt.unwrap_or_else(|_| Err("it panicked: please report this".into()));
    Unit {
        network: Some(network.sha256),
        ..result.unwrap_or_else(Unit::failed)
    }
}

fn attempt(
    network: &Network,
    work: Work,
    config: &Config,
    device: &Device,
) -> Result<Unit, String> {
    let refused = |refusal: Refusal| refusal.to_string();
    let options = Options {
        max_flops: config.max_flops,
        ..Options::default()
    };
    let few = network.task.size() <= MOST_INPUTS.into()
        && (has_levels(network) || exhaustive::flops(network) <= config.max_flops.into());
    let start = Instant::now();
    let proofs = match work {
        Work::Truth => {
            let truth = truth(network, few, config.samples, device)?;
            return Ok(Unit {
                truth: Some(truth),
                ..Unit::default()
            });
        }
        Work::Strategy(Strategy::BruteForce) if !few => {
            return Err(format!("not run: {} inputs", network.task.size()));
        }
        Work::Strategy(strategy) => {
            vec![search::prove(network, strategy, None, options).map_err(refused)?]
        }
        Work::Frontier => {
            search::frontier(&Request::new(network, None, options), false).map_err(refused)?
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let strategy = if let Work::Strategy(strategy) = work {
        strategy
    } else {
        Strategy::Auto
    };
    let rows = proofs
        .iter()
        .map(|proof| Row::checked(network, strategy, proof, seconds, options));
    let proofs = rows.collect::<Result<_, _>>().map_err(refused)?;
    Ok(Unit {
        proofs,
        ..Unit::default()
    })
}

/// The true accuracy: exact where every input can be looked at and is decided.
fn truth(network: &Network, few: bool, samples: usize, device: &Device) -> Result<Truth, String> {
    if few {
        let proof = search::prove(
            network,
            Strategy::BruteForce,
            None,
            Options {
                max_flops: u64::MAX,
                ..Options::default()
            },
        );
        let certified = proof.map_err(|refusal| refusal.to_string())?.certified;
        if certified.correct == certified.upper {
            let (correct, total) = (certified.correct.to_string(), certified.total.to_string());
            return Ok(Truth {
                correct,
                total,
                sampled: false,
            });
        }
    }
    let inputs = Inputs::Sampled { samples, seed: 0 };
    let found = evaluate(network, inputs, device).map_err(|error| error.to_string())?;
    Ok(Truth {
        correct: found.correct.to_string(),
        total: found.total.to_string(),
        sampled: true,
    })
}
