//! The count of certified inputs (rule `gaps`) in double precision, and its smooth stand-in with slopes.
//!
//! With a the most attention that c tokens at most m − g can draw, the rule asks that
//! `max_j [L_j + (1 − a) V_j] + H + a W` be negative: its two lines, divided by 1 + u, at the ratio u = a / (1 − a). That
//! margin is smooth in what the hints bound; a gap's inputs count by the logistic function of it.

use super::bounds::Values;
use crate::checker::arithmetic::Fixed;
use crate::checker::meter::Meter;
use crate::checker::published::places::Places;
use crate::model::{Matrix, Shape};
use crate::search::doubles::double;

/// Gaps tried for each (query, maximum, other tokens), at most about so many.
const GAPS: usize = 64;
/// A gap that is worth less than this share of all inputs is left out: it costs as much time as any.
const LEAST: f64 = 1e-10;
/// Attentions at which the worst answer is looked up.
const KNOTS: usize = 64;

/// A query, a maximum, a number of other tokens and a gap.
#[derive(Debug)]
struct Case {
    q: usize,
    m: usize,
    /// The largest token that is a gap below m.
    far: usize,
    /// ln X/Y: what the maximum's positions weigh over the others'.
    odds: f64,
    /// The share of all inputs that this gap certifies and the next does not.
    worth: f64,
}

/// What the count depends on beside the bounds.
#[derive(Debug)]
pub(super) struct Count {
    v: usize,
    cases: Vec<Case>,
    /// By m·v + j: the most that positions give j over m, and V_j.
    parts: Vec<(f64, f64)>,
    /// By token: W.
    ranges: Vec<f64>,
    /// Are answers compared at the same attention?
    reference: bool,
}

/// The count at some bounds.
#[derive(Debug)]
pub(super) struct Judged {
    /// The share of all inputs that is certified.
    pub(super) certified: f64,
    /// The stand-in for it.
    pub(super) soft: f64,
    /// How fast the stand-in falls with each bound.
    pub(super) slopes: Values,
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The index of the largest.
fn largest(values: impl Iterator<Item = f64>) -> usize {
    values
        .enumerate()
        .fold(
            (0, f64::MIN),
            |best, next| if next.1 > best.1 { next } else { best },
        )
        .0
}

impl Count {
    /// From B(q, p), and EV above PV.
    pub(super) fn new(
        config: &Shape,
        positions: &Matrix<Fixed>,
        logits: &Matrix<f64>,
        reference: bool,
    ) -> Self {
        let (v, n) = (config.d_vocab, config.n_ctx);
        let part = |(m, j): (usize, usize)| {
            let over = |row: usize| logits.at(row, j) - logits.at(row, m);
            ((v..v + n).map(over).fold(f64::MIN, f64::max), over(m))
        };
        let range = |row: &[f64]| {
            row.iter().copied().fold(f64::MIN, f64::max)
                - row.iter().copied().fold(f64::MAX, f64::min)
        };
        let running = |most: &mut f64, range: f64| {
            *most = most.max(range);
            Some(*most)
        };
        Self {
            v,
            cases: cases((v, n), &Places::new(positions, &Meter::new(u64::MAX))),
            parts: (0..v * v).map(|i| part((i / v, i % v))).collect(),
            ranges: logits
                .iter_rows()
                .take(v)
                .map(range)
                .scan(0.0, running)
                .collect(),
            reference,
        }
    }

    /// For a maximum, the answers with the largest L and V together, by attention to other tokens.
    fn worst(&self, m: usize, offset: &[f64]) -> Vec<(usize, usize)> {
        let wrong: Vec<usize> = (0..self.v).filter(|j| *j != m).collect();
        let parts = || {
            wrong.iter().map(|j| {
                (
                    self.parts[m * self.v + j].0 + offset[*j],
                    self.parts[m * self.v + j].1,
                )
            })
        };
        if !self.reference {
            return vec![(
                wrong[largest(parts().map(|(l, _)| l))],
                wrong[largest(parts().map(|(_, v)| v))],
            )];
        }
        let at = |knot: usize| {
            wrong[largest(parts().map(|(l, v)| l + (1.0 - knot as f64 / KNOTS as f64) * v))]
        };
        (0..=KNOTS).map(|knot| (at(knot), at(knot))).collect()
    }

    /// The count at these bounds, and the stand-in's slopes.
    pub(super) fn judge(&self, bounds: &Values, softness: f64) -> Judged {
        let v = self.v;
        let Values {
            table,
            error,
            offset,
            spread,
        } = bounds;
        let mut slopes = Values {
            table: vec![0.0; v * v],
            error: vec![0.0; v],
            offset: vec![0.0; v],
            spread: vec![0.0; v],
        };
        let (mut certified, mut soft) = (0.0, 0.0);
        let worst: Vec<_> = (0..v).map(|m| self.worst(m, offset)).collect();
        let tops: Vec<usize> = table.chunks(v).flat_map(tops).collect();
        for Case {
            q,
            m,
            far,
            odds,
            worth,
        } in &self.cases
        {
            let (top, right) = (q * v + tops[q * v + far], q * v + m);
            let attention = logistic(table[top] - table[right] + error[*q] - odds);
            let knot = (attention * (worst[*m].len() - 1) as f64).round() as usize;
            let (l, r) = worst[*m][knot];
            let (most, own) = (
                self.parts[m * v + l].0 + offset[l] - offset[*m],
                self.parts[m * v + r].1,
            );
            let margin =
                most + (1.0 - attention) * own + spread[*q] + attention * self.ranges[*far];
            if margin < 0.0 {
                certified += worth;
            }
            let passes = logistic(-margin / softness);
            soft += worth * passes;
            let slope = worth * passes * (1.0 - passes) / softness;
            let by_score = slope * (self.ranges[*far] - own) * attention * (1.0 - attention);
            slopes.table[top] += by_score;
            slopes.table[right] -= by_score;
            slopes.error[*q] += by_score;
            slopes.spread[*q] += slope;
            slopes.offset[l] += slope;
            slopes.offset[*m] -= slope;
        }
        Judged {
            certified,
            soft,
            slopes,
        }
    }
}

/// By token, the token with the largest entry up to it.
fn tops(row: &[f64]) -> Vec<usize> {
    let mut top = 0;
    let up_to = |t: usize| {
        if row[t] > row[top] {
            top = t;
        }
        top
    };
    (0..row.len()).map(up_to).collect()
}

/// All cases that are worth something.
fn cases((v, n): (usize, usize), places: &Places<Fixed>) -> Vec<Case> {
    let mut cases = vec![];
    for (q, m, c) in (0..v).flat_map(|m| (0..=m).flat_map(move |q| (1..n).map(move |c| (q, m, c))))
    {
        let (free, own, others, most) = if q == m {
            (
                c,
                double(&places.low(q, n - 1 - c)) + double(&places.last(q)),
                double(&places.high(q, c)),
                m,
            )
        } else {
            (
                c - 1,
                double(&places.low(q, n - c)),
                double(&places.high(q, c - 1)) + double(&places.last(q)),
                m - q,
            )
        };
        let ways = (0..free).fold(1.0, |ways, i| ways * (n - 1 - i) as f64 / (i + 1) as f64);
        let share = |g: usize| match g {
            g if g > most => 0.0,
            g => {
                ways * ((m + 1 - g) as f64 / v as f64).powi(free as i32)
                    * (v as f64).powi(free as i32 - n as i32)
            }
        };
        let step = v.div_ceil(GAPS);
        for g in (1..=most).step_by(step) {
            let worth = share(g) - share(g + step);
            if worth > LEAST {
                cases.push(Case {
                    q,
                    m,
                    far: m - g,
                    odds: (own / others).ln(),
                    worth,
                });
            }
        }
    }
    cases
}
