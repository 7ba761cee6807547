//! `gbmi import`.

use super::streams::folder;
use super::{Failure, json, tell};
use crate::import::{Imported, import};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What torch.save wrote: a state_dict, or a checkpoint with one (.pth, .pt, .ckpt)
    file: PathBuf,
    /// The model's TransformerLens configuration, as JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder for model.safetensors and config.json
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: PathBuf,
    /// The model has no biases where the state_dict has none: they are zeros
    #[arg(long)]
    zero_biases: bool,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Written<'a> {
    model: &'a Path,
    #[serde(flatten)]
    imported: &'a Imported,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let imported = import(&args.file, &args.config, &args.out, args.zero_biases)?;
    if args.json {
        let model = &args.out;
        tell(&json(&Written {
            model,
            imported: &imported,
        })?);
        return Ok(());
    }
    let Imported {
        sha256,
        tensors,
        ignored,
        key,
        prefix,
        widened,
        zeros,
    } = imported;
    let ignored = if ignored.is_empty() {
        "none".into()
    } else {
        ignored.join(", ")
    };
    let widened = widened
        .iter()
        .map(|(name, count)| format!("{count} {name} tensors to float32, exactly"));
    let lines = [
        Some(("sha256", sha256)),
        Some(("ignored", ignored)),
        key.map(|key| {
            (
                "found",
                format!("under {key:?}; the rest of the checkpoint is passed over"),
            )
        }),
        (!prefix.is_empty()).then(|| ("stripped", format!("{prefix} before every name"))),
    ];
    let zeros = (!zeros.is_empty()).then(|| ("zeros", zeros.join(", ")));
    let lines = lines
        .into_iter()
        .flatten()
        .chain(widened.map(|text| ("widened", text)))
        .chain(zeros);
    let lines: String = lines
        .map(|(name, text)| format!("  {name:<8} {text}\n"))
        .collect();
    tell(&format!(
        "imported {tensors} tensors into {}\n{lines}",
        args.out.display()
    ));
    Ok(())
}
