//! `max_of_n`, `min_of_n`, `nth_max_of_n`: which value is the largest, the smallest, the nth largest?

use super::{Level, Parameters, Reading, Task, Tokens, Values};
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

    fn levels(&self, answer: usize) -> Vec<Level> {
        let nth = match self.rank {
            Rank::Largest => Some(1),
            Rank::Smallest => None,
            Rank::NthLargest(nth) => Some(nth),
        };
        levels(&self.values, &[], nth, answer)
    }
}

/// The inputs with a value r that is the `nth` largest, counted from 1, or the smallest for none.
pub(super) fn levels(
    values: &Values,
    in_front: &[usize],
    nth: Option<usize>,
    r: usize,
) -> Vec<Level> {
    if r >= values.v {
        return vec![];
    }
    let (below, above) = (
        Tokens::Range(0..r),
        Tokens::Range(r.saturating_add(1)..values.v),
    );
    let Some(nth) = nth else {
        let classes = vec![Tokens::one(r), above];
        // Has r been there?
        let next = |_, state: usize, class: usize| Some(if class == 0 { 1 } else { state });
        return vec![values.level(in_front, r, classes, 2, next, |state| state == 1)];
    };
    // How many are above r, at most nth − 1, and how many at least r, up to nth.
    let width = nth.saturating_add(1);
    let states = nth.saturating_mul(width);
    let next = |_, state: usize, class: usize| {
        let (above, at_least) = (state.checked_div(width)?, state.checked_rem(width)?);
        let above = above.checked_add(usize::from(class == 2))?;
        let at_least = at_least.checked_add(usize::from(class != 1))?.min(nth);
        let state = above.checked_mul(width)?.checked_add(at_least)?;
        (above < nth).then_some(state)
    };
    let is_end = |state: usize| state.checked_rem(width) == Some(nth);
    let classes = vec![Tokens::one(r), below, above];
    vec![values.level(in_front, r, classes, states, next, is_end)]
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
