//! Rule `places`: what the positions of a number of tokens can weigh.
//!
//! **Statement** (theorem `places_extreme`). Among all ways to choose c of the positions before the last, the sum of
//! `exp B(q,p)` is between the sums of the c smallest and of the c largest.
//! **Cost.** n exponentials and (n−1)(n−2) comparisons for every query, 2(n−1) additions.

use super::entry;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::model::Matrix;

/// Extreme sums by query, in units of a power of two for each query.
#[derive(Debug)]
pub struct Places<R> {
    /// Sums of the c smallest, c from 0 to n − 1.
    low: Vec<Vec<R>>,
    /// Sums of the c largest.
    high: Vec<Vec<R>>,
    /// `exp B(q, n−1)`.
    last: Vec<R>,
}

impl<R: Enclosure> Places<R> {
    /// From the scores B(q, p).
    pub fn new(positions: &Matrix<R>, meter: &Meter) -> Self {
        let (v, n) = (positions.rows(), positions.cols());
        meter.add(Kind::Weights, v * n);
        meter.add(Kind::Orders, v * (n - 1) * (n - 2));
        meter.add(Kind::Weights, v * 2 * (n - 1));
        let mut places = Self {
            low: vec![],
            high: vec![],
            last: vec![],
        };
        let one = R::dyadic(1, 0);
        for row in positions.iter_rows() {
            let exponentials: Vec<(R, i32)> = row.iter().map(R::exp).collect();
            let scale = exponentials.iter().map(|(_, k)| *k).max().unwrap_or(0);
            // A power of two: a change of unit, not an operation.
            let mut weights: Vec<R> = exponentials
                .iter()
                .map(|(y, k)| y.mul_scaled(&one, k.saturating_sub(scale)))
                .collect();
            places
                .last
                .push(weights.pop().unwrap_or_else(R::everything));
            sort(&mut weights);
            places.low.push(sums(weights.iter()));
            places.high.push(sums(weights.iter().rev()));
        }
        places
    }

    /// The least sum over c positions before the last.
    pub fn low(&self, q: usize, c: usize) -> R {
        self.low
            .get(q)
            .map_or_else(R::everything, |sums| entry(sums, c))
    }

    /// The greatest.
    pub fn high(&self, q: usize, c: usize) -> R {
        self.high
            .get(q)
            .map_or_else(R::everything, |sums| entry(sums, c))
    }

    /// The last position.
    pub fn last(&self, q: usize) -> R {
        entry(&self.last, q)
    }
}

/// Sorts the numbers that the enclosures stand for: exchanges by minimum and maximum enclose order statistics.
fn sort<R: Enclosure>(weights: &mut [R]) {
    for end in (1..weights.len()).rev() {
        for pair in 0..end {
            if let Some([left, right]) = weights.get_mut(pair..pair + 2) {
                (*left, *right) = (left.min(right), left.max(right));
            }
        }
    }
}

fn sums<'a, R: Enclosure + 'a>(weights: impl Iterator<Item = &'a R>) -> Vec<R> {
    let mut sums = vec![R::dyadic(0, 0)];
    for weight in weights {
        sums.push(
            sums.last()
                .map_or_else(R::everything, |sum| sum.add(weight)),
        );
    }
    sums
}
