//! `sorted_list`: a list of different values, a separator, and the list in ascending order, one value after the other.

use super::values::{arrangements, not_among};
use super::{Parameters, Reading, Task, Tokens};
use num_bigint::BigUint;
use std::sync::Arc;

/// n different values below v, the separator, the same values ascending. Read at the separator and behind it, but not at
/// the last position, which the next value of the order would follow: n read-outs.
#[derive(Debug)]
struct SortedList {
    n: usize,
    v: usize,
    separator: usize,
}

pub(super) fn read(parameters: &mut Parameters<'_>) -> Reading {
    let sizes = parameters.sizes;
    let n = parameters.fields.whole("length", 1..=sizes.n_ctx.max(1))?;
    let v = sizes.d_vocab.saturating_sub(1);
    let fit = sizes.n_ctx == n.saturating_mul(2).saturating_add(1) && n <= v;
    parameters.fit(
        fit,
        "n_ctx twice the length and one more, for the separator, and as many values as the length",
    )?;
    parameters.answers(v)?;
    let separator = parameters.fields.whole("separator", v..=v)?;
    Some(Arc::new(SortedList { n, v, separator }))
}

impl Task for SortedList {
    fn n_ctx(&self) -> usize {
        self.n.saturating_mul(2).saturating_add(1)
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        if prefix.len() < self.n {
            not_among(prefix, self.v)
        } else if prefix.len() == self.n {
            Tokens::one(self.separator)
        } else {
            self.answer(prefix).map_or(Tokens::NONE, Tokens::one)
        }
    }

    /// Which value comes next in the order: the one that has as many below it as stand behind the separator.
    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        let (list, behind) = prefix.split_at_checked(self.n)?;
        let sorted = behind.len().checked_sub(1)?;
        let below = |value: &usize| list.iter().filter(|other| *other < value).count();
        list.iter().find(|value| below(value) == sorted).copied()
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        let first = (self.n, Tokens::one(self.separator));
        let others = (1..self.n).map(|place| (self.n + place, Tokens::Range(0..self.v)));
        std::iter::once(first).chain(others).collect()
    }

    fn size(&self) -> BigUint {
        arrangements(self.v, self.n) * self.n
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::Sizes;
    use crate::task::tests::Example;
    use serde_json::json;

    pub(in crate::task) fn examples() -> Vec<Example> {
        let mut examples = vec![];
        for (n, v) in [(1, 1), (1, 4), (2, 2), (2, 3), (2, 6), (3, 3), (3, 4)] {
            let task = json!({"name": "sorted_list", "length": n, "separator": v});
            let sizes = Sizes {
                n_ctx: 2 * n + 1,
                d_vocab: v + 1,
                d_vocab_out: v,
            };
            examples.push(Example::new(task, sizes, move |input| {
                let (list, rest) = input.split_at(n);
                let mut sorted = list.to_vec();
                sorted.sort_unstable();
                let ascends = sorted.windows(2).all(|pair| pair[0] < pair[1]);
                let belongs = ascends && sorted[n - 1] < v && rest[0] == v && rest[1..] == sorted;
                belongs.then(|| (0..n).map(|i| (n + i, sorted[i])).collect())
            }));
        }
        examples
    }
}
