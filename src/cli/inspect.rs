//! `gbmi inspect`.

use super::arguments::Named;
use super::streams::{folder, stage};
use super::{Failure, json, model, note, print};
use crate::inspect::{Format, draw, inspect, inspect_heads};
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: Named,
    /// Draw the QK and OV circuits as heat maps into this folder
    #[arg(long, value_name = "DIR", value_parser = folder())]
    out: Option<PathBuf>,
    /// The pictures' format
    #[arg(long, value_enum, default_value_t = Picture::Svg, requires = "out")]
    format: Picture,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Picture {
    Svg,
    Png,
}

impl From<Picture> for Format {
    fn from(picture: Picture) -> Self {
        match picture {
            Picture::Svg => Self::Svg,
            Picture::Png => Self::Png,
        }
    }
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Shown<'a, T> {
    model: &'a str,
    #[serde(flatten)]
    inspection: &'a T,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let model = model::named(args.model.path())?;
    stage("looking at its circuits");
    // Max-of-n's one head has tables of its own to look at.
    let one_head = model.network.one_head();
    let printed = match &one_head {
        Ok(one_head) => shown(args, &model.source, &inspect(one_head))?,
        Err(_) => shown(args, &model.source, &inspect_heads(&model.network))?,
    };
    // What cannot be drawn is refused before anything is printed.
    let drawn = match &args.out {
        Some(out) => draw(&one_head?, out, args.format.into())?,
        None => vec![],
    };
    drawn
        .iter()
        .for_each(|drawn| note(&format!("drawn {}", drawn.display())));
    print(&printed)
}

fn shown<T: Serialize + Display>(
    args: &Args,
    model: &str,
    inspection: &T,
) -> Result<String, Failure> {
    if args.json {
        json(&Shown { model, inspection })
    } else {
        Ok(format!("{model}\n{inspection}\n"))
    }
}
