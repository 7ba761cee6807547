//! `gbmi train`.

use super::arguments::natural;
use super::progress::Progress;
use super::streams::{called, folder, stage};
use super::{Failure, aligned, json, tell, threads};
use crate::output::unwritable;
use crate::train::{Recipe, Trained, groups, keep, kept, name, seeds, train};
use candle_core::Device;
use serde::Serialize;
use std::ops::Range;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Input length
    #[arg(long, value_name = "N", default_value_t = Recipe::default().n_ctx)]
    n_ctx: usize,
    /// Number of tokens
    #[arg(long, value_name = "N", default_value_t = Recipe::default().d_vocab)]
    d_vocab: usize,
    /// Width of the residual stream, and of the head
    #[arg(long, value_name = "N", default_value_t = Recipe::default().d_model)]
    d_model: usize,
    /// The seeds: one, or a range without its end such as 0..151
    #[arg(long, value_name = "SEEDS", default_value = "0", value_parser = seeds)]
    seeds: Range<u64>,
    /// Steps of AdamW
    #[arg(long, value_name = "N", default_value_t = Recipe::default().steps, value_parser = natural::<usize>)]
    steps: usize,
    /// Inputs in a step
    #[arg(long, value_name = "N", default_value_t = Recipe::default().batch_size, value_parser = natural::<usize>)]
    batch_size: usize,
    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = Recipe::default().lr)]
    lr: f64,
    /// Decay of the weights in a step, times the learning rate
    #[arg(long, value_name = "RATE", default_value_t = Recipe::default().weight_decay)]
    weight_decay: f64,
    /// Inputs on which accuracy is estimated
    #[arg(long, value_name = "N", default_value_t = Recipe::default().samples, value_parser = natural::<usize>)]
    samples: usize,
    /// Where to train
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    device: On,
    /// Number of threads; the models do not depend on it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// The folder that the models go into, each into one of its own; those that are there are not trained again
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: PathBuf,
    /// Print one JSON array on one line
    #[arg(long)]
    json: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

/// Where tensors are computed.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum On {
    /// The processor
    Cpu,
    /// The first NVIDIA card (feature `cuda`)
    Cuda,
}

impl On {
    pub(crate) fn device(self) -> Result<Device, Failure> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda if cfg!(feature = "cuda") => Device::new_cuda(0).map_err(failed),
            Self::Cuda => Err(Failure::Other(
                "this program is built without CUDA: build with --features cuda".into(),
            )),
        }
    }
}

/// Starts this program again with candle's own threads off, unless the user has said how many there are: see
/// [`train`]. Where programs cannot replace themselves it only is slower.
pub(crate) fn without_threads_in_candle() {
    if called().is_some() {
        // The process is another program's.
        return;
    }
    const THREADS: &str = "RAYON_NUM_THREADS";
    #[cfg(unix)]
    if let (None, Ok(program)) = (std::env::var_os(THREADS), std::env::current_exe()) {
        use std::os::unix::process::CommandExt;
        // It returns only where it fails.
        let _ = std::process::Command::new(program)
            .args(std::env::args_os().skip(1))
            .env(THREADS, "1")
            .exec();
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Other(format!("training failed: {error}"))
}

/// One model.
#[derive(Serialize)]
struct Row {
    model: String,
    /// At the last step, in nats.
    loss: f32,
    correct: String,
    /// So many inputs, drawn at random.
    total: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let recipe = Recipe {
        n_ctx: args.n_ctx,
        d_vocab: args.d_vocab,
        d_model: args.d_model,
        steps: args.steps,
        batch_size: args.batch_size,
        lr: args.lr,
        weight_decay: args.weight_decay,
        samples: args.samples,
    };
    recipe.check()?;
    without_threads_in_candle();
    let device = args.device.device()?;
    let mut missing = vec![];
    for seed in args.seeds.clone() {
        let folder = args.out.join(name(&recipe, seed));
        std::fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, error))?;
        if !kept(&folder, &recipe, seed)? {
            missing.push(seed);
        }
    }
    stage(format_args!("training {} models", missing.len()));
    let progress = Progress::new(groups(&missing, &device).len() * recipe.steps, args.quiet);
    let rows = std::sync::Mutex::new(vec![]);
    let done = |trained: Vec<Trained>| {
        for model in &trained {
            keep(&args.out.join(name(&recipe, model.seed)), &recipe, model)
                .map_err(candle_core::Error::wrap)?;
        }
        rows.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .extend(trained);
        Ok(())
    };
    train(
        &recipe,
        &missing,
        &device,
        threads(args.threads),
        &done,
        &|| progress.step(),
    )
    .map_err(failed)?;
    drop(progress);
    let mut trained = rows
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    trained.sort_by_key(|model| model.seed);
    let row = |model: &Trained| Row {
        model: name(&recipe, model.seed),
        loss: model.losses.last().map_or(f32::NAN, |(_, loss)| *loss),
        correct: model.correct.to_string(),
        total: recipe.samples.to_string(),
    };
    let rows: Vec<Row> = trained.iter().map(row).collect();
    if args.json {
        tell(&json(&rows)?);
        return Ok(());
    }
    let mut table = vec![["model", "loss", "right", "of"].map(String::from)];
    let cells = |row: &Row| {
        [
            row.model.clone(),
            format!("{:.5}", row.loss),
            row.correct.clone(),
            row.total.clone(),
        ]
    };
    table.extend(rows.iter().map(cells));
    tell(&aligned(&table));
    Ok(())
}
