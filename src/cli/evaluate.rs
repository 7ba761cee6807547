//! `gbmi evaluate`.

use super::arguments::{Named, positive};
use super::progress::Progress;
use super::streams::stage;
use super::train::{On, as_candle_is_fastest};
use super::{Failure, model, print, threads};
use crate::answers;
use crate::numerals::{decimal, grouped};
use crate::train::{Inputs, evaluate};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: Named,
    /// Draw this many inputs at random, instead of looking at every one
    #[arg(long, value_name = "N", value_parser = positive::<u32>)]
    samples: Option<u32>,
    /// The seed of the inputs drawn
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "samples")]
    seed: u64,
    /// Where to evaluate
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    device: On,
    /// Number of threads; the result does not depend on it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

/// Every input of a model with more than this many would take days.
const MOST_INPUTS: u64 = 1 << 36;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    as_candle_is_fastest();
    let found = model::named(args.model.path())?;
    let inputs = match args.samples {
        Some(samples) => Inputs::Sampled {
            samples: samples as usize,
            seed: args.seed,
        },
        None if found.network.task.size() <= MOST_INPUTS.into() => Inputs::All,
        None => {
            let total = grouped(&found.network.task.size().to_string());
            return Err(Failure::Usage(format!(
                "{total} inputs are too many: draw some with --samples"
            )));
        }
    };
    let device = args.device.device()?;
    stage("counting right inputs, in floating point");
    let start = std::time::Instant::now();
    let mut error = None;
    let (correct, total) = if inputs == Inputs::All && device.is_cpu() {
        let progress = Progress::open_ended(args.quiet);
        answers::count(&found.network, threads(args.threads), &|| progress.step())
    } else {
        let evaluated = evaluate(&found.network, inputs, &device)
            .map_err(|error| Failure::Other(format!("the evaluation failed: {error}")))?;
        error = args.samples.map(|_| evaluated.standard_error());
        (evaluated.correct.into(), evaluated.total.into())
    };
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let json = serde_json::json!({
            "model": found.source, "correct": correct.to_string(), "total": total.to_string(), "sampled": args.samples.is_some(),
            "standard_error": error, "seconds": seconds,
        });
        return print(&format!("{json}\n"));
    }
    let what = if args.samples.is_some() {
        "inputs drawn at random"
    } else {
        "inputs"
    };
    let share = decimal(&correct, &total);
    let error = error.map_or(String::new(), |error| {
        format!(" ± {error:.1e} (standard error)")
    });
    let (correct, total) = (grouped(&correct.to_string()), grouped(&total.to_string()));
    print(&format!(
        "{correct} of {total} {what} are answered correctly, in floating point: {share}{error}; {seconds:.3} s\n"
    ))
}
