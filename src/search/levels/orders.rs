//! Offsets and orders: read off the tables in double precision. Any are sound; good ones make tight proofs.

use super::entries::TableHints;
use crate::certificate::MARGIN_BITS;
use crate::certificate::levels::OFFSET_BITS;
use crate::checker::arithmetic::Fixed;
use crate::checker::levels::Paths;
use crate::checker::meter::Meter;
use crate::model::{Matrix, OneHead};
use crate::refusal::Refusal;
use crate::search::proof::Request;
use num_traits::ToPrimitive;

/// Offsets beyond what a certificate can hold are cut off there: any offset is sound.
const MOST: f64 = (1_i64 << 40) as f64 - 1.0;

/// The tables in double precision, with the orders of their rows.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) v: usize,
    pub(super) n: usize,
    /// Number of answers.
    pub(super) answers: usize,
    /// The tokens at the last position, ascending: a row each.
    pub(super) queries: Vec<usize>,
    /// A above B, as the checker's.
    pub(super) scores: Ends,
    pub(super) logits: Ends,
    pub(super) direct: Ends,
    pub(super) offset: Vec<i64>,
    /// By how much right logits are to exceed the others.
    pub(super) margin: f64,
    pub(super) attention: Vec<Vec<usize>>,
    /// Row p·v + t.
    pub(super) token: Vec<Vec<usize>>,
    pub(super) query: Vec<Vec<usize>>,
    pub(super) last: Vec<Vec<usize>>,
}

/// The upper and lower ends of a table's entries.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    pub(super) upper: Matrix<f64>,
    pub(super) lower: Matrix<f64>,
}

impl Ends {
    pub(super) fn new(table: &Matrix<Fixed>) -> Self {
        let unit = f64::from(-Fixed::FRACTION).exp2();
        let end = |infinite: f64, pick: fn((i128, i128)) -> i128| {
            let end = |row, col| {
                table
                    .at(row, col)
                    .ends()
                    .map_or(infinite, |ends| pick(ends) as f64 * unit)
            };
            Matrix::from_fn(table.rows(), table.cols(), f64::NAN, end)
        };
        Self {
            upper: end(UNKNOWN, |(_, hi)| hi),
            lower: end(-UNKNOWN, |(lo, _)| lo),
        }
    }
}

/// In place of infinity: sums and differences stay numbers.
const UNKNOWN: f64 = 1e9;

impl Orders {
    /// Orders for the offset D̄ = the mean of D over queries, with the `prefix` largest answers of each row.
    pub(super) fn new(request: &Request<'_>, prefix: usize) -> Result<Self, Refusal> {
        let paths = Paths::<Fixed>::new(
            &request.network.one_head()?,
            [None; 3],
            &Meter::new(u64::MAX),
        )?;
        let direct = Ends::new(&paths.direct).upper;
        let rows = direct.rows();
        let mean = |j: usize| (0..rows).map(|q| direct.at(q, j)).sum::<f64>() / rows as f64;
        let unit = f64::from(OFFSET_BITS).exp2();
        let offset = (0..direct.cols())
            .map(|j| (mean(j) * unit).round().clamp(-MOST, MOST) as i64)
            .collect();
        let margin = request.margin.to_f64().unwrap_or(f64::MAX);
        let margin = margin * f64::from(-MARGIN_BITS).exp2();
        Ok(Self::of(&paths, (offset, margin), prefix))
    }

    /// Orders of other tables of the same network, with the same offset.
    pub(super) fn with(
        &self,
        network: &OneHead<'_>,
        tables: &TableHints,
        prefix: usize,
    ) -> Result<Self, Refusal> {
        let paths = Paths::<Fixed>::new(network, tables.each_ref(), &Meter::new(u64::MAX))?;
        Ok(Self::of(&paths, (self.offset.clone(), self.margin), prefix))
    }

    /// By upper ends.
    fn of(paths: &Paths<Fixed>, (offset, margin): (Vec<i64>, f64), prefix: usize) -> Self {
        let (v, n) = (paths.d_vocab, paths.n_ctx);
        let (rows, answers) = (paths.queries.len(), paths.logits.cols());
        let (scores, logits, direct) = (
            Ends::new(&paths.scores),
            Ends::new(&paths.logits),
            Ends::new(&paths.direct),
        );
        let unit = f64::from(OFFSET_BITS).exp2();
        let shift = |j: usize| offset[j] as f64 / unit;
        let (ev, d) = (&logits.upper, &direct.upper);
        let row = |t: usize, p: usize| {
            (0..answers)
                .map(|j| ev.at(t, j) + ev.at(v + p, j) + shift(j))
                .collect()
        };
        let last = |q: usize| {
            (0..answers)
                .map(|j| ev.at(paths.queries[q], j) + ev.at(v + n - 1, j) + d.at(q, j))
                .collect()
        };
        Self {
            attention: (0..rows)
                .map(|q| descending((0..v).map(|t| *scores.upper.at(q, t)).collect(), v))
                .collect(),
            token: (0..(n - 1) * v)
                .map(|i| descending(row(i % v, i / v), prefix))
                .collect(),
            query: (0..rows)
                .map(|q| {
                    descending(
                        (0..answers).map(|j| d.at(q, j) - shift(j)).collect(),
                        prefix,
                    )
                })
                .collect(),
            last: (0..rows).map(|q| descending(last(q), prefix)).collect(),
            offset,
            margin,
            v,
            n,
            answers,
            queries: paths.queries.clone(),
            scores,
            logits,
            direct,
        }
    }

    /// The range of all R(t,p,j) and that of all D̃(q,j), added up: no margin is below minus this.
    pub(super) fn widest(&self) -> f64 {
        let (v, n) = (self.v, self.n);
        let range = |entries: &mut dyn Iterator<Item = (f64, f64)>| {
            let ends = |(least, most): (f64, f64), (low, up)| (least.min(low), most.max(up));
            let (least, most) = entries.fold((f64::MAX, f64::MIN), ends);
            most - least
        };
        let of = self.answers;
        let rows = (0..(n - 1) * v * of).map(|i| (i / of % v, i / of / v, i % of));
        let tokens = range(
            &mut rows.map(|(t, p, j)| (self.token_row_low(t, p, j), self.token_row(t, p, j))),
        );
        tokens
            + range(
                &mut (0..self.queries.len() * of)
                    .map(|i| (i / of, i % of))
                    .map(|(q, j)| (self.query_row_low(q, j), self.query_row(q, j))),
            )
    }

    /// The row of a token at the last position.
    pub(super) fn row(&self, query: usize) -> usize {
        self.queries
            .binary_search(&query)
            .expect("it may stand there")
    }

    fn shift(&self, j: usize) -> f64 {
        self.offset[j] as f64 / f64::from(OFFSET_BITS).exp2()
    }

    /// The upper end of R(t,p,j).
    pub(super) fn token_row(&self, t: usize, p: usize, j: usize) -> f64 {
        self.logits.upper.at(t, j) + self.logits.upper.at(self.v + p, j) + self.shift(j)
    }

    /// Its lower end.
    pub(super) fn token_row_low(&self, t: usize, p: usize, j: usize) -> f64 {
        self.logits.lower.at(t, j) + self.logits.lower.at(self.v + p, j) + self.shift(j)
    }

    /// The upper end of D̃(q,j).
    pub(super) fn query_row(&self, q: usize, j: usize) -> f64 {
        self.direct.upper.at(q, j) - self.shift(j)
    }

    /// Its lower end.
    pub(super) fn query_row_low(&self, q: usize, j: usize) -> f64 {
        self.direct.lower.at(q, j) - self.shift(j)
    }

    /// The upper end of EV(q,j) + PV(n−1,j) + D(q,j).
    pub(super) fn last_row(&self, q: usize, j: usize) -> f64 {
        self.logits.upper.at(self.queries[q], j)
            + self.logits.upper.at(self.v + self.n - 1, j)
            + self.direct.upper.at(q, j)
    }

    /// Its lower end.
    pub(super) fn last_row_low(&self, q: usize, j: usize) -> f64 {
        self.logits.lower.at(self.queries[q], j)
            + self.logits.lower.at(self.v + self.n - 1, j)
            + self.direct.lower.at(q, j)
    }
}

fn descending(row: Vec<f64>, length: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
    order.truncate(length);
    order
}
