//! `gbmi report`.

use super::streams::{folder, stage};
use super::{Failure, aligned, json, tell, threads};
use crate::numerals::grouped;
use crate::report::{Means, Report, report};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of a sweep
    #[arg(value_name = "DIR")]
    sweep: PathBuf,
    /// Where the report goes [default: the folder `report` in the sweep's]
    #[arg(long, value_name = "FOLDER", value_parser = folder())]
    out: Option<PathBuf>,
    /// Number of threads; the report does not depend on it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| args.sweep.join("report"));
    stage(format_args!("reading {}", args.sweep.display()));
    let report = report(&args.sweep, &out, threads(args.threads))?;
    tell(&if args.json {
        json(&report)?
    } else {
        text(&report)
    });
    Ok(())
}

/// The best bounds of each group, and where the rest is.
fn text(report: &Report) -> String {
    let mut text = String::new();
    for Means {
        group,
        models,
        mean_accuracy,
        best,
    } in &report.groups
    {
        let share = |mean: Option<f64>| mean.map_or("–".into(), |mean| format!("{mean:.5}"));
        let head = ["best proofs", "models", "bound", "÷ true", "FLOPs"].map(String::from);
        let rows = best.iter().map(|best| {
            [
                best.of.into(),
                best.models.to_string(),
                share(Some(best.mean_bound)),
                share(best.mean_bound_over_true),
                grouped(&format!("{:.0}", best.mean_flops)),
            ]
        });
        let table: Vec<_> = std::iter::once(head).chain(rows).collect();
        let accuracy = share(*mean_accuracy);
        text += &format!("{group}: {models} models, mean accuracy {accuracy}\n");
        text += &format!("{}\n", aligned(&table));
    }
    if report.missing > 0 {
        let missing = report.missing;
        text += &format!("{missing} units have no result: see failures.csv\n");
    }
    text + &format!("written {}\n", report.index.display())
}
