//! Rule `tree`: all groups together, input by input, with shared prefixes.
//!
//! **Statement** (theorem `tree_counts`). The inputs of (q, m) are the sequences of tokens ≤ m at n − 1 positions, with
//! at least one m if q < m, told apart by the first position that holds it. Those on which every group's sum of terms is
//! negative are certified. At a node, a group whose prefix sum and largest possible rest add up to a negative number is
//! negative on every input below and is not looked at again; a node without groups certifies all inputs below it. An item
//! that stands for the far class counts as many times as the class has tokens.
//! **Why.** Terms bound φ from above and are added exactly; the sum of each position's largest term bounds every rest.
//! **Cost.** For each group one comparison an item to find the largest terms; an addition and a comparison at every node
//! where it is still open, one more addition to reach it.

use super::{Level, Window};
use crate::checker::arithmetic::{Enclosure, Term};
use crate::checker::meter::{Kind, Meter};
use crate::checker::rules::Margin;
use crate::refusal::{Decline, Refusal};
use num_bigint::BigUint;

/// What may stand at a position: a row of terms, one for each group, and how many tokens it stands for.
type Item<T> = (Vec<T>, u128);

/// The items of a position, token m first, and the largest term of each group among the others and among all.
struct Position<T> {
    items: Vec<Item<T>>,
    largest_below: Option<Vec<T>>,
    largest: Vec<T>,
}

/// A position of a pattern, and what is known of it and all positions behind it.
struct Step<'a, T> {
    items: &'a [Item<T>],
    /// The largest sum of each group.
    most: Vec<T>,
    /// The number of inputs.
    inputs: u128,
}

impl<R: Enclosure> Level<'_, R> {
    /// The inputs that are not certified.
    pub(super) fn tree(&mut self, q: usize, groups: &[Margin<'_, R>], window: &Window) -> Result<BigUint, Refusal> {
        let n = self.tables.n_ctx;
        let all = self.countable(q)?;
        let open: Vec<(usize, R::Term)> =
            groups.iter().map(|group| self.last_term(group, q).upper_term(n)).enumerate().collect();
        let positions: Vec<Position<R::Term>> = (0..n - 1).map(|p| self.position(q, groups, window, p)).collect();
        // A pattern's first position holds m, those before it in the input do not.
        let firsts = if q == self.m { vec![None] } else { (0..n - 1).map(Some).collect() };
        let mut certified = 0_u128;
        for first in firsts {
            let count = walk(self.meter, &steps(self.meter, &positions, first), &open)?;
            certified = certified.checked_add(count).ok_or(OVERFLOW)?;
        }
        Ok(all - BigUint::from(certified))
    }

    /// The inputs with query q, where machine integers count them.
    pub(super) fn countable(&self, q: usize) -> Result<BigUint, Refusal> {
        let all = self.inputs(q);
        if all.bits() <= 127 {
            return Ok(all);
        }
        Err(Decline::TooLarge { what: "the tree's count, in bits".into(), limit: 127, found: all.bits() }.into())
    }

    /// The items of position p: m, the other tokens of the window, the far class.
    fn position(&mut self, q: usize, groups: &[Margin<'_, R>], window: &Window, p: usize) -> Position<R::Term> {
        let n = self.tables.n_ctx;
        let mut items = Vec::new();
        for t in &window.tokens {
            let attention = &self.tables.attention;
            let (weight, shift) = (attention.weight(q, *t, p, self.meter), attention.shift(q, self.m, *t));
            self.meter.add(Kind::Terms, groups.len());
            let term = |group| weight.mul_term(&self.margins.at(group, *t, p), shift, n);
            items.push((groups.iter().map(term).collect(), 1));
        }
        if window.far > 0 {
            let far = self.far_term(window, q, p).upper_term(n);
            items.push((vec![far; groups.len()], u128::try_from(window.far).unwrap_or(u128::MAX)));
        }
        let mut below = items.iter().skip(1).map(|(row, _)| row);
        let largest_below = below.next().map(|first| below.fold(first.clone(), larger));
        let at_m = items.first().map(|(row, _)| row.clone()).unwrap_or_default();
        let largest = largest_below.iter().fold(at_m, larger);
        self.meter.add(Kind::Tree, groups.len().saturating_mul(items.len().saturating_sub(1)));
        Position { items, largest_below, largest }
    }
}

/// No count of inputs below 2^127 leads here.
pub(super) const OVERFLOW: Decline = Decline::Work { limit: u64::MAX };

/// Entry by entry, the larger of the two rows.
fn larger<T: Term>(mut most: Vec<T>, row: &Vec<T>) -> Vec<T> {
    for (most, entry) in most.iter_mut().zip(row) {
        *most = most.larger(entry);
    }
    most
}

/// The positions of the pattern whose first m is at `first`, that position foremost; any pattern without it.
fn steps<'a, T: Term>(meter: &Meter, positions: &'a [Position<T>], first: Option<usize>) -> Vec<Step<'a, T>> {
    let mut steps: Vec<Step<'a, T>> = Vec::new();
    let others = positions.iter().enumerate().filter(|(p, _)| Some(*p) != first).rev();
    let others = others.map(|(p, position)| match &position.largest_below {
        Some(largest) if first.is_some_and(|first| p < first) => (position.items.get(1..).unwrap_or(&[]), largest),
        _ => (position.items.as_slice(), &position.largest),
    });
    let fixed =
        first.and_then(|first| positions.get(first)?.items.get(..1)).and_then(|items| Some((items, &items.first()?.0)));
    for (items, largest) in others.chain(fixed) {
        meter.add(Kind::Integer, items.len() + 1);
        let tokens = items.iter().fold(0_u128, |sum, (_, times)| sum.saturating_add(*times));
        steps.push(match steps.last() {
            None => Step { items, most: largest.clone(), inputs: tokens },
            Some(rest) => {
                meter.add(Kind::Tree, largest.len());
                let most = largest.iter().zip(&rest.most).map(|(here, rest)| here.plus(rest)).collect();
                Step { items, most, inputs: tokens.saturating_mul(rest.inputs) }
            }
        });
    }
    steps.reverse();
    steps
}

/// The certified inputs below a node; `open` are the groups not yet negative everywhere below it, with their sums.
fn walk<T: Term>(meter: &Meter, steps: &[Step<'_, T>], open: &[(usize, T)]) -> Result<u128, Refusal> {
    let Some((step, deeper)) = steps.split_first() else { return Ok(u128::from(open.is_empty())) };
    meter.spend(Kind::Tree, open.len().saturating_mul(2))?;
    let stays = |(group, sum): &&(usize, T)| !step.most.get(*group).is_some_and(|most| sum.plus(most).is_negative());
    let open: Vec<&(usize, T)> = open.iter().filter(stays).collect();
    if open.is_empty() {
        return Ok(step.inputs);
    }
    let mut certified = 0_u128;
    for (row, times) in step.items {
        meter.add(Kind::Integer, 2);
        meter.add(Kind::Tree, open.len());
        let sums = open.iter().filter_map(|(group, sum)| Some((*group, sum.plus(row.get(*group)?))));
        let below = if deeper.is_empty() {
            meter.add(Kind::Tree, open.len());
            u128::from(sums.fold(true, |all, (_, sum)| all & sum.is_negative()))
        } else {
            walk(meter, deeper, &sums.collect::<Vec<_>>())?
        };
        certified = times.checked_mul(below).and_then(|count| certified.checked_add(count)).ok_or(OVERFLOW)?;
    }
    Ok(certified)
}
