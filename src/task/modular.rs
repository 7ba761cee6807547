//! `modular`: arithmetic modulo p.

use super::values::{difference, sum};
use super::{Parameters, Reading, Task, Tokens, Values};
use num_bigint::BigUint;
use std::sync::Arc;

/// What is computed modulo p.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    /// x_0 + x_1 + ….
    Add,
    /// x_0 − x_1 − ….
    Subtract,
    /// (x_0 + x_1 + …)², as the original computes it: its name speaks of x² + xy + y², which is another function.
    SquareOfSum,
}

const FUNCTIONS: [(&str, Function); 3] = [
    ("add", Function::Add),
    ("subtract", Function::Subtract),
    ("x2xyy2", Function::SquareOfSum),
];

/// A function of values below p, at the last position.
#[derive(Debug)]
struct Modular {
    function: Function,
    values: Values,
}

pub(super) fn read(parameters: &mut Parameters<'_>) -> Reading {
    let function = parameters.fields.choice("function", None, FUNCTIONS)?;
    let values = Values::read(parameters, 0, 0)?;
    parameters.answers(values.v)?;
    parameters.fields.whole("p", values.v..=values.v)?;
    Some(Arc::new(Modular { function, values }))
}

impl Task for Modular {
    fn n_ctx(&self) -> usize {
        self.values.positions()
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        self.values.next(prefix.len())
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        let values = self.values.of(prefix)?;
        let p = self.values.v;
        match self.function {
            Function::Add => sum(values)?.checked_rem(p),
            Function::Subtract => difference(values, p),
            Function::SquareOfSum => sum(values)?.checked_pow(2)?.checked_rem(p),
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

    /// The one answer below p that differs from the integer by a multiple of p.
    fn literal(function: &str, x: &[usize], p: usize) -> usize {
        let x: Vec<i64> = x.iter().map(|x| i64::try_from(*x).unwrap()).collect();
        let whole: i64 = match function {
            "add" => x.iter().sum(),
            "subtract" => x[0] - x[1..].iter().sum::<i64>(),
            "x2xyy2" => x.iter().flat_map(|a| x.iter().map(move |b| a * b)).sum(),
            other => panic!("{other}"),
        };
        let is_right = |answer: &usize| {
            (whole - i64::try_from(*answer).unwrap()) % i64::try_from(p).unwrap() == 0
        };
        (0..p).find(is_right).unwrap()
    }

    pub(in crate::task) fn examples() -> Vec<Example> {
        let mut examples = vec![];
        for (n, p) in [(1, 1), (1, 4), (2, 1), (2, 2), (2, 7), (3, 4), (4, 3)] {
            for function in ["add", "subtract", "x2xyy2"] {
                for (eos, sizes) in with_and_without_eos(n, p, p) {
                    let task = json!({"name": "modular", "function": function, "p": p, "eos": eos});
                    examples.push(Example::new(task, sizes, move |input| {
                        at_the_end(input, literal(function, &values(input, p, eos)?, p))
                    }));
                }
            }
        }
        examples
    }
}
