//! Neurons before the ReLU, for tasks whose inputs are all pairs of values, and their Fourier spectra.

use crate::answers::{Decoder, Path, Seen};
use crate::model::{Function, Network};
use crate::parallel::parallel;
use crate::task::Task;
use nalgebra::DMatrix;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::f64::consts::TAU;

/// The most numbers that are looked at: pairs times neurons, of all layers together.
const MOST: usize = 1 << 24;
/// A variance below this part of the mean square is rounding.
const ROUNDING: f64 = 1e-24;

/// The neurons of an MLP, by what they are before the ReLU at the read-out of every pair (x, y).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NeuronLayer {
    /// The layer, from 0; 0 of an MLP over two tokens.
    pub layer: usize,
    /// The number of pairs, v².
    pub pairs: usize,
    /// For `modular` tasks the neurons counted by leading frequency, the most frequent first; null for others.
    pub frequencies: Option<Vec<Frequency>>,
    /// Every neuron, in order.
    pub neurons: Vec<Neuron>,
}

impl NeuronLayer {
    /// The neurons' indices, from the largest deviation to the smallest.
    pub(super) fn largest(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.neurons.len()).collect();
        let deviation = |index: &usize| self.neurons[*index].deviation;
        order.sort_by(|one, other| deviation(other).total_cmp(&deviation(one)));
        order
    }
}

/// The neurons that a frequency leads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frequency {
    /// k, from 1 to p/2: so many periods in p.
    pub frequency: usize,
    /// How many neurons.
    pub neurons: usize,
    /// The mean of their shares.
    pub share: f64,
}

/// One neuron.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Neuron {
    /// Its standard deviation over all pairs; infinite or NaN, null in JSON, where numbers are too large for doubles.
    pub deviation: f64,
    /// Its leading frequency k: that with the largest share. Null for other tasks than `modular`, and of a constant.
    pub frequency: Option<usize>,
    /// The share of its variance in waves of that frequency: of x, of y, and products of the two, such as cos(2πk(x+y)/p).
    pub share: Option<f64>,
}

/// The tables behind a [`NeuronLayer`].
#[derive(Debug)]
pub(super) struct Tables {
    layer: usize,
    /// By neuron, `v × v`: before the ReLU, rows are x and columns y.
    pub(super) neurons: Vec<DMatrix<f64>>,
    /// For `modular` tasks `⌊p/2⌋ × neurons`: the share of the variance of each frequency, from 1; NaN of a constant.
    pub(super) shares: Option<DMatrix<f64>>,
}

impl Tables {
    /// Of every layer; none if the task is no other about pairs, if there are no neurons, or too many.
    pub(super) fn of(network: &Network, threads: usize) -> Vec<Self> {
        let widths = widths(network);
        let most = |v: usize| MOST / (v * v);
        let is_fit = |v: &usize| (1..=most(*v)).contains(&widths.iter().sum());
        let Some(v) = values(network.task.as_ref()).filter(is_fit) else {
            return vec![];
        };
        let decoder = Decoder::<f64>::new(network);
        let rows = parallel((0..v).collect(), threads, |_, x| {
            row(network.task.as_ref(), &decoder, x, v)
        });
        let p = (network.task_name["name"] == "modular").then_some(v);
        let table =
            |layer: usize, neuron: usize| DMatrix::from_fn(v, v, |x, y| rows[x][y][layer][neuron]);
        let layers = widths.iter().enumerate().map(|(layer, width)| {
            let neurons: Vec<_> = (0..*width).map(|neuron| table(layer, neuron)).collect();
            let shares = p.map(|p| shares(&neurons, p, threads));
            Self {
                layer,
                neurons,
                shares,
            }
        });
        layers.collect()
    }

    /// What is said of them.
    pub(super) fn summary(&self) -> NeuronLayer {
        let neurons: Vec<Neuron> = (0..self.neurons.len())
            .map(|neuron| self.neuron(neuron))
            .collect();
        NeuronLayer {
            layer: self.layer,
            pairs: self.neurons.first().map_or(0, DMatrix::len),
            frequencies: self.shares.as_ref().map(|_| frequencies(&neurons)),
            neurons,
        }
    }

    fn neuron(&self, index: usize) -> Neuron {
        let shares = self.shares.as_ref().map(|shares| shares.column(index));
        let leading = shares.and_then(|shares| {
            let shares = shares.iter().copied().enumerate();
            let shares = shares.filter(|(_, share)| !share.is_nan());
            shares.reduce(|most, next| if next.1 > most.1 { next } else { most })
        });
        Neuron {
            deviation: self.neurons[index].variance().sqrt(),
            frequency: leading.map(|(row, _)| row + 1),
            share: leading.map(|(_, share)| share),
        }
    }
}

/// The number of neurons of each layer's MLP.
fn widths(network: &Network) -> Vec<usize> {
    match &network.function {
        Function::Transformer(model) => {
            let mlps = model.layers.iter().filter_map(|layer| layer.mlp.as_ref());
            mlps.map(|mlp| mlp.w_in.cols()).collect()
        }
        Function::TwoEmbeddings(model) => vec![model.linear_left.cols()],
    }
}

/// v, if the inputs are all pairs of values below v, with one token behind them or none.
fn values(task: &dyn Task) -> Option<usize> {
    let v = task.next(&[]).len();
    let is_pair = |x: usize, y: usize| match task.n_ctx() {
        2 => true,
        3 => task.next(&[x, y]).len() == 1,
        _ => false,
    };
    let has_all = |x: usize| task.next(&[x]).iter().eq(0..v) && (0..v).all(|y| is_pair(x, y));
    (task.next(&[]).iter().eq(0..v) && (0..v).all(has_all)).then_some(v)
}

/// For one x: by y, layer and neuron.
fn row(task: &dyn Task, decoder: &Decoder<f64>, x: usize, v: usize) -> Vec<Vec<Vec<f64>>> {
    let mut path = Path::default();
    decoder.step(&mut path, x);
    let pair = |y: usize| {
        let mut path = path.clone();
        let mut found = vec![];
        let mut tokens = vec![y];
        tokens.extend(task.next(&[x, y]).iter());
        for token in tokens {
            found.clear();
            decoder.watched_step(&mut path, token, &mut |seen| {
                if let Seen::Neurons(_, neurons) = seen {
                    found.push(neurons.to_vec());
                }
            });
        }
        found
    };
    (0..v).map(pair).collect()
}

/// The shares of the variance of every neuron, by frequency and neuron.
fn shares(neurons: &[DMatrix<f64>], p: usize, threads: usize) -> DMatrix<f64> {
    let waves = waves(p);
    let turned = waves.transpose();
    let columns = parallel(neurons.iter().collect(), threads, |_, neuron| {
        powers(&(&waves * neuron * &turned))
    });
    DMatrix::from_fn(p / 2, neurons.len(), |row, neuron| columns[neuron][row])
}

/// An orthonormal basis of the functions of x below p, `p × p`: row 0 is the constant, rows 2k − 1 and 2k are the cosine
/// and the sine of frequency k; for even p the last row is (−1)^x, which is the cosine of p/2.
fn waves(p: usize) -> DMatrix<f64> {
    let mut waves = DMatrix::from_fn(p, p, |row, x| {
        let angle = TAU * (row.div_ceil(2) * x % p) as f64 / p as f64;
        let is_cosine = row == 0 || row % 2 == 1;
        if is_cosine { angle.cos() } else { angle.sin() }
    });
    for mut wave in waves.row_iter_mut() {
        let norm = wave.norm();
        wave /= norm;
    }
    waves
}

/// By frequency, the share of the variance of a function of (x, y) whose coefficients in products of waves are given.
fn powers(coefficients: &DMatrix<f64>) -> Vec<f64> {
    let p = coefficients.nrows();
    let square = |row: usize, column: usize| coefficients[(row, column)].powi(2);
    let whole = coefficients.norm_squared();
    // Not the difference of the whole and the constant, which may be rounding.
    let variance: f64 = coefficients
        .iter()
        .skip(1)
        .map(|coefficient| coefficient.powi(2))
        .sum();
    let power = |k: usize| {
        let waves = 2 * k - 1..(2 * k + 1).min(p);
        let of_both = |x: usize| waves.clone().map(move |y| square(x, y)).sum::<f64>();
        let of_one = |wave: usize| square(wave, 0) + square(0, wave);
        let sum: f64 = waves.clone().map(|wave| of_one(wave) + of_both(wave)).sum();
        if variance > ROUNDING * whole {
            sum / variance
        } else {
            f64::NAN
        }
    };
    (1..=p / 2).map(power).collect()
}

fn frequencies(neurons: &[Neuron]) -> Vec<Frequency> {
    let mut shares: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (frequency, share) in neurons
        .iter()
        .filter_map(|neuron| neuron.frequency.zip(neuron.share))
    {
        shares.entry(frequency).or_default().push(share);
    }
    let count = |(frequency, shares): (usize, Vec<f64>)| Frequency {
        frequency,
        neurons: shares.len(),
        share: shares.iter().sum::<f64>() / shares.len() as f64,
    };
    let mut frequencies: Vec<Frequency> = shares.into_iter().map(count).collect();
    frequencies.sort_by_key(|found| Reverse(found.neurons));
    frequencies
}
