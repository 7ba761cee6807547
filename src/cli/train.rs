//! `gbmi train`.

use super::arguments::natural;
use super::progress::Progress;
use super::streams::{called, folder, stage};
use super::{Failure, aligned, json, tell, threads};
use crate::model::read_limited;
use crate::output::unwritable;
use crate::train::{Batches, Recipe, Trained, groups, keep, kept, name, seeds, train};
use candle_core::Device;
use serde::Serialize;
use serde_json::Value;
use std::ops::Range;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The seeds: one, or a range without its end such as 0..151
    #[arg(long, value_name = "SEEDS", default_value = "0", value_parser = seeds)]
    seeds: Range<u64>,
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
    #[command(flatten)]
    recipe: RecipeArgs,
}

/// The fields of a recipe; what is left out is as in the task's experiment.
#[derive(clap::Args, Serialize)]
struct RecipeArgs {
    /// The task: its name, its JSON, or a file that holds it
    #[arg(long, value_name = "TASK", default_value = "max_of_n", value_parser = Task::parse)]
    task: Task,
    /// The name of the models, in front of their seeds [default: task and sizes]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    sizes: Sizes,
    #[command(flatten)]
    #[serde(flatten)]
    method: Steps,
}

#[derive(clap::Args, Serialize)]
#[command(next_help_heading = "Architecture")]
struct Sizes {
    /// A transformer, or an MLP over two embeddings
    #[arg(long, value_name = "NAME", value_parser = ["transformer", "two_embeddings"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    /// Input length
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    n_ctx: Option<usize>,
    /// Number of tokens
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    d_vocab: Option<usize>,
    /// Number of outputs
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    d_vocab_out: Option<usize>,
    /// Layers
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    n_layers: Option<usize>,
    /// Heads of a layer
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    n_heads: Option<usize>,
    /// Width of the residual stream, or of each of two embeddings
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    d_model: Option<usize>,
    /// Width of a head [default: d_model / n_heads]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    d_head: Option<usize>,
    /// Neurons (ReLU); 0 for attention only
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    d_mlp: Option<usize>,
    /// Layer norms
    #[arg(long, value_name = "NAME", value_parser = ["none", "LN", "LNPre"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    normalization_type: Option<String>,
    /// Attention is so much uniform, and the rest softmax
    #[arg(long, value_name = "RATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_rate: Option<f64>,
}

#[derive(clap::Args, Serialize)]
#[command(next_help_heading = "Method")]
struct Steps {
    /// How weights begin
    #[arg(long, value_name = "NAME", value_parser = ["gpt2", "kaiming_uniform", "fan_in"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    init_mode: Option<String>,
    /// Which biases are trained
    #[arg(long, value_name = "NAME", value_parser = ["none", "mlp", "all"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_biases: Option<String>,
    /// What takes the steps; of Adam, weight decay is part of the gradient
    #[arg(long, value_name = "NAME", value_parser = ["AdamW", "Adam"])]
    #[serde(skip_serializing_if = "Option::is_none")]
    optimizer: Option<String>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    lr: Option<f64>,
    /// The learning rate at the end, along a cosine
    #[arg(long, value_name = "RATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    lr_end: Option<f64>,
    /// Steps over which the learning rate rises
    #[arg(long, value_name = "N", value_parser = natural::<usize>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup_steps: Option<usize>,
    /// Decay rates of the optimiser's two means
    #[arg(long, value_name = "RATE,RATE", value_delimiter = ',', num_args = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    betas: Option<Vec<f64>>,
    /// Decay of the weights in a step, times the learning rate
    #[arg(long, value_name = "RATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_decay: Option<f64>,
    /// The share of the inputs that is trained on
    #[arg(long, value_name = "SHARE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    train_ratio: Option<f64>,
    /// Inputs in a step, or `full`
    #[arg(long, value_name = "N", value_parser = batch)]
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_size: Option<Batches>,
    /// Steps
    #[arg(long, value_name = "N", value_parser = natural::<usize>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    /// Inputs on which accuracy is estimated, where they are not listed
    #[arg(long, value_name = "N", value_parser = natural::<usize>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<usize>,
}

fn batch(text: &str) -> Result<Batches, String> {
    match text {
        "full" => Ok(Batches::Full),
        number => natural(number).map(Batches::Of),
    }
}

/// The largest file with a task, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// The value of `task` in a configuration, and where files are that it names.
#[derive(Clone, Serialize)]
#[serde(transparent)]
struct Task {
    value: Value,
    #[serde(skip)]
    folder: PathBuf,
}

impl Task {
    fn parse(text: &str) -> Result<Self, String> {
        let json = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|error| error.to_string());
        let path = Path::new(text);
        let (value, folder) = if text.trim_start().starts_with('{') {
            (json(text.as_bytes())?, None)
        } else if path.is_file() {
            let bytes = read_limited(path, MOST_BYTES).map_err(|error| error.to_string())?;
            (json(&bytes)?, path.parent())
        } else {
            (text.into(), None)
        };
        let folder = folder.unwrap_or(Path::new("")).to_owned();
        Ok(Self { value, folder })
    }
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

/// Starts this program again as candle computes best, unless the user has said how many threads of its own it has: with
/// none of them (see [`train`]), and with an allocator that keeps what was freed, as every step takes the same again. Where
/// programs cannot replace themselves it only is slower.
pub(crate) fn as_candle_is_fastest() {
    if called().is_some() {
        // The process is another program's.
        return;
    }
    const THREADS: &str = "RAYON_NUM_THREADS";
    #[cfg(unix)]
    if let (None, Ok(program)) = (std::env::var_os(THREADS), std::env::current_exe()) {
        use std::os::unix::process::CommandExt;
        // The allocator is glibc's, on Linux; others do not read it. It returns only where it fails.
        let _ = std::process::Command::new(program)
            .args(std::env::args_os().skip(1))
            .env(THREADS, "1")
            .env("MALLOC_MMAP_THRESHOLD_", "4294967296")
            .env("MALLOC_TRIM_THRESHOLD_", "8589934592")
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
    /// Of so many answers: all there are, or of inputs drawn at random.
    total: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let Ok(Value::Object(said)) = serde_json::to_value(&args.recipe) else {
        return Err(Failure::Other("the recipe is no JSON object".into()));
    };
    let recipe = Recipe::new(said, &args.recipe.task.folder)?;
    as_candle_is_fastest();
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
    let progress = Progress::new(
        groups(&recipe, &missing, &device).len() * recipe.steps,
        args.quiet,
    );
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
        correct: model.evaluated.correct.to_string(),
        total: model.evaluated.total.to_string(),
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
