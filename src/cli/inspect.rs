//! `gbmi inspect`.

use super::streams::folder;
use super::{Failure, model, note, print};
use gbmi::inspect::{Format, draw, inspect, inspect_heads};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The model: a folder with model.safetensors and config.json, or the safetensors file [default: the bundled one]
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// The same, as `prove` and `check` spell it
    #[arg(long = "model", value_name = "PATH", conflicts_with = "model")]
    path: Option<PathBuf>,
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

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let model = model::named(args.model.as_deref().or(args.path.as_deref()))?;
    // Max-of-n's one head has tables of its own to look at.
    let printed = match model.network.one_head() {
        Ok(one_head) => shown(args, &model.source, &inspect(&one_head)),
        Err(_) => shown(args, &model.source, &inspect_heads(&model.network)),
    };
    if let Some(out) = &args.out {
        for drawn in draw(&model.network.one_head()?, out, args.format.into())? {
            note(&format!("drawn {}", drawn.display()));
        }
    }
    printed
}

fn shown<T: serde::Serialize + std::fmt::Display>(
    args: &Args,
    source: &str,
    inspection: &T,
) -> Result<(), Failure> {
    if args.json {
        let json =
            serde_json::to_string(inspection).map_err(|error| Failure::Other(error.to_string()))?;
        print(&format!("{json}\n"))
    } else {
        print(&format!("{source}\n{inspection}\n"))
    }
}
