//! `multifun`: the first token says which function of the values behind it is asked for.

use super::fields::whole;
use super::values::{place as first_place, sum};
use super::{Level, Parameters, Reading, Task, Tokens, Values, extreme, place};
use num_bigint::BigUint;
use serde_json::Value;
use std::sync::Arc;

/// A function of n values below v.
type Function = fn(&[usize], usize) -> Option<usize>;

/// What the answers to n values below v are below.
type Bound = fn(usize, usize) -> usize;

/// The levels of an answer behind a function token, if the function has any.
type Levels = fn(&Values, &[usize], usize) -> Vec<Level>;

/// The functions by name. Places count among the values, from 0, and the first counts.
const FUNCTIONS: [(&str, Bound, Function, Levels); 6] = [
    (
        "max",
        |_, v| v,
        |x, _| x.iter().max().copied(),
        |values, token, r| extreme::levels(values, token, Some(1), r),
    ),
    (
        "min",
        |_, v| v,
        |x, _| x.iter().min().copied(),
        |values, token, r| extreme::levels(values, token, None, r),
    ),
    (
        "argmax",
        |n, _| n,
        |x, _| first_place(x.iter().max(), x),
        |values, token, place| place::levels(values, token, true, place),
    ),
    (
        "argmin",
        |n, _| n,
        |x, _| first_place(x.iter().min(), x),
        |values, token, place| place::levels(values, token, false, place),
    ),
    (
        "sum",
        |n, v| n * (v - 1) + 1,
        |x, _| sum(x),
        |_, _, _| vec![],
    ),
    (
        "summod",
        |_, v| v,
        |x, v| sum(x)?.checked_rem(v),
        |_, _, _| vec![],
    ),
];

/// A function token, n values; the function's value at the last position.
#[derive(Debug)]
struct Multifun {
    /// Function tokens, ascending, and what they ask for.
    functions: Vec<(usize, Function, Levels)>,
    values: Values,
}

/// `functions` are names, `function_tokens` as many special tokens, in the same order.
pub(super) fn read(parameters: &mut Parameters<'_>) -> Reading {
    let names = FUNCTIONS.map(|(name, ..)| name).join(", ");
    let expected = format!("one or more of {names}, each once");
    let functions = parameters.fields.take("functions", expected, |names| {
        let names = names?.as_array().filter(|names| each_once(names))?;
        let named = |name| FUNCTIONS.iter().find(|(of, ..)| name == of);
        names.iter().map(named).collect::<Option<Vec<_>>>()
    })?;
    let values = Values::read(parameters, functions.len(), 1)?;
    let behind = values.v..parameters.sizes.d_vocab;
    let expected = format!(
        "{} different tokens out of {behind:?}, none of them eos",
        functions.len()
    );
    let tokens = parameters
        .fields
        .take("function_tokens", expected, |tokens| {
            let tokens = tokens?.as_array().filter(|tokens| each_once(tokens))?;
            let token = |token| {
                whole(token).filter(|token| behind.contains(token) && Some(*token) != values.eos)
            };
            let tokens: Option<Vec<usize>> = tokens.iter().map(token).collect();
            tokens.filter(|tokens| tokens.len() == functions.len())
        })?;
    for (_, answers, ..) in &functions {
        parameters.answers(answers(values.n, values.v))?;
    }
    let functions = tokens.into_iter().zip(functions);
    let mut functions: Vec<(usize, Function, Levels)> = functions
        .map(|(token, (_, _, function, levels))| (token, *function, *levels))
        .collect();
    functions.sort_unstable_by_key(|(token, ..)| *token);
    Some(Arc::new(Multifun { functions, values }))
}

/// From one up to as many as there are functions, and all different.
fn each_once(list: &[Value]) -> bool {
    let times = |one| list.iter().filter(|other| *other == one).count();
    (1..=FUNCTIONS.len()).contains(&list.len()) && list.iter().all(|one| times(one) == 1)
}

impl Task for Multifun {
    fn n_ctx(&self) -> usize {
        self.values.positions().saturating_add(1)
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        match prefix.split_first() {
            None => Tokens::These(self.functions.iter().map(|(token, ..)| *token).collect()),
            Some((_, behind)) => self.values.next(behind.len()),
        }
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        let (asked, behind) = prefix.split_first()?;
        let values = self.values.of(behind)?;
        let (_, function, _) = self.functions.iter().find(|(token, ..)| token == asked)?;
        function(values, self.values.v)
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        self.values.last(1)
    }

    fn size(&self) -> BigUint {
        self.values.count() * self.functions.len()
    }

    fn levels(&self, answer: usize) -> Vec<Level> {
        let of = |(token, _, levels): &(usize, Function, Levels)| {
            levels(&self.values, &[*token], answer)
        };
        self.functions.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::Sizes;
    use crate::task::tests::{Example, at_the_end, values};
    use serde_json::json;

    /// The function of that name, word by word.
    fn literal(name: &str, x: &[usize], v: usize) -> usize {
        let (largest, smallest) = (*x.iter().max().unwrap(), *x.iter().min().unwrap());
        match name {
            "max" => largest,
            "min" => smallest,
            "argmax" => (0..x.len()).find(|i| x[*i] == largest).unwrap(),
            "argmin" => (0..x.len()).find(|i| x[*i] == smallest).unwrap(),
            "sum" => x.iter().sum(),
            "summod" => x.iter().sum::<usize>() % v,
            other => panic!("{other}"),
        }
    }

    pub(in crate::task) fn examples() -> Vec<Example> {
        let mut examples = vec![];
        // Which function tokens stand for which functions, v, n, eos, and how many answers there may be.
        type Case = (
            &'static [(&'static str, usize)],
            usize,
            usize,
            Option<usize>,
            usize,
        );
        let cases: [Case; 9] = [
            (&[("max", 1)], 1, 1, None, 1),
            (&[("max", 3), ("min", 4)], 3, 3, None, 3),
            (&[("max", 4), ("min", 3)], 3, 3, Some(5), 3),
            (&[("argmax", 5), ("argmin", 3)], 3, 4, Some(4), 4),
            (&[("argmin", 2)], 2, 5, None, 5),
            (&[("sum", 4)], 4, 3, None, 10),
            (&[("summod", 4), ("sum", 3)], 3, 4, None, 9),
            (&[("summod", 3)], 3, 3, Some(4), 3),
            (
                &[
                    ("sum", 2),
                    ("max", 8),
                    ("argmin", 3),
                    ("min", 4),
                    ("summod", 7),
                    ("argmax", 6),
                ],
                2,
                3,
                Some(5),
                4,
            ),
        ];
        for (functions, v, n, eos, d_vocab_out) in cases {
            let (names, tokens): (Vec<_>, Vec<_>) = functions.iter().copied().unzip();
            let task = json!({"name": "multifun", "functions": names, "function_tokens": tokens, "eos": eos});
            let d_vocab = v + functions.len() + eos.iter().len();
            let n_ctx = 1 + n + eos.iter().len();
            let sizes = Sizes {
                n_ctx,
                d_vocab,
                d_vocab_out,
            };
            examples.push(Example::new(task, sizes, move |input| {
                let (name, _) = functions.iter().find(|(_, token)| *token == input[0])?;
                at_the_end(input, literal(name, &values(&input[1..], v, eos)?, v))
            }));
        }
        examples
    }
}
