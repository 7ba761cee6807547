//! How the tables of any network are drawn.

use super::colours::{BLUE_WHITE_RED, REDS};
use super::composition::{Composition, Compositions};
use super::heat_map::{Ends, HeatMap, SIDE};
use super::neurons::NeuronLayer;
use super::number;
use super::panels::Panels;
use super::tables::rows_centred;
use nalgebra::DMatrix;
use std::collections::BTreeSet;

/// The least length of the shorter side of a map.
const LEAST_SIDE: i32 = SIDE / 2;
/// The side of a map among others.
const PANEL: i32 = 240;
/// Neurons in one picture, and in a row of it.
const NEURONS: usize = 8;
const NEURONS_IN_A_ROW: usize = 4;

/// A table about zero.
fn signed<'a>(table: DMatrix<f64>) -> HeatMap<'a> {
    HeatMap {
        colours: &BLUE_WHITE_RED,
        ends: Ends::Symmetric,
        least_side: LEAST_SIDE,
        ..HeatMap::of(table)
    }
}

/// A table of shares, from white for 0 to dark for the largest.
fn shares<'a>(table: DMatrix<f64>, largest: f64) -> HeatMap<'a> {
    HeatMap {
        colours: &REDS,
        ends: Ends::Fixed(0.0, largest),
        least_side: LEAST_SIDE,
        ..HeatMap::of(table)
    }
}

/// `v × v`: scores of key tokens for query tokens.
pub(super) fn token_scores<'a>(scores: DMatrix<f64>) -> HeatMap<'a> {
    HeatMap {
        title: "QK of token embeddings, row mean removed".into(),
        columns: "key token",
        rows: "query token",
        unit: "softmax exponent",
        ..signed(rows_centred(scores))
    }
}

/// `n × n`: scores of key positions for query positions.
pub(super) fn position_scores<'a>(scores: DMatrix<f64>) -> HeatMap<'a> {
    HeatMap {
        title: "QK of position embeddings, row mean removed".into(),
        columns: "key position",
        rows: "query position",
        unit: "softmax exponent",
        ..signed(rows_centred(scores))
    }
}

/// `v × d_vocab_out`: logits of tokens attended to.
pub(super) fn logits<'a>(logits: DMatrix<f64>) -> HeatMap<'a> {
    HeatMap {
        title: "OV circuit, row mean removed".into(),
        columns: "output logit",
        rows: "input token",
        unit: "logit",
        ..signed(rows_centred(logits))
    }
}

/// `n × n`: mean attention.
pub(super) fn attention<'a>(mean: DMatrix<f64>) -> HeatMap<'a> {
    HeatMap {
        title: "mean attention".into(),
        columns: "key position",
        rows: "query position",
        unit: "attention",
        ..shares(mean, 1.0)
    }
}

/// Q-, K- and V-composition side by side, on one scale.
pub(super) fn composition<'a>(compositions: &Compositions) -> Panels<'a> {
    let kinds: [(&str, Score); 3] = [
        ("Q-composition", |pair| pair.q),
        ("K-composition", |pair| pair.k),
        ("V-composition", |pair| pair.v),
    ];
    let largest = compositions.pairs.iter().map(Composition::largest);
    let largest = largest.fold(0.0, f64::max);
    let map = |(title, score)| composition_of_a_kind(title, &compositions.pairs, score, largest);
    Panels {
        maps: kinds.into_iter().map(map).collect(),
        columns: 3,
    }
}

/// One of the scores of a pair.
type Score = fn(&Composition) -> Option<f64>;

/// Earlier heads by later heads.
fn composition_of_a_kind<'a>(
    title: &str,
    pairs: &[Composition],
    score: Score,
    largest: f64,
) -> HeatMap<'a> {
    let from: BTreeSet<[usize; 2]> = pairs.iter().map(|pair| pair.from).collect();
    let to: BTreeSet<[usize; 2]> = pairs.iter().map(|pair| pair.to).collect();
    // Not every earlier head of one pair is earlier than every later head of another.
    let mut table = DMatrix::from_element(from.len(), to.len(), f64::NAN);
    for pair in pairs {
        let place = (from.range(..pair.from).count(), to.range(..pair.to).count());
        table[place] = score(pair).unwrap_or(f64::NAN);
    }
    let name = |[layer, head]: &[usize; 2]| format!("{layer}.{head}");
    HeatMap {
        title: title.into(),
        columns: "later head (layer.head)",
        rows: "earlier head",
        unit: "score",
        names: [&from, &to].map(|heads| heads.iter().map(name).collect()),
        // Room for the names of many heads.
        side: PANEL.max(10 * i32::try_from(to.len()).unwrap_or(0)),
        least_side: PANEL / 2,
        ..shares(table, largest)
    }
}

/// The neurons of largest deviation before the ReLU, each `v × v` on a scale of its own.
pub(super) fn neurons<'a>(tables: &[DMatrix<f64>], layer: &NeuronLayer) -> Panels<'a> {
    let map = |index: usize| {
        let neuron = layer.neurons[index];
        let led = |(k, share)| format!(" (k = {k}: {})", number(share));
        let led = neuron
            .frequency
            .zip(neuron.share)
            .map_or(String::new(), led);
        HeatMap {
            title: format!("neuron {index}{led}"),
            columns: "y",
            rows: "x",
            unit: "before the ReLU",
            side: PANEL,
            least_side: 0,
            ..signed(tables[index].clone())
        }
    };
    Panels {
        maps: layer.largest().into_iter().take(NEURONS).map(map).collect(),
        columns: NEURONS_IN_A_ROW,
    }
}

/// `⌊p/2⌋ × neurons`: shares of variance, the neurons in the order of their leading frequencies.
pub(super) fn frequencies<'a>(table: &DMatrix<f64>, layer: &NeuronLayer) -> HeatMap<'a> {
    let mut order: Vec<usize> = (0..layer.neurons.len()).collect();
    order.sort_by(|one, other| {
        let [one, other] = [one, other].map(|index| layer.neurons[*index]);
        let shares = [one, other].map(|neuron| neuron.share.unwrap_or(0.0));
        (one.frequency.cmp(&other.frequency)).then(shares[1].total_cmp(&shares[0]))
    });
    let frequencies = (1..=table.nrows()).map(|frequency| frequency.to_string());
    HeatMap {
        title: format!("Layer {}: share of variance by frequency", layer.layer),
        columns: "neurons, in the order of their leading frequencies",
        rows: "frequency k",
        unit: "share of variance",
        names: [frequencies.collect(), vec![]],
        ..shares(table.select_columns(&order), 1.0)
    }
}
