//! Plans for the criterion: for every (query, maximum), which wrong answers to test apart, and how.
//!
//! Candidates are judged by the checker's own rules, run on them: no second implementation of the mathematics.

use super::orders::Orders;
use crate::certificate::{Answers, Count, Group, Partition, Plan, Test};
use crate::checker::arithmetic::Fixed;
use crate::checker::criterion::{Level, Tables};
use crate::checker::meter::Meter;
use crate::checker::rules::Set;
use crate::checker::{Options, parallel};
use crate::refusal::Refusal;
use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};
use std::collections::{BTreeMap, BTreeSet};

/// What a strategy allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Windows that whole-level tests may use.
    pub(super) windows: &'static [usize],
    /// The window of counts.
    pub(super) count_window: usize,
    /// The most answers tested apart.
    pub(super) most_apart: usize,
    /// Fractional bits of the grid.
    pub(super) bits: u32,
    /// Fractional bits of the grid while searching.
    pub(super) search_bits: u32,
    pub(super) aim: Aim,
}

/// What plans are chosen for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    /// Few uncertified inputs.
    Bound,
    /// None undecided: the exact count, from below or from both sides. The far class is bounded from below if the
    /// widest margin is given.
    Exact { two_sided: bool, widest: Option<f64> },
}

/// A test and its window.
pub(super) type Windowed = (Test, Option<usize>);

/// The group of these answers.
pub(super) fn group(answers: Answers, (test, window): Windowed) -> Group {
    Group { answers, test, window }
}

/// One plan for every (query, maximum).
///
/// # Errors
/// Those of the checker's rules.
pub(super) fn search(
    tables: &Tables<Fixed>,
    orders: &Orders,
    style: &Style,
    options: Options<'_>,
) -> Result<Partition, Refusal> {
    let v = tables.d_vocab;
    let levels = parallel((0..v).rev().collect(), options.threads, |_, m| {
        let meter = Meter::new(u64::MAX);
        let mut pair = Pair { level: Level::new(tables, m, &meter), orders, style, m, n: tables.n_ctx, v };
        let plans: Result<Vec<_>, _> = match style.aim {
            Aim::Bound => (0..=m).map(|q| pair.plan(q)).collect(),
            Aim::Exact { two_sided, widest } => {
                let far = pair.far();
                (0..=m).map(|q| pair.exact_plan(q, &far, two_sided, widest)).collect()
            }
        };
        (options.progress)();
        plans
    });
    let mut hints = Partition::default();
    let mut known: BTreeMap<Plan, usize> = BTreeMap::new();
    for plans in levels.into_iter().rev() {
        let row = plans?.into_iter().map(|plan| {
            *known.entry(plan).or_insert_with_key(|plan| {
                hints.plans.push(plan.clone());
                hints.plans.len() - 1
            })
        });
        hints.assignment.push(row.collect());
    }
    Ok(hints)
}

pub(super) struct Pair<'a> {
    level: Level<'a, Fixed>,
    pub(super) orders: &'a Orders,
    style: &'a Style,
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) v: usize,
}

impl Pair<'_> {
    /// Greedily tests apart the answer that helps most, and keeps the best partition met on the way.
    pub(super) fn plan(&mut self, q: usize) -> Result<Plan, Refusal> {
        let all = self.level.inputs(q).to_f64().unwrap_or(f64::MAX);
        let negligible = all * 1e-6;
        let mut apart: Vec<usize> = vec![];
        let mut apart_failures = 0.0;
        let (mut best, mut best_failures) = (apart.clone(), f64::INFINITY);
        let mut rest_failures = self.failures(q, &self.rest(&apart))?;
        loop {
            let failures = rest_failures + apart_failures;
            if failures < best_failures {
                (best, best_failures) = (apart.clone(), failures);
            }
            if rest_failures <= negligible || apart.len() >= self.style.most_apart || apart_failures >= best_failures {
                break;
            }
            let mut choice: Option<(f64, usize, f64, f64)> = None;
            for candidate in self.candidates(q, &apart) {
                let rest = self.rest(&[apart.as_slice(), &[candidate]].concat());
                let (rest, own) = (self.failures(q, &rest)?, self.failures(q, &Set::One(candidate))?);
                // Own failures are certain; those of the rest may still fall.
                let score = rest + 0.5 * own;
                if choice.is_none_or(|(least, ..)| score < least) {
                    choice = Some((score, candidate, rest, own));
                }
            }
            let Some((_, answer, rest, own)) = choice else { break };
            apart.push(answer);
            apart_failures += own;
            rest_failures = rest;
        }
        if best_failures >= all {
            let groups = vec![group(Answers::Rest, (Test::Forfeit, None))];
            return Ok(Plan { groups, count: Count::default(), window: None });
        }
        let mut groups = vec![];
        let rest = self.rest(&best);
        best.sort_unstable();
        for answer in best {
            groups.push(group(Answers::These(vec![answer]), self.test(q, &Set::One(answer))?));
        }
        groups.push(group(Answers::Rest, self.test(q, &rest)?));
        if groups.iter().all(|group| group.test != Test::Count) {
            return Ok(Plan { groups, count: Count::default(), window: None });
        }
        Ok(Plan { groups, count: Count::Grid { bits: self.style.bits }, window: self.window(self.style.count_window) })
    }

    fn rest(&self, apart: &[usize]) -> Set {
        Set::Marked((0..self.v).map(|j| j != self.m && !apart.contains(&j)).collect())
    }

    /// A window of all tokens is said to be one.
    fn window(&self, size: usize) -> Option<usize> {
        (size <= self.m).then_some(size)
    }

    /// The cheapest whole-level test that settles the set, or a count.
    fn test(&mut self, q: usize, set: &Set) -> Result<Windowed, Refusal> {
        let plan = Plan { groups: vec![], count: Count::default(), window: None };
        for window in self.style.windows {
            let window = self.window(*window);
            for test in [(Test::Pooled, window), (Test::Unpooled, window)] {
                if self.uncertified(q, set, test, &plan)?.is_zero() {
                    return Ok(test);
                }
            }
            if window.is_none() {
                break;
            }
        }
        Ok((Test::Count, None))
    }

    fn uncertified(&mut self, q: usize, set: &Set, test: Windowed, plan: &Plan) -> Result<BigUint, Refusal> {
        // The set is given: the group's answers are not looked at.
        Ok(self.level.uncertified(q, &[(set.clone(), &group(Answers::Rest, test))], plan)?.0)
    }

    /// The inputs that a set leaves uncertified, counted coarsely.
    fn failures(&mut self, q: usize, set: &Set) -> Result<f64, Refusal> {
        let plan = Plan {
            groups: vec![],
            count: Count::Grid { bits: self.style.search_bits },
            window: self.window(self.style.count_window),
        };
        let widest = self.style.windows.get(self.style.windows.len() / 2).copied().unwrap_or(8);
        if self.uncertified(q, set, (Test::Pooled, Some(widest)), &plan)?.is_zero() {
            return Ok(0.0);
        }
        Ok(self.uncertified(q, set, (Test::Count, None), &plan)?.to_f64().unwrap_or(f64::MAX))
    }

    /// Answers that the rest's bound may hang on: its largest entries at the tokens that matter.
    fn candidates(&self, q: usize, apart: &[usize]) -> BTreeSet<usize> {
        let top = |order: &[usize]| order.iter().copied().find(|j| *j != self.m && !apart.contains(j));
        let tokens = self.orders.attention[q].iter().filter(|t| **t < self.m).take(5).chain([&self.m]);
        let rows = tokens.flat_map(|t| (0..self.n - 1).step_by((self.n / 5).max(1)).map(move |p| p * self.v + t));
        let orders = rows.map(|row| &self.orders.token[row]).chain([&self.orders.query[q], &self.orders.last[q]]);
        orders.filter_map(|order| top(order)).collect()
    }
}
