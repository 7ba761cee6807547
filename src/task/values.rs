//! What most tasks ask about: n values, and a fixed end of sequence behind them if there is one.

use super::level::Level;
use super::parameters::Parameters;
use super::tokens::Tokens;
use num_bigint::BigUint;

/// n positions with any of v values each, then `eos` if it is given. All v^n sequences are inputs.
#[derive(Debug)]
pub(super) struct Values {
    /// How many there are, n.
    pub(super) n: usize,
    /// How many there are to choose from, v.
    pub(super) v: usize,
    /// The end of sequence behind them, if there is one.
    pub(super) eos: Option<usize>,
}

impl Values {
    /// n and v are what the sizes leave: after `eos`, other special tokens, and other positions in front.
    pub(super) fn read(
        parameters: &mut Parameters<'_>,
        special: usize,
        in_front: usize,
    ) -> Option<Self> {
        let sizes = parameters.sizes;
        let has_eos = parameters.fields.get("eos").is_some();
        let eos = usize::from(has_eos);
        let v = sizes.d_vocab.saturating_sub(special.saturating_add(eos));
        let n = sizes.n_ctx.saturating_sub(in_front.saturating_add(eos));
        parameters.fit(n > 0 && v > 0, "a position for a value, and a token for it")?;
        let behind = v..=sizes.d_vocab.saturating_sub(1);
        let eos = if has_eos {
            Some(parameters.fields.whole("eos", behind)?)
        } else {
            None
        };
        Some(Self { n, v, eos })
    }

    /// How many positions they take, `eos` included.
    pub(super) fn positions(&self) -> usize {
        self.n.saturating_add(self.eos.iter().len())
    }

    /// What may stand behind the first `position` of them.
    pub(super) fn next(&self, position: usize) -> Tokens {
        match self.eos {
            _ if position < self.n => Tokens::Range(0..self.v),
            Some(eos) if position == self.n => Tokens::one(eos),
            _ => Tokens::NONE,
        }
    }

    /// The last of them, `in_front` positions further on, with what may stand there.
    pub(super) fn last(&self, in_front: usize) -> Vec<(usize, Tokens)> {
        let last = self.positions().saturating_sub(1);
        vec![(in_front.saturating_add(last), self.next(last))]
    }

    /// The values, once all positions are there.
    pub(super) fn of<'a>(&self, sequence: &'a [usize]) -> Option<&'a [usize]> {
        let is_whole = sequence.len() == self.positions();
        sequence.get(..self.n).filter(|_| is_whole)
    }

    /// Those with one right answer, behind some fixed tokens: the words over `classes` from state 0 to one that is an end,
    /// with `next` from a place among the values and a state by a class.
    pub(super) fn level(
        &self,
        in_front: &[usize],
        answer: usize,
        mut classes: Vec<Tokens>,
        states: usize,
        next: impl Fn(usize, usize, usize) -> Option<usize>,
        is_end: impl Fn(usize) -> bool,
    ) -> Level {
        let (first, of_values) = (in_front.len(), classes.len());
        let fixed = in_front.iter().chain(&self.eos);
        classes.extend(fixed.map(|token| Tokens::one(*token)));
        let positions = first.saturating_add(self.positions());
        let next = |position: usize, state, class| {
            let place = position.checked_sub(first).filter(|place| *place < self.n);
            let Some(place) = place else {
                // Fixed tokens come in their order: those in front, then the one behind.
                let fixed = if position < first { position } else { first };
                return (class == of_values.saturating_add(fixed)).then_some(state);
            };
            next(place, state, class).filter(|_| class < of_values)
        };
        Level::new(answer, classes, (positions, states), next, is_end)
    }

    /// v^n.
    pub(super) fn count(&self) -> BigUint {
        power(self.v, self.n)
    }
}

/// base^exponent.
pub(super) fn power(base: usize, exponent: usize) -> BigUint {
    num_traits::pow(base.into(), exponent)
}

/// v (v−1) … (v−n+1): how many sequences of n different ones of v there are.
pub(super) fn arrangements(v: usize, n: usize) -> BigUint {
    let choices = (0..n).map(|taken| v.saturating_sub(taken));
    choices.map(BigUint::from).product()
}

/// The values below v that are not taken.
pub(super) fn not_among(taken: &[usize], v: usize) -> Tokens {
    let free = (0..v).filter(|value| !taken.contains(value));
    Tokens::These(free.collect())
}

/// The sum, if it is a `usize`: of an input's values it is.
pub(super) fn sum(values: &[usize]) -> Option<usize> {
    let mut values = values.iter();
    values.try_fold(0_usize, |sum, value| sum.checked_add(*value))
}

/// x_0 − x_1 − x_2 − … modulo m.
pub(super) fn difference(values: &[usize], m: usize) -> Option<usize> {
    let (first, others) = values.split_first()?;
    let others = sum(others)?.checked_rem(m)?;
    first.checked_add(m.checked_sub(others)?)?.checked_rem(m)
}

/// The first place of a value, if there is one.
pub(super) fn place(of: Option<&usize>, values: &[usize]) -> Option<usize> {
    values.iter().position(|value| Some(value) == of)
}
