//! Where heads attend, on the mean over a sample of a task's inputs.

use crate::answers::{Decoder, Path, Seen};
use crate::model::{Dyadic, Network, Shape, Transformer};
use crate::task::Task;
use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;

/// What is drawn depends on this, the task and the network's size.
const SEED: u64 = 0;
/// So many inputs, but fewer if they took more multiplications than this, though never fewer than the last number.
const INPUTS: usize = 512;
const MULTIPLICATIONS: usize = 1 << 31;
const FEWEST: usize = 32;

/// The mean attention of every head.
#[derive(Debug)]
pub(super) struct Attention {
    /// Over so many inputs.
    pub(super) inputs: usize,
    /// By layer and head.
    pub(super) patterns: Vec<Vec<Pattern>>,
}

/// The mean attention of one head.
#[derive(Debug)]
pub(super) struct Pattern {
    /// `n_ctx × n_ctx`: from the row's position to the column's; NaN where there is none, or none that is read of.
    pub(super) mean: DMatrix<f64>,
    /// From a position to the one before: the mean over all positions that have one. None where it is no number.
    pub(super) previous_token: Option<f64>,
    /// At a read-out whose token stands before: to the positions right behind those places, together. None where no token
    /// does, or where it is no number.
    pub(super) induction: Option<f64>,
}

impl Attention {
    /// None where no input was found.
    pub(super) fn new(network: &Network, model: &Transformer) -> Option<Self> {
        let (task, shape) = (network.task.as_ref(), &model.shape);
        let inputs = sample(task, sample_size(shape));
        let last = task
            .read_outs()
            .iter()
            .map(|(position, _)| *position)
            .max()?;
        // With an attention rate nothing is read of the attention before.
        let first = if shape.attention_rate == Dyadic::NONE {
            0
        } else {
            last
        };
        let decoder = Decoder::<f64>::new(network);
        let mut sums = vec![vec![Sum::new(shape.n_ctx); shape.n_heads]; shape.n_layers];
        let mut repeated = 0_usize;
        for input in &inputs {
            let mut path = Path::default();
            for (position, token) in input.iter().enumerate().take(last + 1) {
                let behind = behind_earlier_places(task, &input[..=position]);
                repeated += usize::from(!behind.is_empty());
                decoder.watched_step(&mut path, *token, &mut |seen| {
                    if let Seen::Attention(layer, head, weights) = seen {
                        sums[layer][head].add(position, weights, &behind);
                    }
                });
            }
        }
        let pattern = |sum: &Sum| Pattern {
            mean: sum.mean(first..=last, inputs.len()),
            previous_token: sum.previous_token(first..=last, inputs.len()),
            induction: Some(sum.induction / repeated as f64).filter(|mean| !mean.is_nan()),
        };
        (!inputs.is_empty()).then(|| Self {
            inputs: inputs.len(),
            patterns: sums
                .iter()
                .map(|heads| heads.iter().map(pattern).collect())
                .collect(),
        })
    }
}

/// One head's attention, summed over inputs.
#[derive(Clone)]
struct Sum {
    /// `n_ctx × n_ctx`.
    attention: DMatrix<f64>,
    induction: f64,
}

impl Sum {
    fn new(n: usize) -> Self {
        Self {
            attention: DMatrix::zeros(n, n),
            induction: 0.0,
        }
    }

    fn add(&mut self, position: usize, weights: &[f64], behind: &[usize]) {
        for (sum, weight) in self.attention.row_mut(position).iter_mut().zip(weights) {
            *sum += weight;
        }
        self.induction += behind.iter().map(|place| weights[*place]).sum::<f64>();
    }

    fn mean(&self, read: RangeInclusive<usize>, inputs: usize) -> DMatrix<f64> {
        let (n, _) = self.attention.shape();
        DMatrix::from_fn(n, n, |from, to| {
            let is_there = to <= from && read.contains(&from);
            if is_there {
                self.attention[(from, to)] / inputs as f64
            } else {
                f64::NAN
            }
        })
    }

    fn previous_token(&self, read: RangeInclusive<usize>, inputs: usize) -> Option<f64> {
        let from: Vec<usize> = read.filter(|from| *from > 0).collect();
        let before = from.iter().map(|from| self.attention[(*from, from - 1)]);
        let mean = before.sum::<f64>() / (from.len() * inputs) as f64;
        Some(mean).filter(|mean| !mean.is_nan())
    }
}

/// The positions right behind the places where the last token of a prefix stands before, if an answer is read there.
fn behind_earlier_places(task: &dyn Task, prefix: &[usize]) -> Vec<usize> {
    let Some((last, before)) = prefix
        .split_last()
        .filter(|_| task.answer(prefix).is_some())
    else {
        return vec![];
    };
    let places = before
        .iter()
        .enumerate()
        .filter(|(_, token)| *token == last);
    places.map(|(place, _)| place + 1).collect()
}

/// The number of inputs to draw.
fn sample_size(shape: &Shape) -> usize {
    let head = 4 * shape.d_model * shape.d_head;
    let neurons = 2 * shape.d_model * shape.d_mlp.unwrap_or(0);
    let input = shape.n_ctx * shape.n_layers * (shape.n_heads * head + neurons);
    (MULTIPLICATIONS / input).clamp(FEWEST, INPUTS)
}

/// Inputs of a task, drawn token by token, each of those that may stand there with the same chance; fewer if most ways on
/// lead nowhere.
fn sample(task: &dyn Task, count: usize) -> Vec<Vec<usize>> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let drawn = (0..8 * count).filter_map(|_| draw(task, &mut random));
    drawn.take(count).collect()
}

/// None where nothing may stand behind what was drawn.
fn draw(task: &dyn Task, random: &mut ChaCha8Rng) -> Option<Vec<usize>> {
    let mut input = vec![];
    while input.len() < task.n_ctx() {
        let tokens = task.next(&input);
        let choice = (!tokens.is_empty()).then(|| random.random_range(0..tokens.len()));
        input.push(tokens.iter().nth(choice?)?);
    }
    Some(input)
}
