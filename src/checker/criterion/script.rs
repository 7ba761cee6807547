//! Rule `script`: all groups together, by a hinted proof tree over the inputs. It also counts wrong inputs.
//!
//! **Statement** (theorem `script_counts`). The inputs of (q, m) are the sequences of tokens ≤ m at n − 1 positions, with
//! at least one m if q < m, told apart by the first position that holds it. At a node some positions hold known items.
//! All inputs below a node, or below some items of its next position, are certified if every group is negative there:
//! `prefix + item + most(rest) < 0`, or the same further up; they are wrong if one answer's own sum has
//! `prefix + item + least(rest) ≥ 0` (a tie is wrong). Every input lies below one leaf, so that counts add up.
//! **Why.** Terms enclose φ, and `most` and `least` bound every completion. The far class has the upper bound of rule
//! `window`; from below it is at least −w(s,p)·K for its strongest token s, with K the widest margin there is. It stands
//! for as many tokens as it has. The script says which tests to make: one that fails or is missing leaves its
//! inputs undecided, neither certified nor wrong.
//! **Cost.** An addition for each open group to reach a node; at most two additions and a comparison for a test. A hinted
//! order bounds any set of a position's items, at one comparison an item.

use super::tree::OVERFLOW;
use super::{Level, Window};
use crate::certificate::Script;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::rules::{Margin, Order};
use crate::refusal::Refusal;
use num_bigint::BigUint;

/// What the script says of a node that is not settled by its dropped groups.
const WRONG: usize = 1;
const SPLIT: usize = 2;
/// What it says of an item: 0 certified, 1 a node of its own, 2 undecided, 3 + g wrong by group g.
const CERTIFIED: usize = 0;
const NODE: usize = 1;
const WRONG_BY: usize = 3;

/// Inputs known to be right, and inputs known to be wrong.
#[derive(Default)]
struct Found {
    certified: u128,
    wrong: u128,
}

impl Found {
    /// Adds what was found for each of `times` tokens.
    fn add(&mut self, times: u128, found: &Self) -> Result<(), Refusal> {
        let plus = |a: u128, b: u128| times.checked_mul(b).and_then(|b| a.checked_add(b)).ok_or(OVERFLOW);
        (self.certified, self.wrong) = (plus(self.certified, found.certified)?, plus(self.wrong, found.wrong)?);
        Ok(())
    }
}

/// The items of one position: token m, the other tokens of the window, the far class.
struct Position<R> {
    /// By item, then group.
    terms: Vec<Vec<R>>,
    far: u128,
    /// Is the far class bounded from below, or absent?
    bounded: bool,
    /// By group: orders of the items by upper ends, and by lower ends of those that have one.
    orders: Vec<(Order, Order)>,
}

impl<R: Enclosure> Position<R> {
    fn term(&self, item: usize, group: usize) -> R {
        self.terms.get(item).and_then(|row| row.get(group)).cloned().unwrap_or_else(R::everything)
    }

    fn is_far(&self, item: usize) -> bool {
        self.far > 0 && item + 1 == self.terms.len()
    }

    fn tokens(&self, items: impl Iterator<Item = usize>) -> u128 {
        items.fold(0, |sum, item| sum.saturating_add(if self.is_far(item) { self.far } else { 1 }))
    }

    /// A term whose upper end is at least that of every item which `member` picks.
    fn most(&self, group: usize, member: impl FnMut(usize) -> bool) -> R {
        let item = self.orders.get(group).and_then(|(upper, _)| upper.bound(member));
        item.map_or_else(R::everything, |item| self.term(item, group))
    }

    /// A term whose lower end is at most that of every bounded item which `member` picks.
    fn least(&self, group: usize, member: impl FnMut(usize) -> bool) -> R {
        let item = self.orders.get(group).and_then(|(_, lower)| lower.bound(member));
        item.map_or_else(R::everything, |item| self.term(item, group))
    }
}

/// A position of a pattern, and what is known of it and all positions behind it.
struct Step<'a, R> {
    position: &'a Position<R>,
    /// The first item that may stand here: 1 where token m may not.
    start: usize,
    /// By group: bounds of every completion from above, and from below if all positions are bounded.
    most: Vec<R>,
    least: Option<Vec<R>>,
    /// The number of inputs.
    inputs: u128,
}

struct Walk<'a, R> {
    meter: &'a Meter,
    /// By group: is it one answer?
    single: Vec<bool>,
    script: std::slice::Iter<'a, usize>,
    marker: std::marker::PhantomData<R>,
}

impl<R: Enclosure> Level<'_, R> {
    /// The inputs that are not certified, and those that are wrong.
    pub(super) fn script(
        &mut self,
        q: usize,
        groups: &[Margin<'_, R>],
        window: &Window,
        script: &Script,
    ) -> Result<(BigUint, BigUint), Refusal> {
        let n = self.tables.n_ctx;
        let all = self.countable(q)?;
        let last: Vec<(usize, R)> = groups.iter().map(|group| self.last_term(group, q)).enumerate().collect();
        let positions: Vec<Position<R>> = (0..n - 1).map(|p| self.items(q, groups, window, p, script)).collect();
        let single = groups.iter().map(Margin::is_one_answer).collect();
        let mut walk = Walk { meter: self.meter, single, script: script.walk.iter(), marker: std::marker::PhantomData };
        let mut found = Found::default();
        for first in if q == self.m { vec![None] } else { (0..n - 1).map(Some).collect() } {
            let open = match first.and_then(|first| positions.get(first)) {
                Some(position) => walk.extended(&last, position, 0),
                None => last.clone(),
            };
            let steps = walk.steps(&positions, first);
            found.add(1, &walk.node(&steps, open, true)?)?;
        }
        Ok((all - BigUint::from(found.certified), found.wrong.into()))
    }

    /// The items of position p.
    fn items(&mut self, q: usize, groups: &[Margin<'_, R>], window: &Window, p: usize, script: &Script) -> Position<R> {
        let mut terms: Vec<Vec<R>> = Vec::new();
        for t in &window.tokens {
            terms.push(groups.iter().map(|group| self.term(group, q, *t, p)).collect());
        }
        let tokens = terms.len();
        let bounded = window.far == 0 || script.lower.iter().any(|row| row.contains(&tokens));
        if window.far > 0 {
            let upper = self.far_term(window, q, p);
            let far = if bounded { upper.hull(&self.far_below(window, q, p)) } else { upper };
            terms.push(vec![far; groups.len()]);
        }
        let bounded_items = if bounded { terms.len() } else { tokens };
        let order = |group: usize, hint: &[usize], items: usize, comes_first: fn(&R, &R) -> bool| {
            let term = |item: usize| terms.get(item).and_then(|row| row.get(group));
            let larger = |a, b| term(a).zip(term(b)).is_some_and(|(a, b)| comes_first(a, b));
            Order::by(hint, items, larger, Kind::Tree, self.meter)
        };
        let orders = (0..groups.len()).map(|group| {
            let place = p.saturating_mul(groups.len()).saturating_add(group);
            let upper = script.upper.get(place).map_or(&[][..], Vec::as_slice);
            let upper = order(group, upper, terms.len(), |a, b| b.upper_at_most(a));
            // No hint: no wrong input is looked for with this group.
            let lower = script.lower.get(place).filter(|hint| !hint.is_empty());
            (upper, lower.map(|hint| order(group, hint, bounded_items, R::lower_at_most)).unwrap_or_default())
        });
        Position { orders: orders.collect(), terms, far: u128::try_from(window.far).unwrap_or(u128::MAX), bounded }
    }

    /// A lower bound of φ of every group at every token of the far class, at position p.
    fn far_below(&self, window: &Window, q: usize, p: usize) -> R {
        let Some(strongest) = window.strongest_far() else { return R::everything() };
        self.meter.add(Kind::Far, 2);
        let (attention, widest) = (&self.tables.attention, self.tables.direct_path.widest(self.meter));
        let weight = attention.weight(q, strongest, p, self.meter);
        R::dyadic(0, 0).sub(&weight.mul_scaled(widest, attention.shift(q, self.m, strongest)))
    }
}

impl<R: Enclosure> Walk<'_, R> {
    fn next(&mut self) -> Option<usize> {
        self.script.next().copied()
    }

    /// Prefix sums with one more item.
    fn extended(&self, open: &[(usize, R)], position: &Position<R>, item: usize) -> Vec<(usize, R)> {
        self.meter.add(Kind::Tree, open.len());
        open.iter().map(|(group, sum)| (*group, sum.add(&position.term(item, *group)))).collect()
    }

    /// The positions of the pattern whose first m is at `first`, without that position; of any pattern for none.
    fn steps<'p>(&self, positions: &'p [Position<R>], first: Option<usize>) -> Vec<Step<'p, R>> {
        let mut steps: Vec<Step<'p, R>> = Vec::new();
        for (p, position) in positions.iter().enumerate().rev().filter(|(p, _)| Some(*p) != first) {
            let start = usize::from(first.is_some_and(|first| p < first));
            let behind = steps.last();
            let plus = |here: R, behind: Option<&R>| match behind {
                Some(behind) => {
                    self.meter.add(Kind::Tree, 1);
                    here.add(behind)
                }
                None => here,
            };
            let groups = 0..self.single.len();
            let most = |group| plus(position.most(group, |item| item >= start), behind.and_then(|b| b.most.get(group)));
            let least = |group| {
                let behind = behind.and_then(|step| step.least.as_ref()?.get(group));
                plus(position.least(group, |item| item >= start), behind)
            };
            let bounded = position.bounded && behind.is_none_or(|step| step.least.is_some());
            let tokens = position.tokens(start..position.terms.len());
            self.meter.add(Kind::Integer, 1);
            steps.push(Step {
                position,
                start,
                most: groups.clone().map(most).collect(),
                least: bounded.then(|| groups.map(least).collect()),
                inputs: tokens.saturating_mul(behind.map_or(1, |step| step.inputs)),
            });
        }
        steps.reverse();
        steps
    }

    /// `sum + item + rest`, whichever are given.
    fn total(&self, sum: &R, item: Option<R>, rest: Option<&R>) -> R {
        self.meter.add(Kind::Tree, 1 + usize::from(item.is_some()) + usize::from(rest.is_some()));
        let sum = item.map_or_else(|| sum.clone(), |item| sum.add(&item));
        rest.map_or_else(|| sum.clone(), |rest| sum.add(rest))
    }

    /// What the script finds below a node; `open` are the groups not yet negative everywhere below it, with their sums.
    /// `exact`: every item of the prefix is bounded from below.
    fn node(&mut self, steps: &[Step<'_, R>], mut open: Vec<(usize, R)>, exact: bool) -> Result<Found, Refusal> {
        self.meter.spend(Kind::Integer, 1)?;
        let step = steps.first();
        let inputs = step.map_or(1, |step| step.inputs);
        for _ in 0..self.next().unwrap_or(0).min(open.len()) {
            let dropped = self.next();
            let holds = |(group, sum): &(usize, R)| {
                self.total(sum, None, step.and_then(|step| step.most.get(*group))).is_negative()
            };
            open.retain(|entry| Some(entry.0) != dropped || !holds(entry));
        }
        if open.is_empty() {
            return Ok(Found { certified: inputs, wrong: 0 });
        }
        match (self.next(), step) {
            (Some(WRONG), _) => {
                let by = self.next();
                let least = step.map(|step| step.least.as_ref());
                let wrong = exact
                    && !matches!(least, Some(None))
                    && open.iter().any(|(group, sum)| {
                        let rest = least.flatten().and_then(|least| least.get(*group));
                        Some(*group) == by && self.is_single(*group) && self.total(sum, None, rest).is_nonnegative()
                    });
                Ok(Found { certified: 0, wrong: if wrong { inputs } else { 0 } })
            }
            (Some(SPLIT), Some(step)) => self.split(step, steps.get(1..).unwrap_or(&[]), &open, exact),
            _ => Ok(Found::default()),
        }
    }

    fn is_single(&self, group: usize) -> bool {
        self.single.get(group) == Some(&true)
    }

    fn split(
        &mut self,
        Step { position, start, .. }: &Step<'_, R>,
        behind: &[Step<'_, R>],
        open: &[(usize, R)],
        exact: bool,
    ) -> Result<Found, Refusal> {
        let labels: Vec<(usize, usize)> =
            (*start..position.terms.len()).map_while(|item| Some((item, self.next()?))).collect();
        let labelled = |label: usize| labels.iter().filter(move |entry| entry.1 == label).map(|entry| entry.0);
        let (next, inputs) = (behind.first(), behind.first().map_or(1, |step| step.inputs));
        let mut found = Found::default();
        if labelled(CERTIFIED).next().is_some() {
            let holds = open.iter().all(|(group, sum)| {
                let item = position.most(*group, |item| labels.contains(&(item, CERTIFIED)));
                self.total(sum, Some(item), next.and_then(|step| step.most.get(*group))).is_negative()
            });
            if holds {
                found.add(position.tokens(labelled(CERTIFIED)), &Found { certified: inputs, wrong: 0 })?;
            }
        }
        let least = next.map(|step| step.least.as_ref());
        for (group, sum) in
            open.iter().filter(|(group, _)| exact && self.is_single(*group) && !matches!(least, Some(None)))
        {
            let by = WRONG_BY.saturating_add(*group);
            if labelled(by).next().is_none() || !position.bounded && labelled(by).any(|item| position.is_far(item)) {
                continue;
            }
            let rest = least.flatten().and_then(|least| least.get(*group));
            if self.total(sum, Some(position.least(*group, |item| labels.contains(&(item, by)))), rest).is_nonnegative()
            {
                found.add(position.tokens(labelled(by)), &Found { certified: 0, wrong: inputs })?;
            }
        }
        for item in labelled(NODE) {
            let open = self.extended(open, position, item);
            let below = self.node(behind, open, exact && (position.bounded || !position.is_far(item)))?;
            found.add(position.tokens(std::iter::once(item)), &below)?;
        }
        Ok(found)
    }
}
