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
mod fields;
mod group;
mod induction;
mod labels;
mod level;
mod modular;
mod multifun;
mod parameters;
mod place;
mod sizes;
mod sorted_list;
mod table;
mod tokens;
mod values;

pub use fields::{Fields, whole};
pub use labels::{MAX_LABELS_BYTES, labels_file};
pub use level::{Level, Move, Words};
pub use sizes::{MAX_CTX, MAX_VOCAB, Sizes};
pub use tokens::Tokens;

use crate::refusal::Mismatch;
use num_bigint::BigUint;
use parameters::Parameters;
use serde_json::{Map, Value};
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

    /// Inputs with this right answer, each in one level, for a task with one read-out, at the last position. Where labels
    /// have no such form there is none, and the levels of all answers do not make up the inputs.
    fn levels(&self, answer: usize) -> Vec<Level> {
        let _ = answer;
        vec![]
    }
}

/// A task as it is read: none if something is wrong with its parameters, which is noted there.
type Reading = Option<Arc<dyn Task>>;

/// What makes a task of its parameters.
type Read = fn(&mut Parameters<'_>) -> Reading;

/// Every task: its name, and what reads its parameters. A new one is its file and its line here.
const TASKS: &[(&str, Read)] = &[
    ("max_of_n", extreme::largest),
    ("min_of_n", extreme::smallest),
    ("nth_max_of_n", extreme::nth_largest),
    ("argmax_of_n", place::of_the_largest),
    ("argmin_of_n", place::of_the_smallest),
    ("multifun", multifun::read),
    ("f_g", composed::read),
    ("sorted_list", sorted_list::read),
    ("modular", modular::read),
    ("group", group::read),
    ("induction", induction::read),
    ("table", table::read),
];

/// Reads the field `task` of a network of these sizes, and gives its canonical JSON with it: the bare name of a task
/// without parameters, otherwise an object with no field that is null. `labels` is the contents of [`labels_file`], for
/// the task that has one.
///
/// # Errors
/// What is wrong with a field, such as `task.eos`; with `task` if the sizes do not fit.
pub fn read(
    task: &Value,
    sizes: Sizes,
    labels: Option<&[u8]>,
) -> Result<(Value, Arc<dyn Task>), Vec<Mismatch>> {
    let mut fields = match task {
        Value::Object(fields) => fields.clone(),
        name => Map::from_iter([("name".into(), name.clone())]),
    };
    fields.retain(|_, value| !value.is_null());
    let canonical = match fields.get("name") {
        Some(name) if fields.len() == 1 => name.clone(),
        _ => fields.clone().into(),
    };
    let mut fields = Fields::new("task.", fields);
    let Some((name, read)) = fields.choice("name", None, TASKS.iter().map(|task| (task.0, task)))
    else {
        return Err(fields.wrong);
    };
    let mut parameters = Parameters {
        name,
        sizes,
        labels,
        fields,
    };
    let within = sizes.n_ctx <= MAX_CTX && sizes.d_vocab <= MAX_VOCAB;
    let most = format!("n_ctx up to {MAX_CTX} and d_vocab up to {MAX_VOCAB}");
    let task = parameters.fit(within, &most);
    let task = task.and_then(|()| read(&mut parameters));
    if task.is_some() {
        let expected = format!("no such field, for {name}");
        parameters.fields.nothing_else(&expected, |_, _| false);
    }
    Ok((canonical, parameters.fields.done(task)?))
}

#[cfg(test)]
mod tests;
