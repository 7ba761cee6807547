//! `gbmi inspect`.

use super::arguments::Named;
use super::streams::{folder, stage};
use super::{Failure, json, model, note, print, threads};
use crate::inspect::{Anatomy, Format, draw, inspect};
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: Named,
    /// Draw circuits, attention, composition and neurons as heat maps into this folder
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
    let (source, out) = (&model.source, args.out.as_deref());
    let format = args.format.into();
    // Max-of-n's one head has tables of its own to look at.
    let (printed, drawn) = match model.network.max_of_n() {
        Ok(one_head) => {
            let printed = shown(args, source, &inspect(&one_head))?;
            (printed, out.map(|out| draw(&one_head, out, format)))
        }
        Err(_) => {
            let anatomy = Anatomy::new(&model.network, threads(None));
            let printed = shown(args, source, &anatomy.heads)?;
            (printed, out.map(|out| anatomy.draw(out, format)))
        }
    };
    // What cannot be drawn is refused before anything is printed.
    let drawn = drawn.transpose()?.unwrap_or_default();
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
