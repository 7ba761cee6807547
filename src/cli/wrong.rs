//! `gbmi wrong`.

use super::arguments::{Named, natural, no_progress};
use super::progress::Progress;
use super::{Common, Failure, aligned, csv, model, print, streams};
use crate::numerals::{decimal, fraction, grouped};
use crate::refusal::Refusal;
use crate::wrong::{Listing, Wrong, wrong};
use num_bigint::BigUint;
use num_traits::{Signed, Zero};
use serde::Serialize;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(
    mut_arg("model", |model| model.help("The model of the certificate [default: the bundled one, or the one that the certificate suggests]")),
    mut_arg("quiet", no_progress)
)]
pub(crate) struct Args {
    /// A model, or a certificate; - is a certificate on stdin [default: the bundled max_of_4_seed123]
    #[arg(value_name = "MODEL|CERT")]
    subject: Option<PathBuf>,
    #[command(flatten)]
    model: Named,
    #[command(flatten)]
    common: Common,
    /// List at most so many
    #[arg(long, value_name = "N", default_value = "20k", value_parser = natural::<usize>)]
    limit: usize,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
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
    let Args {
        subject,
        model,
        common,
        ..
    } = args;
    let (found, certificate) = match (subject.as_deref(), model.path()) {
        (Some(path), model) if is_certificate(path)? => {
            let certificate = streams::certificate(path)?;
            let found = model::for_certificate(model, path, &certificate)?;
            (found, Some(certificate))
        }
        (Some(_), Some(_)) => {
            let reason = "a second MODEL is for a certificate, and the first is none";
            return Err(Failure::Usage(reason.into()));
        }
        (subject, model) => (model::named(subject.or(model))?, None),
    };
    let network = &found.network;
    let progress = Progress::open_ended(common.quiet);
    let step = || progress.step();
    streams::stage("looking for wrong inputs");
    let listing = wrong(
        network,
        certificate.as_ref(),
        args.limit,
        common.options(&step),
    )?;
    drop(progress);
    if common.json {
        return print(&json(&listing));
    }
    let rows: Vec<Row> = listing.inputs.iter().map(Row::new).collect();
    if args.csv {
        return print(&csv(&rows)?);
    }
    print(&text(&rows, &listing, &network.task.size()))
}

/// Does it begin like a certificate? A folder is a model, and so is a file of tensors: that begins with their length.
fn is_certificate(path: &Path) -> Result<bool, Refusal> {
    let begins = || -> std::io::Result<bool> {
        if !path.metadata()?.is_file() {
            return Ok(false);
        }
        let mut start = [0; 8];
        let length = std::fs::File::open(path)?.read(&mut start)?;
        let start = &start[..length];
        Ok(start.trim_ascii_start().first() == Some(&b'{') && !start.contains(&0))
    };
    if streams::is_stream(path) {
        return Ok(true);
    }
    begins()
        .map_err(|error| Refusal::Unreadable(format!("cannot read {}: {error}", path.display())))
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
