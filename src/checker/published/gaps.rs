//! Rule `gaps`: inputs whose other tokens all stay a gap below the maximum.
//!
//! **Statement** (theorem `gaps`). Fix q, m, the number c of positions that do not hold m (the last one among them when
//! q < m), and a gap g ≥ 1; when q < m let q ≤ m − g. With `L_j = offset(j) − offset(m) + max_p (PV(p,j) − PV(p,m))`,
//! `V_j = EV(m,j) − EV(m,m)`, `H = spread(q)`, `W = max_{t≤m−g} (max_j EV(t,j) − min_j EV(t,j))`, let `F(u) = max_{j≠m}
//! [L_j + V_j + u L_j]`, X the least weight of the positions that hold m, Y the greatest of the others, and `x =
//! max_{t≤m−g} table(q,t) − table(q,m) + error(q)`. If `a + b u ≥ F(u)` for a family of lines (a, b), one of which
//! suffices for each u ≥ 0, and `(a + H) X + max(0, b + W + H) Y e^x < 0` for all, every such input is correct.
//! **Proof.** With r the attention to positions that hold m and u = (1−r)/r, a wrong answer exceeds m by at most
//! `(L_j + V_j + H + u(L_j + W + H))/(1+u)`: positions that hold m contribute V_j, the others at most W, the positional
//! part at most its maximum. `u ≤ Y e^x / X`, and a line with a negative slope is largest at u = 0.
//! The lines: without references `(max L + max V, max L)`. Rule `reference` (theorem `convex_majorant`): F is convex, so
//! for any ω and s, with `K = F(ω)`, it is at most `max(F(0), K − ωs) + su` for 0 ≤ u ≤ ω, and at most
//! `K − ω max L + u max L` for u ≥ ω.
//! **Count.** `C(n−1, c−1) (m−g+1)^(c−1)` inputs when q < m, `C(n−1, c) (m−g+1)^c` when q = m. The input that is m
//! throughout has a test of its own, answer by answer.
//! **Cost.** v²n, beside the tables.

use super::binomial;
use super::direct::Direct;
use super::places::Places;
use super::scores::Scores;
use super::{entry, largest, ranges};
use crate::certificate::published::{Attention, DirectPath, Gaps, VECTOR_BITS};
use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::Factors;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::product;
use crate::model::{Matrix, OneHead};
use crate::refusal::Refusal;
use num_bigint::BigUint;

/// What all maxima share.
#[derive(Debug)]
pub struct Tables<R> {
    d_vocab: usize,
    n_ctx: usize,
    scores: Scores<R>,
    /// `max_{t' ≤ t} table(q, t')`.
    largest_score: Matrix<R>,
    places: Places<R>,
    /// EV above PV.
    logits: Matrix<R>,
    /// `max_{t' ≤ t}` of the ranges of EV(t', ·).
    largest_range: Vec<R>,
    table: Matrix<R>,
    direct: Direct<R>,
}

impl<R: Enclosure> Tables<R> {
    /// Computes the tables.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn new(
        network: &OneHead<'_>,
        attention: &Attention,
        direct_path: &DirectPath,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let factors = Factors::<R>::new(network, meter)?;
        let scores = Scores::new(&factors, attention, meter)?;
        let [_, logits, direct] = factors.chains();
        let logits = product(logits, meter, Kind::Logits)?;
        let table = factors.biased(product(direct, meter, Kind::Logits)?, meter);
        let direct = Direct::new(&factors, &table, direct_path, meter)?;
        Ok(Self::assemble(scores, logits, table, direct, meter))
    }

    /// The tables from their parts.
    pub fn assemble(
        scores: Scores<R>,
        logits: Matrix<R>,
        table: Matrix<R>,
        direct: Direct<R>,
        meter: &Meter,
    ) -> Self {
        let (v, n) = (table.rows(), scores.positions.cols());
        meter.add(Kind::Orders, (v + 1) * (v - 1));
        let prefixes = scores
            .table
            .iter_rows()
            .flat_map(|row| running(row))
            .collect();
        let tokens = Matrix::from_fn(v, v, R::everything(), |t, j| logits.at(t, j).clone());
        Self {
            d_vocab: v,
            n_ctx: n,
            largest_score: Matrix::new(v, prefixes, R::everything()),
            places: Places::new(&scores.positions, meter),
            largest_range: running(&ranges(&tokens, Kind::Orders, meter)),
            scores,
            logits,
            table,
            direct,
        }
    }

    /// `e^x` for tokens at most m − g: a number and a power of two.
    pub fn far(&self, q: usize, m: usize, g: usize, meter: &Meter) -> (R, i32) {
        let x = self
            .largest_score
            .at(q, m.wrapping_sub(g))
            .sub(self.scores.table.at(q, m));
        let Some(error) = &self.scores.error else {
            meter.add(Kind::Weights, 2);
            return x.exp();
        };
        meter.add(Kind::Weights, 3);
        x.add(&entry(error, q)).exp()
    }
}

/// The largest of each prefix.
fn running<R: Enclosure>(row: &[R]) -> Vec<R> {
    let mut prefixes: Vec<R> = vec![];
    for value in row {
        prefixes.push(
            prefixes
                .last()
                .map_or_else(|| value.clone(), |last| last.max(value)),
        );
    }
    prefixes
}

/// The inputs with one maximum.
#[derive(Debug)]
pub struct Level<'a, R> {
    tables: &'a Tables<R>,
    m: usize,
    /// By answer j ≠ m: L_j and V_j.
    parts: Vec<(R, R)>,
    max_l: R,
    max_v: R,
}

impl<'a, R: Enclosure> Level<'a, R> {
    /// What all queries of one maximum share.
    pub fn new(tables: &'a Tables<R>, m: usize, meter: &Meter) -> Self {
        let (v, n) = (tables.d_vocab, tables.n_ctx);
        let zero = || R::dyadic(0, 0);
        meter.add(
            Kind::Terms,
            (v - 1)
                * if tables.direct.offset.is_some() {
                    2 * n + 2
                } else {
                    2 * n
                },
        );
        meter.add(Kind::Terms, 2 * (v - 2));
        let part = |j: usize| {
            let difference = |row: usize| tables.logits.at(row, j).sub(tables.logits.at(row, m));
            let position = largest((0..n).map(|p| difference(v + p))).unwrap_or_else(R::everything);
            let l = match &tables.direct.offset {
                Some(offset) => position.add(&entry(offset, j).sub(&entry(offset, m))),
                None => position,
            };
            (l, difference(m))
        };
        let parts: Vec<(R, R)> = (0..v).filter(|j| *j != m).map(part).collect();
        let max_l = largest(parts.iter().map(|(l, _)| l.clone())).unwrap_or_else(zero);
        let max_v = largest(parts.iter().map(|(_, v)| v.clone())).unwrap_or_else(zero);
        Self {
            tables,
            m,
            parts,
            max_l,
            max_v,
        }
    }

    /// The lines without a reference.
    pub fn plain(&self, meter: &Meter) -> Vec<(R, R)> {
        meter.add(Kind::Terms, 1);
        vec![(self.max_l.add(&self.max_v), self.max_l.clone())]
    }

    /// `F(0)`.
    pub fn at_zero(&self, meter: &Meter) -> R {
        meter.add(Kind::Terms, 2 * self.parts.len() - 1);
        largest(self.parts.iter().map(|(l, v)| l.add(v))).unwrap_or_else(R::everything)
    }

    /// `K = F(ω)` at the ratio ω.
    pub fn at_ratio(&self, ratio: &R, meter: &Meter) -> R {
        meter.add(Kind::Terms, 4 * self.parts.len() - 1);
        largest(self.parts.iter().map(|(l, v)| l.add(v).add(&l.mul(ratio))))
            .unwrap_or_else(R::everything)
    }

    /// The lines with a reference ω and a slope, in units of 2^-VECTOR_BITS.
    pub fn lines(
        &self,
        at_zero: &R,
        at_ratio: &R,
        ratio: &R,
        slope: i64,
        meter: &Meter,
    ) -> Vec<(R, R)> {
        meter.add(Kind::Terms, 5);
        let slope = R::dyadic(slope, -VECTOR_BITS);
        let near = at_zero.max(&at_ratio.sub(&ratio.mul(&slope)));
        vec![
            (near, slope),
            (at_ratio.sub(&ratio.mul(&self.max_l)), self.max_l.clone()),
        ]
    }

    /// Are all inputs with this query, c other tokens and this gap correct?
    pub fn passes(
        &self,
        q: usize,
        c: usize,
        g: usize,
        far: &(R, i32),
        lines: &[(R, R)],
        meter: &Meter,
    ) -> bool {
        let Self {
            tables:
                Tables {
                    n_ctx: n,
                    places,
                    direct,
                    largest_range,
                    ..
                },
            m,
            ..
        } = self;
        let (h, w) = (
            entry(&direct.spread, q),
            entry(largest_range, m.wrapping_sub(g)),
        );
        let (y, k) = far;
        meter.add(Kind::Terms, 2);
        let (x, y_weight) = if q == *m {
            (
                places.low(q, n - 1 - c).add(&places.last(q)),
                places.high(q, c),
            )
        } else {
            (
                places.low(q, n - c),
                places.high(q, c - 1).add(&places.last(q)),
            )
        };
        let others = y_weight.mul_scaled(y, *k);
        let zero = R::dyadic(0, 0);
        meter.add(Kind::Terms, 1);
        let wh = w.add(&h);
        lines.iter().all(|(a, b)| {
            meter.add(Kind::Terms, 7);
            let near = a.add(&h).mul(&x);
            near.add(&b.add(&wh).max(&zero).mul(&others)).is_negative()
        })
    }

    /// How many inputs a gap certifies.
    pub fn inputs(&self, q: usize, c: usize, g: usize, meter: &Meter) -> BigUint {
        meter.add(Kind::Integer, 2 + c);
        let free = if q == self.m { c } else { c - 1 };
        let tokens = BigUint::from((self.m + 1).saturating_sub(g));
        binomial(self.tables.n_ctx - 1, free) * tokens.pow(u32::try_from(free).unwrap_or(0))
    }

    /// Is the input that is m throughout correct?
    pub fn passes_alone(&self, meter: &Meter) -> bool {
        let Self {
            tables:
                Tables {
                    d_vocab: v,
                    n_ctx: n,
                    logits,
                    table,
                    ..
                },
            m,
            ..
        } = self;
        let answers = (0..*v).filter(|j| j != m).zip(&self.parts);
        let mut margins = answers.map(|(j, (_, v_j))| {
            let position = largest((0..*n).map(|p| logits.at(v + p, j).sub(logits.at(v + p, *m))));
            meter.add(Kind::Terms, 2 * n + 3);
            table
                .at(*m, j)
                .sub(table.at(*m, *m))
                .add(v_j)
                .add(&position.unwrap_or_else(R::everything))
        });
        margins.all(|margin| margin.is_negative())
    }

    /// The number of inputs that the hints certify.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn certified(&self, hints: &Gaps, meter: &Meter) -> Result<BigUint, Refusal> {
        meter.goes_by("gaps");
        let (n, m) = (self.tables.n_ctx, self.m);
        let mut correct = BigUint::from(u8::from(self.passes_alone(meter)));
        let lines: Vec<Vec<(R, R)>> = match hints.references.get(m).zip(hints.slopes.get(m)) {
            None => vec![self.plain(meter); n - 1],
            Some((references, slopes)) => {
                meter.goes_by("reference");
                let at_zero = self.at_zero(meter);
                let lines = references
                    .iter()
                    .zip(slopes)
                    .take(n - 1)
                    .map(|(ratio, slope)| {
                        let ratio = R::dyadic(*ratio, -VECTOR_BITS);
                        self.lines(
                            &at_zero,
                            &self.at_ratio(&ratio, meter),
                            &ratio,
                            *slope,
                            meter,
                        )
                    });
                lines.collect()
            }
        };
        let gaps = hints.gaps.get(m).unwrap_or_default();
        for (q, gaps) in gaps.chunks(n - 1).enumerate() {
            for ((c, g), lines) in (1..n).zip(gaps).zip(&lines) {
                meter.spend(Kind::Terms, 0)?;
                if *g == 0 || *g > m || q != m && *g > m.saturating_sub(q) {
                    continue;
                }
                if self.passes(q, c, *g, &self.tables.far(q, m, *g, meter), lines, meter) {
                    correct += self.inputs(q, c, *g, meter);
                }
            }
        }
        Ok(correct)
    }
}
