//! What is asked of a network: which inputs there are, where answers are read, and which answer is right there.
//!
//! Tokens `0 … v−1` are values; special tokens (an end of sequence, a separator, function tokens) are those from v on,
//! with v = d_vocab less their number. Positions, places and "first" count from 0.
//! `docs/tasks.md` has every task in mathematics, and how to add one.
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

mod composed;
mod extreme;
mod group;
mod induction;
mod labels;
mod modular;
mod multifun;
mod parameters;
mod place;
mod sizes;
mod sorted_list;
mod table;
mod tokens;
mod values;

pub use labels::{MAX_LABELS_BYTES, labels_file};
pub use sizes::{MAX_CTX, MAX_VOCAB, Sizes};
pub use tokens::Tokens;

use crate::refusal::Mismatch;
use num_bigint::BigUint;
use parameters::Parameters;
use serde_json::Value;
use std::fmt::Debug;
use std::sync::Arc;
use values::Values;

/// A finite set of inputs, all of one length, with the right answers at their read-outs.
///
/// The inputs are the sequences of length [`Task::n_ctx`] that [`Task::next`] allows token by token; a shorter prefix may
/// have no way on, and is then no input and the beginning of none. A read-out is a prefix with an answer: what a causal
/// network says at its last position depends on nothing behind it. Whoever asks walks along `next` from the empty prefix;
/// of any other sequence a task may say anything, but nothing panics.
pub trait Task: Debug + Send + Sync {
    /// The length of every input.
    fn n_ctx(&self) -> usize;

    /// The tokens that may stand behind a prefix; none behind a whole input.
    fn next(&self, prefix: &[usize]) -> Tokens;

    /// The right answer at the last position of a prefix of an input, if one is read there: below `d_vocab_out`.
    fn answer(&self, prefix: &[usize]) -> Option<usize>;

    /// Where answers may be read: positions, ascending, and the tokens that may stand there. There is none elsewhere.
    fn read_outs(&self) -> Vec<(usize, Tokens)>;

    /// The number of pairs of an input and a read-out of it: at least one.
    fn size(&self) -> BigUint;
}

/// A task as it is read: itself, or why there is none.
type Reading = Result<Arc<dyn Task>, Mismatch>;

/// What makes a task of its parameters.
type Read = fn(&Parameters<'_>) -> Reading;

/// Every task: its name, its parameters, and what reads them. A new one is its file and its line here.
const TASKS: &[(&str, &[&str], Read)] = &[
    ("max_of_n", &["eos"], extreme::largest),
    ("min_of_n", &["eos"], extreme::smallest),
    ("nth_max_of_n", &["nth", "eos"], extreme::nth_largest),
    ("argmax_of_n", &["eos"], place::of_the_largest),
    ("argmin_of_n", &["eos"], place::of_the_smallest),
    (
        "multifun",
        &["functions", "function_tokens", "eos"],
        multifun::read,
    ),
    ("f_g", &["functions", "elements", "eos"], composed::read),
    ("sorted_list", &["length", "separator"], sorted_list::read),
    ("modular", &["function", "p", "eos"], modular::read),
    ("group", &["table", "eos"], group::read),
    ("induction", &["inputs"], induction::read),
    ("table", &["labels"], table::read),
];

/// Reads the field `task` of a network of these sizes, and gives its canonical JSON with it: the bare name of a task
/// without parameters, otherwise an object with no field that is null. `labels` is the contents of [`labels_file`], for
/// the task that has one.
///
/// # Errors
/// [`Mismatch`] with the first field, such as `task.eos`, that is not what it must be; `task` if the sizes are not.
pub fn read(
    task: &Value,
    sizes: Sizes,
    labels: Option<&[u8]>,
) -> Result<(Value, Arc<dyn Task>), Mismatch> {
    let parameters = Parameters::new(task, sizes, labels)?;
    let entry = TASKS.iter().find(|(name, ..)| *name == parameters.name);
    let Some((_, known, read)) = entry else {
        let names: Vec<&str> = TASKS.iter().map(|(name, ..)| *name).collect();
        return Err(parameters.mismatch("name", &names.join(", ")));
    };
    parameters.are_among(known)?;
    let task = read(&parameters)?;
    Ok((parameters.canonical(), task))
}

#[cfg(test)]
mod tests;
