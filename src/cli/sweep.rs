//! `gbmi sweep`.

use super::progress::Progress;
use super::refused::Refused;
use super::streams::{folder, stage};
use super::train::{On, as_candle_is_fastest};
use super::{Failure, json, tell, threads};
use crate::output::Pending;
use crate::sweep::{Config, Done, How, Step, sweep};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which models and strategies: see docs/sweep.md
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder that models and results go into; what is there already is not computed again
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: PathBuf,
    /// Only a part of the models: the one numbered i, from 0, of every n
    #[arg(long, value_name = "I/N", default_value = "0/1", value_parser = shard, conflicts_with = "slurm")]
    shard: (usize, usize),
    /// Write a job array of N shards for Slurm, and submit it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    slurm: Option<u16>,
    /// With --slurm: write the job array, and do not submit it
    #[arg(long, requires = "slurm")]
    dry_run: bool,
    /// Compute again what failed
    #[arg(long)]
    retry: bool,
    /// Where to train and to evaluate
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    device: On,
    /// Number of threads; the results do not depend on it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    done: &'a Done,
    refused: Vec<Refusal<'a>>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    model: &'a str,
    #[serde(flatten)]
    refused: Refused,
}

/// The largest configuration that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

fn shard(text: &str) -> Result<(usize, usize), String> {
    let numbers = text
        .split_once('/')
        .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    numbers
        .filter(|(index, count)| index < count)
        .ok_or_else(|| "expected i/n with i from 0 to n − 1, such as 0/8".into())
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let bytes = crate::model::read_limited(&args.config, MOST_BYTES)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::Other("the configuration is not UTF-8".into()))?;
    let folder = args.config.parent().unwrap_or(Path::new(""));
    let config = Config::parse(&text, folder)?;
    if let Some(shards) = args.slurm {
        return submit(
            args,
            shards.min(u16::try_from(config.models.len()).unwrap_or(u16::MAX)),
        );
    }
    as_candle_is_fastest();
    let progress = Progress::new(0, args.quiet);
    let how = How {
        shard: args.shard,
        retry: args.retry,
        device: args.device.device()?,
        threads: threads(args.threads),
        progress: &|step| match step {
            Step::Training(steps) => {
                stage("training");
                progress.restart(steps);
            }
            Step::Units(steps) => {
                stage("proving");
                progress.restart(steps);
            }
            Step::One => progress.step(),
        },
    };
    let done = sweep(&config, &args.out, &how)?;
    drop(progress);
    let Done {
        models,
        found,
        computed,
        failed,
        ..
    } = done;
    tell(&if args.json {
        let refused = done.refused.iter().map(|(model, refusal)| Refusal {
            model,
            refused: refusal.into(),
        });
        json(&Shown {
            done: &done,
            refused: refused.collect(),
        })?
    } else {
        format!(
            "{models} models trained or copied; {found} units were there, {computed} computed; {failed} failed\n"
        )
    });
    if done.refused.is_empty() {
        Ok(())
    } else {
        Err(Failure::Several(done.refused))
    }
}

/// Writes `sweep.sbatch` into the folder, and submits it.
fn submit(args: &Args, shards: u16) -> Result<(), Failure> {
    let other = |what: &str, error: std::io::Error| Failure::Other(format!("{what}: {error}"));
    std::fs::create_dir_all(&args.out)
        .map_err(|error| other("cannot make the sweep's folder", error))?;
    let full = |path: &Path| {
        path.canonicalize()
            .map_err(|error| other("cannot find a path for Slurm", error))
    };
    let (out, config) = (full(&args.out)?, full(&args.config)?);
    let program =
        std::env::current_exe().map_err(|error| other("cannot find this program", error))?;
    let retry = if args.retry { " --retry" } else { "" };
    let device = if matches!(args.device, On::Cuda) {
        " --device cuda"
    } else {
        ""
    };
    let script = format!(
        "#!/bin/sh\n\
         # A sweep in {shards} shards. Options for your cluster go to sbatch: sbatch --time=2:00:00 sweep.sbatch\n\
         #SBATCH --job-name=gbmi-sweep\n\
         #SBATCH --array=0-{last}\n\
         exec {program} sweep --config {config} --out {out} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\" \\\n  \
         --threads \"${{SLURM_CPUS_PER_TASK:-1}}\"{retry}{device}\n",
        last = shards - 1,
        program = quoted(&program)?,
        config = quoted(&config)?,
        out = quoted(&out)?,
    );
    let path = Pending::with_contents(&out.join("sweep.sbatch"), script.as_bytes())?.keep()?;
    let mut submitted = None;
    if !args.dry_run {
        let logs = out.join("slurm-%a.log");
        let run = Command::new("sbatch")
            .arg("--output")
            .arg(logs)
            .arg(&path)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| other("cannot start sbatch", error))?;
        if !run.status.success() {
            return Err(Failure::Other(format!(
                "sbatch failed; the job array is {}",
                path.display()
            )));
        }
        submitted = Some(String::from_utf8_lossy(&run.stdout).trim_end().to_string());
    }
    tell(&if args.json {
        let array = path.display().to_string();
        json(&serde_json::json!({ "job_array": array, "shards": shards, "submitted": submitted }))?
    } else {
        match submitted {
            Some(said) => format!("{said}\n"),
            None => format!("written: {}\n", path.display()),
        }
    });
    Ok(())
}

/// A path as a word of a shell's command.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path
        .to_str()
        .ok_or_else(|| Failure::Other(format!("{} is not UTF-8", path.display())))?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}
