//! Many models, many strategies: what a sweep is of, and what became of it, as files that a report reads.
//!
//! A folder holds `manifest.json` (a [`Manifest`]), the models in `models/NAME`, and one file for every unit of work,
//! `units/NAME/UNIT.json` (a [`Unit`]). A unit is `truth`, `frontier`, or a strategy's name. Each file appears only when
//! whole, so a sweep that is interrupted goes on where it was; and it says which network it is about.

mod config;
mod run;

pub use crate::search::Row;
pub use config::Config;
pub use run::{Done, How, Step, Work, sweep};

use crate::model::read_limited;
use crate::refusal::Refusal;
use crate::strategy::CLASSES;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a sweep is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version that wrote it.
    pub gbmi: String,
    /// The models, in the order of the tables.
    pub models: Vec<Entry>,
    /// The units of every model, in the order of the tables.
    pub units: Vec<String>,
}

/// One model of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, and that of its folders; unique.
    pub name: String,
    /// Models of one group differ in their seed only; tables give means over groups.
    pub group: String,
}

/// What became of one unit of work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// SHA-256 of the network that it was computed on; none where the model could not be read.
    pub network: Option<String>,
    /// The proofs: one for a strategy, as many as there are for a frontier (shortest first), none for `truth`.
    pub proofs: Vec<Row>,
    /// The true accuracy, of the unit `truth` only.
    pub truth: Option<Truth>,
    /// Why there is no result.
    pub failure: Option<String>,
}

/// How many inputs a model answers correctly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Inputs answered correctly, as a decimal integer.
    pub correct: String,
    /// Of so many.
    pub total: String,
    /// Drawn at random, instead of all there are, and judged in floating point: not exact, only likely.
    pub sampled: bool,
}

/// Can this name of a model or unit be that of a file, in a folder of them?
pub fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\'])
}

/// The largest file of a sweep's folder that is read, in bytes.
const MOST_BYTES: u64 = 64 << 20;

impl Manifest {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when it is not there, or is something else.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        serde_json::from_slice(&read_limited(path, MOST_BYTES)?).map_err(|error| {
            Refusal::Unreadable(format!(
                "{} is no manifest of a sweep: {error}",
                path.display()
            ))
        })
    }
}

impl Unit {
    /// Without a result.
    pub fn failed(reason: impl ToString) -> Self {
        Self {
            failure: Some(reason.to_string()),
            ..Self::default()
        }
    }

    /// Reads a unit's file; `None` when it is not there, or is something else.
    pub fn read(path: &Path) -> Option<Self> {
        let unit: Self = serde_json::from_slice(&read_limited(path, MOST_BYTES).ok()?).ok()?;
        let number = |digits: &String| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let row = |row: &Row| {
            [
                &row.correct,
                &row.upper,
                &row.total,
                &row.unexplained_dimension,
            ]
            .into_iter()
            .all(number)
                && CLASSES.contains(&row.class.as_str())
        };
        let truth = unit
            .truth
            .iter()
            .all(|truth| number(&truth.correct) && number(&truth.total));
        (truth && unit.proofs.iter().all(row)).then_some(unit)
    }
}
