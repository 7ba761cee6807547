//! Plans for the criterion: for every (query, level), which wrong answers to test apart, and how.
//!
//! Candidates are judged by the checker's own rules, run on them: no second implementation of the mathematics.

use super::orders::Orders;
use super::places::{Place, Tokens};
use super::tables;
use crate::certificate::levels::{Answers, Count, Grid, Group, Levels, Partition, Plan, Test};
use crate::checker::arithmetic::Fixed;
use crate::checker::levels::{Answer, Set, View};
use crate::checker::meter::Meter;
use crate::parallel::parallel;
use crate::refusal::{Decline, Refusal};
use crate::search::proof::Request;
use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What a strategy allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Windows that whole-level tests may use.
    windows: &'static [usize],
    /// Windows that counts may use.
    count_windows: &'static [usize],
    /// The window of counts while searching.
    pub(super) search_window: usize,
    /// The most answers tested apart.
    most_apart: usize,
    /// Fractional bits of the grid.
    pub(super) bits: u32,
    /// Fractional bits of the grid while searching.
    pub(super) search_bits: u32,
    /// Integer operations for counting inputs once on which two groups fail; 0 where they are counted twice.
    pub(super) once: u64,
    /// Are inputs shown to be wrong?
    pub(super) shown: bool,
}

impl Style {
    pub(super) const SUBCUBIC: Self = Self {
        windows: &[1, 2, 3, 4, 6, 8, 12, 16],
        count_windows: &[6, 12, 18, 24, 40],
        search_window: 12,
        most_apart: 12,
        bits: 6,
        search_bits: 5,
        once: 0,
        shown: false,
    };
    pub(super) const CUBIC: Self = Self {
        windows: &[usize::MAX],
        count_windows: &[usize::MAX],
        search_window: usize::MAX,
        most_apart: 8,
        bits: 7,
        search_bits: 5,
        once: 0,
        shown: false,
    };
}

impl Style {
    /// As far as it goes, from both sides or from below.
    pub(super) fn exact(two_sided: bool) -> Self {
        let count_windows = &[6, 12, 18, 24, 40, usize::MAX];
        Self {
            count_windows,
            bits: 8,
            once: 600_000_000,
            shown: two_sided,
            ..Self::SUBCUBIC
        }
    }
}

/// Where so large a share of all inputs is left, it pays to count those once on which several answers win.
const HARD: f64 = 2e-8;

/// What a plan certifies, and what it takes.
#[derive(Debug)]
pub(super) struct Offer {
    plan: Plan,
    /// Of all inputs: those decided.
    share: f64,
    /// How many of them are wrong.
    wrong: BigUint,
    flops: u64,
}

/// Nothing is certified.
pub(super) fn forfeit() -> Plan {
    Plan {
        groups: vec![group(Answers::Rest, (Test::Forfeit, None))],
        count: Count::default(),
        window: None,
    }
}

/// A test and its window.
pub(super) type Windowed = (Test, Option<usize>);

/// The group of these answers.
pub(super) fn group(answers: Answers, (test, window): Windowed) -> Group {
    Group {
        answers,
        test,
        window,
    }
}

/// Plans to choose from, by answer and place.
#[derive(Debug)]
pub(super) struct Menu(Vec<Vec<Vec<Offer>>>);

impl Menu {
    /// The best plan for each (query, level), at a price in FLOPs for all inputs.
    pub(super) fn choose(&self, price: f64) -> Partition {
        let merit = |offer: &Offer| {
            if price.is_infinite() {
                return (offer.share, -(offer.flops as f64));
            }
            (price * offer.share - offer.flops as f64, 0.0)
        };
        let best = |offers: &Vec<Offer>| {
            let best = offers
                .iter()
                .max_by(|a, b| merit(a).partial_cmp(&merit(b)).unwrap_or(Ordering::Equal));
            best.filter(|best| merit(best).0 > 0.0)
                .map_or_else(forfeit, |best| best.plan.clone())
        };
        assemble(self.0.iter().map(|row| row.iter().map(best)))
    }
}

/// Plans for every (query, level).
///
/// # Errors
/// Those of the checker's rules.
pub(super) fn menu(
    request: &Request<'_>,
    rows: &[Vec<Place<'_>>],
    ways: &Levels,
    orders: &Orders,
    style: &Style,
) -> Result<Menu, Refusal> {
    let tables = tables(request, ways)?;
    let total = request.network.task.size().to_f64().unwrap_or(f64::MAX);
    let rows = parallel(
        rows.iter().enumerate().rev().collect(),
        request.options.threads,
        |_, (right, row): (usize, &Vec<Place<'_>>)| {
            let meter = Meter::new(u64::MAX);
            let mut answer = Answer::new(&tables, right, &meter);
            let offers =
                |place| Pair::new(&mut answer, place, orders, style, &meter, total).offers();
            let row: Result<Vec<_>, _> = row.iter().copied().map(offers).collect();
            (request.options.progress)();
            row
        },
    );
    Ok(Menu(rows.into_iter().rev().collect::<Result<_, _>>()?))
}

/// Finds plans where there are none.
///
/// # Errors
/// Those of the checker's rules.
pub(super) fn complete(
    request: &Request<'_>,
    rows: &[Vec<Place<'_>>],
    ways: &Levels,
    orders: &Orders,
    style: &Style,
    plans: &mut [Vec<Option<Plan>>],
) -> Result<(), Refusal> {
    if plans.iter().flatten().all(Option::is_some) {
        return Ok(());
    }
    let tables = tables(request, ways)?;
    let total = request.network.task.size().to_f64().unwrap_or(f64::MAX);
    let plans = plans.iter_mut().zip(rows).collect();
    let rows = parallel(
        plans,
        request.options.threads,
        |right, (plans, places): (&mut Vec<Option<Plan>>, &Vec<Place<'_>>)| {
            let meter = Meter::new(u64::MAX);
            let mut answer = Answer::new(&tables, right, &meter);
            for (plan, place) in plans.iter_mut().zip(places) {
                if plan.is_none() {
                    let pair = Pair::new(&mut answer, *place, orders, style, &meter, total);
                    let offers = { pair }.offers()?.into_iter();
                    let best = offers.max_by(|a, b| a.share.total_cmp(&b.share));
                    *plan = best.map(|offer| offer.plan);
                }
            }
            Ok(())
        },
    );
    rows.into_iter().collect()
}

/// The plans by answer and place, each distinct one once.
pub(super) fn assemble(rows: impl Iterator<Item = impl Iterator<Item = Plan>>) -> Partition {
    let mut hints = Partition::default();
    let mut known: BTreeMap<Plan, usize> = BTreeMap::new();
    for plans in rows {
        let row = plans.map(|plan| {
            *known.entry(plan).or_insert_with_key(|plan| {
                hints.plans.push(plan.clone());
                hints.plans.len() - 1
            })
        });
        hints.assignment.push(row);
    }
    hints
}

/// None where the checker would not make so large a histogram.
fn allowed<T>(counted: Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    match counted {
        Err(Refusal::Declined(Decline::TooLarge { .. })) => Ok(None),
        counted => counted.map(Some),
    }
}

/// One (query, level), by the checker's own rules.
pub(super) struct Pair<'p, 'a> {
    pub(super) answer: &'p mut Answer<'a, Fixed>,
    pub(super) view: View<'p>,
    /// Tokens that are a class by themselves, and the most attended of the others.
    strongest: Vec<usize>,
    pub(super) meter: &'a Meter,
    orders: &'a Orders,
    pub(super) style: &'a Style,
    pub(super) right: usize,
    pub(super) answers: usize,
    /// All inputs of the task.
    pub(super) total: f64,
}

impl<'p, 'a> Pair<'p, 'a> {
    fn new(
        answer: &'p mut Answer<'a, Fixed>,
        place: Place<'p>,
        orders: &'a Orders,
        style: &'a Style,
        meter: &'a Meter,
        total: f64,
    ) -> Self {
        let Tokens {
            singles, others, ..
        } = place.tokens();
        let attention = orders.attention[orders.row(place.query)].iter();
        let others = attention.filter(|t| others.binary_search(t).is_ok());
        Self {
            strongest: others.take(5).chain(&singles).copied().collect(),
            view: answer.view(place.words, place.query),
            answer,
            meter,
            orders,
            style,
            right: place.right(),
            answers: orders.answers,
            total,
        }
    }

    /// Plans with different answers apart and different windows.
    fn offers(&mut self) -> Result<Vec<Offer>, Refusal> {
        if let Some(plan) = self.all_wrong()? {
            return Ok(if self.style.shown {
                vec![self.offer(plan)?]
            } else {
                vec![]
            });
        }
        let window = self.window(self.style.search_window);
        let (apart, failures) = self.greedy(vec![], window)?;
        let mut offers = vec![];
        if failures < self.inputs() {
            offers.extend(self.partitioned(apart, window)?);
        }
        if self.style.shown && failures > self.total * HARD {
            offers.extend(self.overlapping()?);
        }
        Ok(offers)
    }

    pub(super) fn inputs(&self) -> f64 {
        self.view.words.inputs().to_f64().unwrap_or(f64::MAX)
    }

    /// The plan by which one answer wins on every input, if one does.
    fn all_wrong(&mut self) -> Result<Option<Plan>, Refusal> {
        for answer in self.candidates(&[]) {
            for size in [2, 4, 8, 16, usize::MAX] {
                let test = (Test::Wrong, self.window(size));
                let wrong = group(Answers::These(vec![answer]), test);
                let rest = group(Answers::Rest, (Test::Forfeit, None));
                let plan = Plan {
                    groups: vec![wrong, rest],
                    count: Count::default(),
                    window: None,
                };
                if !self.offer(plan.clone())?.wrong.is_zero() {
                    return Ok(Some(plan));
                }
                if test.1.is_none() {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Greedily tests apart the answer that helps most, and keeps the best partition met on the way. What the first ones
    /// fail on is not counted.
    pub(super) fn greedy(
        &mut self,
        mut apart: Vec<usize>,
        window: Option<usize>,
    ) -> Result<(Vec<usize>, f64), Refusal> {
        let negligible = self.inputs() * 1e-6;
        let most = apart.len() + self.style.most_apart;
        let mut apart_failures = 0.0;
        let (mut best, mut best_failures) = (0, f64::INFINITY);
        let mut rest_failures = self.failures(&self.rest(&apart), window)?;
        loop {
            let failures = rest_failures + apart_failures;
            if failures < best_failures {
                (best, best_failures) = (apart.len(), failures);
            }
            if rest_failures <= negligible || apart.len() >= most || apart_failures >= best_failures
            {
                break;
            }
            let mut choice: Option<(f64, usize, f64, f64)> = None;
            for candidate in self.candidates(&apart) {
                let rest = self.rest(&[apart.as_slice(), &[candidate]].concat());
                let (rest, own) = (
                    self.failures(&rest, window)?,
                    self.failures(&Set::One(candidate), window)?,
                );
                // Own failures are certain; those of the rest may still fall.
                let score = rest + 0.5 * own;
                if choice.is_none_or(|(least, ..)| score < least) {
                    choice = Some((score, candidate, rest, own));
                }
            }
            let Some((_, answer, rest, own)) = choice else {
                break;
            };
            apart.push(answer);
            apart_failures += own;
            rest_failures = rest;
        }
        apart.truncate(best);
        Ok((apart, best_failures))
    }

    /// What a plan decides and takes.
    pub(super) fn offer(&mut self, plan: Plan) -> Result<Offer, Refusal> {
        let before = self.meter.flops();
        let sets = self.answer.partition(&plan, "")?;
        let settled = allowed(self.answer.settled(&self.view, &sets, &plan))?.unwrap_or_default();
        let decided = (&settled.right + &settled.wrong).to_f64().unwrap_or(0.0);
        Ok(Offer {
            plan,
            share: decided / self.total,
            wrong: settled.wrong,
            flops: self.meter.flops() - before,
        })
    }

    /// With these answers apart, and different windows; how groups overlap is looked at with one.
    pub(super) fn partitioned(
        &mut self,
        mut apart: Vec<usize>,
        window: Option<usize>,
    ) -> Result<Vec<Offer>, Refusal> {
        let rest = self.rest(&apart);
        apart.sort_unstable();
        let mut groups = vec![];
        for answer in apart {
            groups.push(group(
                Answers::These(vec![answer]),
                self.test(&Set::One(answer))?,
            ));
        }
        groups.push(group(Answers::Rest, self.test(&rest)?));
        if groups.iter().all(|group| group.test != Test::Count) {
            return Ok(vec![self.offer(Plan {
                groups,
                count: Count::default(),
                window: None,
            })?]);
        }
        let mut grid = Grid {
            bits: self.style.bits,
            ..Grid::default()
        };
        let mut plan = Plan {
            groups,
            count: Count::default(),
            window: None,
        };
        if self.style.once > 0 {
            grid = self.once(&mut plan, window)?;
        }
        let mut offers: Vec<Offer> = vec![];
        for window in self.style.count_windows {
            let plan = Plan {
                count: Count::Grid(Box::new(grid.clone())),
                window: self.window(*window),
                ..plan.clone()
            };
            if offers
                .last()
                .is_some_and(|last| last.plan.window == plan.window)
            {
                break;
            }
            offers.push(self.offer(plan)?);
        }
        Ok(offers)
    }

    /// The inputs that sets leave uncertified, and those they show to be wrong, on a grid.
    pub(super) fn counted(
        &mut self,
        sets: &[&Set],
        window: Option<usize>,
        grid: &Grid,
    ) -> Result<(f64, f64), Refusal> {
        let plan = Plan {
            groups: vec![],
            count: Count::Grid(Box::new(grid.clone())),
            window,
        };
        let group = group(Answers::Rest, (Test::Count, None));
        let sets: Vec<(Set, &Group)> = sets.iter().map(|set| ((*set).clone(), &group)).collect();
        let Some(settled) = allowed(self.answer.settled(&self.view, &sets, &plan))? else {
            return Ok((f64::INFINITY, 0.0));
        };
        let left = self.view.words.inputs() - settled.right;
        Ok((
            left.to_f64().unwrap_or(f64::INFINITY),
            settled.wrong.to_f64().unwrap_or(0.0),
        ))
    }

    fn rest(&self, apart: &[usize]) -> Set {
        Set::Marked(
            (0..self.answers)
                .map(|j| j != self.right && !apart.contains(&j))
                .collect(),
        )
    }

    /// A window of all tokens is said to be one.
    pub(super) fn window(&self, size: usize) -> Option<usize> {
        (size < self.view.tokens()).then_some(size)
    }

    /// The cheapest whole-level test that settles the set, or a count.
    fn test(&mut self, set: &Set) -> Result<Windowed, Refusal> {
        let plan = Plan {
            groups: vec![],
            count: Count::default(),
            window: None,
        };
        for window in self.style.windows {
            let window = self.window(*window);
            for test in [(Test::Pooled, window), (Test::Unpooled, window)] {
                if self.uncertified(set, test, &plan)?.is_zero() {
                    return Ok(test);
                }
            }
            if window.is_none() {
                break;
            }
        }
        Ok((Test::Count, None))
    }

    fn uncertified(&mut self, set: &Set, test: Windowed, plan: &Plan) -> Result<BigUint, Refusal> {
        // The set is given: the group's answers are not looked at.
        let settled = self.answer.settled(
            &self.view,
            &[(set.clone(), &group(Answers::Rest, test))],
            plan,
        )?;
        Ok(self.view.words.inputs() - settled.right)
    }

    /// The inputs that a set leaves uncertified, counted coarsely.
    fn failures(&mut self, set: &Set, window: Option<usize>) -> Result<f64, Refusal> {
        let count = Count::Grid(Box::new(Grid {
            bits: self.style.search_bits,
            ..Grid::default()
        }));
        let plan = Plan {
            groups: vec![],
            count,
            window,
        };
        let widest = self
            .style
            .windows
            .get(self.style.windows.len() / 2)
            .copied()
            .unwrap_or(8);
        if self
            .uncertified(set, (Test::Pooled, Some(widest)), &plan)?
            .is_zero()
        {
            return Ok(0.0);
        }
        Ok(self
            .uncertified(set, (Test::Count, None), &plan)?
            .to_f64()
            .unwrap_or(f64::MAX))
    }

    /// Answers that the rest's bound may hang on: its largest entries at the tokens that matter.
    pub(super) fn candidates(&self, apart: &[usize]) -> BTreeSet<usize> {
        let Orders { v, n, .. } = *self.orders;
        let is_rival = |j: &usize| *j != self.right && !apart.contains(j);
        let row = self.orders.row(self.view.query);
        let rows = self.strongest.iter().flat_map(|t| {
            let positions = (0..n - 1).step_by((n / 5).max(1));
            positions.map(move |p| p * v + t)
        });
        let orders = rows.map(|row| &self.orders.token[row]);
        let orders = orders.chain([&self.orders.query[row], &self.orders.last[row]]);
        orders
            .filter_map(|order| order.iter().copied().find(is_rival))
            .collect()
    }
}
