//! Rule `margins`: margins of wrong answers over the right one.
//!
//! For a set S of wrong answers and the right one r, y(t,p) bounds `max_{j∈S} [c(t,p,j) − c(t,p,r)]` from above, with
//! c = EV + PV + D.
//!
//! **Statement** (theorem `margin_split`; `docs/theory.md`, T2). With `D = D̄ + D̃` for any D̄ and `R = EV + PV + D̄`:
//! `y = max_S R(t,p,·) − R(t,p,r) + max_S D̃(q,·) − D̃(q,r)`. For one answer it is the margin itself.
//! **Why.** The maximum of a sum is at most the sum of the maxima; a maximum over S is bounded through the row's order.
//! The last position's row is maximised as a whole.
//! A claim's margin τ > 0 is added to y, where D̃'s difference is taken and at the last position (T12): the weights are
//! positive and add up to the softmax's denominator, so `logit_j < logit_r − τ` if and only if `Σ_p w (c_j − c_r + τ) < 0`.
//! **Cost.** An addition and a comparison for every entry of the rows, one subtraction for every difference used, once.

use super::order::Order;
use super::paths::Paths;
use crate::certificate::levels::{OFFSET_BITS, Split};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::model::Matrix;
use crate::refusal::Refusal;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The most pooled margins that are remembered: memory that groups by the thousand must not lengthen.
const MOST_POOLED: usize = 1 << 17;

/// A set of wrong answers.
#[derive(Debug, Clone)]
pub enum Set {
    /// One answer.
    One(usize),
    /// The answers marked true.
    Marked(Vec<bool>),
}

impl Set {
    /// An answer whose entry is at least every member's, by the row's order; one member needs none.
    fn top(&self, order: Option<&Order>, meter: &Meter) -> Option<usize> {
        match self {
            Self::One(one) => Some(*one),
            Self::Marked(marks) => order?.bound(|answer| marks.get(answer) == Some(&true), meter),
        }
    }
}

/// Tables of the direct-path rule.
#[derive(Debug)]
pub struct DirectPath<R> {
    /// R(t,p,j), p < n − 1, in row p·v + t.
    token_rows: Matrix<R>,
    /// D̃(q,j), a row for each query.
    query_rows: Matrix<R>,
    /// EV(q,j) + PV(n−1,j) + D(q,j), likewise.
    last_rows: Matrix<R>,
    /// Orders of the three tables' rows.
    token_orders: Vec<Order>,
    query_orders: Vec<Order>,
    last_orders: Vec<Order>,
    widest: OnceLock<R>,
    d_vocab: usize,
    positions: usize,
    /// τ, if not zero.
    margin: Option<R>,
}

impl<R: Enclosure> DirectPath<R> {
    /// The rows, and their orders, from EV above PV and from D.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn new(
        paths: &Paths<R>,
        hints: &Split,
        margin: Option<R>,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        meter.goes_by("margins");
        let (v, n, logits) = (paths.d_vocab, paths.n_ctx, &paths.logits);
        let (queries, answers) = (paths.queries.len(), logits.cols());
        let offset: Vec<R> = hints
            .offset
            .iter()
            .map(|k| R::dyadic(*k, -OFFSET_BITS))
            .collect();
        // PV + D̄ and D̃ (copies without D̄), R, and the last rows.
        meter.spend(Kind::Logits, (n + queries) * offset.len().min(answers))?;
        meter.spend(Kind::Logits, ((n - 1) * v + 2 * queries) * answers)?;
        let shifted = |p: usize, j: usize| match offset.get(j) {
            Some(offset) => logits.at(v + p, j).add(offset),
            None => logits.at(v + p, j).clone(),
        };
        let position_rows = Matrix::from_fn(n, answers, R::everything(), shifted);
        let token_rows = Matrix::from_fn((n - 1) * v, answers, R::everything(), |row, j| {
            logits.at(row % v, j).add(position_rows.at(row / v, j))
        });
        let split = |q: usize, j: usize| match offset.get(j) {
            Some(offset) => paths.direct.at(q, j).sub(offset),
            None => paths.direct.at(q, j).clone(),
        };
        let query_rows = Matrix::from_fn(queries, answers, R::everything(), split);
        let last_rows = Matrix::from_fn(queries, answers, R::everything(), |q, j| {
            let token = paths.queries.get(q).copied().unwrap_or(usize::MAX);
            logits
                .at(token, j)
                .add(position_rows.at(n - 1, j))
                .add(query_rows.at(q, j))
        });
        Ok(Self {
            token_orders: Order::of_rows(&hints.token_orders, &token_rows, meter)?,
            query_orders: Order::of_rows(&hints.query_orders, &query_rows, meter)?,
            last_orders: Order::of_rows(&hints.last_orders, &last_rows, meter)?,
            token_rows,
            query_rows,
            last_rows,
            d_vocab: v,
            positions: n - 1,
            widest: OnceLock::new(),
            margin,
        })
    }

    /// No margin is below minus this, nor with τ ≥ 0 added: the range of all token rows plus that of all query rows.
    pub fn widest(&self, meter: &Meter) -> &R {
        let range = |table: &Matrix<R>, orders: &[Order]| {
            if orders.len() != table.rows() {
                return R::everything();
            }
            meter.add(Kind::Far, table.rows() * (table.cols() + 1) - 1);
            let top = |(row, order): (&[R], &Order)| {
                order
                    .bound(|_| true, meter)
                    .and_then(|top| row.get(top))
                    .cloned()
            };
            let tops = table
                .iter_rows()
                .zip(orders)
                .map(|entry| top(entry).unwrap_or_else(R::everything));
            let most = tops.reduce(|a, b| a.max(&b));
            let least = table
                .iter_rows()
                .flatten()
                .cloned()
                .reduce(|a, b| a.min(&b));
            most.zip(least)
                .map_or_else(R::everything, |(most, least)| most.sub(&least))
        };
        self.widest.get_or_init(|| {
            meter.add(Kind::Far, 1);
            range(&self.token_rows, &self.token_orders)
                .add(&range(&self.query_rows, &self.query_orders))
        })
    }

    /// Margins over the right answer.
    pub fn margins<'a>(&'a self, right: usize, meter: &'a Meter) -> Margins<'a, R> {
        // Zeros are had for nothing: what is never looked at takes no time.
        let places = vec![0; self.token_rows.rows() * self.token_rows.cols()];
        let wrong = Set::Marked((0..self.query_rows.cols()).map(|j| j != right).collect());
        Margins {
            path: self,
            right,
            meter,
            places,
            differences: vec![],
            pooled: BTreeMap::new(),
            wrong,
            sets: BTreeMap::new(),
            far: vec![],
        }
    }
}

/// Margins over one right answer. Differences are computed when first needed, once.
#[derive(Debug)]
pub struct Margins<'a, R> {
    path: &'a DirectPath<R>,
    right: usize,
    meter: &'a Meter,
    /// Where `R(t,p,j) − R(t,p,r)` stands among the differences, from 1 on; 0 until it is computed. As `token_rows`.
    places: Vec<u32>,
    differences: Vec<R>,
    /// `max_p [R(t,p,j_p) − R(t,p,r)]` by t and (j_p).
    pooled: BTreeMap<(usize, Vec<usize>), R>,
    /// Every wrong answer.
    wrong: Set,
    /// Sets of tokens, by number.
    sets: BTreeMap<Vec<usize>, usize>,
    /// By number: the tokens, and `max_t max_{j≠r} [R_j − R_r]` over them by position, and over all positions.
    far: Vec<(Vec<usize>, Vec<Option<R>>)>,
}

/// The margin of one set of answers for one query.
#[derive(Debug)]
pub struct Margin<'s, R> {
    q: usize,
    /// The answers.
    pub set: &'s Set,
    /// `max_S D̃(q,·) − D̃(q,r) + τ`.
    query: R,
}

impl<R: Enclosure> Margins<'_, R> {
    /// The margin of a set of answers for query q.
    pub fn of<'s>(&self, q: usize, set: &'s Set) -> Margin<'s, R> {
        let top = set.top(self.path.query_orders.get(q), self.meter);
        let query = top.map_or(R::everything(), |top| {
            self.meter.add(Kind::Terms, 1);
            let rows = &self.path.query_rows;
            self.beyond(rows.at(q, top).sub(rows.at(q, self.right)))
        });
        Margin { q, set, query }
    }

    /// Upper bounds of the margins at position p < n − 1 holding token t.
    pub fn at<'s>(
        &'s mut self,
        margins: &'s [Margin<'_, R>],
        t: usize,
        p: usize,
    ) -> impl Iterator<Item = R> + 's {
        let row = self.row(t, p);
        let (order, meter) = (self.path.token_orders.get(row), self.meter);
        let mut difference = self.token_differences(row);
        margins.iter().map(move |margin| {
            let Some(top) = margin.set.top(order, meter) else {
                return R::everything();
            };
            meter.add(Kind::Terms, 1);
            difference(top).add(&margin.query)
        })
    }

    /// An upper bound of the margin at token t over all positions p < n − 1.
    pub fn pooled(&mut self, margin: &Margin<'_, R>, t: usize) -> R {
        self.meter.add(Kind::Integer, self.path.positions);
        let rows: Vec<usize> = (0..self.path.positions).map(|p| self.row(t, p)).collect();
        let tops = rows
            .iter()
            .map(|row| margin.set.top(self.path.token_orders.get(*row), self.meter));
        let Some(tops) = tops.collect::<Option<Vec<usize>>>() else {
            return R::everything();
        };
        let key = (t, tops);
        let token = if let Some(known) = self.pooled.get(&key) {
            known.clone()
        } else {
            let differences = rows
                .iter()
                .zip(&key.1)
                .map(|(row, top)| self.token_differences(*row)(*top))
                .collect();
            let largest = largest(differences, Kind::Terms, self.meter);
            if self.pooled.len() == MOST_POOLED {
                self.pooled.clear();
            }
            self.pooled.insert(key, largest.clone());
            largest
        };
        self.meter.add(Kind::Terms, 1);
        token.add(&margin.query)
    }

    /// An upper bound of the margin at the last position.
    pub fn last(&mut self, margin: &Margin<'_, R>) -> R {
        let (q, rows) = (margin.q, &self.path.last_rows);
        let top = margin.set.top(self.path.last_orders.get(q), self.meter);
        let top = top.map_or(R::everything(), |top| rows.at(q, top).clone());
        self.meter.add(Kind::Terms, 1);
        self.beyond(top.sub(rows.at(q, self.right)))
    }

    /// A difference of logits, plus τ if there is one.
    fn beyond(&self, difference: R) -> R {
        let Some(margin) = &self.path.margin else {
            return difference;
        };
        self.meter.add(Kind::Terms, 1);
        difference.add(margin)
    }

    /// The number of a set of tokens.
    pub fn set(&mut self, tokens: &[usize]) -> usize {
        // To find the set among others, and to note it.
        self.meter.add(Kind::Integer, 16 * tokens.len());
        let next = self.sets.len();
        let number = *self.sets.entry(tokens.to_vec()).or_insert(next);
        if number == next {
            self.far
                .push((tokens.to_vec(), vec![None; self.path.positions + 1]));
        }
        number
    }

    /// An upper bound of every wrong answer's margin at every token of a set, at position p, or at all positions for
    /// p = n − 1, for query q: `max_t max_{j≠r} [R_j − R_r] + max_{j≠r} D̃_j − D̃_r + τ`.
    pub fn far(&mut self, q: usize, set: usize, p: usize) -> R {
        let token = self.far_token(set, p);
        let query = self.of(q, &self.wrong).query;
        self.meter.add(Kind::Far, 1);
        token.add(&query)
    }

    fn far_token(&mut self, set: usize, p: usize) -> R {
        let Some((tokens, known)) = self.far.get(set) else {
            return R::everything();
        };
        if let Some(Some(known)) = known.get(p) {
            return known.clone();
        }
        let entries = if p == self.path.positions {
            (0..p).map(|p| self.far_token(set, p)).collect()
        } else {
            let rows: Vec<usize> = tokens.iter().map(|t| self.row(*t, p)).collect();
            let top = |row: usize| {
                let order = self.path.token_orders.get(row);
                self.wrong.top(order, self.meter).map(|top| (row, top))
            };
            let tops: Vec<Option<(usize, usize)>> = rows.into_iter().map(top).collect();
            let entry = |top: Option<(usize, usize)>| {
                top.map_or(R::everything(), |(row, top)| {
                    self.token_differences(row)(top)
                })
            };
            tops.into_iter().map(entry).collect()
        };
        let largest = largest(entries, Kind::Terms, self.meter);
        let known = self
            .far
            .get_mut(set)
            .and_then(|(_, known)| known.get_mut(p));
        known
            .into_iter()
            .for_each(|slot| *slot = Some(largest.clone()));
        largest
    }

    fn row(&self, t: usize, p: usize) -> usize {
        p * self.path.d_vocab + t
    }

    /// `R(t,p,j) − R(t,p,r)` by j.
    fn token_differences(&mut self, row: usize) -> impl FnMut(usize) -> R {
        let (rows, right, meter) = (
            &self.path.token_rows,
            self.path.token_rows.at(row, self.right),
            self.meter,
        );
        let places = self.places.chunks_exact_mut(rows.cols()).nth(row);
        let (places, differences) = (places.unwrap_or_default(), &mut self.differences);
        move |j| {
            let Some(place) = places.get_mut(j) else {
                return R::everything();
            };
            let known = place.checked_sub(1).map(|place| place as usize);
            if let Some(known) = known.and_then(|known| differences.get(known)) {
                return known.clone();
            }
            meter.add(Kind::Terms, 1);
            let difference = rows.at(row, j).sub(right);
            differences.push(difference.clone());
            *place = u32::try_from(differences.len()).unwrap_or(0);
            difference
        }
    }
}

/// The largest of some numbers; everything if there are none.
pub(super) fn largest<R: Enclosure>(entries: Vec<R>, kind: Kind, meter: &Meter) -> R {
    meter.add(kind, entries.len().saturating_sub(1));
    entries
        .into_iter()
        .reduce(|a, b| a.max(&b))
        .unwrap_or(R::everything())
}
