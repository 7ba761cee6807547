//! Pictures of networks: of Max-of-n's one head, and of any network.

use super::anatomy::Anatomy;
use super::attention::Attention;
use super::colours::BLUE_WHITE_RED;
use super::heat_map::{Ends, HeatMap};
use super::maps;
use super::picture::{Album, Format};
use super::tables::{Circuit, Tables, rows_centred};
use crate::model::{Function, OneHead, Transformer};
use crate::refusal::Refusal;
use std::path::{Path, PathBuf};

/// Draws the QK circuit A(q, t) as `qk.svg` and the OV circuit EV(t, j) as `ov.svg` (or `.png`) into the folder `out`,
/// which is created if there is none, and returns their paths. Both are drawn after the free centring, less the mean
/// of every row: only differences within a row change what the network does.
///
/// # Errors
/// [`Refusal::Unreadable`] when a file cannot be written; no half-written file is left.
pub fn draw(network: &OneHead<'_>, out: &Path, format: Format) -> Result<Vec<PathBuf>, Refusal> {
    let tables = Tables::new(network);
    let scores = HeatMap {
        title: "QK circuit: attention score A(q, t), row mean removed".into(),
        columns: "key token t",
        rows: "query token q",
        unit: "softmax exponent",
        ..HeatMap::of(rows_centred(tables.a()))
    };
    let logits = HeatMap {
        title: "OV circuit: logit EV(t, j), row mean removed".into(),
        columns: "output logit j",
        rows: "input token t",
        unit: "logit",
        colours: &BLUE_WHITE_RED,
        ends: Ends::Symmetric,
        ..HeatMap::of(rows_centred(tables.ev()))
    };
    let mut album = Album::new(out, format);
    album.add("qk", &scores)?;
    album.add("ov", &logits)?;
    album.keep()
}

/// Draws what [`Anatomy::draw`] lists.
pub(super) fn draw_anatomy(
    anatomy: &Anatomy<'_>,
    out: &Path,
    format: Format,
) -> Result<Vec<PathBuf>, Refusal> {
    let mut album = Album::new(out, format);
    if let Function::Transformer(model) = &anatomy.network.function {
        draw_heads(model, anatomy.attention.as_ref(), &mut album)?;
    }
    if let Some(compositions) = &anatomy.heads.composition {
        album.add("composition", &maps::composition(compositions))?;
    }
    for (tables, summary) in anatomy.neurons.iter().zip(&anatomy.heads.neurons) {
        let layer = summary.layer;
        album.add(
            &format!("l{layer}_neurons"),
            &maps::neurons(&tables.neurons, summary),
        )?;
        if let Some(shares) = &tables.shares {
            album.add(
                &format!("l{layer}_frequencies"),
                &maps::frequencies(shares, summary),
            )?;
        }
    }
    album.keep()
}

fn draw_heads(
    model: &Transformer,
    attention: Option<&Attention>,
    album: &mut Album<'_>,
) -> Result<(), Refusal> {
    for (layer, parts) in model.layers.iter().enumerate() {
        for (head, weights) in parts.heads.iter().enumerate() {
            let mut add = |part: &str, mut map: HeatMap<'_>| {
                map.title = format!("Layer {layer}, head {head}: {}", map.title);
                album.add(&format!("l{layer}h{head}_{part}"), &map)
            };
            let circuit = Circuit::new(model, weights);
            add("qk", maps::token_scores(circuit.token_scores()))?;
            add(
                "positions",
                maps::position_scores(circuit.position_scores()),
            )?;
            add("ov", maps::logits(circuit.logits()))?;
            if let Some(attention) = attention {
                add(
                    "attention",
                    maps::attention(attention.patterns[layer][head].mean.clone()),
                )?;
            }
        }
    }
    Ok(())
}
