//! `gbmi frontier`.

use super::arguments::Named;
use super::progress::Progress;
use super::prove::suggestion;
use super::streams::{folder, stage};
use super::{Common, Failure, MOST_INPUTS, aligned, csv, json, model, print, tell, truth};
use crate::checker::Certified;
use crate::inspect::{Bounds, Format, Point, Series, draw_bounds};
use crate::numerals::{decimal, fraction, grouped};
use crate::output::{Pending, unwritable};
use crate::search::{self, Proof, Request};
use crate::strategy::{CLASSES, Strategy};
use num_bigint::BigUint;
use num_traits::ToPrimitive;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: Named,
    #[command(flatten)]
    common: Common,
    /// The published strategies beside it (brute force for few inputs only)
    #[arg(long)]
    published: bool,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Write frontier.csv, frontier.json, the picture and the frontier's certificates, 01.json and so on, into this folder
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: Option<PathBuf>,
    /// The picture's format
    #[arg(long, value_enum, default_value_t = Formats::Both, requires = "out")]
    format: Formats,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Formats {
    Svg,
    Png,
    Both,
}

impl Formats {
    fn all(self) -> &'static [Format] {
        match self {
            Self::Svg => &[Format::Svg],
            Self::Png => &[Format::Png],
            Self::Both => &[Format::Svg, Format::Png],
        }
    }
}

/// One proof.
#[derive(Serialize)]
struct Row {
    strategy: String,
    class: &'static str,
    flops: u64,
    int_ops: u64,
    correct: String,
    total: String,
    bound: String,
    /// Rounded down.
    bound_decimal: String,
    /// The bound over the true accuracy, where that is known.
    bound_over_true: Option<String>,
    bytes: usize,
    /// Does a proof of the frontier prove as much in as few FLOPs? Not said of the frontier itself.
    dominated: Option<bool>,
    /// The file's name in the folder.
    certificate: Option<String>,
}

impl Row {
    fn new(strategy: Strategy, proof: &Proof, truth: Option<&BigUint>) -> Self {
        let certified = &proof.certified;
        Self {
            strategy: strategy.name().into_owned(),
            class: strategy.class(),
            flops: certified.meter.flops(),
            int_ops: certified.meter.int_ops(),
            correct: certified.correct.to_string(),
            total: certified.total.to_string(),
            bound: fraction(&certified.correct, &certified.total),
            bound_decimal: decimal(&certified.correct, &certified.total),
            bound_over_true: truth.map(|truth| decimal(&certified.correct, truth)),
            bytes: proof.text.len(),
            dominated: None,
            certificate: None,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = &args.common;
    let found = model::named(args.model.path())?;
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    }
    let progress = Progress::open_ended(common.quiet);
    let step = || progress.step();
    let options = common.options(&step);
    let network = &found.network;
    stage("counting right inputs by brute force, if they are few");
    let truth = truth(network, common)?;
    stage("proofs at many prices");
    let beside = args
        .out
        .as_ref()
        .and_then(|out| suggestion(args.model.path(), &out.join(name(0))));
    let frontier = search::frontier(&Request::new(network, beside, options), false)?;
    let row = |(index, proof)| Row {
        certificate: args.out.as_ref().map(|_| name(index)),
        ..Row::new(Strategy::Auto, proof, truth.as_ref())
    };
    let mut rows: Vec<Row> = frontier.iter().enumerate().map(row).collect();
    let mut proofs = frontier;
    let length = proofs.len();
    let few = network.task.size() <= MOST_INPUTS.into();
    let published = Strategy::published()
        .filter(|strategy| args.published && (few || *strategy != Strategy::BruteForce));
    for strategy in published {
        stage(strategy.name());
        let proof = search::prove(network, strategy, None, options)?;
        let dominates = |own: &Proof| {
            let (own, other) = (&own.certified, &proof.certified);
            own.meter.flops() <= other.meter.flops() && own.correct >= other.correct
        };
        let dominated = Some(proofs[..length].iter().any(dominates));
        rows.push(Row {
            dominated,
            ..Row::new(strategy, &proof, truth.as_ref())
        });
        proofs.push(proof);
    }
    drop(progress);
    if let Some(out) = &args.out {
        write(out, &proofs[..length], &rows)?;
        let name = Path::new(&found.source)
            .file_name()
            .unwrap_or("model".as_ref());
        let title = format!("{}: proved accuracy against proof length", name.display());
        let bounds = bounds(title, &proofs, &rows, length);
        for format in args.format.all() {
            draw_bounds(&bounds, out, "frontier", *format)?;
        }
    }
    let shown = if common.json {
        json(&rows)?
    } else if args.csv {
        csv(&rows)?
    } else {
        text(&rows, length)
    };
    match &args.out {
        Some(_) => tell(&shown),
        None => print(&shown)?,
    }
    Ok(())
}

/// The name of a certificate's file.
fn name(index: usize) -> String {
    format!("{:02}.json", index + 1)
}

/// Writes the tables and the certificates: all files appear once all are whole.
fn write(out: &Path, frontier: &[Proof], rows: &[Row]) -> Result<(), Failure> {
    let mut files = vec![
        ("frontier.csv".into(), csv(rows)?.into_bytes()),
        ("frontier.json".into(), json(rows)?.into()),
    ];
    files.extend(
        frontier
            .iter()
            .enumerate()
            .map(|(index, proof)| (name(index), proof.text.clone())),
    );
    let pending = files
        .iter()
        .map(|(name, text)| Pending::with_contents(&out.join(name), text));
    Pending::keep_all(pending.collect::<Result<_, _>>()?)?;
    Ok(())
}

/// What is drawn: the published strategies by class.
fn bounds(title: String, proofs: &[Proof], rows: &[Row], length: usize) -> Bounds {
    let point = |proof: &Proof| {
        let share = |count: &BigUint| count.to_f64().unwrap_or(f64::MAX);
        let Certified {
            correct,
            total,
            meter,
            ..
        } = &proof.certified;
        Point {
            across: meter.flops() as f64,
            bound: share(correct) / share(total),
            spread: 0.0,
        }
    };
    let of_class = |class: &str| {
        let points: Vec<_> = rows
            .iter()
            .zip(proofs)
            .skip(length)
            .filter(|(row, _)| row.class == class)
            .collect();
        let points = points.into_iter().map(|(_, proof)| point(proof)).collect();
        Series {
            name: class.into(),
            points,
        }
    };
    Bounds {
        title,
        across: "FLOPs of the proof",
        upwards: "accuracy proved, at least",
        line: Some(Series {
            name: "our frontier".into(),
            points: proofs[..length].iter().map(point).collect(),
        }),
        others: CLASSES
            .map(of_class)
            .into_iter()
            .filter(|series| !series.points.is_empty())
            .collect(),
    }
}

/// The frontier, and the published strategies with the best bound in their class.
fn text(rows: &[Row], length: usize) -> String {
    let (frontier, published) = rows.split_at(length);
    let cells = |row: &Row| {
        [
            grouped(&row.flops.to_string()),
            grouped(&row.int_ops.to_string()),
            grouped(&row.correct),
            row.bound_decimal.clone(),
            row.bound_over_true.clone().unwrap_or_else(|| "–".into()),
            grouped(&row.bytes.to_string()),
        ]
    };
    let head = ["FLOPs", "int. ops", "certified", "bound", "÷ true", "bytes"].map(String::from);
    let table: Vec<_> = [head.clone()]
        .into_iter()
        .chain(frontier.iter().map(cells))
        .collect();
    let mut text = aligned(&table);
    if published.is_empty() {
        return text;
    }
    let [flops, int_ops, certified, bound, over_true, bytes] = head;
    let mut best = vec![[
        "class".into(),
        flops,
        int_ops,
        certified,
        bound,
        over_true,
        bytes,
        "strategy".into(),
    ]];
    for class in CLASSES {
        let rows = published.iter().filter(|row| row.class == class);
        if let Some(row) =
            rows.max_by_key(|row| (row.bound_decimal.clone(), std::cmp::Reverse(row.flops)))
        {
            let [flops, int_ops, certified, bound, over_true, bytes] = cells(row);
            best.push([
                class.into(),
                flops,
                int_ops,
                certified,
                bound,
                over_true,
                bytes,
                row.strategy.clone(),
            ]);
        }
    }
    text += &format!("\n{}", aligned(&best));
    let left: Vec<&str> = published
        .iter()
        .filter(|row| row.dominated == Some(false))
        .map(|row| row.strategy.as_str())
        .collect();
    text += &match left.as_slice() {
        [] => format!(
            "\nall {} published strategies are dominated\n",
            published.len()
        ),
        left => format!(
            "\n{} of {} published strategies are not dominated: {}\n",
            left.len(),
            published.len(),
            left.join(", ")
        ),
    };
    text
}
