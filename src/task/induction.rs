//! `induction`: what followed the last token where it stood before?

use super::values::{arrangements, not_among, power};
use super::{Parameters, Reading, Task, Tokens};
use num_bigint::BigUint;
use std::sync::Arc;

/// Which sequences x_0 … x_{n−1} are inputs, and where they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inputs {
    /// All tokens differ, but the last, which is one of those before the one before it. Read at the last position.
    Distinct,
    /// The last token stands once before, and not right before; the others are any. Read at the last position.
    Abcab,
    /// All. Read wherever the token stands before, and one and the same token stands behind it there every time.
    Exhaustive,
}

const INPUTS: [(&str, Inputs); 3] = [
    ("distinct", Inputs::Distinct),
    ("abcab", Inputs::Abcab),
    ("exhaustive", Inputs::Exhaustive),
];

/// What followed: of n tokens below v.
#[derive(Debug)]
struct Induction {
    inputs: Inputs,
    n: usize,
    v: usize,
}

pub(super) fn read(parameters: &mut Parameters<'_>) -> Reading {
    let inputs = parameters.fields.choice("inputs", None, INPUTS)?;
    let (n, v) = (parameters.sizes.n_ctx, parameters.sizes.d_vocab);
    let (some, expected) = match inputs {
        Inputs::Distinct => (n >= 3 && n <= v + 1, "n_ctx from 3 to d_vocab + 1"),
        Inputs::Abcab => (n >= 3 && v >= 2, "n_ctx from 3 and d_vocab from 2"),
        Inputs::Exhaustive => (n >= 2 && v >= 1, "n_ctx from 2 and d_vocab from 1"),
    };
    parameters.fit(some, expected)?;
    parameters.answers(v)?;
    Some(Arc::new(Induction { inputs, n, v }))
}

impl Induction {
    /// The prefixes x_0 … x_p that are read at p, of `exhaustive`, for one token x_p. Either it followed itself: from its
    /// first place on there is nothing else. Or another token did: the tokens before x_p are a row of pairs of the two, at
    /// least one, and of tokens that are not x_p.
    fn read_at(&self, p: usize) -> BigUint {
        let others = self.v.saturating_sub(1);
        let itself: BigUint = (0..p).map(|first| power(others, first)).sum();
        // Rows end in a token that is not x_p, or in a pair.
        let longer = |(rows, shorter): (BigUint, BigUint), _| (&rows * others + shorter, rows);
        let (rows, _) = (0..p).fold((power(1, 1), BigUint::ZERO), longer);
        itself + (rows - power(others, p)) * others
    }
}

impl Task for Induction {
    fn n_ctx(&self) -> usize {
        self.n
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        match (self.n.saturating_sub(prefix.len()), self.inputs) {
            (0, _) => Tokens::NONE,
            (1, Inputs::Distinct | Inputs::Abcab) => {
                let times = |token: &usize| prefix.iter().filter(|other| *other == token).count();
                let fits = |token: &usize| times(token) == 1 && prefix.last() != Some(token);
                Tokens::These((0..self.v).filter(fits).collect())
            }
            (_, Inputs::Distinct) => not_among(prefix, self.v),
            _ => Tokens::Range(0..self.v),
        }
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        if self.inputs != Inputs::Exhaustive && prefix.len() != self.n {
            return None;
        }
        let last = prefix.last()?;
        let mut followers = prefix.windows(2).filter_map(|pair| match pair {
            [before, follower] if before == last => Some(*follower),
            _ => None,
        });
        let first = followers.next()?;
        followers.all(|other| other == first).then_some(first)
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        let last = self.n.saturating_sub(1);
        let first = if self.inputs == Inputs::Exhaustive {
            1
        } else {
            last
        };
        let all = Tokens::Range(0..self.v);
        (first..=last)
            .map(|position| (position, all.clone()))
            .collect()
    }

    fn size(&self) -> BigUint {
        let (n, v, places) = (self.n, self.v, self.n.saturating_sub(2));
        match self.inputs {
            Inputs::Distinct => arrangements(v, places + 1) * places,
            Inputs::Abcab => power(v.saturating_sub(1), places) * v * places,
            Inputs::Exhaustive => (1..n).map(|p| self.read_at(p) * power(v, n - p)).sum(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::Sizes;
    use crate::task::tests::{Example, at_the_end};
    use serde_json::json;

    /// The tokens that stand behind x_p where it stands before.
    fn followers(x: &[usize], p: usize) -> Vec<usize> {
        (0..p).filter(|i| x[*i] == x[p]).map(|i| x[i + 1]).collect()
    }

    pub(in crate::task) fn examples() -> Vec<Example> {
        let mut examples = vec![];
        for (n, v) in [
            (2, 1),
            (2, 3),
            (3, 1),
            (3, 2),
            (3, 5),
            (4, 3),
            (5, 4),
            (6, 5),
            (7, 3),
            (8, 2),
            (4, 1),
        ] {
            let sizes = Sizes {
                n_ctx: n,
                d_vocab: v,
                d_vocab_out: v,
            };
            let task = |inputs| json!({"name": "induction", "inputs": inputs});
            if n >= 3 && v >= n - 1 {
                examples.push(Example::new(task("distinct"), sizes, move |x| {
                    let differ = (0..n - 1).all(|i| (0..i).all(|k| x[k] != x[i]));
                    let i = (0..n - 2).find(|i| x[*i] == x[n - 1])?;
                    if differ {
                        at_the_end(x, x[i + 1])
                    } else {
                        None
                    }
                }));
            }
            if n >= 3 && v >= 2 {
                examples.push(Example::new(task("abcab"), sizes, move |x| {
                    let i = (0..n - 2).find(|i| x[*i] == x[n - 1])?;
                    let only = (0..n - 1).all(|k| k == i || x[k] != x[n - 1]);
                    if only { at_the_end(x, x[i + 1]) } else { None }
                }));
            }
            examples.push(Example::new(task("exhaustive"), sizes, move |x| {
                let strong = |p: &usize| {
                    let followers = followers(x, *p);
                    !followers.is_empty()
                        && followers.iter().all(|follower| *follower == followers[0])
                };
                Some(
                    (1..n)
                        .filter(strong)
                        .map(|p| (p, followers(x, p)[0]))
                        .collect(),
                )
            }));
        }
        examples
    }
}
