//! `gbmi explain`.

use super::arguments::{Named, natural, no_progress, of_certificate};
use super::progress::Progress;
use super::streams::{folder, stage};
use super::{Common, Failure, aligned, model, note, print, streams, tell};
use crate::explain::{DEFAULT_SPEND, Explanation, Outcome, Row, Share, draw, explain};
use crate::numerals::{by_more_than, decimal, grouped};
use crate::output::{Pending, unwritable};
use num_bigint::BigUint;
use serde_json::{Value, json};
use std::ops::Range;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(mut_arg("model", of_certificate), mut_arg("quiet", no_progress))]
pub(crate) struct Args {
    /// The certificate; - is stdin
    certificate: PathBuf,
    #[command(flatten)]
    model: Named,
    /// Write explain.csv, explain.json and a picture into this folder
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: Option<PathBuf>,
    /// The picture's format
    #[arg(long, value_enum, default_value_t = super::inspect::Picture::Svg, requires = "out")]
    format: super::inspect::Picture,
    #[command(flatten)]
    common: Common,
    /// Give up on the truth, and on a replacement, beyond this many FLOPs or integer operations
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SPEND, value_parser = natural::<u64>)]
    spend: u64,
    /// Print comma-separated values: one row for each query and maximum
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let certificate = streams::certificate(&args.certificate)?;
    let found = model::for_certificate(args.model.path(), &args.certificate, &certificate)?;
    let common = &args.common;
    let progress = Progress::open_ended(common.quiet);
    let step = || progress.step();
    stage("checking it, then once more with each rule made exact");
    let explanation = explain(
        &found.network,
        &certificate,
        args.spend,
        common.options(&step),
    )?;
    drop(progress);
    let sizes = &found.network.sizes;
    let by = by_more_than(&certificate.claim.margin);
    let by = if by.is_empty() {
        by
    } else {
        format!("; right{by}")
    };
    let title = format!(
        "{}, d_vocab {}, n_ctx {}{by}",
        found.source, sizes.d_vocab, sizes.n_ctx
    );
    let shown = if common.json {
        self::json(&explanation)
    } else if args.csv {
        csv(&explanation.rows)
    } else {
        text(&title, &explanation)
    };
    let Some(out) = &args.out else {
        return print(&shown);
    };
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    let written = [
        Pending::with_contents(&out.join("explain.csv"), csv(&explanation.rows).as_bytes())?
            .keep()?,
        Pending::with_contents(
            &out.join("explain.json"),
            self::json(&explanation).as_bytes(),
        )?
        .keep()?,
        draw(&explanation, out, args.format.into())?,
    ];
    for path in written {
        note(&format!("written {}", path.display()));
    }
    tell(&shown);
    Ok(())
}

/// How many rows of a table are printed.
const SHOWN: usize = 10;

/// Lines for people: totals, replacements, sums by maximum, query and answer.
fn text(title: &str, explanation: &Explanation) -> String {
    let (certified, wrong, undecided) = (
        explanation.certified(),
        explanation.wrong(),
        explanation.undecided(),
    );
    let total = |name: &str, inputs: &BigUint, said: &str| {
        [
            name.to_string(),
            count(inputs),
            percent(inputs, &explanation.total),
            said.to_string(),
        ]
    };
    let mut totals = vec![
        total("inputs", &explanation.total, ""),
        total("certified", &certified, ""),
        total("shown wrong", &wrong, ""),
        total("undecided", &undecided, ""),
    ];
    let loss = explanation.loss();
    if let Some(right) = explanation.right() {
        totals.push(total("  right", &loss, "what the proof loses"));
        totals.push(total(
            "  wrong",
            &(&undecided - &loss),
            "what no proof could certify",
        ));
        totals.push(total("true accuracy", &right, ""));
    }
    let mut text = format!("{title}\n{}", columns(&totals, 1..3));
    text += &match &explanation.unknown {
        None => String::new(),
        Some(why) => format!(
            "true accuracy unknown: {why}; lost is what is undecided, wrong inputs included\n"
        ),
    };
    text += &format!(
        "{} FLOPs, of which {} for what all pairs share\n",
        grouped(&explanation.flops().to_string()),
        grouped(&explanation.shared_flops.to_string()),
    );
    text += &format!("\n{}", columns(&replacements(explanation, &loss), 2..6));
    for (name, shares) in [
        ("maximum", explanation.by_maximum()),
        ("query", explanation.by_query()),
    ] {
        text += &marginal(name, &shares, &loss);
    }
    if let Some(causes) = explanation
        .answers
        .as_ref()
        .filter(|causes| !causes.is_empty())
    {
        let mut table = vec![["wrong answers", "fail on", "pairs"].map(String::from)];
        table.extend(causes.iter().take(SHOWN).map(|cause| {
            [
                cause.answers.clone(),
                count(&cause.fails),
                cause.rows.to_string(),
            ]
        }));
        text += &format!("\n{}{}", columns(&table, 1..3), left_out(causes.len()));
    }
    text
}

fn replacements(explanation: &Explanation, loss: &BigUint) -> Vec<[String; 6]> {
    let mut table =
        vec![["replaced", "by", "lost", "gained", "of loss", "FLOPs"].map(String::from)];
    let as_it_is = grouped(&explanation.flops().to_string());
    table.push([
        "nothing".into(),
        String::new(),
        count(loss),
        String::new(),
        String::new(),
        as_it_is,
    ]);
    for replacement in &explanation.replacements {
        let [lost, gained, share, flops] = match &replacement.outcome {
            Outcome::Unused => [
                "not used".into(),
                String::new(),
                String::new(),
                String::new(),
            ],
            Outcome::TooLong(limit) => [
                "too long".into(),
                String::new(),
                String::new(),
                format!("> {}", grouped(&limit.to_string())),
            ],
            Outcome::Done {
                certified,
                wrong,
                flops,
            } => {
                let lost = explanation.loss_with(certified, wrong);
                let gained = loss - (&lost).min(loss);
                [
                    count(&lost),
                    count(&gained),
                    percent(&gained, loss),
                    grouped(&flops.to_string()),
                ]
            }
        };
        table.push([
            replacement.rule.into(),
            replacement.by.into(),
            lost,
            gained,
            share,
            flops,
        ]);
    }
    table
}

/// The sums by a token: what is undecided, or if nothing is, what is wrong.
fn marginal(name: &str, shares: &[Share], loss: &BigUint) -> String {
    let none = BigUint::default();
    let decided = shares.iter().all(|share| share.undecided == none);
    let shown = |share: &&Share| {
        if decided {
            share.wrong != none
        } else {
            share.undecided != none
        }
    };
    let shown: Vec<&Share> = shares.iter().filter(shown).collect();
    if shown.is_empty() {
        return String::new();
    }
    let flops = |share: &Share| grouped(&share.flops.to_string());
    let table = if decided {
        let mut table = vec![[name, "inputs", "shown wrong", "FLOPs"].map(String::from)];
        table.extend(shown.iter().take(SHOWN).map(|share| {
            [
                share.token.to_string(),
                count(&share.inputs),
                count(&share.wrong),
                flops(share),
            ]
        }));
        columns(&table, 0..4)
    } else {
        let mut table =
            vec![[name, "inputs", "undecided", "lost", "of loss", "FLOPs"].map(String::from)];
        table.extend(shown.iter().take(SHOWN).map(|share| {
            [
                share.token.to_string(),
                count(&share.inputs),
                count(&share.undecided),
                count(&share.loss),
                percent(&share.loss, loss),
                flops(share),
            ]
        }));
        columns(&table, 0..6)
    };
    format!("\n{table}{}", left_out(shown.len()))
}

fn left_out(rows: usize) -> String {
    if rows > SHOWN {
        format!("and {} more\n", rows - SHOWN)
    } else {
        String::new()
    }
}

/// Columns of text, some of them with their cells to the right.
fn columns<const N: usize>(rows: &[[String; N]], right: Range<usize>) -> String {
    let mut rows = rows.to_vec();
    for column in right {
        let width = rows
            .iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0);
        rows.iter_mut()
            .for_each(|row| row[column] = format!("{:>width$}", row[column]));
    }
    aligned(&rows)
}

fn count(inputs: &BigUint) -> String {
    grouped(&inputs.to_string())
}

/// To four decimals, rounded down.
fn percent(part: &BigUint, whole: &BigUint) -> String {
    let decimal = decimal(&(part * 100_u8), whole);
    format!("{} %", &decimal[..decimal.len() - 5])
}

fn csv(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let query = row.query.map(|query| query.to_string()).unwrap_or_default();
        let right = row
            .right
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let Row {
            maximum,
            inputs,
            certified,
            wrong,
            flops,
            int_ops,
            ..
        } = row;
        format!(
            "{maximum},{query},{inputs},{certified},{wrong},{},{right},{flops},{int_ops}\n",
            row.undecided()
        )
    };
    let head = "maximum,query,inputs,certified,wrong,undecided,right,flops,int_ops\n";
    std::iter::once(head.to_string())
        .chain(rows.iter().map(line))
        .collect()
}

fn json(explanation: &Explanation) -> String {
    let text = |inputs: &BigUint| inputs.to_string();
    let shares = |shares: Vec<Share>, name: &str| {
        let object = |share: Share| {
            json!({
                name: share.token,
                "inputs": text(&share.inputs),
                "wrong": text(&share.wrong),
                "undecided": text(&share.undecided),
                "lost": text(&share.loss),
                "flops": share.flops,
            })
        };
        shares.into_iter().map(object).collect::<Vec<Value>>()
    };
    let replacements = explanation.replacements.iter().map(|replacement| {
        let mut object = json!({ "replaced": replacement.rule, "by": replacement.by });
        object["outcome"] = match &replacement.outcome {
            Outcome::Unused => "not used".into(),
            Outcome::TooLong(_) => "too long".into(),
            Outcome::Done {
                certified,
                wrong,
                flops,
            } => {
                object["certified"] = text(certified).into();
                object["wrong"] = text(wrong).into();
                object["undecided"] = text(&(&explanation.total - certified - wrong)).into();
                object["lost"] = text(&explanation.loss_with(certified, wrong)).into();
                object["flops"] = (*flops).into();
                "done".into()
            }
        };
        object
    });
    let answers = explanation.answers.as_ref().map(|causes| {
        let cause = |cause: &crate::explain::Cause| {
            json!({ "answers": cause.answers, "fail_on": text(&cause.fails), "pairs": cause.rows })
        };
        causes.iter().map(cause).collect::<Vec<Value>>()
    });
    let object = json!({
        "total": text(&explanation.total),
        "certified": text(&explanation.certified()),
        "wrong": text(&explanation.wrong()),
        "undecided": text(&explanation.undecided()),
        "right": explanation.right().as_ref().map(text),
        "unknown": explanation.unknown,
        "lost": text(&explanation.loss()),
        "flops": explanation.flops(),
        "shared_flops": explanation.shared_flops,
        "replacements": replacements.collect::<Vec<Value>>(),
        "by_maximum": shares(explanation.by_maximum(), "maximum"),
        "by_query": shares(explanation.by_query(), "query"),
        "by_answer": answers,
    });
    format!("{object}\n")
}
