//! Rule `convexity`: the paper's cubic proof. If every input with one other token repeated c times is right for k in a
//! set of tokens, so is every input with c tokens from that set.
//!
//! **Statement** (theorem `convexity`). Fix q ≤ m and c positions before the last that do not hold m. With `P_j =
//! max_p (PV(p,j) − PV(p,m))`, `G(t) = max_{j≠m} [EV(t,j) − EV(t,m) + P_j]` and `H = max_{j≠m} D(q,j) − D(q,m)`, let
//! `f(t) = e^{A(q,t) − A(q,m)} (G(t) + H)`. If `X f(m) + f(q) e^{B(q,n−1)} + Y f(k) < 0` for every split of `Σ_{p<n−1}
//! e^{B(q,p)}` into X + Y that c positions allow, then k may stand at any of them, beside any other such tokens.
//! **Proof.** A wrong answer exceeds m by at most `Σ_p e^{A+B} (G(x_p) + H)` over the softmax's denominator. That sum is
//! additive over positions, hence at most its value with all c tokens equal to the one of largest f; and it is affine in
//! Y, so its extremes decide.
//! **Count.** `C(n−1, c) |K|^c` for the set K of tokens that pass. For c = 0 the answers are told apart.
//! **Cost.** About v³(2n + 3), beside the tables.

use super::binomial;
use super::largest;
use super::places::Places;
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
    /// `v × (v + n)`: A beside B.
    scores: Matrix<R>,
    /// `(v + n) × v`: EV above PV.
    logits: Matrix<R>,
    /// `v × v`: D.
    direct: Matrix<R>,
    places: Places<R>,
}

impl<R: Enclosure> Tables<R> {
    /// Computes the tables.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn new(network: &OneHead<'_>, meter: &Meter) -> Result<Self, Refusal> {
        meter.goes_by("convexity");
        let (v, n) = (network.config.d_vocab, network.config.n_ctx);
        let factors = Factors::<R>::new(network, meter)?;
        let [scores, logits, direct] = factors.chains();
        let scores = product(scores, meter, Kind::Attention)?;
        let logits = product(logits, meter, Kind::Logits)?;
        let direct = factors.biased(product(direct, meter, Kind::Logits)?, meter);
        let positions = Matrix::from_fn(v, n, R::everything(), |q, p| scores.at(q, v + p).clone());
        let places = Places::new(&positions, meter);
        Ok(Self {
            scores,
            logits,
            direct,
            places,
        })
    }

    /// The number of inputs with this maximum that are certified.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn certified(&self, m: usize, meter: &Meter) -> Result<BigUint, Refusal> {
        let Self {
            scores,
            logits,
            direct,
            places,
        } = self;
        let v = direct.rows();
        let n = logits.rows() - v;
        let answers = || (0..v).filter(|j| *j != m);
        let ev = |t: usize, j: usize| logits.at(t, j).sub(logits.at(t, m));
        meter.spend(Kind::Terms, (v - 1) * (2 * n - 1))?;
        let position =
            |j: usize| largest((0..n).map(|p| ev(v + p, j))).unwrap_or_else(R::everything);
        let positions: Vec<(usize, R)> = answers().map(|j| (j, position(j))).collect();
        // EV(t,j) − EV(t,m) + P_j, for every t ≤ m and answer.
        meter.spend(Kind::Terms, (m + 1) * (3 * (v - 1) - 1))?;
        let row = |t: usize| {
            positions
                .iter()
                .map(|(j, position)| ev(t, *j).add(position))
                .collect::<Vec<R>>()
        };
        let rows: Vec<Vec<R>> = (0..=m).map(row).collect();
        let tops: Vec<R> = rows
            .iter()
            .map(|row| largest(row.iter().cloned()).unwrap_or_else(R::everything))
            .collect();
        let mut correct = BigUint::default();
        for ((q, row_q), top_q) in rows.iter().enumerate().zip(&tops) {
            meter.spend(Kind::Terms, 2 * (v - 1) - 1)?;
            let margins: Vec<R> = answers()
                .map(|j| direct.at(q, j).sub(direct.at(q, m)))
                .collect();
            let h = largest(margins.iter().cloned()).unwrap_or_else(R::everything);
            let f = |t: usize, top: &R| {
                // The maximum's own weight is exactly one.
                if t == m {
                    meter.add(Kind::Terms, 1);
                    return top.add(&h);
                }
                meter.add(Kind::Terms, 4);
                let (y, k) = scores.at(q, t).sub(scores.at(q, m)).exp();
                top.add(&h).mul_scaled(&y, k)
            };
            meter.add(Kind::Terms, 1);
            let last = f(q, top_q).mul(&places.last(q));
            let Some(top_m) = tops.get(m) else { continue };
            let at_m = f(m, top_m);
            let others: Vec<R> = tops
                .iter()
                .take(m)
                .enumerate()
                .map(|(k, top)| f(k, top))
                .collect();
            if self.alone(q, m, &rows, row_q, &margins, meter) {
                correct += 1_u8;
            }
            // When q < m, some position before the last holds m.
            for c in 1..if q == m { n } else { n - 1 } {
                meter.spend(Kind::Terms, 4)?;
                let ends = [
                    (places.low(q, n - 1 - c), places.high(q, c)),
                    (places.high(q, n - 1 - c), places.low(q, c)),
                ]
                .map(|(x, y)| (at_m.mul(&x).add(&last), y));
                let passes = |f: &&R| {
                    ends.iter().all(|(base, y)| {
                        meter.add(Kind::Terms, 3);
                        base.add(&f.mul(y)).is_negative()
                    })
                };
                let passing = others.iter().filter(passes).count();
                meter.add(Kind::Integer, passing + 1 + c);
                correct +=
                    binomial(n - 1, c) * BigUint::from(passing).pow(u32::try_from(c).unwrap_or(0));
            }
        }
        Ok(correct)
    }

    /// Is the input with q at the last position and m at all others correct? Answer by answer.
    fn alone(
        &self,
        q: usize,
        m: usize,
        rows: &[Vec<R>],
        row_q: &[R],
        margins: &[R],
        meter: &Meter,
    ) -> bool {
        let Self { scores, places, .. } = self;
        let n = scores.cols() - scores.rows();
        let Some(row_m) = rows.get(m) else {
            return false;
        };
        let weight = places.low(q, n - 1);
        let weight_q = if q == m {
            places.last(q)
        } else {
            meter.add(Kind::Terms, 3);
            let (y, k) = scores.at(q, q).sub(scores.at(q, m)).exp();
            places.last(q).mul_scaled(&y, k)
        };
        row_m
            .iter()
            .zip(row_q)
            .zip(margins)
            .all(|((at_m, at_q), margin)| {
                meter.add(Kind::Terms, 6);
                let before = at_m.add(margin).mul(&weight);
                before.add(&at_q.add(margin).mul(&weight_q)).is_negative()
            })
    }
}
