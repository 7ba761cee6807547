//! Rule `tree`: all groups together, by a tree over the inputs. It also shows inputs to be wrong.
//!
//! **Statement** (theorem `tree_counts`; `docs/theory.md`, T3, T8). The inputs of (q, m) are the sequences of tokens ≤ m
//! at n − 1 positions, with at least one m if q < m, told apart by the first position that holds it. At a node some
//! positions hold known items. All inputs below a node, or below some items of its next position, are certified if every
//! group is negative there: `prefix + item + most(rest) < 0`, or the same further up; they are wrong if one answer's own
//! sum has `prefix + item + least(rest) ≥ 0` (a tie is wrong). Every input lies below one leaf, so that counts add up.
//! **Why.** Terms enclose φ, and `most` and `least` bound every completion. The far class has the upper bound of rule
//! `window`; from below it is at least −w(s,p)·K for its strongest token s, with K the widest margin there is. It stands
//! for as many tokens as it has. A script says which tests to make; one that fails or is missing leaves its inputs
//! undecided. Without a script, every group is tested at every node, and every item is a node.
//! **Cost.** An addition for each open group to reach a node; at most two additions and a comparison for a test. A hinted
//! order bounds any set of a position's items, at one comparison an item. An integer operation for each word of a script.

use super::margins::{Margin, Set};
use super::order::Order;
use super::terms::Level;
use super::window::Window;
use crate::certificate::levels::{Action, Label, Script};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::run::Decided;
use crate::model::Matrix;
use crate::refusal::{Decline, Refusal};
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};

/// Groups not yet negative everywhere below a node, with their sums.
type Open<R> = Vec<(usize, R)>;

/// Inputs known to be right, and inputs known to be wrong.
struct Found {
    right: u128,
    wrong: u128,
}

impl Found {
    const NOTHING: Self = Self { right: 0, wrong: 0 };

    /// Inputs that are right if a test holds.
    fn right(inputs: u128, holds: bool) -> Self {
        Self {
            right: if holds { inputs } else { 0 },
            wrong: 0,
        }
    }

    /// Inputs that are wrong if a test holds.
    fn wrong(inputs: u128, holds: bool) -> Self {
        Self {
            right: 0,
            wrong: if holds { inputs } else { 0 },
        }
    }

    /// Adds what was found for each of `times` tokens: in all, no more than the inputs there are, below 2^127.
    fn add(&mut self, times: u128, below: &Self) {
        self.right = self.right.saturating_add(times.saturating_mul(below.right));
        self.wrong = self.wrong.saturating_add(times.saturating_mul(below.wrong));
    }
}

/// The items of one position: token m, the other tokens of the window, the far class.
struct Position<R> {
    /// By item, then group.
    terms: Matrix<R>,
    far: u128,
    /// By group: orders of the items by upper and by lower ends.
    orders: Vec<(Order, Order)>,
}

impl<R: Enclosure> Position<R> {
    fn items(&self) -> usize {
        self.terms.rows()
    }

    /// How many tokens an item stands for.
    fn times(&self, item: usize) -> u128 {
        if self.far > 0 && item + 1 == self.items() {
            self.far
        } else {
            1
        }
    }

    /// A term whose upper end is at least that of every item which `member` picks.
    fn most(&self, group: usize, member: impl FnMut(usize) -> bool, meter: &Meter) -> R {
        let item = self
            .orders
            .get(group)
            .and_then(|(upper, _)| upper.bound(member, meter));
        item.map_or_else(R::everything, |item| self.terms.at(item, group).clone())
    }

    /// A term whose lower end is at most that of every item which `member` picks, if they have an order.
    fn least(&self, group: usize, member: impl FnMut(usize) -> bool, meter: &Meter) -> Option<R> {
        let item = self
            .orders
            .get(group)
            .and_then(|(_, lower)| lower.bound(member, meter));
        item.map(|item| self.terms.at(item, group).clone())
    }
}

/// A position of a pattern, and what is known of it and all positions behind it.
struct Step<'a, R> {
    position: &'a Position<R>,
    /// The first item that may stand here: 1 where token m may not.
    start: usize,
    /// By group: bounds of every completion.
    most: Vec<R>,
    least: Vec<R>,
    /// The number of inputs.
    inputs: u128,
}

struct Walk<'a, R> {
    meter: &'a Meter,
    /// By group: the term of the last position.
    last: Open<R>,
    /// By group: is it of one answer, with terms bounded from below?
    shows: Vec<bool>,
    script: Option<std::slice::Iter<'a, usize>>,
}

impl<R: Enclosure> Level<'_, R> {
    /// The inputs that are right, and those that are wrong.
    pub(super) fn tree(
        &mut self,
        q: usize,
        groups: &[Margin<'_, R>],
        window: &Window,
        script: &Script,
    ) -> Result<Decided, Refusal> {
        self.meter.goes_by("tree");
        let (n, all) = (self.tables.n_ctx, self.inputs(q));
        if all.bits() > 127 {
            return Err(Decline::too_large("the tree's count, in bits", 127, all.bits()).into());
        }
        let last = groups
            .iter()
            .map(|group| self.last_term(group, q))
            .enumerate()
            .collect();
        let positions: Vec<Position<R>> = (0..n - 1)
            .map(|p| self.items(q, groups, window, p, script))
            .collect();
        let below = window.far == 0 || !script.lower.is_empty();
        let shows = groups
            .iter()
            .map(|group| below && matches!(group.set, Set::One(_)))
            .collect();
        let walk = (!script.walk.is_empty()).then(|| script.walk.iter());
        let mut walk = Walk {
            meter: self.meter,
            last,
            shows,
            script: walk,
        };
        let mut found = Found::NOTHING;
        for first in if q == self.m {
            vec![None]
        } else {
            (0..n - 1).map(Some).collect()
        } {
            let open = match first.and_then(|first| positions.get(first)) {
                Some(position) => walk.extended(&walk.last, position, 0),
                None => walk.last.clone(),
            };
            let steps = walk.steps(&positions, first);
            let below = walk.node(&steps, open)?;
            found.add(1, &below);
        }
        Ok(Decided {
            right: BigUint::from(found.right).min(all),
            wrong: found.wrong.into(),
        })
    }

    /// The items of position p.
    fn items(
        &mut self,
        q: usize,
        groups: &[Margin<'_, R>],
        window: &Window,
        p: usize,
        script: &Script,
    ) -> Position<R> {
        let mut far = None;
        if window.far > 0 {
            let upper = self.far_term(window, q, p);
            let bounded = !script.lower.is_empty();
            far = Some(if bounded {
                upper.hull(&self.far_below(window, q, p))
            } else {
                upper
            });
        }
        let mut terms = Vec::with_capacity((window.tokens.len() + 1) * groups.len());
        for t in &window.tokens {
            terms.extend(self.terms(groups, q, *t, p));
        }
        if let Some(far) = far {
            terms.resize(terms.len() + groups.len(), far);
        }
        let mut orders = Vec::with_capacity(groups.len());
        for group in 0..groups.len() {
            let row = || terms.iter().skip(group).step_by(groups.len());
            let place = p.saturating_mul(groups.len()).saturating_add(group);
            // Token m is bounded apart from the others, which may stand before it.
            let hint = script.upper.get(place).unwrap_or(&[0]);
            let upper = Order::by(
                hint,
                row(),
                |a, b| b.upper_at_most(a),
                Kind::Tree,
                self.meter,
            );
            // No hint: no wrong input is looked for with this group.
            let lower = script.lower.get(place).filter(|hint| !hint.is_empty());
            let lower =
                lower.map(|hint| Order::by(hint, row(), R::lower_at_most, Kind::Tree, self.meter));
            orders.push((upper, lower.unwrap_or_default()));
        }
        let terms = Matrix::new(groups.len(), terms, R::everything());
        Position {
            terms,
            far: u128::try_from(window.far).unwrap_or(u128::MAX),
            orders,
        }
    }
}

impl<R: Enclosure> Walk<'_, R> {
    fn next(&mut self) -> Option<usize> {
        self.script.as_mut()?.next().copied()
    }

    /// Sums with one more item.
    fn extended(&self, open: &Open<R>, position: &Position<R>, item: usize) -> Open<R> {
        self.meter.add(Kind::Tree, open.len());
        open.iter()
            .map(|(group, sum)| (*group, sum.add(position.terms.at(item, *group))))
            .collect()
    }

    /// The positions of the pattern whose first m is at `first`, without that position; of any pattern for none.
    fn steps<'p>(&self, positions: &'p [Position<R>], first: Option<usize>) -> Vec<Step<'p, R>> {
        let mut steps: Vec<Step<'p, R>> = Vec::new();
        for (p, position) in positions
            .iter()
            .enumerate()
            .rev()
            .filter(|(p, _)| Some(*p) != first)
        {
            let start = usize::from(first.is_some_and(|first| p < first));
            let behind = steps.last();
            let plus = |here: R, rest: Option<R>| {
                self.meter.add(Kind::Tree, usize::from(rest.is_some()));
                rest.map_or(here.clone(), |rest| here.add(&rest))
            };
            let groups = 0..self.last.len();
            let most = |group| {
                let here = position.most(group, |item| item >= start, self.meter);
                plus(here, after(behind, |step| &step.most, group))
            };
            let least = |group| {
                let here = position.least(group, |item| item >= start, self.meter);
                here.map_or_else(R::everything, |here| {
                    plus(here, after(behind, |step| &step.least, group))
                })
            };
            let tokens = (start..position.items())
                .fold(0_u128, |sum, item| sum.saturating_add(position.times(item)));
            self.meter.add(Kind::Integer, 1);
            steps.push(Step {
                position,
                start,
                most: groups.clone().map(most).collect(),
                least: groups.map(least).collect(),
                inputs: tokens.saturating_mul(behind.map_or(1, |step| step.inputs)),
            });
        }
        steps.reverse();
        steps
    }

    /// `sum + item + rest`, whichever are given.
    fn total(&self, sum: &R, item: Option<R>, rest: Option<R>) -> R {
        self.meter.add(
            Kind::Tree,
            1 + usize::from(item.is_some()) + usize::from(rest.is_some()),
        );
        let sum = item.map_or_else(|| sum.clone(), |item| sum.add(&item));
        rest.map_or_else(|| sum.clone(), |rest| sum.add(&rest))
    }

    /// What is found below a node.
    fn node(&mut self, steps: &[Step<'_, R>], mut open: Open<R>) -> Result<Found, Refusal> {
        self.meter.spend(Kind::Integer, 1)?;
        let step = steps.first();
        let inputs = step.map_or(1, |step| step.inputs);
        if self.script.is_none() {
            open.retain(|entry| self.stays(step, entry));
        } else {
            self.drop_named(step, &mut open);
        }
        if open.is_empty() {
            return Ok(Found::right(inputs, true));
        }
        let by = match (&self.script, step) {
            (None, Some(step)) => {
                return self.every_item(step, steps.get(1..).unwrap_or(&[]), &open);
            }
            (None, None) => None,
            (Some(_), _) => match (self.next().map(Action::read), step) {
                (Some(Action::Wrong), _) => Some(self.next().unwrap_or(usize::MAX)),
                (Some(Action::Split), Some(step)) => {
                    return self.split(step, steps.get(1..).unwrap_or(&[]), &open);
                }
                _ => return Ok(Found::NOTHING),
            },
        };
        let wrong = open
            .iter()
            .filter(|(group, _)| {
                by.is_none_or(|by| by == *group) && self.shows.get(*group) == Some(&true)
            })
            .any(|(group, sum)| {
                self.total(sum, None, after(step, |step| &step.least, *group))
                    .is_nonnegative()
            });
        Ok(Found::wrong(inputs, wrong))
    }

    /// Is a group not shown negative everywhere below a node?
    fn stays(&self, step: Option<&Step<'_, R>>, (group, sum): &(usize, R)) -> bool {
        !self
            .total(sum, None, after(step, |step| &step.most, *group))
            .is_negative()
    }

    /// Drops the groups that the script names, if they are.
    fn drop_named(&mut self, step: Option<&Step<'_, R>>, open: &mut Open<R>) {
        let mut dropped = BTreeSet::new();
        for _ in 0..self.next().unwrap_or(0).min(open.len()) {
            self.meter.add(Kind::Integer, 1);
            let entry = self
                .next()
                .filter(|group| !dropped.contains(group))
                .and_then(|group| entry(open, group));
            dropped.extend(
                entry
                    .filter(|entry| !self.stays(step, entry))
                    .map(|(group, _)| *group),
            );
        }
        open.retain(|(group, _)| !dropped.contains(group));
    }

    /// Without a script.
    fn every_item(
        &mut self,
        step: &Step<'_, R>,
        behind: &[Step<'_, R>],
        open: &Open<R>,
    ) -> Result<Found, Refusal> {
        let mut found = Found::NOTHING;
        for item in step.start..step.position.items() {
            self.meter.add(Kind::Integer, 2);
            let times = step.position.times(item);
            if behind.is_empty() {
                // As below, at once.
                self.meter.add(Kind::Tree, 2 * open.len());
                let negative = |(group, sum): &(usize, R)| {
                    sum.add(step.position.terms.at(item, *group)).is_negative()
                };
                if open.iter().fold(true, |all, entry| all & negative(entry)) {
                    found.add(times, &Found::right(1, true));
                    continue;
                }
            }
            let below = self.node(behind, self.extended(open, step.position, item))?;
            found.add(times, &below);
        }
        Ok(found)
    }

    /// As the script says of each item.
    fn split(
        &mut self,
        step: &Step<'_, R>,
        behind: &[Step<'_, R>],
        open: &Open<R>,
    ) -> Result<Found, Refusal> {
        let (position, next) = (step.position, behind.first());
        let labels: Vec<Label> = (step.start..position.items())
            .map_while(|_| self.next().map(Label::read))
            .collect();
        self.meter.add(Kind::Integer, labels.len());
        let has = |item: usize, label: Label| {
            item >= step.start && labels.get(item - step.start) == Some(&label)
        };
        // By label: the inputs below its items.
        let mut inputs: BTreeMap<Label, u128> = BTreeMap::new();
        for (item, label) in (step.start..).zip(&labels) {
            let below = position
                .times(item)
                .saturating_mul(next.map_or(1, |step| step.inputs));
            let sum = inputs.entry(*label).or_default();
            *sum = sum.saturating_add(below);
        }
        let mut found = Found::NOTHING;
        if let Some(inputs) = inputs.remove(&Label::Right) {
            let holds = open.iter().all(|(group, sum)| {
                let item = position.most(*group, |item| has(item, Label::Right), self.meter);
                self.total(sum, Some(item), after(next, |step| &step.most, *group))
                    .is_negative()
            });
            found.add(1, &Found::right(inputs, holds));
        }
        for (label, inputs) in inputs {
            let Label::Wrong(group) = label else {
                continue;
            };
            let Some((_, sum)) =
                entry(open, group).filter(|_| self.shows.get(group) == Some(&true))
            else {
                continue;
            };
            let item = position
                .least(group, |item| has(item, label), self.meter)
                .unwrap_or_else(R::everything);
            let wrong = self
                .total(sum, Some(item), after(next, |step| &step.least, group))
                .is_nonnegative();
            found.add(1, &Found::wrong(inputs, wrong));
        }
        for (item, label) in (step.start..).zip(&labels) {
            if *label == Label::Node {
                let below = self.node(behind, self.extended(open, position, item))?;
                found.add(position.times(item), &below);
            }
        }
        Ok(found)
    }
}

/// A group among the open ones, which are in order.
fn entry<R>(open: &Open<R>, group: usize) -> Option<&(usize, R)> {
    open.get(
        open.binary_search_by_key(&group, |(group, _)| *group)
            .ok()?,
    )
}

/// A group's bound of what comes behind; everything if there is something and no bound of it.
fn after<'s, R: Enclosure>(
    step: Option<&'s Step<'s, R>>,
    side: fn(&'s Step<'s, R>) -> &'s Vec<R>,
    group: usize,
) -> Option<R> {
    step.map(|step| side(step).get(group).cloned().unwrap_or_else(R::everything))
}
