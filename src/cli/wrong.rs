//! `gbmi wrong`.

use super::progress::Progress;
use super::{Common, Failure, aligned, csv, model, print, streams};
use gbmi::numerals::{decimal, fraction, grouped};
use gbmi::wrong::{Listing, Wrong, wrong};
use num_bigint::BigUint;
use num_traits::{Signed, Zero};
use serde::Serialize;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A model, or a certificate; - is a certificate on stdin [default: the bundled model, max_of_4_seed123]
    #[arg(value_name = "MODEL|CERT")]
    subject: Option<PathBuf>,
    /// The model of the certificate [default: the bundled one, or the one that the certificate suggests]
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    limit: usize,
    /// Give up on a proof of how many there are beyond this many FLOPs or integer operations
    #[arg(long, value_name = "N", default_value_t = gbmi::checker::DEFAULT_MAX_FLOPS)]
    max_flops: u64,
    /// Number of threads; the result does not depend on it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

/// A wrong answer as it is printed.
#[derive(Serialize)]
struct Row {
    tokens: String,
    read_out: usize,
    inputs: Option<String>,
    right: usize,
    answer: usize,
    margin: String,
    margin_decimal: String,
}

impl Row {
    fn new(wrong: &Wrong) -> Self {
        let [above, below] = [wrong.margin.numer(), wrong.margin.denom()].map(|part| part.abs());
        let [above, below] = [above, below].map(|part| part.to_biguint().unwrap_or_default());
        let sign = if above.is_zero() { "" } else { "-" };
        let tokens: Vec<String> = wrong.tokens.iter().map(ToString::to_string).collect();
        Self {
            tokens: tokens.join(" "),
            read_out: wrong.tokens.len() - 1,
            inputs: wrong.inputs.map(|inputs| inputs.to_string()),
            right: wrong.right,
            answer: wrong.answer,
            margin: format!("{sign}{}", fraction(&above, &below)),
            // Towards zero: the margin is at most this.
            margin_decimal: format!("{sign}{}", decimal(&above, &below)),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = Common {
        model: None,
        max_flops: args.max_flops,
        threads: args.threads,
        json: args.json,
        quiet: args.quiet,
    };
    let (found, certificate) = match &args.subject {
        Some(path) if is_certificate(path) => {
            let certificate = streams::certificate(path)?;
            let found = model::for_certificate(args.model.as_deref(), path, &certificate)?;
            certificate
                .is_about(&found.network)
                .map_err(gbmi::refusal::Refusal::from)?;
            (found, Some(certificate))
        }
        subject => {
            if args.model.is_some() {
                return Err(Failure::Other(
                    "a second MODEL is for a certificate, and the first is none".into(),
                ));
            }
            (model::named(subject.as_deref())?, None)
        }
    };
    let network = &found.network;
    let progress = Progress::open_ended(args.quiet);
    let step = || progress.step();
    let listing = wrong(
        network,
        certificate.as_ref(),
        args.limit,
        common.options(&step),
    )?;
    drop(progress);
    if args.json {
        return print(&json(&listing));
    }
    let rows: Vec<Row> = listing.inputs.iter().map(Row::new).collect();
    if args.csv {
        return print(&csv(&rows)?);
    }
    print(&text(&rows, &listing, &network.task.size()))
}

/// Does it begin like a certificate?
fn is_certificate(path: &Path) -> bool {
    let begins = || -> std::io::Result<bool> {
        let mut start = [0; 64];
        let length = std::fs::File::open(path)?.read(&mut start)?;
        Ok(start[..length].trim_ascii_start().first() == Some(&b'{'))
    };
    streams::is_stream(path) || path.is_file() && begins().unwrap_or(false)
}

fn json(listing: &Listing) -> String {
    let input = |wrong: &Wrong| {
        let row = Row::new(wrong);
        json!({
            "tokens": wrong.tokens,
            "read_out": row.read_out,
            "inputs": row.inputs,
            "right": row.right,
            "answer": row.answer,
            "margin": row.margin,
            "margin_decimal": row.margin_decimal,
        })
    };
    let object = json!({
        "inputs": listing.inputs.iter().map(input).collect::<Vec<_>>(),
        "listed": listing.inputs.len(),
        "complete": listing.is_complete,
        "wrong_at_least": listing.wrong_at_least.to_string(),
        "wrong_at_most": listing.wrong_at_most.to_string(),
    });
    format!("{object}\n")
}

fn text(rows: &[Row], listing: &Listing, total: &BigUint) -> String {
    let mut table = vec![["tokens", "right", "answer", "margin at most"].map(String::from)];
    table.extend(rows.iter().map(|row| {
        [
            row.tokens.clone(),
            row.right.to_string(),
            row.answer.to_string(),
            row.margin_decimal.clone(),
        ]
    }));
    let [least, most, total] = [&listing.wrong_at_least, &listing.wrong_at_most, total]
        .map(|count| grouped(&count.to_string()));
    let many = if least == most {
        format!("exactly {least}")
    } else {
        format!("at least {least} and at most {most}")
    };
    let listed = grouped(&rows.len().to_string());
    let all = if listing.is_complete {
        ", all that were found"
    } else {
        ": there may be more"
    };
    let table = if rows.is_empty() {
        String::new()
    } else {
        aligned(&table)
    };
    format!("{table}{listed} listed{all}; {many} of {total} are wrong\n")
}
