//! `gbmi compare`.

use super::arguments::natural;
use super::check::Arithmetic;
use super::progress::Progress;
use super::refused::{Place, Refused};
use super::streams::{folder, stage};
use super::{Common, Failure, MOST_INPUTS, aligned, csv, json, model, print, truth};
use crate::bundled::BUNDLED;
use crate::checker::Certified;
use crate::model::Network;
use crate::numerals::{decimal, fraction, grouped};
use crate::output::{Pending, distinct, unwritable};
use crate::refusal::Refusal;
use crate::search::prove_optimised;
use crate::strategy::{CLASSES, Strategy, unexplained_dimension};
use num_bigint::BigUint;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The models: folders with model.safetensors and config.json [default: the bundled max_of_4_seed123]
    #[arg(value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// Names of strategies, or `own`, `published`, `all`; with commas between them
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "all", value_parser = strategies)]
    strategies: Vec<Strategies>,
    /// Only strategies of these classes
    #[arg(long, value_name = "SLUG", value_delimiter = ',', value_parser = CLASSES)]
    class: Vec<String>,
    /// Move what the published strategies hint uphill, so many steps
    #[cfg(feature = "optimise")]
    #[arg(long, value_name = "STEPS", default_value_t = 0, value_parser = natural::<usize>)]
    optimise: usize,
    /// The arithmetic that every certificate is checked in once more
    #[arg(long, value_enum, default_value_t = Arithmetic::Fixed)]
    arithmetic: Arithmetic,
    /// Decline proofs that take more FLOPs, or more integer operations, than this
    #[arg(long, value_name = "N", default_value_t = crate::checker::DEFAULT_MAX_FLOPS, value_parser = natural::<u64>)]
    max_flops: u64,
    /// Number of threads; the result does not depend on it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Write every certificate into this folder, as MODEL/STRATEGY.json
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: Option<PathBuf>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON array on one line
    #[arg(long)]
    json: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

/// One word of `--strategies`.
type Strategies = Vec<Strategy>;

fn strategies(name: &str) -> Result<Strategies, String> {
    Strategy::group(name)
        .ok_or_else(|| "expected own, published, all, or names: see `gbmi strategies`".into())
}

/// One strategy on one model; without a strategy, a model that cannot be read.
#[derive(Default, Serialize)]
struct Row {
    model: String,
    class: Option<&'static str>,
    strategy: Option<String>,
    verdict: &'static str,
    correct: Option<String>,
    total: Option<String>,
    bound: Option<String>,
    /// Rounded down.
    bound_decimal: Option<String>,
    /// The bound over the true accuracy, where that is known.
    bound_over_true: Option<String>,
    flops: Option<u64>,
    /// The FLOPs over those of `exhaustive`, the baseline, where that is among the strategies.
    flops_over_exhaustive: Option<String>,
    int_ops: Option<u64>,
    unexplained_dimension: Option<String>,
    bytes: Option<usize>,
    prove_seconds: Option<f64>,
    check_seconds: Option<f64>,
    /// Why there is no proof, or no certificate.
    code: Option<&'static str>,
    at: Option<String>,
    expected: Option<String>,
    found: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn cells(&self) -> [String; 8] {
        let dash = || "–".to_string();
        let digits = |number: String| grouped(&number);
        let seconds = self.prove_seconds.zip(self.check_seconds);
        let flops = self.flops.map(|flops| digits(flops.to_string()));
        [
            self.class.unwrap_or_default().into(),
            self.strategy.clone().unwrap_or_default(),
            self.bound_decimal
                .clone()
                .unwrap_or_else(|| self.verdict.to_lowercase()),
            self.bound_over_true.clone().unwrap_or_else(dash),
            flops.unwrap_or_else(dash),
            self.flops_over_exhaustive.clone().unwrap_or_else(dash),
            self.unexplained_dimension.clone().map_or_else(dash, digits),
            seconds.map_or_else(dash, |(prove, check)| format!("{:.2}", prove + check)),
        ]
    }

    fn refuse(&mut self, refused: Refused) {
        let Place {
            at,
            expected,
            found,
        } = refused.place;
        (self.verdict, self.code) = (refused.verdict, Some(refused.code));
        (self.at, self.expected, self.found) = (at, expected, found);
        self.reason = Some(refused.reason);
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut chosen: Vec<Strategy> = vec![];
    for strategy in args.strategies.iter().flatten() {
        let wanted =
            args.class.is_empty() || args.class.iter().any(|class| class == strategy.class());
        if wanted && !chosen.contains(strategy) {
            chosen.push(*strategy);
        }
    }
    chosen.sort_by_key(|strategy| CLASSES.iter().position(|class| *class == strategy.class()));
    if chosen.is_empty() {
        return Err(Failure::Usage(
            "no strategy is of the classes asked for".into(),
        ));
    }
    let bundled = [None];
    let named: Vec<_> = args
        .models
        .iter()
        .map(|path| Some(path.as_path()))
        .collect();
    let models = if named.is_empty() {
        bundled.as_slice()
    } else {
        named.as_slice()
    };
    let progress = Progress::new(models.len() * chosen.len(), args.quiet);
    let (mut rows, mut refused, mut folders) = (vec![], vec![], BTreeSet::new());
    for path in models {
        let known = |found: model::Model| Ok((truth(&found.network, &args.common())?, found));
        let (truth, found) = match model::named(*path).and_then(known) {
            Ok(found) => found,
            Err(reason) => {
                let model = path.unwrap_or(Path::new(BUNDLED)).display().to_string();
                let mut row = Row {
                    model: model.clone(),
                    ..Row::default()
                };
                row.refuse((&reason).into());
                rows.push(row);
                refused.push((model, reason));
                continue;
            }
        };
        let name = path
            .and_then(Path::file_name)
            .unwrap_or("model".as_ref())
            .to_string_lossy();
        let out = args
            .out
            .as_ref()
            .map(|out| out.join(distinct(&name, &mut folders)));
        let first = rows.len();
        for strategy in &chosen {
            stage(format_args!("{}, {}", found.source, strategy.name()));
            let mut row = Row {
                model: found.source.clone(),
                class: Some(strategy.class()),
                strategy: Some(strategy.name().into_owned()),
                verdict: "ACCEPTED",
                total: Some(found.network.task.size().to_string()),
                ..Row::default()
            };
            if let Err(reason) = args.fill(
                &mut row,
                &found.network,
                *strategy,
                truth.as_ref(),
                out.as_deref(),
            ) {
                row.refuse((&reason).into());
                refused.push((format!("{}, {}", row.model, strategy.name()), reason));
            }
            rows.push(row);
            progress.step();
        }
        beside_the_baseline(&mut rows[first..]);
    }
    drop(progress);
    print(&if args.json {
        json(&rows)?
    } else if args.csv {
        csv(&rows)?
    } else {
        text(&rows)
    })?;
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Failure::Several(refused))
    }
}

impl Args {
    fn common(&self) -> Common {
        let Self {
            max_flops,
            threads,
            json,
            ..
        } = *self;
        Common {
            max_flops,
            threads,
            json,
            quiet: true,
        }
    }

    /// Proves, writes into a folder, and checks.
    fn fill(
        &self,
        row: &mut Row,
        network: &Network,
        strategy: Strategy,
        truth: Option<&BigUint>,
        out: Option<&Path>,
    ) -> Result<(), Refusal> {
        let total = network.task.size();
        if matches!(strategy, Strategy::Exhaustive | Strategy::BruteForce)
            && total > MOST_INPUTS.into()
        {
            row.refuse(Refused {
                verdict: "DECLINED",
                place: Place {
                    at: Some("inputs".into()),
                    expected: Some(MOST_INPUTS.to_string()),
                    found: Some(total.to_string()),
                },
                ..Refused::other("too_large", &format!("{total} inputs are too many to walk"))
            });
            return Ok(());
        }
        let common = self.common();
        let start = Instant::now();
        #[cfg(feature = "optimise")]
        let moves = self.optimise;
        #[cfg(not(feature = "optimise"))]
        let moves = 0;
        let proof = match prove_optimised(network, strategy, moves, None, common.options(&|| ())) {
            Ok(proof) => proof,
            Err(reason @ Refusal::Declined(_)) => {
                row.refuse((&reason).into());
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        row.prove_seconds = Some(start.elapsed().as_secs_f64());
        if let Some(folder) = out {
            std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
            Pending::with_contents(
                &folder.join(format!("{}.json", strategy.name())),
                &proof.text,
            )?
            .keep()?;
        }
        let start = Instant::now();
        let (_, check) = self.arithmetic.checker();
        let certificate = crate::certificate::Certificate::read(&proof.text)?;
        let Certified { correct, meter, .. } = check(network, &certificate, &common)?;
        row.check_seconds = Some(start.elapsed().as_secs_f64());
        row.bound = Some(fraction(&correct, &total));
        row.bound_decimal = Some(decimal(&correct, &total));
        row.bound_over_true = truth.map(|truth| decimal(&correct, truth));
        row.correct = Some(correct.to_string());
        (row.flops, row.int_ops) = (Some(meter.flops()), Some(meter.int_ops()));
        row.unexplained_dimension = Some(unexplained_dimension(&certificate, network).to_string());
        row.bytes = Some(proof.text.len());
        Ok(())
    }
}

/// Fills in the lengths of one model's proofs over that of its baseline.
fn beside_the_baseline(rows: &mut [Row]) {
    let name = Strategy::Exhaustive.name();
    let is_baseline = |row: &&Row| row.strategy.as_deref() == Some(&*name);
    let Some(baseline) = rows.iter().find(is_baseline).and_then(|row| row.flops) else {
        return;
    };
    for row in rows {
        let over = |flops: u64| decimal(&flops.into(), &baseline.into());
        row.flops_over_exhaustive = row.flops.map(over);
    }
}

/// The column of a table that only there is where the baseline is.
const BASELINE: usize = 5;

/// A table for each model.
fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for model in rows.chunk_by(|a, b| a.model == b.model) {
        let has_baseline = model.iter().any(|row| row.flops_over_exhaustive.is_some());
        let head = [
            "class",
            "strategy",
            "bound",
            "÷ true",
            "FLOPs",
            "÷ exhaustive",
            "unexplained",
            "seconds",
        ];
        let lines = std::iter::once(head.map(String::from)).chain(model.iter().map(Row::cells));
        let without = |(column, cell)| (column != BASELINE || has_baseline).then_some(cell);
        let table: Vec<Vec<String>> = lines
            .map(|cells| cells.into_iter().enumerate().filter_map(without).collect())
            .collect();
        // A reason that several strategies share stands once.
        let mut refusals: Vec<(String, &str)> = vec![];
        for row in model {
            let Some(reason) = &row.reason else { continue };
            let named = row.strategy.clone().unwrap_or_else(|| row.model.clone());
            match refusals.iter_mut().find(|(_, known)| known == reason) {
                Some((names, _)) => *names += &format!(", {named}"),
                None => refusals.push((named, reason)),
            }
        }
        let refusals: String = refusals
            .iter()
            .map(|(names, reason)| format!("{names}: {reason}\n"))
            .collect();
        text += &format!(
            "{}{}\n{}{refusals}",
            if text.is_empty() { "" } else { "\n" },
            model[0].model,
            aligned(&table)
        );
    }
    text
}
