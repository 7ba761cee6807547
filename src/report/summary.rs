//! Means over the models of a group.

use super::paper::{self, published};
use super::{Group, Missing, Model, bound};
use crate::numerals::grouped;
use crate::strategy::CLASSES;
use crate::sweep::Row;
use serde::Serialize;

/// A table with a title.
pub(super) struct Table {
    pub(super) title: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// A mean, and the standard deviation over models: of one, 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mean {
    pub(super) count: usize,
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Mean {
    /// `None` of no numbers.
    pub(super) fn of(numbers: &[f64]) -> Option<Self> {
        let count = numbers.len();
        let mean = numbers.iter().sum::<f64>() / count as f64;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        let deviation = if count > 1 {
            (squares / (count - 1) as f64).sqrt()
        } else {
            0.0
        };
        (count > 0).then_some(Self {
            count,
            mean,
            deviation,
        })
    }
}

/// One proof for each of some models, with the model's accuracy where that is known.
pub(super) struct Proofs {
    pub(super) bound: Option<Mean>,
    pub(super) over_true: Option<Mean>,
    pub(super) flops: Option<Mean>,
    pub(super) dimension: Option<Mean>,
}

impl Proofs {
    /// Of the proof that `pick` picks for each model.
    pub(super) fn of<'a>(group: &'a Group, pick: impl Fn(&'a Model) -> Option<&'a Row>) -> Self {
        let picked: Vec<(&Model, &Row)> = group
            .models
            .iter()
            .filter_map(|model| Some((model, pick(model)?)))
            .collect();
        let mean = |of: &dyn Fn(&Model, &Row) -> Option<f64>| {
            let numbers: Vec<f64> = picked
                .iter()
                .filter_map(|(model, row)| of(model, row))
                .collect();
            Mean::of(&numbers)
        };
        Self {
            bound: mean(&|_, row| Some(bound(row))),
            over_true: mean(&|model, row| Some(bound(row) / model.accuracy()?)),
            flops: mean(&|_, row| Some(row.flops as f64)),
            dimension: mean(&|_, row| row.unexplained_dimension.parse().ok()),
        }
    }
}

/// The published proof of a class with the best bound; of equal ones the shortest.
pub(super) fn best<'a>(model: &'a Model, class: &str) -> Option<&'a Row> {
    let of_class = model.published().filter(|row| row.class == class);
    of_class.max_by(|a, b| bound(a).total_cmp(&bound(b)).then(b.flops.cmp(&a.flops)))
}

/// The best proof of the frontier within a number of FLOPs.
pub(super) fn within(model: &Model, budget: f64) -> Option<&Row> {
    let affordable = model
        .of_unit("frontier")
        .filter(|row| row.flops as f64 <= budget);
    affordable.max_by(|a, b| bound(a).total_cmp(&bound(b)))
}

/// Round numbers of FLOPs, from where every model's frontier has begun to the longest proof of any.
pub(super) fn budgets(group: &Group, count: usize) -> Vec<f64> {
    let flops = |model: &Model| {
        model
            .of_unit("frontier")
            .map(|row| row.flops as f64)
            .collect::<Vec<f64>>()
    };
    let all: Vec<Vec<f64>> = group.models.iter().map(flops).collect();
    let shortest = all
        .iter()
        .filter_map(|flops| flops.iter().copied().reduce(f64::min));
    let (least, most) = (
        shortest.fold(0.0, f64::max),
        all.iter().flatten().copied().fold(0.0, f64::max),
    );
    if most == 0.0 {
        return vec![];
    }
    let round = |value: f64| {
        let unit = 10_f64.powf(value.log10().floor() - 2.0);
        (value / unit).ceil() * unit
    };
    let place = |step: usize| round(least * (most / least).powf(step as f64 / (count - 1) as f64));
    let mut budgets: Vec<f64> = (0..count).map(place).collect();
    budgets.dedup();
    budgets
}

/// How many published strategies no proof of the frontier dominates: has as high a bound in as few FLOPs.
fn undominated(model: &Model) -> usize {
    let dominated = |row: &Row| {
        let mut own = model.of_unit("frontier");
        own.any(|own| {
            own.flops <= row.flops && super::whole(&own.correct) >= super::whole(&row.correct)
        })
    };
    model.published().filter(|row| !dominated(row)).count()
}

/// What matters most of a group: means over its models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Means {
    /// The group's name.
    pub group: String,
    /// How many models there are.
    pub models: usize,
    /// The mean of the accuracies that are known.
    pub mean_accuracy: Option<f64>,
    /// The baseline, our exact proof, then the best one of the frontier, then the best published one of each class, of those that there
    /// are.
    pub best: Vec<Best>,
}

/// The proofs with the best bound of one kind, one a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Best {
    /// `exhaustive`, `exact`, `frontier`, or a class of published strategies.
    pub of: &'static str,
    /// How many models have one.
    pub models: usize,
    /// The mean of the bounds.
    pub mean_bound: f64,
    /// That of the bounds over the true accuracies, where those are known.
    pub mean_bound_over_true: Option<f64>,
    /// That of the proofs' lengths.
    pub mean_flops: f64,
}

impl Means {
    pub(super) fn of(group: &Group) -> Self {
        let accuracies: Vec<f64> = group.models.iter().filter_map(Model::accuracy).collect();
        let mean = |mean: Option<Mean>| mean.map(|mean| mean.mean);
        let found = |of, proofs: Proofs| {
            Some(Best {
                of,
                models: proofs.bound?.count,
                mean_bound: mean(proofs.bound)?,
                mean_bound_over_true: mean(proofs.over_true),
                mean_flops: mean(proofs.flops)?,
            })
        };
        let unit = |unit| Proofs::of(group, |model| model.of_unit(unit).next());
        let frontier = Proofs::of(group, |model| within(model, f64::INFINITY));
        let own = [
            ("exhaustive", unit("exhaustive")),
            ("exact", unit("exact")),
            ("frontier", frontier),
        ];
        let published = CLASSES.map(|class| (class, Proofs::of(group, |model| best(model, class))));
        let all = own.into_iter().chain(published);
        Self {
            group: group.name.clone(),
            models: group.models.len(),
            mean_accuracy: mean(Mean::of(&accuracies)),
            best: all.filter_map(|(of, proofs)| found(of, proofs)).collect(),
        }
    }
}

/// Our strategies, the baseline first.
pub(super) const OWN: [&str; 5] = [
    "exhaustive",
    "exact",
    "exact-one-sided",
    "subcubic",
    "cubic",
];

/// A line for each group, so that its tasks and architectures stand beside each other: accuracies, and the length of the
/// shortest proof of ours that is exact on every model, beside the baseline's.
pub(super) fn overview(groups: &[Group]) -> Table {
    let line = |group: &Group| {
        let first = group.models.first()?;
        let accuracies: Vec<f64> = group.models.iter().filter_map(Model::accuracy).collect();
        let flops = |unit: &str| {
            let proofs = Proofs::of(group, |model| model.of_unit(unit).next());
            proofs.flops
        };
        let (baseline, exact) = (flops("exhaustive"), flops("exact"));
        let ratio = baseline.zip(exact).map(|(baseline, exact)| {
            let ratio = exact.mean / baseline.mean;
            format!("{ratio:.2e}")
        });
        let task = &first.network.task_name;
        Some(vec![
            group.name.clone(),
            task.get("name").unwrap_or(task).as_str()?.to_owned(),
            first.parts.clone(),
            group.models.len().to_string(),
            shown(Mean::of(&accuracies)),
            how(group),
            lengths(baseline),
            lengths(exact),
            ratio.unwrap_or_else(dash),
        ])
    };
    Table {
        title: "Every group: the true accuracy, and proofs' lengths beside the baseline, which evaluates every \
                input."
            .into(),
        head: [
            "group",
            "task",
            "architecture",
            "models",
            "accuracy, mean ± sd",
            "how",
            "FLOPs of exhaustive",
            "FLOPs of exact",
            "exact ÷ exhaustive",
        ]
        .map(String::from)
        .to_vec(),
        rows: groups.iter().filter_map(line).collect(),
    }
}

/// How a group's accuracies are known.
fn how(group: &Group) -> String {
    let truths: Vec<_> = group.models.iter().flat_map(|model| &model.truth).collect();
    match truths.iter().filter(|truth| truth.sampled).count() {
        0 => "exact".into(),
        sampled => format!("{sampled} of {} estimated", truths.len()),
    }
}

/// The tables of a group.
pub(super) fn summary(group: &Group) -> Vec<Table> {
    let tables = [
        accuracy(group),
        own(group),
        classes(group),
        strategies(group),
    ];
    tables
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

fn accuracy(group: &Group) -> Table {
    let accuracies: Vec<f64> = group.models.iter().filter_map(Model::accuracy).collect();
    let config = group
        .models
        .first()
        .and_then(|model| model.network.max_of_n().ok())
        .map(|model| model.config);
    let (mut title, mut rows) = ("The true accuracy.", vec![]);
    let mut head = vec!["models", "how", "mean ± sd", "standard error", "lowest"];
    if let Some(found) = Mean::of(&accuracies) {
        let error = |deviation: f64, count: f64| deviation / count.sqrt();
        let ours = error(found.deviation, found.count as f64);
        let lowest = accuracies.iter().copied().fold(f64::INFINITY, f64::min);
        rows.push(vec![
            found.count.to_string(),
            how(group),
            shown(Some(found)),
            format!("{ours:.5}"),
            format!("{lowest:.4}"),
        ]);
        if let Some(paper) = config.and_then(|config| published(&config)) {
            let (mean, deviation) = paper.accuracy;
            let difference = (found.mean - mean) / ours.hypot(error(deviation, paper::SEEDS));
            title = "The true accuracy, beside the published one (151 seeds).";
            head.extend(["published", "difference in standard errors"]);
            rows[0].extend([format!("{mean} ± {deviation}"), format!("{difference:+.2}")]);
        }
    }
    Table {
        title: title.into(),
        head: head.into_iter().map(String::from).collect(),
        rows,
    }
}

fn own(group: &Group) -> Table {
    const BUDGETS: usize = 8;
    let mut rows = vec![];
    let mut push = |name: String, proofs: &Proofs| {
        if proofs.bound.is_some() {
            rows.push(cells(name, proofs));
        }
    };
    for strategy in OWN {
        push(
            strategy.into(),
            &Proofs::of(group, |model| model.of_unit(strategy).next()),
        );
    }
    for budget in budgets(group, BUDGETS) {
        let name = format!(
            "frontier, at most {} FLOPs",
            grouped(&format!("{budget:.0}"))
        );
        push(name, &Proofs::of(group, |model| within(model, budget)));
    }
    let with: Vec<&Model> = group
        .models
        .iter()
        .filter(|model| model.of_unit("frontier").next().is_some())
        .collect();
    let left: Vec<usize> = with.iter().map(|model| undominated(model)).collect();
    let note = if left.is_empty() {
        String::new()
    } else {
        let all = left.iter().filter(|left| **left == 0).count();
        let most = left.iter().max().copied().unwrap_or(0);
        format!(
            " On {all} of {} models the frontier dominates every published strategy; on none it leaves more than {most}.",
            left.len()
        )
    };
    Table {
        title: format!("Our own proofs.{note}"),
        head: head("proofs"),
        rows,
    }
}

fn classes(group: &Group) -> Table {
    let paper = group
        .models
        .first()
        .and_then(|model| model.network.max_of_n().ok())
        .and_then(|model| published(&model.config));
    let of_paper = |class: &str| {
        let found = paper
            .as_ref()?
            .classes
            .iter()
            .find(|(name, ..)| *name == class)?;
        Some(format!("{} ± {}", found.1, found.2))
    };
    let row = |class: &&str| {
        let proofs = Proofs::of(group, |model| best(model, class));
        proofs.bound?;
        let mut cells = cells((*class).into(), &proofs);
        cells.push(of_paper(class).unwrap_or_else(|| "–".into()));
        Some(cells)
    };
    let mut head = head("class");
    head.push("published ÷ true".into());
    Table {
        title:
            "The published strategies, in sound form: the best bound of each class for each model."
                .into(),
        head,
        rows: CLASSES.iter().filter_map(row).collect(),
    }
}

fn strategies(group: &Group) -> Table {
    let mut names: Vec<(&str, &str)> = vec![];
    for row in group.models.iter().flat_map(Model::published) {
        if !names.contains(&(&row.class, &row.strategy)) {
            names.push((&row.class, &row.strategy));
        }
    }
    names.sort_by_key(|(class, _)| CLASSES.iter().position(|known| known == class));
    let row = |(_, name): &(&str, &str)| {
        cells(
            (*name).into(),
            &Proofs::of(group, |model| {
                model.published().find(|row| row.strategy == *name)
            }),
        )
    };
    Table {
        title: "Every published strategy.".into(),
        head: head("strategy"),
        rows: names.iter().map(row).collect(),
    }
}

/// What is missing of each model, of so many units.
pub(super) fn missing(missing: &[Missing], units: usize) -> Table {
    const SHOWN: usize = 5;
    let row = |of_model: &[Missing]| {
        let names: Vec<&str> = of_model
            .iter()
            .take(SHOWN)
            .map(|missing| missing.unit.as_str())
            .collect();
        let more = if of_model.len() > SHOWN { ", …" } else { "" };
        vec![
            of_model[0].model.clone(),
            format!("{} of {units}", of_model.len()),
            names.join(", ") + more,
        ]
    };
    Table {
        title: "Each unit and the reason are in failures.csv.".into(),
        head: ["model", "units", "which"].map(String::from).to_vec(),
        rows: missing
            .chunk_by(|a, b| a.model == b.model)
            .map(row)
            .collect(),
    }
}

fn head(first: &str) -> Vec<String> {
    [
        first,
        "models",
        "bound",
        "÷ true",
        "FLOPs",
        "unexplained dimension",
    ]
    .map(String::from)
    .to_vec()
}

fn cells(name: String, proofs: &Proofs) -> Vec<String> {
    let models = proofs.bound.map_or(0, |mean| mean.count).to_string();
    vec![
        name,
        models,
        shown(proofs.bound),
        shown(proofs.over_true),
        lengths(proofs.flops),
        lengths(proofs.dimension),
    ]
}

/// A mean of whole numbers.
fn lengths(mean: Option<Mean>) -> String {
    let digits = |value: f64| {
        if value < 1e15 {
            grouped(&format!("{value:.0}"))
        } else {
            format!("{value:.2e}")
        }
    };
    match mean {
        None => dash(),
        Some(Mean {
            mean, deviation, ..
        }) if deviation > 0.0 => format!("{} ± {}", digits(mean), digits(deviation)),
        Some(mean) => digits(mean.mean),
    }
}

fn dash() -> String {
    "–".into()
}

/// A share, to five decimals.
fn shown(mean: Option<Mean>) -> String {
    mean.map_or_else(dash, |mean| {
        format!("{:.5} ± {:.5}", mean.mean, mean.deviation)
    })
}

/// One cell of a table, for `summary.csv`.
#[derive(Serialize)]
pub(super) struct Cell {
    group: String,
    table: String,
    row: String,
    column: String,
    value: String,
}

/// The cells of tables, one by one.
pub(super) fn lines(group: &str, tables: &[Table]) -> Vec<Cell> {
    let mut lines = vec![];
    for table in tables {
        let title = table.title.split('.').next().unwrap_or_default();
        for row in &table.rows {
            for (column, value) in table.head.iter().zip(row) {
                lines.push(Cell {
                    group: group.into(),
                    table: title.into(),
                    row: row[0].clone(),
                    column: column.clone(),
                    value: value.clone(),
                });
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_is_that_of_a_sample() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!((mean.count, mean.mean), (4, 3.0));
        assert!((mean.deviation - (14.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(
            (Mean::of(&[]), Mean::of(&[0.5]).unwrap().deviation),
            (None, 0.0)
        );
    }
}
