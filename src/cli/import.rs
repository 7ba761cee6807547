//! `gbmi import`.

use super::streams::folder;
use super::{Failure, tell};
use gbmi::import::import;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A PyTorch state_dict (.pth)
    file: PathBuf,
    /// The model's TransformerLens configuration, as JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The folder for model.safetensors and config.json
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let imported = import(&args.file, &args.config, &args.out)?;
    let ignored = if imported.ignored.is_empty() { "none".into() } else { imported.ignored.join(", ") };
    tell(&format!(
        "imported {} tensors into {}\n  sha256   {}\n  ignored  {ignored}\n",
        imported.tensors,
        args.out.display(),
        imported.sha256
    ));
    Ok(())
}
