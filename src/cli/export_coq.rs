//! `gbmi export-coq`.

use super::{Failure, model, streams, tell};
use gbmi::coq::export;
use gbmi::refusal::Refusal;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The certificate; - is stdin
    certificate: PathBuf,
    /// The model: a folder with model.safetensors and config.json, or the safetensors file
    #[arg(long, value_name = "PATH")]
    model: Option<PathBuf>,
    /// The file to write, which coqc compiles beside proofs/; - is stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The name that Coq will know the file by.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let name = args
        .out
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_suffix(".v"));
    let to_stdout = streams::is_stream(&args.out);
    if !to_stdout && !name.is_some_and(is_identifier) {
        let found = args.out.display();
        let expected =
            "expected a file of letters, digits and _, beginning with a letter, that ends in .v";
        return Err(Failure::Other(format!(
            "--out {found}: {expected}, as Coq wants it"
        )));
    }
    let certificate = streams::certificate(&args.certificate)?;
    let found = model::for_certificate(args.model.as_deref(), &args.certificate, &certificate)?;
    certificate
        .is_about(&found.network)
        .map_err(Refusal::from)?;
    let theorem = export(&certificate, &found.network.one_head()?).map_err(Failure::Other)?;
    streams::write(&args.out, theorem.as_bytes())?;
    if !to_stdout {
        tell(&format!(
            "written {0}: compile it with coqc -Q proofs gbmi {0}\n",
            args.out.display()
        ));
    }
    Ok(())
}
