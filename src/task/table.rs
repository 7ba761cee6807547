//! `table`: any task that can be listed. A file beside the model has the answer to every sequence.

use super::{Parameters, Reading, Task, Tokens, labels};
use num_bigint::BigUint;
use std::sync::Arc;

/// The sequences x_0 … x_{n−1} of tokens below v that have an answer; read at the last position.
#[derive(Debug)]
struct Table {
    n: usize,
    v: usize,
    labels: Vec<i32>,
}

pub(super) fn read(parameters: &mut Parameters<'_>) -> Reading {
    let (n, v) = (parameters.sizes.n_ctx, parameters.sizes.d_vocab);
    let labels = labels::read(parameters)?;
    Some(Arc::new(Table { n, v, labels }))
}

impl Table {
    /// The labels of the sequences that begin so.
    fn of(&self, prefix: &[usize]) -> Option<&[i32]> {
        prefix
            .iter()
            .try_fold(self.labels.as_slice(), |labels, token| {
                let each = labels.len().checked_div(self.v)?;
                let from = token.checked_mul(each)?;
                labels.get(from..from.checked_add(each)?)
            })
    }
}

impl Task for Table {
    fn n_ctx(&self) -> usize {
        self.n
    }

    /// The tokens that begin an input, or go on with one: there are no dead ends.
    fn next(&self, prefix: &[usize]) -> Tokens {
        let labels = self.of(prefix).filter(|_| prefix.len() < self.n);
        let labels = labels.unwrap_or_default();
        let of_token = labels.chunks(labels.len().div_ceil(self.v).max(1));
        let begun = of_token.map(|labels| labels.iter().any(|label| *label >= 0));
        let tokens = begun.enumerate().filter(|(_, begun)| *begun);
        Tokens::These(tokens.map(|(token, _)| token).collect())
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        match self.of(prefix)? {
            [label] if prefix.len() == self.n => usize::try_from(*label).ok(),
            _ => None,
        }
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        vec![(self.n.saturating_sub(1), Tokens::Range(0..self.v))]
    }

    fn size(&self) -> BigUint {
        self.labels
            .iter()
            .filter(|label| **label >= 0)
            .count()
            .into()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::Sizes;
    use crate::task::labels::tests::file;
    use crate::task::tests::Example;
    use safetensors::Dtype;
    use serde_json::json;

    pub(in crate::task) fn examples() -> Vec<Example> {
        // n, v, and the labels in the order of the sequences.
        let tables: [(usize, usize, Vec<i32>); 7] = [
            (1, 1, vec![0]),
            (1, 3, vec![-1, 4, -1]),
            (3, 1, vec![2]),
            (2, 2, vec![0, 1, 1, 0]),
            // Nothing begins with 1, and nothing goes on with 0 behind 2.
            (2, 3, vec![1, -1, 0, -1, -1, -1, -1, 2, 2]),
            (
                3,
                3,
                (0..27)
                    .map(|i| if i % 5 == 1 { i % 4 } else { -1 })
                    .collect(),
            ),
            (
                4,
                3,
                (0..81).map(|i| if i < 70 { -1 } else { i - 70 }).collect(),
            ),
        ];
        let example = |(n, v, labels): (usize, usize, Vec<i32>)| {
            let d_vocab_out = usize::try_from(*labels.iter().max().unwrap()).unwrap() + 1;
            let sizes = Sizes {
                n_ctx: n,
                d_vocab: v,
                d_vocab_out,
            };
            let bytes = file(&[("labels", Dtype::I32, &vec![v; n], &labels)]);
            let literal = move |input: &[usize]| {
                let index = input.iter().fold(0, |index, token| index * v + token);
                let answer = usize::try_from(labels[index]).ok()?;
                Some(vec![(n - 1, answer)])
            };
            let task = json!({"name": "table", "labels": "labels.safetensors"});
            Example::new(task, sizes, literal).with_labels(bytes)
        };
        tables.into_iter().map(example).collect()
    }
}
