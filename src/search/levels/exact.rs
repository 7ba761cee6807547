//! Plans for exact counts: wrong answers packed into groups that pass a whole-level test, the others into a proof tree.
//!
//! Everything here is in double precision and only proposes; the checker decides. A test is proposed where its sum is
//! clear of zero by [`CLEAR`], far more than the checker's enclosures are wide.

use super::orders::Orders;
use super::plans::{Windowed, group};
use crate::certificate::Rows;
use crate::certificate::levels::{Action, Answers, Count, Label, Plan, Script, Test};

/// Sums closer to zero than this, in units of the maximum's weight, are left alone.
const CLEAR: f64 = 3e-10;
/// The most tokens that are treated one by one.
const WIDEST: usize = 256;
/// Windows of proof trees.
const WINDOWS: [usize; 12] = [2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 40, usize::MAX];
/// FLOPs of the longest proof tree for one (query, maximum).
pub(super) const LONGEST: usize = 4_000_000;

/// One (query, maximum) in double precision.
pub(super) struct Case<'a> {
    orders: &'a Orders,
    q: usize,
    m: usize,
    n: usize,
    v: usize,
    /// m, then the tokens below it by attention.
    pub(super) tokens: Vec<usize>,
    /// By token: its attention over the maximum's, at most and at least.
    alpha: Vec<(f64, f64)>,
    /// The same of the query.
    alpha_q: (f64, f64),
    /// By position.
    beta: Vec<f64>,
    beta_sum: f64,
    beta_min: f64,
    /// By number of tokens before the far class: its bounds, pooled and by position; none behind the last.
    far: Vec<(f64, Vec<f64>)>,
    /// Is it to be shown which inputs are wrong?
    two_sided: bool,
    /// No margin is below minus this, if the far class is to be bounded from below.
    widest: Option<f64>,
}

/// A group of wrong answers: `max R_j − R_m` by position and token, and the same for the query's and the last rows.
#[derive(Clone)]
struct Pool {
    answers: Vec<usize>,
    rows: Vec<f64>,
    query: f64,
    last: f64,
}

impl Pool {
    fn with(&self, other: &Self) -> Self {
        Self {
            answers: [self.answers.as_slice(), &other.answers].concat(),
            rows: self
                .rows
                .iter()
                .zip(&other.rows)
                .map(|(a, b)| a.max(*b))
                .collect(),
            query: self.query.max(other.query),
            last: self.last.max(other.last),
        }
    }
}

/// A group and the test that settles it.
#[derive(Clone)]
struct Settled {
    pool: Pool,
    test: Windowed,
    cost: usize,
}

/// At most the product of a weight within bounds with a number.
fn most_of((upper, lower): (f64, f64), number: f64) -> f64 {
    number * if number > 0.0 { upper } else { lower }
}

/// At least.
fn least_of((upper, lower): (f64, f64), number: f64) -> f64 {
    number * if number > 0.0 { lower } else { upper }
}

/// FLOPs that a group takes beside its test.
const GROUP: usize = 4;

fn cost(groups: &[Settled]) -> usize {
    groups.iter().map(|group| group.cost + GROUP).sum()
}

impl<'a> Case<'a> {
    pub(super) fn new(
        orders: &'a Orders,
        (q, m): (usize, usize),
        far: &[f64],
        two_sided: bool,
        widest: Option<f64>,
    ) -> Self {
        let (v, n) = (orders.v, orders.n);
        let below = orders.attention[q].iter().copied().filter(|t| *t < m);
        let tokens: Vec<usize> = std::iter::once(m).chain(below).collect();
        let (upper, lower) = (&orders.scores.upper, &orders.scores.lower);
        let over = |t: usize| {
            (
                (upper.at(q, t) - lower.at(q, m)).exp(),
                (lower.at(q, t) - lower.at(q, m)).exp(),
            )
        };
        let alpha: Vec<(f64, f64)> = tokens.iter().map(|t| over(*t)).collect();
        let top = (0..n).map(|p| *upper.at(q, v + p)).fold(f64::MIN, f64::max);
        let beta: Vec<f64> = (0..n).map(|p| (upper.at(q, v + p) - top).exp()).collect();
        let query = (0..v)
            .filter(|j| *j != m)
            .map(|j| orders.query_row(q, j))
            .fold(f64::MIN, f64::max);
        let query = query - orders.query_row_low(q, m) + orders.margin;
        let bounds = |(alpha, _): &(f64, f64)| {
            let pooled = far.iter().copied().fold(f64::MIN, f64::max);
            let by_position = far.iter().zip(&beta);
            (
                (alpha * (pooled + query)).max(0.0),
                by_position
                    .map(|(row, beta)| (alpha * beta * (row + query)).max(0.0))
                    .collect(),
            )
        };
        let far = alpha.iter().map(bounds).collect();
        let before = &beta[..n - 1];
        let (beta_sum, beta_min) = (
            before.iter().sum(),
            before.iter().copied().fold(f64::MAX, f64::min),
        );
        Self {
            orders,
            q,
            m,
            n,
            v,
            tokens,
            alpha,
            alpha_q: over(q),
            beta_sum,
            beta_min,
            beta,
            far,
            two_sided,
            widest,
        }
    }

    fn width(&self) -> usize {
        self.tokens.len().min(WIDEST)
    }

    fn pool(&self, answer: usize) -> Pool {
        let row = |p: usize, t: usize| {
            self.orders.token_row(t, p, answer) - self.orders.token_row_low(t, p, self.m)
        };
        let tokens = &self.tokens[..self.width()];
        Pool {
            answers: vec![answer],
            rows: (0..self.n - 1)
                .flat_map(|p| tokens.iter().map(move |t| row(p, *t)))
                .collect(),
            query: self.orders.query_row(self.q, answer)
                - self.orders.query_row_low(self.q, self.m)
                + self.orders.margin,
            last: self.orders.last_row(self.q, answer) - self.orders.last_row_low(self.q, self.m)
                + self.orders.margin,
        }
    }

    fn last_term(&self, pool: &Pool) -> f64 {
        most_of(self.alpha_q, self.beta[self.n - 1] * pool.last)
    }

    /// At least φ of one answer, at the i-th token and position p, and at the last position.
    fn least_term(&self, answer: usize, i: usize, p: usize) -> f64 {
        let t = self.tokens[i];
        let token = self.orders.token_row_low(t, p, answer) - self.orders.token_row(t, p, self.m);
        let query =
            self.orders.query_row_low(self.q, answer) - self.orders.query_row(self.q, self.m);
        least_of(
            self.alpha[i],
            self.beta[p] * (token + query + self.orders.margin),
        )
    }

    fn least_last_term(&self, answer: usize) -> f64 {
        let last = self.orders.last_row_low(self.q, answer) - self.orders.last_row(self.q, self.m);
        least_of(
            self.alpha_q,
            self.beta[self.n - 1] * (last + self.orders.margin),
        )
    }

    /// A window of so many tokens; of all, if there are no more.
    fn window(&self, size: usize) -> Option<usize> {
        (size <= self.m).then_some(size)
    }

    /// The cheapest whole-level test that the group passes, and the least sum of any.
    fn whole(&self, pool: &Pool) -> (Option<(Windowed, usize)>, f64) {
        let (n, width) = (self.n, self.width());
        let last = self.last_term(pool);
        let (mut most, mut at_m) = (f64::MIN, 0.0);
        let mut by_position = vec![(f64::MIN, 0.0); n - 1];
        let (mut best, mut least): (Option<(Windowed, usize)>, f64) = (None, f64::MAX);
        for i in 0..width {
            let mut row = f64::MIN;
            for (p, (most, at_m)) in by_position.iter_mut().enumerate() {
                let margin = pool.rows[p * width + i] + pool.query;
                row = row.max(margin);
                let term = most_of(self.alpha[i], self.beta[p] * margin);
                *most = most.max(term);
                if i == 0 {
                    *at_m = term;
                }
            }
            let term = most_of(self.alpha[i], row);
            most = most.max(term);
            if i == 0 {
                at_m = term;
            }
            let tokens = i + 1;
            let far = self.far.get(tokens);
            let most = far.map_or(most, |(pooled, _)| most.max(*pooled));
            let middle = if self.q == self.m {
                0.0
            } else {
                self.beta_min * (at_m - most)
            };
            let sum = self.beta_sum * most + middle + last;
            least = least.min(sum);
            let mut offer = |test: Windowed, sum: f64, cost: usize| {
                if sum < -CLEAR && best.is_none_or(|(_, least)| cost < least) {
                    best = Some((test, cost));
                }
            };
            offer((Test::Pooled, self.window(tokens)), sum, 3 * tokens + 6);
            let (mut sum, mut gain) = (last, f64::MIN);
            for (p, (most, at_m)) in by_position.iter().enumerate() {
                let most = far.map_or(*most, |(_, far)| most.max(far[p]));
                sum += most;
                gain = gain.max(at_m - most);
            }
            if self.q != self.m && sum > -CLEAR {
                sum += gain;
            }
            least = least.min(sum);
            offer(
                (Test::Unpooled, self.window(tokens)),
                sum,
                3 * (n - 1) * tokens + 12,
            );
            if best.is_some_and(|(_, cost)| 3 * tokens + 9 >= cost) {
                break;
            }
        }
        (best, least)
    }

    fn settled(&self, pool: Pool) -> Option<Settled> {
        let (test, cost) = self.whole(&pool).0?;
        Some(Settled { pool, test, cost })
    }

    /// Puts each answer into the group that grows the least by it, then merges groups while that is cheaper.
    fn pack(&self, answers: &[Settled]) -> Vec<Settled> {
        let mut groups: Vec<Settled> = vec![];
        for answer in answers {
            let mut best: Option<(usize, usize, Settled)> = None;
            for (index, group) in groups.iter().enumerate() {
                let Some(joined) = self.settled(group.pool.with(&answer.pool)) else {
                    continue;
                };
                let grown = joined.cost.saturating_sub(group.cost);
                if best.as_ref().is_none_or(|(least, ..)| grown < *least) {
                    best = Some((grown, index, joined));
                }
                if grown == 0 {
                    break;
                }
            }
            match best {
                Some((grown, index, joined)) if grown < answer.cost => groups[index] = joined,
                _ => groups.push(answer.clone()),
            }
        }
        'merge: loop {
            for a in 0..groups.len() {
                for b in a + 1..groups.len() {
                    let Some(joined) = self.settled(groups[a].pool.with(&groups[b].pool)) else {
                        continue;
                    };
                    if joined.cost < groups[a].cost + groups[b].cost + GROUP {
                        groups[a] = joined;
                        groups.remove(b);
                        continue 'merge;
                    }
                }
            }
            return groups;
        }
    }

    /// The cheapest plan found; none where some inputs stay undecided or the tree would be too long.
    pub(super) fn plan(&self, longest: usize) -> Option<(usize, Plan)> {
        let answers: Vec<Pool> = (0..self.v)
            .filter(|j| *j != self.m)
            .map(|j| self.pool(j))
            .collect();
        let all = answers
            .iter()
            .skip(1)
            .fold(answers[0].clone(), |all, pool| all.with(pool));
        let together = self.settled(all);
        if let Some(all) = together.clone().filter(|all| all.cost <= 24) {
            return Some((all.cost + GROUP, self.written(&[all], &[], None)));
        }
        let (mut passing, mut failing) = (vec![], vec![]);
        for pool in answers {
            match self.whole(&pool) {
                (Some((test, cost)), least) => passing.push((least, Settled { pool, test, cost })),
                (None, least) => failing.push((least, pool)),
            }
        }
        let by_number: Vec<Settled> = passing.iter().map(|(_, answer)| answer.clone()).collect();
        passing.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sorted: Vec<Settled> = passing.into_iter().map(|(_, answer)| answer).collect();
        let first = self.pack(&sorted);
        sorted.reverse();
        let packed = [first, self.pack(&sorted), self.pack(&by_number)]
            .into_iter()
            .chain(together.map(|all| vec![all]));
        let groups = packed.min_by_key(|groups| cost(groups)).unwrap_or_default();
        if failing.is_empty() {
            return Some((cost(&groups), self.written(&groups, &[], None)));
        }
        failing.sort_by(|a, b| b.0.total_cmp(&a.0));
        let failing: Vec<Pool> = failing.into_iter().map(|(_, pool)| pool).collect();
        let mut best: Option<(usize, Plan)> = None;
        let mut offer = |trees: Vec<Pool>, settled: &[Settled]| {
            for window in WINDOWS {
                let most = best.as_ref().map_or(longest, |(cost, _)| *cost);
                let Some(room) = most.checked_sub(cost(settled) + 1) else {
                    break;
                };
                if let Some(tree) = Tree::grow(self, &trees, window, room) {
                    best = Some((
                        tree.cost + cost(settled),
                        self.written(settled, &trees, Some(&tree)),
                    ));
                }
                if window > self.m {
                    break;
                }
            }
        };
        let joined = |pools: &[Pool]| {
            pools
                .iter()
                .skip(1)
                .fold(pools[0].clone(), |all, pool| all.with(pool))
        };
        for apart in [1, 2, 3, 5, 8, 12, 18, 27, 40]
            .into_iter()
            .take_while(|apart| *apart < failing.len())
        {
            let (apart, rest) = failing.split_at(apart);
            offer([apart, &[joined(rest)]].concat(), &groups);
            if rest.len() > 3 {
                let (a, b) = rest.split_at(rest.len() / 2);
                offer([apart, &[joined(a), joined(b)]].concat(), &groups);
            }
        }
        offer(failing.clone(), &groups);
        // The most expensive groups into the tree, as one.
        let mut settled = groups;
        settled.sort_by_key(|group| group.cost);
        let mut moved: Vec<Pool> = vec![];
        for step in 0..4 {
            for _ in 0..if step == 3 { settled.len() } else { 1 } {
                moved.extend(settled.pop().map(|group| group.pool));
            }
            if !moved.is_empty() {
                offer([failing.as_slice(), &[joined(&moved)]].concat(), &settled);
            }
        }
        best
    }

    fn written(&self, settled: &[Settled], trees: &[Pool], tree: Option<&Tree>) -> Plan {
        let groups = settled
            .iter()
            .map(|group| (&group.pool.answers, group.test));
        let mut groups: Vec<(&Vec<usize>, Windowed)> = groups
            .chain(
                trees
                    .iter()
                    .map(|pool| (&pool.answers, (Test::Count, None))),
            )
            .collect();
        // The largest group is the rest: it takes the fewest bytes.
        let largest = groups.iter().map(|(answers, _)| answers.len()).max();
        let rest = groups
            .iter()
            .position(|(answers, _)| Some(answers.len()) == largest && answers.len() > 1);
        let written = |(index, (answers, test)): (usize, (&Vec<usize>, Windowed))| {
            let mut answers = answers.clone();
            answers.sort_unstable();
            let answers = if Some(index) == rest {
                Answers::Rest
            } else {
                Answers::These(answers)
            };
            group(answers, test)
        };
        Plan {
            groups: groups.drain(..).enumerate().map(written).collect(),
            count: Count::Tree(tree.map(|tree| Box::new(tree.script.clone()))),
            window: tree.and_then(|tree| self.window(tree.tokens)),
        }
    }
}

/// A proof tree as it grows, by the checker's rule `script`.
struct Tree {
    tokens: usize,
    script: Script,
    cost: usize,
    room: usize,
    /// By position, item, group.
    terms: Vec<Vec<Vec<f64>>>,
    /// Their lower ends, for groups of one answer.
    low: Vec<Vec<Vec<f64>>>,
    /// By position: lower bounds of the far class.
    below: Vec<f64>,
    /// Is the far class bounded from below, or absent?
    bounded: bool,
    single: Vec<bool>,
    far: usize,
    two_sided: bool,
    complete: bool,
}

/// A group with the upper and lower ends of its sum.
type Open = (usize, f64, f64);

/// A position, the first item that may stand there, and bounds of what comes there and behind.
struct Step {
    p: usize,
    start: usize,
    most: Vec<f64>,
    least: Vec<f64>,
}

impl Tree {
    /// The tree for these groups; none if it takes more FLOPs than there is room for, or leaves inputs undecided.
    fn grow(case: &Case<'_>, pools: &[Pool], window: usize, room: usize) -> Option<Self> {
        let tokens = window.min(case.tokens.len());
        let (n, width) = (case.n, case.width());
        if tokens > width && case.tokens.len() > width {
            return None;
        }
        let far = case.tokens.len() - tokens;
        // The terms and their orders: most trees are too long for their room before they begin.
        let cost = pools.len() * (n - 1) * (3 * tokens + usize::from(far > 0));
        if cost > room {
            return None;
        }
        // The checker's window of all tokens is in their own order.
        let mut places: Vec<usize> = (0..tokens).collect();
        if far == 0 {
            places[1..].sort_by_key(|place| case.tokens[*place]);
        }
        let term = |p: usize, i: usize, pool: &Pool| {
            let i = places[i];
            most_of(
                case.alpha[i],
                case.beta[p] * (pool.rows[p * width + i] + pool.query),
            )
        };
        let low = |p: usize, i: usize, pool: &Pool| match pool.answers[..] {
            [answer] => case.least_term(answer, places[i], p),
            _ => f64::MIN,
        };
        let low = |p: usize| {
            (0..tokens)
                .map(|i| pools.iter().map(|pool| low(p, i, pool)).collect())
                .collect()
        };
        let low: Vec<Vec<Vec<f64>>> = (0..n - 1).map(low).collect();
        let items = |p: usize| {
            let mut items: Vec<Vec<f64>> = (0..tokens)
                .map(|i| pools.iter().map(|pool| term(p, i, pool)).collect())
                .collect();
            if far > 0 {
                items.push(vec![case.far[tokens].1[p]; pools.len()]);
            }
            items
        };
        let terms: Vec<Vec<Vec<f64>>> = (0..n - 1).map(items).collect();
        let groups = pools.len();
        let sorted = |p: usize, group: usize, items: usize| {
            let mut order: Vec<usize> = (0..items).collect();
            order.sort_by(|a, b| {
                terms[p][*b][group]
                    .total_cmp(&terms[p][*a][group])
                    .then(a.cmp(b))
            });
            order
        };
        let places = || (0..n - 1).flat_map(|p| (0..groups).map(move |group| (p, group)));
        let upper = places()
            .map(|(p, group)| sorted(p, group, tokens + usize::from(far > 0)))
            .collect();
        let bounded = far == 0 || case.widest.is_some();
        let below = |p: usize| {
            case.alpha.get(tokens).map_or(0.0, |alpha| {
                -alpha.0 * case.beta[p] * case.widest.unwrap_or(0.0)
            })
        };
        let ascending = |(p, group): (usize, usize)| {
            let least = |item: usize| {
                if item == tokens {
                    below(p)
                } else {
                    low[p][item][group]
                }
            };
            let mut order: Vec<usize> = (0..tokens + usize::from(far > 0 && bounded)).collect();
            order.sort_by(|a, b| least(*a).total_cmp(&least(*b)).then(a.cmp(b)));
            order
        };
        let lower = places().map(ascending).collect();
        let mut tree = Self {
            tokens,
            script: Script {
                upper,
                lower,
                walk: vec![],
            },
            cost,
            room,
            below: (0..n - 1).map(below).collect(),
            bounded,
            terms,
            low,
            single: pools.iter().map(|pool| pool.answers.len() == 1).collect(),
            far,
            two_sided: case.two_sided,
            complete: true,
        };
        let last = |(group, pool): (usize, &Pool)| match pool.answers[..] {
            [answer] => (group, case.last_term(pool), case.least_last_term(answer)),
            _ => (group, case.last_term(pool), f64::MIN),
        };
        let last: Vec<Open> = pools.iter().enumerate().map(last).collect();
        let mut shown = vec![false; groups];
        for first in if case.q == case.m {
            vec![None]
        } else {
            (0..n - 1).map(Some).collect()
        } {
            let open = match first {
                Some(p) => tree.extended(&last, p, 0),
                None => last.clone(),
            };
            let steps = tree.steps(first, n);
            tree.node(&steps, open, true, &mut shown);
            if tree.cost > room {
                return None;
            }
        }
        if !shown.contains(&true) {
            tree.script.lower = Rows::EMPTY;
        } else if !bounded {
            return None;
        }
        tree.cost += shown.iter().filter(|shown| **shown).count() * (n - 1) * (tokens - 1);
        let lower = tree.script.lower.iter().zip(shown.iter().cycle());
        tree.script.lower = lower
            .map(|(order, shown)| if *shown { order.to_vec() } else { vec![] })
            .collect();
        (tree.complete && tree.cost <= room).then_some(tree)
    }

    fn extended(&mut self, open: &[Open], p: usize, item: usize) -> Vec<Open> {
        self.cost += open.len();
        let plus = |(group, upper, lower): &Open| {
            (
                *group,
                upper + self.terms[p][item][*group],
                lower + self.least(p, item, *group),
            )
        };
        open.iter().map(plus).collect()
    }

    /// The lower end of an item's term.
    fn least(&self, p: usize, item: usize, group: usize) -> f64 {
        if self.far > 0 && item == self.tokens {
            self.below[p]
        } else {
            self.low[p][item][group]
        }
    }

    fn steps(&mut self, first: Option<usize>, n: usize) -> Vec<Step> {
        let mut steps: Vec<Step> = vec![];
        for p in (0..n - 1).rev().filter(|p| Some(*p) != first) {
            let start = usize::from(first.is_some_and(|first| p < first));
            let groups = self.single.len();
            let items = || start..self.terms[p].len();
            let most = |group: usize| {
                items()
                    .map(|item| self.terms[p][item][group])
                    .fold(f64::MIN, f64::max)
            };
            let least = |group: usize| {
                items()
                    .map(|item| self.least(p, item, group))
                    .fold(f64::MAX, f64::min)
            };
            let mut step = Step {
                p,
                start,
                most: (0..groups).map(most).collect(),
                least: (0..groups).map(least).collect(),
            };
            if let Some(behind) = steps.last() {
                self.cost += groups * if self.bounded && self.two_sided { 2 } else { 1 };
                step.most
                    .iter_mut()
                    .zip(&behind.most)
                    .for_each(|(a, b)| *a += b);
                step.least
                    .iter_mut()
                    .zip(&behind.least)
                    .for_each(|(a, b)| *a += b);
            }
            steps.push(step);
        }
        steps.reverse();
        steps
    }

    fn node(&mut self, steps: &[Step], mut open: Vec<Open>, exact: bool, shown: &mut [bool]) {
        if self.cost > self.room {
            return;
        }
        let rest = |group: usize| steps.first().map_or(0.0, |step| step.most[group]);
        let dropped: Vec<usize> = open
            .iter()
            .filter(|(group, sum, _)| sum + rest(*group) < -CLEAR)
            .map(|(group, ..)| *group)
            .collect();
        self.cost += dropped.len() * (1 + usize::from(!steps.is_empty()));
        self.script.walk.push(dropped.len());
        self.script.walk.extend(&dropped);
        open.retain(|(group, ..)| !dropped.contains(group));
        if open.is_empty() {
            return;
        }
        // A tie is wrong: of one input, the checker may be able to tell where doubles are not.
        let clear = if steps.is_empty() { -CLEAR } else { CLEAR };
        let wrong =
            |group: usize, sum: f64, far: bool| exact && !far && self.single[group] && sum >= clear;
        let far_behind = !self.bounded;
        let least = |group: usize| steps.first().map_or(0.0, |step| step.least[group]);
        let far = far_behind && !steps.is_empty();
        let shows = open
            .iter()
            .filter(|(group, _, sum)| wrong(*group, sum + least(*group), far));
        let shows = shows.max_by(|a, b| (a.2 + least(a.0)).total_cmp(&(b.2 + least(b.0))));
        if let Some((group, ..)) = shows {
            if self.two_sided {
                self.cost += 1 + usize::from(!steps.is_empty());
                self.script.walk.extend([Action::Wrong.word(), *group]);
                shown[*group] = true;
            } else {
                self.script.walk.push(Action::Leave.word());
            }
            return;
        }
        let Some((step, behind)) = steps.split_first() else {
            self.complete = false;
            self.script.walk.push(Action::Leave.word());
            return;
        };
        let next = behind.first();
        let most = |group: usize| next.map_or(0.0, |next| next.most[group]);
        let least = |group: usize| next.map_or(0.0, |next| next.least[group]);
        let tests = 2 + usize::from(next.is_some());
        let items = step.start..self.terms[step.p].len();
        let row = |item: usize| &self.terms[step.p][item];
        let good: Vec<usize> = items
            .clone()
            .filter(|item| {
                open.iter()
                    .all(|(group, sum, _)| sum + row(*item)[*group] + most(*group) < -CLEAR)
            })
            .collect();
        let (has_far, tokens) = (self.far > 0, self.tokens);
        let is_far = move |item: usize| has_far && item == tokens;
        let mut labels: Vec<Label> = items
            .clone()
            .map(|item| {
                if good.contains(&item) {
                    Label::Right
                } else {
                    Label::Node
                }
            })
            .collect();
        // Wrong items, by the answers that show most of them.
        let mut left: Vec<usize> = items.clone().filter(|item| !good.contains(item)).collect();
        let mut used = vec![];
        loop {
            let shows = |group: usize, sum: f64, item: usize| {
                let sum = sum + self.least(step.p, item, group) + least(group);
                wrong(group, sum, far_behind && (is_far(item) || next.is_some()))
            };
            let count = |(group, _, sum): &Open| {
                left.iter()
                    .filter(|item| shows(*group, *sum, **item))
                    .count()
            };
            let Some(best) = open
                .iter()
                .max_by_key(|entry| (count(entry), std::cmp::Reverse(entry.0)))
            else {
                break;
            };
            if count(best) == 0 {
                break;
            }
            for item in left
                .iter()
                .copied()
                .filter(|item| shows(best.0, best.2, *item))
            {
                labels[item - step.start] = if self.two_sided {
                    Label::Wrong(best.0)
                } else {
                    Label::Undecided
                };
            }
            used.push(best.0);
            left.retain(|item| !shows(best.0, best.2, *item));
        }
        if !good.is_empty() {
            self.cost += open.len() * tests;
        }
        if self.two_sided {
            self.cost += used.len() * tests;
            used.iter().for_each(|group| shown[*group] = true);
        }
        self.script.walk.push(Action::Split.word());
        self.script
            .walk
            .extend(labels.iter().map(|label| label.word()));
        for item in left {
            let far = is_far(item);
            let open = self.extended(&open, step.p, item);
            self.node(behind, open, exact && (self.bounded || !far), shown);
        }
    }
}

/// `max_{t<m} max_{j≠m} [R_j − R_m]` by position.
pub(super) fn far(orders: &Orders, m: usize) -> Vec<f64> {
    let wrong = |t: usize, p: usize| {
        let row = |j: usize| orders.token_row(t, p, j);
        (0..orders.v)
            .filter(|j| *j != m)
            .map(row)
            .fold(f64::MIN, f64::max)
            - orders.token_row_low(t, p, m)
    };
    (0..orders.n - 1)
        .map(|p| (0..m).map(|t| wrong(t, p)).fold(f64::MIN, f64::max))
        .collect()
}
