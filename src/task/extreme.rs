//! `max_of_n`, `min_of_n`, `nth_max_of_n`: which value is the largest, the smallest, the nth largest?

use super::{Parameters, Reading, Task, Tokens, Values};
use num_bigint::BigUint;
use std::sync::Arc;

/// Which of the values is asked for.
#[derive(Debug)]
enum Rank {
    Largest,
    Smallest,
    /// Counted from 1, every value as often as it stands there.
    NthLargest(usize),
}

/// A value of a rank, at the last position.
#[derive(Debug)]
struct Extreme {
    values: Values,
    rank: Rank,
}

pub(super) fn largest(parameters: &mut Parameters<'_>) -> Reading {
    read(parameters, |_, _| Some(Rank::Largest))
}

pub(super) fn smallest(parameters: &mut Parameters<'_>) -> Reading {
    read(parameters, |_, _| Some(Rank::Smallest))
}

pub(super) fn nth_largest(parameters: &mut Parameters<'_>) -> Reading {
    read(parameters, |parameters, n| {
        parameters.fields.whole("nth", 1..=n).map(Rank::NthLargest)
    })
}

fn read(
    parameters: &mut Parameters<'_>,
    rank: impl FnOnce(&mut Parameters<'_>, usize) -> Option<Rank>,
) -> Reading {
    let values = Values::read(parameters, 0, 0)?;
    parameters.answers(values.v)?;
    let rank = rank(parameters, values.n)?;
    Some(Arc::new(Extreme { values, rank }))
}

impl Task for Extreme {
    fn n_ctx(&self) -> usize {
        self.values.positions()
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        self.values.next(prefix.len())
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        let values = self.values.of(prefix)?;
        let above = |value: &usize| values.iter().filter(|other| *other > value).count();
        match self.rank {
            Rank::Largest => values.iter().max().copied(),
            Rank::Smallest => values.iter().min().copied(),
            // The smallest of those that fewer than nth are above.
            Rank::NthLargest(nth) => values
                .iter()
                .filter(|value| above(value) < nth)
                .min()
                .copied(),
        }
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        self.values.last(0)
    }

    fn size(&self) -> BigUint {
        self.values.count()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::tests::{Example, at_the_end, values, with_and_without_eos};
    use serde_json::json;

    pub(in crate::task) fn examples() -> Vec<Example> {
        let mut examples = vec![];
        for (n, v) in [(1, 1), (1, 3), (2, 2), (2, 5), (3, 3), (4, 2), (5, 3)] {
            for (eos, sizes) in with_and_without_eos(n, v, v) {
                let task = json!({"name": "max_of_n", "eos": eos});
                examples.push(Example::new(task, sizes, move |input| {
                    let values = values(input, v, eos)?;
                    let is_largest =
                        |m: &usize| values.contains(m) && values.iter().all(|x| x <= m);
                    at_the_end(input, (0..v).find(is_largest)?)
                }));
                let task = json!({"name": "min_of_n", "eos": eos});
                examples.push(Example::new(task, sizes, move |input| {
                    let values = values(input, v, eos)?;
                    let is_smallest =
                        |m: &usize| values.contains(m) && values.iter().all(|x| x >= m);
                    at_the_end(input, (0..v).find(is_smallest)?)
                }));
                for nth in 1..=n {
                    let task = json!({"name": "nth_max_of_n", "nth": nth, "eos": eos});
                    examples.push(Example::new(task, sizes, move |input| {
                        let mut descending = values(input, v, eos)?;
                        descending.sort_unstable();
                        descending.reverse();
                        at_the_end(input, descending[nth - 1])
                    }));
                }
            }
        }
        examples
    }
}
