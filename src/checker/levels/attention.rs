//! Rule `attention`: attention weights before normalisation, `w(q,t,p) = exp A(q,t) · exp B(q,p)`.
//!
//! **Statement** (theorem `weights_scale`). An input's correctness depends on the weights only up to a positive factor
//! for each query and level: `docs/theory.md`, T1. They are taken in units of `2^(k + c(q))`, where `c(q)` is the largest
//! exponent of `exp B(q,·)` and k is `k(q,t)` of a token t of the level, with `exp A(q,t) = y·2^k(q,t)`: in one unit for all
//! levels, the weights of some would be nothing. Softmax's division is never done.
//! **Cost.** v + n exponentials a query; one multiplication for every w that is used, once.

use super::order::Order;
use crate::certificate::Rows;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::model::Matrix;
use crate::refusal::Refusal;
use std::sync::OnceLock;

/// Enclosures of the attention weights, and orders of the scores.
#[derive(Debug)]
pub struct Attention<R> {
    alpha: Matrix<(R, i32)>,
    beta: Matrix<R>,
    beta_sum_min: Vec<OnceLock<(R, R)>>,
    products: Matrix<OnceLock<R>>,
    orders: Vec<Order>,
    queries: Vec<usize>,
    n_ctx: usize,
}

impl<R: Enclosure> Attention<R> {
    /// Exponentials of the scores, A for so many tokens beside B, and their orders; a row for each query.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn new(
        scores: &Matrix<R>,
        (queries, v): (&[usize], usize),
        orders: &Rows<usize>,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        meter.goes_by("attention");
        let rows = scores.rows();
        let n = scores.cols().saturating_sub(v);
        meter.spend(Kind::Weights, rows * v + rows * n)?;
        let outside = (R::everything(), 0);
        let exponential = |q: usize, column: usize| scores.at(q, column).exp();
        let beta = Matrix::from_fn(rows, n, outside.clone(), |q, p| exponential(q, v + p));
        let scale: Vec<i32> = beta
            .iter_rows()
            .map(|row| row.iter().map(|(_, k)| *k).max().unwrap_or(0))
            .collect();
        let one = R::dyadic(1, 0);
        let beta_at_scale = |q: usize, p: usize| {
            let (y, k) = beta.at(q, p);
            // A power of two: a change of unit, not an operation.
            y.mul_scaled(&one, k.saturating_sub(scale.get(q).copied().unwrap_or(0)))
        };
        let of_tokens = Matrix::from_fn(rows, v, R::everything(), |q, t| scores.at(q, t).clone());
        Ok(Self {
            alpha: Matrix::from_fn(rows, v, outside, exponential),
            beta: Matrix::from_fn(rows, n, R::everything(), beta_at_scale),
            beta_sum_min: (0..rows).map(|_| OnceLock::new()).collect(),
            products: Matrix::from_fn(rows * v, n, OnceLock::from(R::everything()), |_, _| {
                OnceLock::new()
            }),
            // exp is monotone: the order of the scores is the order of the weights.
            orders: Order::of_rows(orders, &of_tokens, meter)?,
            queries: queries.to_vec(),
            n_ctx: n,
        })
    }

    /// `exp A(q,t)` in units of `2^k(q,t)`.
    pub fn alpha(&self, q: usize, t: usize) -> &R {
        &self.alpha.at(q, t).0
    }

    /// `w(q,t,p)` in units of `2^(k(q,t) + c(q))`.
    pub fn weight(&self, q: usize, t: usize, p: usize, meter: &Meter) -> &R {
        let row = q.saturating_mul(self.alpha.cols()).saturating_add(t);
        self.products.at(row, p).get_or_init(|| {
            meter.add(Kind::Weights, 1);
            self.alpha(q, t).mul(self.beta.at(q, p))
        })
    }

    /// `k(q,t)`.
    pub fn exponent(&self, q: usize, t: usize) -> i32 {
        self.alpha.at(q, t).1
    }

    /// The row of a query.
    pub fn row(&self, query: usize) -> usize {
        self.queries.binary_search(&query).unwrap_or(usize::MAX)
    }

    /// `Σ_{p<n−1} exp B(q,p)` and the least of them, in units of `2^c(q)`.
    pub fn beta_sum_min(&self, q: usize, meter: &Meter) -> (R, R) {
        let compute = || {
            let row = self.beta.row(q).get(..self.n_ctx - 1).unwrap_or(&[]);
            meter.add(Kind::Weights, 2 * row.len().saturating_sub(1));
            let sum = row.iter().cloned().reduce(|a, b| a.add(&b));
            sum.zip(row.iter().cloned().reduce(|a, b| a.min(&b)))
                .unwrap_or((R::everything(), R::everything()))
        };
        self.beta_sum_min
            .get(q)
            .map_or((R::everything(), R::everything()), |cell| {
                cell.get_or_init(compute).clone()
            })
    }

    /// The order of `exp A(q,·)`.
    pub fn order(&self, q: usize) -> Option<&Order> {
        self.orders.get(q)
    }
}
