//! `gbmi export-coq`.

use super::arguments::{Named, of_certificate};
use super::{Failure, json, model, note, streams, tell};
use crate::coq::export;
use crate::refusal::Refusal;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(mut_arg("model", of_certificate))]
pub(crate) struct Args {
    /// The certificate; - is stdin
    certificate: PathBuf,
    #[command(flatten)]
    model: Named,
    /// The file to write, which coqc compiles beside proofs/; - is stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
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
        return Err(Failure::Usage(format!(
            "--out {found}: {expected}, as Coq wants it"
        )));
    }
    let certificate = streams::certificate(&args.certificate)?;
    let found = model::for_certificate(args.model.path(), &args.certificate, &certificate)?;
    certificate
        .is_about(&found.network)
        .map_err(Refusal::from)?;
    let theorem = export(&certificate, &found.network.max_of_n()?).map_err(Failure::Other)?;
    streams::write(&args.out, theorem.as_bytes())?;
    let out = args.out.display();
    if args.json {
        let written = json(&serde_json::json!({
            "theorem": out.to_string(),
            "bytes": theorem.len(),
            "model": found.source,
            "network_sha256": found.network.sha256,
        }))?;
        // What is said of a theorem on stdout stands on stderr, as for `prove`.
        if to_stdout {
            note(written.trim_end());
        } else {
            tell(&written);
        }
    } else if !to_stdout {
        tell(&format!(
            "written {out}: compile it with coqc -Q proofs gbmi {out}\n"
        ));
    }
    Ok(())
}
