//! `gbmi report`.

use super::streams::folder;
use super::{Failure, note, tell, threads};
use gbmi::report::report;
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
}

/// Prints the summary, in Markdown.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| args.sweep.join("report"));
    tell(&report(&args.sweep, &out, threads(args.threads))?);
    note(&format!("written: {}", out.join("index.html").display()));
    Ok(())
}
