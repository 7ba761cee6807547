//! `f_g`: two lists of k numbers, of which one function of the first and another of the second agree. Which number is it?

use super::values::{difference, power, sum};
use super::{Level, Parameters, Reading, Task, Tokens, Values};
use num_bigint::BigUint;
use std::sync::Arc;

/// f and g, which agree on the two lists of an input.
#[derive(Debug, Clone, Copy)]
enum Functions {
    /// max x = min y.
    MaxMin,
    /// min x = max y.
    MinMax,
    /// x_0 + x_1 + … = y_0 − y_1 − … modulo m.
    AddSub,
}

const FUNCTIONS: [(&str, Functions); 3] = [
    ("max_min", Functions::MaxMin),
    ("min_max", Functions::MinMax),
    ("add_sub", Functions::AddSub),
];

/// x_0 … x_{k−1}, y_0 … y_{k−1} with f(x) = g(y), then `eos`; f(x) at the last position.
#[derive(Debug)]
struct Composed {
    functions: Functions,
    k: usize,
    values: Values,
}

pub(super) fn read(parameters: &mut Parameters<'_>) -> Reading {
    let functions = parameters.fields.choice("functions", None, FUNCTIONS)?;
    let most = parameters.sizes.n_ctx.max(2);
    let k = parameters.fields.whole("elements", 2..=most)?;
    let values = Values::read(parameters, 0, 0)?;
    let missing = || {
        parameters
            .fields
            .take("eos", "the token behind the values", |_| None)
    };
    values.eos.or_else(missing)?;
    parameters.fit(values.n == 2 * k, "n_ctx = 2 · elements + 1")?;
    parameters.answers(values.v)?;
    Some(Arc::new(Composed {
        functions,
        k,
        values,
    }))
}

impl Composed {
    fn f(&self, x: &[usize]) -> Option<usize> {
        match self.functions {
            Functions::MaxMin => x.iter().max().copied(),
            Functions::MinMax => x.iter().min().copied(),
            Functions::AddSub => sum(x)?.checked_rem(self.values.v),
        }
    }

    /// What may stand behind some of the y, so that g of all of them can be, and in the end is, f(x).
    fn next_y(&self, x: &[usize], y: &[usize]) -> Option<Tokens> {
        let (goal, m) = (self.f(x)?, self.values.v);
        let is_last = y.len().checked_add(1)? == self.k;
        match self.functions {
            // The last one takes away what the others are above the goal.
            Functions::AddSub if is_last => {
                Some(Tokens::one(difference(&[difference(y, m)?, goal], m)?))
            }
            Functions::AddSub => Some(Tokens::Range(0..m)),
            // One is the goal, and none is beyond it.
            _ if is_last && !y.contains(&goal) => Some(Tokens::one(goal)),
            Functions::MaxMin => Some(Tokens::Range(goal..m)),
            Functions::MinMax => Some(Tokens::Range(0..goal.checked_add(1)?)),
        }
    }
}

impl Task for Composed {
    fn n_ctx(&self) -> usize {
        self.values.positions()
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        match prefix.split_at_checked(self.k) {
            Some((x, y)) if y.len() < self.k => self.next_y(x, y).unwrap_or(Tokens::NONE),
            _ => self.values.next(prefix.len()),
        }
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        self.f(self.values.of(prefix)?.get(..self.k)?)
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        self.values.last(0)
    }

    /// For each number, the lists whose maximum it is times those whose minimum it is; for `add_sub`, all numbers but the
    /// last are free.
    fn size(&self) -> BigUint {
        let (k, m) = (self.k, self.values.v);
        // Lists of k out of i numbers, of which one must be there.
        let with = |i: usize| power(i, k) - power(i.saturating_sub(1), k);
        match self.functions {
            Functions::AddSub => power(m, self.values.n.saturating_sub(1)),
            _ => (1..=m).map(|i| with(i) * with(m - i + 1)).sum(),
        }
    }

    /// The first list holds the number and none on one side, the second it and none on the other.
    fn levels(&self, answer: usize) -> Vec<Level> {
        let (first, second) = match self.functions {
            Functions::MaxMin => (1, 2),
            Functions::MinMax => (2, 1),
            Functions::AddSub => return vec![],
        };
        if answer >= self.values.v {
            return vec![];
        }
        let above = Tokens::Range(answer.saturating_add(1)..self.values.v);
        let classes = vec![Tokens::one(answer), Tokens::Range(0..answer), above];
        // A state says in how many lists the number has been: the second goes on from one only.
        let next = |at: usize, state: usize, class: usize| {
            let (list, side) = if at < self.k { (0, first) } else { (1, second) };
            let may_be = (class == 0 || class == side) && (at != self.k || state == 1);
            let state = if class == 0 { list + 1 } else { state };
            may_be.then_some(state)
        };
        let is_end = |state| state == 2;
        vec![self.values.level(&[], answer, classes, 3, next, is_end)]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::Sizes;
    use crate::task::tests::{Example, at_the_end, values};
    use serde_json::json;

    /// f(x) and g(y).
    fn literal(functions: &str, x: &[usize], y: &[usize], m: usize) -> (usize, usize) {
        let (max, min) = (
            |list: &[usize]| *list.iter().max().unwrap(),
            |list: &[usize]| *list.iter().min().unwrap(),
        );
        match functions {
            "max_min" => (max(x), min(y)),
            "min_max" => (min(x), max(y)),
            "add_sub" => {
                let others: usize = y[1..].iter().sum();
                (
                    x.iter().sum::<usize>() % m,
                    (y[0] + others * m - others) % m,
                )
            }
            other => panic!("{other}"),
        }
    }

    pub(in crate::task) fn examples() -> Vec<Example> {
        let mut examples = vec![];
        for (k, m) in [
            (2, 1),
            (2, 2),
            (2, 3),
            (2, 5),
            (3, 1),
            (3, 2),
            (3, 3),
            (4, 2),
        ] {
            for functions in ["max_min", "min_max", "add_sub"] {
                let task = json!({"name": "f_g", "functions": functions, "elements": k, "eos": m});
                let sizes = Sizes {
                    n_ctx: 2 * k + 1,
                    d_vocab: m + 1,
                    d_vocab_out: m,
                };
                examples.push(Example::new(task, sizes, move |input| {
                    let both = values(input, m, Some(m))?;
                    let (f, g) = literal(functions, &both[..k], &both[k..], m);
                    if f == g { at_the_end(input, f) } else { None }
                }));
            }
        }
        examples
    }
}
