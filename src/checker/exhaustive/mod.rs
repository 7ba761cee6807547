//! Family `exhaustive`: every input of every task, on every network; no hints.
//!
//! **Statement** (theorem `exhaustive_counts`). The walk goes through all inputs of the task, as sequences of tokens that
//! [`Task::next`] allows. At each read-out the logits are enclosed and compared: the pairs of an
//! input and a read-out of it are right, wrong, or undecided, and the first two numbers bound the accuracy from both sides.
//! **Why.** What a causal network says at a position depends on the tokens up to it alone: a prefix is evaluated once for all
//! inputs that begin with it, and counts as many times as there are. The number of all pairs that were found must be the
//! task's own; so no read-out is missed.
//! **Cost.** `one_layer.rs`, `layers.rs`; for an MLP over two tokens an addition a neuron, and what `tail.rs` says.

mod heads;
mod layers;
mod one_layer;
mod tail;

use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::enclose;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::product;
use crate::checker::run::{Decided, Run, in_order};
use crate::model::{Function, Network, TwoEmbeddings};
use crate::refusal::{Decline, Refusal};
use crate::task::Task;
use num_bigint::BigUint;
use tail::{Answer, Tail, plus};

/// Numbers of pairs of an input and a read-out of it.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    right: u128,
    wrong: u128,
    undecided: u128,
}

impl Found {
    fn count(&mut self, answer: Answer, inputs: u128) {
        let sum = match answer {
            Answer::Right => &mut self.right,
            Answer::Wrong => &mut self.wrong,
            Answer::Undecided => &mut self.undecided,
        };
        *sum = sum.saturating_add(inputs);
    }

    fn add(&mut self, other: Self) {
        self.count(Answer::Right, other.right);
        self.count(Answer::Wrong, other.wrong);
        self.count(Answer::Undecided, other.undecided);
    }
}

/// Evaluates every read-out of every input: those right by more than the margin, and those not.
///
/// # Errors
/// [`Decline::Work`], before the walk where that can be told; [`Decline::TooLarge`].
pub fn decide<R: Enclosure>(network: &Network, run: &Run<'_, R>) -> Result<Decided, Refusal> {
    run.meter.goes_by("exhaustive");
    let (task, margin) = (network.task.as_ref(), run.margin.clone());
    let (flops, limit) = (flops(network), run.options.max_flops);
    if flops > BigUint::from(limit) {
        return Err(Decline::Estimate { flops, limit }.into());
    }
    let found = match &network.function {
        Function::TwoEmbeddings(model) => pairs(model, task, run)?,
        Function::Transformer(model) => {
            let Some(last) = model.layers.last() else {
                return Err(Decline::too_large("a network without layers", 0, 0).into());
            };
            let tail = Tail::new(model, last, margin, run.meter)?;
            if model.layers.len() == 1 {
                one_layer::walk(model, task, &tail, run)?
            } else {
                layers::walk(model, task, &tail, run)?
            }
        }
    };
    let all = BigUint::from(found.right) + found.wrong + found.undecided;
    if all != task.size() {
        return Err(Decline::Task {
            expected: task.size(),
            found: all,
        }
        .into());
    }
    Ok(Decided {
        right: found.right.into(),
        wrong: found.wrong.into(),
    })
}

/// About how many FLOPs the walk takes: those at the read-outs.
pub fn flops(network: &Network) -> BigUint {
    let outputs = network.sizes.d_vocab_out;
    let each = match &network.function {
        // Half of the neurons fire, more or less.
        Function::TwoEmbeddings(model) => model.unembedding.rows() * (outputs + 2),
        Function::Transformer(model) => {
            let shape = &model.shape;
            let (d, n, heads) = (shape.d_model, shape.n_ctx, shape.n_heads);
            let tail = match (shape.d_mlp, shape.norms) {
                (None, None) => outputs,
                (None, Some(_)) => d + outputs,
                (Some(m), None) => m + outputs,
                (Some(_), Some(_)) => d,
            };
            let neurons = match (shape.d_mlp, shape.norms) {
                (None, _) => 0,
                (Some(m), None) => m * (outputs + 1),
                (Some(m), Some(_)) => m * 3 * d + 2 * d * outputs,
            };
            let attention = match shape.n_layers {
                1 => (3 * heads - 1) * tail,
                layers => (layers - 1) * heads * n * 2 * tail.min(d) + heads * n * 2 * tail,
            };
            attention + neurons
        }
    };
    network.task.size() * each
}

/// How many parts the walk has: one for each first token, and with one layer for each query.
pub fn parts(network: &Network) -> usize {
    let task = &network.task;
    let queries = match &network.function {
        Function::Transformer(model) if model.layers.len() == 1 => task
            .read_outs()
            .iter()
            .map(|(_, queries)| queries.len())
            .sum(),
        _ => 1,
    };
    queries * task.next(&[]).len()
}

/// The number of inputs that begin with a prefix.
fn inputs_below(task: &dyn Task, prefix: &mut Vec<usize>, meter: &Meter) -> Result<u128, Refusal> {
    if prefix.len() == task.n_ctx() {
        return Ok(1);
    }
    let mut inputs = 0_u128;
    meter.spend(Kind::Integer, 1)?;
    for token in task.next(prefix).iter() {
        prefix.push(token);
        inputs = inputs.saturating_add(inputs_below(task, prefix, meter)?);
        prefix.pop();
    }
    Ok(inputs)
}

/// An MLP over two tokens: what each adds to every neuron, once.
fn pairs<R: Enclosure>(
    model: &TwoEmbeddings,
    task: &dyn Task,
    run: &Run<'_, R>,
) -> Result<Found, Refusal> {
    let meter = run.meter;
    let side = |embedding, linear| {
        product(
            vec![enclose::<R>(embedding), enclose(linear)],
            meter,
            Kind::Logits,
        )
    };
    let left = side(&model.embedding_left, &model.linear_left)?;
    let right = side(&model.embedding_right, &model.linear_right)?;
    let bias = enclose::<R>(&model.unembed_bias).row(0).to_vec();
    let tail = Tail::of_neurons(&enclose(&model.unembedding), run.margin.clone());
    let walk = |first: usize, meter: &Meter| {
        let mut found = Found::default();
        for second in task.next(&[first]).iter() {
            let Some(answer) = task.answer(&[first, second]) else {
                continue;
            };
            meter.spend(Kind::Logits, left.cols())?;
            let neurons = plus(left.row(first), right.row(second));
            let columns = [neurons, bias.clone()].concat();
            found.count(tail.answer(&columns, None, answer, meter)?, 1);
        }
        Ok(found)
    };
    let mut found = Found::default();
    for part in in_order(task.next(&[]).iter().collect(), meter, run.options, walk)? {
        found.add(part);
    }
    Ok(found)
}
