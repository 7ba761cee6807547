//! Any network's numbers, as they are printed.

use super::composition::{Composition, Compositions};
use super::heads::{Circuits, Heads};
use super::neurons::NeuronLayer;
use super::number;
use std::fmt;

/// How many neurons, and how many leading frequencies, are printed of a layer.
const MOST: usize = 8;
/// How many pairs of heads are printed: those with the largest scores.
const MOST_PAIRS: usize = 16;

/// A number that may be missing.
fn or_none(value: Option<f64>) -> String {
    value.map_or("-".into(), number)
}

impl fmt::Display for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network  {}", self.sha256)?;
        writeln!(
            f,
            "sizes    d_vocab {}, d_vocab_out {}, n_ctx {}",
            self.d_vocab, self.d_vocab_out, self.n_ctx
        )?;
        writeln!(f, "parts    {}", self.parts)?;
        if !self.heads.is_empty() {
            writeln!(f, "\nlayer head circuit   σ1/σ2   leading singular values")?;
            self.heads.iter().try_for_each(|head| spectra(f, head))?;
            writeln!(
                f,
                "\nlayer head   to the previous token   induction   (mean attention, {} inputs)",
                self.sampled_inputs
            )?;
            self.heads.iter().try_for_each(|head| attention(f, head))?;
        }
        if let Some(compositions) = &self.composition {
            composition(f, compositions)?;
        }
        self.neurons.iter().try_for_each(|layer| neurons(f, layer))
    }
}

fn spectra(f: &mut fmt::Formatter<'_>, circuits: &Circuits) -> fmt::Result {
    let Circuits { layer, head, .. } = circuits;
    for (name, spectrum) in [("QK", &circuits.qk), ("OV", &circuits.ov)] {
        writeln!(f, "{layer:>5} {head:>4} {name:<7}  {}", spectrum.leading())?;
    }
    Ok(())
}

fn attention(f: &mut fmt::Formatter<'_>, circuits: &Circuits) -> fmt::Result {
    let Circuits { layer, head, .. } = circuits;
    let [previous, induction] = [circuits.previous_token, circuits.induction].map(or_none);
    writeln!(f, "{layer:>5} {head:>4}   {previous:>21}   {induction:>9}")
}

fn composition(f: &mut fmt::Formatter<'_>, compositions: &Compositions) -> fmt::Result {
    let random = number(compositions.random);
    writeln!(
        f,
        "\n from    to        Q        K        V   (composition; at random {random})"
    )?;
    let mut pairs: Vec<&Composition> = compositions.pairs.iter().collect();
    pairs.sort_by(|one, other| other.largest().total_cmp(&one.largest()));
    for Composition { from, to, q, k, v } in pairs.iter().take(MOST_PAIRS) {
        let [from, to] = [from, to].map(|[layer, head]| format!("{layer}.{head}"));
        let [q, k, v] = [q, k, v].map(|score| or_none(*score));
        writeln!(f, "{from:>5} {to:>5} {q:>8} {k:>8} {v:>8}")?;
    }
    more(f, pairs.len(), MOST_PAIRS)
}

/// Says how many of so many are not printed.
fn more(f: &mut fmt::Formatter<'_>, count: usize, printed: usize) -> fmt::Result {
    match count.saturating_sub(printed) {
        0 => Ok(()),
        more => writeln!(f, "    … {more} more"),
    }
}

fn neurons(f: &mut fmt::Formatter<'_>, layer: &NeuronLayer) -> fmt::Result {
    let (count, pairs) = (layer.neurons.len(), layer.pairs);
    writeln!(
        f,
        "\nlayer {}: {count} neurons before the ReLU, over {pairs} pairs",
        layer.layer
    )?;
    let frequencies = layer.frequencies.as_deref().unwrap_or_default();
    if !frequencies.is_empty() {
        writeln!(f, "frequency   neurons   mean share of variance")?;
        for found in frequencies.iter().take(MOST) {
            let (frequency, neurons, share) = (found.frequency, found.neurons, number(found.share));
            writeln!(f, "{frequency:>9}   {neurons:>7}   {share:>22}")?;
        }
        more(f, frequencies.len(), MOST)?;
    }
    writeln!(f, "neuron   standard deviation")?;
    for index in layer.largest().into_iter().take(MOST) {
        let deviation = number(layer.neurons[index].deviation);
        writeln!(f, "{index:>6}   {deviation:>18}")?;
    }
    more(f, count, MOST)
}
