//! `argmax_of_n`, `argmin_of_n`: where is the largest value, the smallest? The first place counts, and places count from 0.

use super::values::place;
use super::{Level, Parameters, Reading, Task, Tokens, Values};
use num_bigint::BigUint;
use std::sync::Arc;

/// The first place of an extreme value, at the last position.
#[derive(Debug)]
struct Place {
    values: Values,
    of_the_largest: bool,
}

pub(super) fn of_the_largest(parameters: &mut Parameters<'_>) -> Reading {
    read(parameters, true)
}

pub(super) fn of_the_smallest(parameters: &mut Parameters<'_>) -> Reading {
    read(parameters, false)
}

fn read(parameters: &mut Parameters<'_>, of_the_largest: bool) -> Reading {
    let values = Values::read(parameters, 0, 0)?;
    parameters.answers(values.n)?;
    Some(Arc::new(Place {
        values,
        of_the_largest,
    }))
}

impl Task for Place {
    fn n_ctx(&self) -> usize {
        self.values.positions()
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        self.values.next(prefix.len())
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        let values = self.values.of(prefix)?;
        let extreme = if self.of_the_largest {
            values.iter().max()
        } else {
            values.iter().min()
        };
        place(extreme, values)
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        self.values.last(0)
    }

    fn size(&self) -> BigUint {
        self.values.count()
    }

    fn levels(&self, answer: usize) -> Vec<Level> {
        levels(&self.values, &[], self.of_the_largest, answer)
    }
}

/// Those whose largest value, or smallest, stands first at a place: one for each value that it can be.
pub(super) fn levels(
    values: &Values,
    in_front: &[usize],
    largest: bool,
    place: usize,
) -> Vec<Level> {
    let level = |r: usize| {
        let beyond = if largest {
            0..r
        } else {
            r.saturating_add(1)..values.v
        };
        let classes = vec![Tokens::one(r), Tokens::Range(beyond)];
        let next = |at: usize, _, class: usize| {
            let may_be = if class == 0 { at >= place } else { at != place };
            may_be.then_some(0)
        };
        values.level(in_front, place, classes, 1, next, |_| true)
    };
    let extremes = if place < values.n { 0..values.v } else { 0..0 };
    extremes.map(level).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::tests::{Example, at_the_end, values, with_and_without_eos};
    use serde_json::json;

    pub(in crate::task) fn examples() -> Vec<Example> {
        let mut examples = vec![];
        for (n, v) in [(1, 1), (1, 3), (2, 2), (2, 5), (3, 3), (4, 2), (5, 3)] {
            for (eos, sizes) in with_and_without_eos(n, v, n) {
                let task = json!({"name": "argmax_of_n", "eos": eos});
                examples.push(Example::new(task, sizes, move |input| {
                    let x = values(input, v, eos)?;
                    let is_first =
                        |i: &usize| (0..n).all(|k| x[k] <= x[*i]) && (0..*i).all(|k| x[k] < x[*i]);
                    at_the_end(input, (0..n).find(is_first)?)
                }));
                let task = json!({"name": "argmin_of_n", "eos": eos});
                examples.push(Example::new(task, sizes, move |input| {
                    let x = values(input, v, eos)?;
                    let is_first =
                        |i: &usize| (0..n).all(|k| x[k] >= x[*i]) && (0..*i).all(|k| x[k] > x[*i]);
                    at_the_end(input, (0..n).find(is_first)?)
                }));
            }
        }
        examples
    }
}
