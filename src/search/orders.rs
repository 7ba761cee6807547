//! Offsets and orders: read off the tables in double precision. Any are sound; good ones make tight proofs.

use crate::certificate::OFFSET_BITS;
use crate::checker::arithmetic::Fixed;
use crate::checker::meter::Meter;
use crate::checker::paths::Paths;
use crate::model::{Matrix, Network};
use crate::refusal::Refusal;

/// Offsets beyond what a certificate can hold are cut off there: any offset is sound.
const MOST: f64 = (1_i64 << 40) as f64 - 1.0;

/// The tables in double precision, with the orders of their rows.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) v: usize,
    pub(super) n: usize,
    /// A above B, as the checker's.
    pub(super) scores: Matrix<f64>,
    logits: Matrix<f64>,
    direct: Matrix<f64>,
    pub(super) offset: Vec<i64>,
    pub(super) attention: Vec<Vec<usize>>,
    /// Row p·v + t.
    pub(super) token: Vec<Vec<usize>>,
    pub(super) query: Vec<Vec<usize>>,
    pub(super) last: Vec<Vec<usize>>,
}

impl Orders {
    /// Orders for the offset D̄ = the mean of D over queries, with the `prefix` largest answers of each row.
    pub(super) fn new(network: &Network, prefix: usize) -> Result<Self, Refusal> {
        let paths = Paths::<Fixed>::new(network, &Meter::new(u64::MAX))?;
        let (v, n) = (paths.d_vocab, paths.n_ctx);
        let (scores, logits, direct) = (doubles(&paths.scores), doubles(&paths.logits), doubles(&paths.direct));
        let mean = |j: usize| (0..v).map(|q| direct.at(q, j)).sum::<f64>() / v as f64;
        let unit = f64::from(OFFSET_BITS).exp2();
        let offset: Vec<i64> = (0..v).map(|j| (mean(j) * unit).round().clamp(-MOST, MOST) as i64).collect();
        let shift = |j: usize| offset[j] as f64 / unit;
        let row = |t: usize, p: usize| (0..v).map(|j| logits.at(t, j) + logits.at(v + p, j) + shift(j)).collect();
        let last = |q: usize| (0..v).map(|j| logits.at(q, j) + logits.at(v + n - 1, j) + direct.at(q, j)).collect();
        Ok(Self {
            attention: (0..v).map(|q| descending((0..v).map(|t| *scores.at(q, t)).collect(), v)).collect(),
            token: (0..(n - 1) * v).map(|i| descending(row(i % v, i / v), prefix)).collect(),
            query: (0..v).map(|q| descending((0..v).map(|j| direct.at(q, j) - shift(j)).collect(), prefix)).collect(),
            last: (0..v).map(|q| descending(last(q), prefix)).collect(),
            offset,
            v,
            n,
            scores,
            logits,
            direct,
        })
    }

    /// The range of all R(t,p,j) and that of all D̃(q,j), added up: no margin is below minus this.
    pub(super) fn widest(&self) -> f64 {
        let (v, n) = (self.v, self.n);
        let range = |entries: &mut dyn Iterator<Item = f64>| {
            let (least, most) = entries.fold((f64::MAX, f64::MIN), |(a, b), entry| (a.min(entry), b.max(entry)));
            most - least
        };
        let token = |i: usize| (0..v).map(move |j| (i % v, i / v, j));
        let tokens = range(&mut (0..(n - 1) * v).flat_map(token).map(|(t, p, j)| self.token_row(t, p, j)));
        tokens + range(&mut (0..v * v).map(|i| self.query_row(i / v, i % v)))
    }

    fn shift(&self, j: usize) -> f64 {
        self.offset[j] as f64 / f64::from(OFFSET_BITS).exp2()
    }

    /// R(t,p,j).
    pub(super) fn token_row(&self, t: usize, p: usize, j: usize) -> f64 {
        self.logits.at(t, j) + self.logits.at(self.v + p, j) + self.shift(j)
    }

    /// D̃(q,j).
    pub(super) fn query_row(&self, q: usize, j: usize) -> f64 {
        self.direct.at(q, j) - self.shift(j)
    }

    /// EV(q,j) + PV(n−1,j) + D(q,j).
    pub(super) fn last_row(&self, q: usize, j: usize) -> f64 {
        self.logits.at(q, j) + self.logits.at(self.v + self.n - 1, j) + self.direct.at(q, j)
    }
}

pub(super) fn doubles(table: &Matrix<Fixed>) -> Matrix<f64> {
    Matrix::from_fn(table.rows(), table.cols(), f64::NAN, |row, col| {
        table
            .at(row, col)
            .ends()
            .map_or(0.0, |(lo, hi)| (lo as f64 + hi as f64) / 2.0 * f64::from(-Fixed::FRACTION).exp2())
    })
}

fn descending(row: Vec<f64>, length: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
    order.truncate(length);
    order
}
