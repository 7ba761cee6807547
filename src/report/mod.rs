//! What came of a sweep: tables, figures and pages, from the files that it left.
//!
//! Means are over the models of a group, which differ in their seed only; ± is the standard deviation over them. Models of
//! one group have one task and one architecture. Nothing here is exact but the counts in `results.csv`.

mod figures;
mod page;
mod paper;
mod summary;

use crate::inspect::{Inspection, inspect, parts};
use crate::kind;
use crate::model::Network;
use crate::numerals::{decimal, fraction};
use crate::output::{Pending, distinct, unwritable};
use crate::parallel::parallel;
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use crate::sweep::{Entry, Manifest, Row, Truth, Unit, is_plain};
use num_bigint::BigUint;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
pub use summary::{Best, Means};
use summary::{Table, summary};

/// Everything that is known of one model.
struct Model {
    entry: Entry,
    network: Network,
    /// What it consists of, in words.
    parts: String,
    /// Of one head of Max-of-n.
    inspection: Option<Inspection>,
    truth: Option<Truth>,
    /// Proofs by unit, in the manifest's order.
    proofs: Vec<(String, Row)>,
}

/// A unit without a result, and why.
#[derive(Serialize)]
struct Missing {
    model: String,
    unit: String,
    reason: String,
}

/// Models that differ in their seed only.
struct Group {
    name: String,
    models: Vec<Model>,
}

impl Group {
    /// Is the model of this group, by its name, its task and its architecture?
    fn has(&self, model: &Model) -> bool {
        self.models.first().is_some_and(|first| {
            let of = |model: &Model| (model.network.sizes, model.network.task_name.clone());
            first.entry.group == model.entry.group
                && first.parts == model.parts
                && of(first) == of(model)
        })
    }
}

/// What a report is about, in few numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The page to begin with.
    pub index: PathBuf,
    /// The means of each group.
    pub groups: Vec<Means>,
    /// How many units have no result: see `failures.csv`.
    pub missing: usize,
}

/// Writes the report of the sweep in `folder` into the folder `out`: `index.html` with a page for each model, the
/// figures, `results.csv`, `timings.csv`, `failures.csv`, `summary.csv` and `summary.md`.
///
/// # Errors
/// [`Refusal::Unreadable`] when there is no sweep, or a file cannot be written. Units that are missing or unreadable, or
/// of a model that is, are listed as failures.
pub fn report(folder: &Path, out: &Path, threads: usize) -> Result<Report, Refusal> {
    let manifest = Manifest::read(&folder.join("manifest.json"))?;
    // Names become paths.
    let mut names = manifest
        .models
        .iter()
        .map(|model| &model.name)
        .chain(&manifest.units);
    if let Some(bad) = names.find(|name| !is_plain(name)) {
        return Err(Refusal::Unreadable(format!(
            "the sweep's manifest: {bad:?} is no name of a file"
        )));
    }
    let read = parallel(manifest.models.clone(), threads, |_, entry| {
        Model::read(folder, entry, &manifest.units)
    });
    let (mut groups, mut names): (Vec<Group>, _) = (vec![], BTreeSet::new());
    let mut missing: Vec<Missing> = vec![];
    for (model, more) in read {
        missing.extend(more);
        let Some(model) = model else { continue };
        match groups.iter_mut().find(|group| group.has(&model)) {
            Some(group) => group.models.push(model),
            None => groups.push(Group {
                name: distinct(&model.entry.group, &mut names),
                models: vec![model],
            }),
        }
    }
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    let summaries: Vec<Vec<Table>> = groups.iter().map(summary).collect();
    let tables = || groups.iter().zip(&summaries);
    let overview = summary::overview(&groups);
    let mut sections: Vec<String> = tables()
        .map(|(group, tables)| markdown(&group.name, tables))
        .collect();
    if !groups.is_empty() {
        sections.insert(0, markdown("All groups", std::slice::from_ref(&overview)));
    }
    if !missing.is_empty() {
        sections.push(markdown(
            "Without a result",
            &[summary::missing(&missing, manifest.units.len())],
        ));
    }
    write(&out.join("summary.md"), sections.join("\n").as_bytes())?;
    write_csv(
        &out.join("summary.csv"),
        tables().flat_map(|(group, tables)| summary::lines(&group.name, tables)),
    )?;
    let models = || groups.iter().flat_map(|group| &group.models);
    write_csv(&out.join("results.csv"), models().flat_map(Model::results))?;
    write_csv(&out.join("timings.csv"), models().flat_map(Model::timings))?;
    write_csv(&out.join("failures.csv"), missing.iter())?;

    let drawn = parallel(groups.iter().collect(), threads, |_, group| {
        figures::of_group(group, out)
    });
    let drawn = drawn.into_iter().collect::<Result<Vec<_>, _>>()?;
    let pages = parallel(models().collect(), threads, |_, model| {
        page::of_model(model, out)
    });
    pages.into_iter().collect::<Result<(), _>>()?;
    let index = out.join("index.html");
    write(
        &index,
        page::index(&groups, &overview, &summaries, &drawn, &missing).as_bytes(),
    )?;
    Ok(Report {
        index,
        groups: groups.iter().map(Means::of).collect(),
        missing: missing.len(),
    })
}

fn write(path: &Path, contents: &[u8]) -> Result<(), Refusal> {
    Pending::with_contents(path, contents)?.keep().map(drop)
}

fn write_csv(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<(), Refusal> {
    let mut writer = csv::Writer::from_writer(vec![]);
    for row in rows {
        writer
            .serialize(row)
            .map_err(|error| unwritable(path, error))?;
    }
    write(
        path,
        &writer
            .into_inner()
            .map_err(|error| unwritable(path, error))?,
    )
}

/// One proof, without what differs from run to run.
#[derive(Serialize)]
struct Line<'a> {
    group: &'a str,
    model: &'a str,
    unit: &'a str,
    strategy: &'a str,
    class: &'a str,
    correct: &'a str,
    upper: &'a str,
    total: &'a str,
    bound: String,
    /// Rounded down.
    bound_decimal: String,
    /// Over the true or the estimated accuracy.
    bound_over_true: Option<String>,
    flops: u64,
    int_ops: u64,
    unexplained_dimension: &'a str,
    bytes: usize,
}

#[derive(Serialize)]
struct Timing<'a> {
    model: &'a str,
    unit: &'a str,
    prove_seconds: f64,
    check_seconds: f64,
}

impl Model {
    /// What there is of a model, if it can be read, and what is missing.
    fn read(folder: &Path, entry: Entry, units: &[String]) -> (Option<Self>, Vec<Missing>) {
        let network = kind::load(&folder.join("models").join(&entry.name));
        let (mut truth, mut proofs, mut missing) = (None, vec![], vec![]);
        for name in units {
            let path = folder
                .join("units")
                .join(&entry.name)
                .join(format!("{name}.json"));
            let reason = match (Unit::read(&path), &network) {
                (None, _) if path.exists() => "its file cannot be read".into(),
                (None, _) => "not run".into(),
                (
                    Some(Unit {
                        failure: Some(reason),
                        ..
                    }),
                    _,
                ) => reason,
                (_, Err(reason)) => format!("the model cannot be read: {reason}"),
                (Some(unit), Ok(network)) if unit.network.as_ref() == Some(&network.sha256) => {
                    truth = unit.truth.or(truth);
                    proofs.extend(unit.proofs.into_iter().map(|row| (name.clone(), row)));
                    continue;
                }
                _ => "computed on another network than the model's: run the sweep again".into(),
            };
            missing.push(Missing {
                model: entry.name.clone(),
                unit: name.clone(),
                reason,
            });
        }
        let model = network.ok().map(|network| Self {
            parts: parts(&network),
            inspection: network.max_of_n().ok().map(|network| inspect(&network)),
            network,
            entry,
            truth,
            proofs,
        });
        (model, missing)
    }

    /// σ₁/σ₂ of the QK circuit, of one head of Max-of-n.
    fn ratio(&self) -> Option<f64> {
        self.inspection.as_ref()?.qk.ratio
    }

    /// The true or the estimated accuracy.
    fn accuracy(&self) -> Option<f64> {
        self.truth
            .as_ref()
            .map(|truth| ratio(&truth.correct, &truth.total))
    }

    /// Proofs of the published strategies.
    fn published(&self) -> impl Iterator<Item = &Row> {
        let published = |row: &Row| {
            Strategy::named(&row.strategy).is_some_and(|strategy| {
                let ours = strategy == Strategy::Exhaustive || Strategy::OWN.contains(&strategy);
                strategy == Strategy::BruteForce || !ours
            })
        };
        self.proofs
            .iter()
            .map(|(_, row)| row)
            .filter(move |row| published(row))
    }

    /// The proofs of a unit.
    fn of_unit<'a>(&'a self, unit: &'a str) -> impl Iterator<Item = &'a Row> {
        self.proofs
            .iter()
            .filter(move |(name, _)| name == unit)
            .map(|(_, row)| row)
    }

    fn results(&self) -> impl Iterator<Item = Line<'_>> {
        self.proofs.iter().map(|(unit, row)| Line {
            group: &self.entry.group,
            model: &self.entry.name,
            unit,
            strategy: &row.strategy,
            class: &row.class,
            correct: &row.correct,
            upper: &row.upper,
            total: &row.total,
            bound: fraction(&whole(&row.correct), &whole(&row.total)),
            bound_decimal: decimal(&whole(&row.correct), &whole(&row.total)),
            bound_over_true: self.truth.as_ref().map(|truth| {
                let (correct, total) = (whole(&row.correct), whole(&row.total));
                decimal(
                    &(correct * whole(&truth.total)),
                    &(total * whole(&truth.correct)),
                )
            }),
            flops: row.flops,
            int_ops: row.int_ops,
            unexplained_dimension: &row.unexplained_dimension,
            bytes: row.bytes,
        })
    }

    fn timings(&self) -> impl Iterator<Item = Timing<'_>> {
        self.proofs.iter().map(|(unit, row)| {
            let Row {
                prove_seconds,
                check_seconds,
                ..
            } = *row;
            Timing {
                model: &self.entry.name,
                unit,
                prove_seconds,
                check_seconds,
            }
        })
    }
}

/// A decimal integer; 0 for anything else.
fn whole(digits: &str) -> BigUint {
    BigUint::parse_bytes(digits.as_bytes(), 10).unwrap_or_default()
}

/// `part / all`; 0 where that means nothing.
fn ratio(part: &str, all: &str) -> f64 {
    let number = |digits: &str| digits.parse::<f64>().unwrap_or(0.0);
    let ratio = number(part) / number(all);
    if ratio.is_finite() { ratio } else { 0.0 }
}

fn bound(row: &Row) -> f64 {
    ratio(&row.correct, &row.total)
}

/// Tables in Markdown, below the group's name.
fn markdown(group: &str, tables: &[Table]) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("## {group}\n");
    for table in tables {
        text += &format!(
            "\n{}\n\n{}|{}\n",
            table.title,
            row(&table.head),
            "---|".repeat(table.head.len())
        );
        text.extend(table.rows.iter().map(|cells| row(cells)));
    }
    text
}
