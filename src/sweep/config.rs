//! `sweep.toml`: which models, and which strategies.

use super::{Entry, Manifest, is_plain};
use crate::output::distinct;
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use crate::train::{self, Recipe, Said, seeds};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a sweep is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The models, in the order of the tables.
    pub models: Vec<Model>,
    /// The strategies, each once.
    pub strategies: Vec<Strategy>,
    /// Also the frontier of our own proofs.
    pub frontier: bool,
    /// Units that take more FLOPs, or more integer operations, than this fail.
    pub max_flops: u64,
    /// Inputs drawn to estimate the accuracy of models with too many inputs to look at each.
    pub samples: usize,
}

/// One model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its names.
    pub entry: Entry,
    /// Where it comes from.
    pub source: Source,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// It is trained.
    Trained(Arc<Recipe>, u64),
    /// It is in this folder.
    Found(PathBuf),
}

/// The file, but for the recipes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    train: Vec<toml::Table>,
    #[serde(default)]
    models: Vec<PathBuf>,
    strategies: Vec<String>,
    #[serde(default)]
    frontier: bool,
    #[serde(default = "most_flops")]
    max_flops: u64,
    #[serde(default = "samples")]
    samples: usize,
}

fn most_flops() -> u64 {
    crate::checker::DEFAULT_MAX_FLOPS
}

fn samples() -> usize {
    1_000_000
}

impl Config {
    /// Reads the text of a configuration; the folders of its models are below `folder`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`], which says where, what was expected and what was found.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Refusal> {
        let wrong = |reason: String| {
            Refusal::Unreadable(format!("the sweep's configuration: {}", reason.trim_end()))
        };
        let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let mut models = vec![];
        for table in file.train {
            models.extend(
                trained(table, folder).map_err(|reason| wrong(format!("train: {reason}")))?,
            );
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = models
            .iter()
            .find(|model| !names.insert(model.entry.name.clone()))
        {
            return Err(wrong(format!(
                "two models have the name {}",
                twice.entry.name
            )));
        }
        let mut folders = BTreeSet::new();
        for path in &file.models {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|name| is_plain(name));
            let name = name
                .ok_or_else(|| wrong(format!("models: no name of a folder: {}", path.display())))?;
            if !folders.insert(path) {
                return Err(wrong(format!("models: {} is there twice", path.display())));
            }
            // Folders of one name differ in more than a seed.
            let unique = distinct(name, &mut names);
            let group = name.rsplit_once("_seed").map_or(name, |(group, _)| group);
            let entry = Entry {
                group: format!("{group}{}", &unique[name.len()..]),
                name: unique,
            };
            models.push(Model {
                entry,
                source: Source::Found(folder.join(path)),
            });
        }
        if models.is_empty() {
            return Err(wrong(
                "no models: give [[train]] tables, or models = [folders]".into(),
            ));
        }
        let mut strategies = vec![];
        for name in &file.strategies {
            for strategy in Strategy::group(name)
                .ok_or_else(|| wrong(format!("no strategy has the name {name:?}")))?
            {
                if !strategies.contains(&strategy) {
                    strategies.push(strategy);
                }
            }
        }
        let File {
            frontier,
            max_flops,
            samples,
            ..
        } = file;
        Ok(Self {
            models,
            strategies,
            frontier,
            max_flops,
            samples,
        })
    }

    /// What the sweep's folder says of it.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            gbmi: env!("CARGO_PKG_VERSION").into(),
            models: self
                .models
                .iter()
                .map(|model| model.entry.clone())
                .collect(),
            units: self.work().iter().map(super::Work::name).collect(),
        }
    }
}

/// The models of one `[[train]]` table: a recipe, and seeds.
fn trained(
    mut table: toml::Table,
    folder: &Path,
) -> Result<impl Iterator<Item = Model> + use<>, String> {
    let expected = || "expected seeds = \"0..151\" or a single seed".to_string();
    let range = match table.remove("seeds") {
        Some(toml::Value::String(text)) => seeds(&text)?,
        Some(toml::Value::Integer(seed)) => seeds(&seed.to_string())?,
        _ => return Err(expected()),
    };
    let said = Said::deserialize(table).map_err(|error| error.to_string())?;
    let recipe = Recipe::new(said, folder).map_err(|refusal| refusal.to_string())?;
    let recipe = Arc::new(recipe);
    Ok(range.map(move |seed| Model {
        entry: Entry {
            name: train::name(&recipe, seed),
            group: train::group(&recipe),
        },
        source: Source::Trained(Arc::clone(&recipe), seed),
    }))
}
