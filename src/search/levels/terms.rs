//! One (query, level) in double precision: the terms of groups of wrong answers, and the whole-level tests they pass.
//!
//! Everything here only proposes; the checker decides. A test is proposed where its sum is clear of zero by [`CLEAR`], far
//! more than the checker's enclosures are wide.

use super::orders::Orders;
use super::places::{Place, Tokens};
use super::plans::Windowed;
use crate::certificate::levels::Test;
use crate::task::Words;
use std::collections::BTreeMap;

/// Sums closer to zero than this, in the checker's units of weights, are left alone.
pub(super) const CLEAR: f64 = 3e-10;
/// The most tokens that are treated one by one.
const WIDEST: usize = 256;
/// FLOPs that a group takes beside its test.
pub(super) const GROUP: usize = 4;

/// `max_t max_{j≠r} [R_j − R_r]` by position, for the tokens of a place that are no class by themselves.
#[derive(Debug)]
pub(super) struct Fars(BTreeMap<(usize, Vec<usize>), Vec<f64>>);

impl Fars {
    pub(super) fn new<'a>(orders: &Orders, places: impl Iterator<Item = Place<'a>>) -> Self {
        let mut fars = BTreeMap::new();
        for place in places {
            let (right, tokens) = (place.right(), place.tokens().others);
            let wrong = |t: usize, p: usize| {
                let row = |j: usize| orders.token_row(t, p, j);
                let most = (0..orders.answers).filter(|j| *j != right).map(row);
                most.fold(f64::MIN, f64::max) - orders.token_row_low(t, p, right)
            };
            let most = |p: usize| tokens.iter().map(|t| wrong(*t, p)).fold(f64::MIN, f64::max);
            let far = || (0..orders.n - 1).map(most).collect();
            fars.entry((right, tokens.clone())).or_insert_with(far);
        }
        Self(fars)
    }

    pub(super) fn of(&self, right: usize, tokens: &[usize]) -> &[f64] {
        self.0
            .get(&(right, tokens.to_vec()))
            .map_or(&[], Vec::as_slice)
    }
}

/// One (query, level).
pub(super) struct Case<'a> {
    orders: &'a Orders,
    /// The query's row, and the right answer.
    row: usize,
    pub(super) right: usize,
    pub(super) n: usize,
    pub(super) words: &'a Words<'a>,
    /// Those that are a class by themselves, then the others by attention; how many the first are.
    pub(super) tokens: Vec<usize>,
    pub(super) singles: usize,
    /// By token.
    pub(super) class: Vec<usize>,
    /// By position, then class: may it stand there?
    pub(super) stands: Vec<Vec<bool>>,
    /// By number of tokens in the window, class: how many are far.
    pub(super) sizes: Vec<usize>,
    /// A token that every input holds before the last position.
    held: Option<usize>,
    /// By token: its attention in these units, at most and at least; the query's.
    pub(super) alpha: Vec<(f64, f64)>,
    alpha_q: (f64, f64),
    /// By position.
    pub(super) beta: Vec<f64>,
    beta_sum: f64,
    beta_min: f64,
    /// By number of tokens in the window: bounds of the far classes, pooled and by position; none if there are none.
    pub(super) far: Vec<Option<(f64, Vec<f64>)>>,
    /// Is it to be shown which inputs are wrong?
    pub(super) two_sided: bool,
    /// No margin is below minus this, if the far classes are to be bounded from below.
    pub(super) widest: Option<f64>,
}

/// A group of wrong answers: `max R_j − R_r` by position and token, and the same for the query's and the last rows.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) answers: Vec<usize>,
    pub(super) rows: Vec<f64>,
    pub(super) query: f64,
    last: f64,
}

impl Pool {
    pub(super) fn with(&self, other: &Self) -> Self {
        let larger = |(a, b): (&f64, &f64)| a.max(*b);
        Self {
            answers: [self.answers.as_slice(), &other.answers].concat(),
            rows: self.rows.iter().zip(&other.rows).map(larger).collect(),
            query: self.query.max(other.query),
            last: self.last.max(other.last),
        }
    }
}

/// A group and the test that settles it.
#[derive(Clone)]
pub(super) struct Settled {
    pub(super) pool: Pool,
    pub(super) test: Windowed,
    pub(super) cost: usize,
}

/// At most the product of a weight within bounds with a number.
pub(super) fn most_of((upper, lower): (f64, f64), number: f64) -> f64 {
    number * if number > 0.0 { upper } else { lower }
}

/// At least.
fn least_of((upper, lower): (f64, f64), number: f64) -> f64 {
    number * if number > 0.0 { lower } else { upper }
}

impl<'a> Case<'a> {
    pub(super) fn new(
        orders: &'a Orders,
        place: Place<'a>,
        fars: &Fars,
        two_sided: bool,
        widest: Option<f64>,
    ) -> Self {
        let (v, n, right, query) = (orders.v, orders.n, place.right(), place.query);
        let words = place.words;
        let row = orders.row(query);
        let Tokens {
            singles,
            others,
            class_of,
        } = place.tokens();
        let far = fars.of(right, &others);
        let first = singles.len();
        let by_attention = orders.attention[row]
            .iter()
            .filter(|t| others.binary_search(t).is_ok());
        let tokens: Vec<usize> = singles.iter().chain(by_attention).copied().collect();
        let class: Vec<usize> = tokens.iter().map(|token| class_of[token]).collect();
        let mut sizes = vec![0; words.level.classes.len()];
        class.iter().for_each(|class| sizes[*class] += 1);
        let held = (0..first).find(|token| words.hold(class[*token]));
        let (upper, lower) = (&orders.scores.upper, &orders.scores.lower);
        // In the checker's units: an end of sequence may be attended far more than any value.
        let score = |token: &usize| *upper.at(row, *token);
        let largest = || {
            tokens
                .iter()
                .chain([&query])
                .map(score)
                .fold(f64::MIN, f64::max)
        };
        let top = tokens
            .first()
            .filter(|_| first > 0)
            .map_or_else(largest, score);
        let over = |t: usize| {
            (
                (upper.at(row, t) - top).exp(),
                (lower.at(row, t) - top).exp(),
            )
        };
        let alpha: Vec<(f64, f64)> = tokens.iter().map(|t| over(*t)).collect();
        let most = (0..n)
            .map(|p| *upper.at(row, v + p))
            .fold(f64::MIN, f64::max);
        let beta: Vec<f64> = (0..n)
            .map(|p| (upper.at(row, v + p) - most).exp())
            .collect();
        let wrong = (0..orders.answers).filter(|j| *j != right);
        let wrong = wrong
            .map(|j| orders.query_row(row, j))
            .fold(f64::MIN, f64::max);
        let beyond = wrong - orders.query_row_low(row, right) + orders.margin;
        let bounds = |window: usize| {
            if window < first {
                return None;
            }
            let (alpha, _) = alpha.get(window)?;
            let pooled = far.iter().copied().fold(f64::MIN, f64::max);
            let at = |(far, beta): (&f64, &f64)| (alpha * beta * (far + beyond)).max(0.0);
            let by_position = far.iter().zip(&beta).map(at).collect();
            Some(((alpha * (pooled + beyond)).max(0.0), by_position))
        };
        let before = &beta[..n - 1];
        Self {
            orders,
            row,
            right,
            n,
            singles: first,
            stands: (0..n - 1).map(|p| words.classes_at(p)).collect(),
            words,
            far: (0..=tokens.len()).map(bounds).collect(),
            tokens,
            class,
            sizes,
            held,
            alpha_q: over(query),
            beta_sum: before.iter().sum(),
            beta_min: before.iter().copied().fold(f64::MAX, f64::min),
            alpha,
            beta,
            two_sided,
            widest,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.tokens.len().min(WIDEST.max(self.singles))
    }

    pub(super) fn pool(&self, answer: usize) -> Pool {
        let (orders, row, right) = (self.orders, self.row, self.right);
        let tokens = &self.tokens[..self.width()];
        let beyond =
            |p: usize, t: usize| orders.token_row(t, p, answer) - orders.token_row_low(t, p, right);
        let rows = (0..self.n - 1).flat_map(|p| tokens.iter().map(move |t| beyond(p, *t)));
        Pool {
            answers: vec![answer],
            rows: rows.collect(),
            query: orders.query_row(row, answer) - orders.query_row_low(row, right) + orders.margin,
            last: orders.last_row(row, answer) - orders.last_row_low(row, right) + orders.margin,
        }
    }

    /// Every wrong answer by itself.
    pub(super) fn pools(&self) -> Vec<Pool> {
        let wrong = (0..self.orders.answers).filter(|j| *j != self.right);
        wrong.map(|j| self.pool(j)).collect()
    }

    pub(super) fn term(&self, pool: &Pool, i: usize, p: usize) -> f64 {
        let margin = pool.rows[p * self.width() + i] + pool.query;
        most_of(self.alpha[i], self.beta[p] * margin)
    }

    pub(super) fn last_term(&self, pool: &Pool) -> f64 {
        most_of(self.alpha_q, self.beta[self.n - 1] * pool.last)
    }

    /// At least φ of one answer, at the i-th token and position p, and at the last position.
    pub(super) fn least_term(&self, answer: usize, i: usize, p: usize) -> f64 {
        let (orders, t, row, right) = (self.orders, self.tokens[i], self.row, self.right);
        let token = orders.token_row_low(t, p, answer) - orders.token_row(t, p, right);
        let query = orders.query_row_low(row, answer) - orders.query_row(row, right);
        least_of(
            self.alpha[i],
            self.beta[p] * (token + query + orders.margin),
        )
    }

    pub(super) fn least_last_term(&self, answer: usize) -> f64 {
        let (orders, row) = (self.orders, self.row);
        let last = orders.last_row_low(row, answer) - orders.last_row(row, self.right);
        least_of(self.alpha_q, self.beta[self.n - 1] * (last + orders.margin))
    }

    /// At least φ of any far token behind so many in the window, at position p.
    pub(super) fn far_below(&self, window: usize, p: usize) -> f64 {
        let alpha = self.alpha.get(window).map_or(0.0, |alpha| alpha.0);
        -alpha * self.beta[p] * self.widest.unwrap_or(0.0)
    }

    /// A token of a window, as an order names it: the far classes come last.
    pub(super) fn token(&self, i: usize, window: usize) -> usize {
        if i < window {
            self.tokens[i]
        } else {
            self.orders.v
        }
    }

    /// A window of so many tokens; of all, if there are no more.
    pub(super) fn window(&self, size: usize) -> Option<usize> {
        (size < self.tokens.len()).then_some(size)
    }

    /// The extreme of all inputs' sums, from those of each class by position.
    fn extreme(&self, by_class: impl Fn(usize, usize) -> f64, either: fn(f64, f64) -> f64) -> f64 {
        let states = self.words.states();
        let (mut behind, mut here) = (vec![0.0; states], vec![0.0; states]);
        for p in (0..self.n - 1).rev() {
            for (state, best) in here.iter_mut().enumerate() {
                let ways = self.words.moves(p, state).iter();
                let ways = ways.map(|step| by_class(p, step.class) + behind[step.to]);
                *best = ways.reduce(either).unwrap_or(f64::NAN);
            }
            std::mem::swap(&mut behind, &mut here);
        }
        behind[0]
    }

    /// The cheapest whole-level test that the group passes, and the least sum of any.
    pub(super) fn whole(&self, pool: &Pool) -> (Option<(Windowed, usize)>, f64) {
        let last = self.last_term(pool);
        let (mut most, mut held) = (f64::MIN, 0.0);
        let mut by_class = vec![vec![f64::MIN; self.sizes.len()]; self.n - 1];
        let mut near = vec![0; self.sizes.len()];
        let (mut best, mut least): (Option<(Windowed, usize)>, f64) = (None, f64::MAX);
        let mut items = 0;
        for i in 0..self.width() {
            let (class, mut row) = (self.class[i], f64::MIN);
            near[class] += 1;
            for (p, by_class) in by_class.iter_mut().enumerate() {
                row = row.max(pool.rows[p * self.width() + i] + pool.query);
                if self.stands[p][class] {
                    by_class[class] = by_class[class].max(self.term(pool, i, p));
                    items += 1;
                }
            }
            let term = most_of(self.alpha[i], row);
            most = most.max(term);
            if self.held == Some(i) {
                held = term;
            }
            let tokens = i + 1;
            if tokens < self.singles {
                continue;
            }
            let far = self.far[tokens].as_ref();
            let most = far.map_or(most, |(pooled, _)| most.max(*pooled));
            let middle = self.held.map_or(0.0, |_| self.beta_min * (held - most));
            let sum = self.beta_sum * most + middle + last;
            least = least.min(sum);
            let mut offer = |test: Windowed, sum: f64, cost: usize| {
                if sum < -CLEAR && best.is_none_or(|(_, least)| cost < least) {
                    best = Some((test, cost));
                }
            };
            offer((Test::Pooled, self.window(tokens)), sum, 3 * tokens + 6);
            let most_at = |p: usize, class: usize| {
                let has_far = near[class] < self.sizes[class];
                let far = far.filter(|_| has_far).map_or(f64::MIN, |(_, far)| far[p]);
                by_class[p][class].max(far)
            };
            let sum = last + self.extreme(most_at, f64::max);
            least = least.min(sum);
            let test = (Test::Unpooled, self.window(tokens));
            offer(test, sum, 3 * items + 4 * (self.n - 1));
            if best.is_some_and(|(_, cost)| 3 * tokens + 9 >= cost) {
                break;
            }
        }
        (best, least)
    }

    pub(super) fn settled(&self, pool: Pool) -> Option<Settled> {
        let (test, cost) = self.whole(&pool).0?;
        Some(Settled { pool, test, cost })
    }

    /// An answer that wins on every input, with the window that shows it, and what that takes.
    pub(super) fn all_wrong(&self) -> Option<(usize, Windowed, usize)> {
        // With all tokens one by one, the least is as large as it gets.
        let everywhere = |answer: &usize| {
            let least_at = |p: usize, class: usize| {
                let of_class = (0..self.tokens.len()).filter(|i| self.class[*i] == class);
                let terms = of_class.map(|i| self.least_term(*answer, i, p));
                terms.fold(f64::MAX, f64::min)
            };
            self.least_last_term(*answer) + self.extreme(least_at, f64::min) > CLEAR
        };
        let shown = |answer: usize| {
            let last = self.least_last_term(answer);
            let mut by_class = vec![vec![f64::MAX; self.sizes.len()]; self.n - 1];
            let mut near = vec![0; self.sizes.len()];
            let mut items = 0;
            for i in 0..self.width() {
                let class = self.class[i];
                near[class] += 1;
                for (p, by_class) in by_class.iter_mut().enumerate() {
                    if self.stands[p][class] {
                        by_class[class] = by_class[class].min(self.least_term(answer, i, p));
                        items += 1;
                    }
                }
                let tokens = i + 1;
                let is_all = tokens == self.tokens.len();
                if tokens < self.singles || (!is_all && self.widest.is_none()) {
                    continue;
                }
                let least_at = |p: usize, class: usize| {
                    let has_far = near[class] < self.sizes[class];
                    let far = if has_far {
                        self.far_below(tokens, p)
                    } else {
                        f64::MAX
                    };
                    by_class[p][class].min(far)
                };
                if last + self.extreme(least_at, f64::min) > CLEAR {
                    let cost = 3 * items + 4 * (self.n - 1) + GROUP;
                    return Some((answer, (Test::Wrong, self.window(tokens)), cost));
                }
            }
            None
        };
        let wrong = (0..self.orders.answers).filter(|j| *j != self.right);
        let wrong = wrong.filter(everywhere);
        wrong.filter_map(shown).min_by_key(|(.., cost)| *cost)
    }
}
