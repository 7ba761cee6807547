//! Better hints than closed forms for the published family: gradient steps on a smooth stand-in for the certified count.
//!
//! What is taken out of the scores' factors, the means and the mean query are hinted vectors: the checker's work does not
//! depend on what they hold, only the bound does. Closed forms (singular vectors, means) make remainders small in the
//! mean square; here they are moved to certify more inputs. Everything starts at the closed form and is deterministic.
//! A step's gradient is candle's for the tables ([`bounds`]), by hand for the count ([`count`]).

mod bounds;
mod count;

use super::witnesses::{Hints, bound_anew, closed, units};
use crate::certificate::Rows;
use crate::certificate::published::{
    Attention, DirectPath, LowRank, MaxDiff, Means, Peel, Residual, VECTOR_BITS,
};
use crate::checker::arithmetic::Fixed;
use crate::checker::factors::Factors;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::product;
use crate::checker::published::direct::Direct;
use crate::checker::published::scores::Scores;
use crate::model::OneHead;
use crate::refusal::Refusal;
use crate::search::doubles::doubles;
use crate::strategy::{ATTENTION, Family};
use bounds::{Rules, Values};
use candle_core::{Device, Var};
use count::Count;

/// The stand-in's softness, in logits: at the first step, and at the last.
const SOFTNESS: (f64, f64) = (1.0, 0.1);
/// The length of the first steps, as a share of the vector's entries; the last steps are short.
const RATE: f64 = 0.03;
/// How fast Adam forgets gradients and their squares.
const MEMORY: (f64, f64) = (0.9, 0.99);

/// Moves the hinted vectors so many steps, and returns those with the highest count in double precision.
///
/// # Errors
/// Those of the checker.
pub(in crate::search) fn improve(
    network: &OneHead<'_>,
    family: Family,
    steps: usize,
) -> Result<Hints, Refusal> {
    let factors = Factors::<Fixed>::new(network, &Meter::new(u64::MAX))?;
    let closed = closed(network, family)?;
    let (rules, count) = slope(network, &factors, family, &closed)?;
    // Tensors that do not fit would be a mistake in here; the closed form is a proof all the same.
    let found = rules.and_then(|rules| climb(&rules, &count, &closed, steps));
    let mut found = found.unwrap_or(closed);
    if let Attention::LowRank(hints) = &mut found.0 {
        bound_anew(&factors, hints)?;
    }
    Ok(found)
}

/// What there is to climb: hints to bounds, bounds to a count.
fn slope(
    network: &OneHead<'_>,
    factors: &Factors<Fixed>,
    family: Family,
    (attention, direct): &Hints,
) -> Result<(candle_core::Result<Rules>, Count), Refusal> {
    let free = Meter::new(u64::MAX);
    let scores = Scores::new(factors, attention, &free)?;
    let [_, _, chain] = factors.chains();
    let table = factors.biased(product(chain, &free, Kind::Logits)?, &free);
    let direct = Direct::new(factors, &table, direct, &free)?;
    let [_, chain, _] = factors.chains();
    let logits = doubles(&product(chain, &free, Kind::Logits)?);
    let count = Count::new(
        &network.config,
        &scores.positions,
        &logits,
        family.attention == ATTENTION[0],
    );
    Ok((Rules::new(factors, attention, (&scores, &direct)), count))
}

/// Gradient steps from these hints.
fn climb(rules: &Rules, count: &Count, closed: &Hints, steps: usize) -> candle_core::Result<Hints> {
    let mut best = closed.clone();
    let mut points = vectors(closed);
    let mut moments: Vec<Moments> = points.iter().map(|point| Moments::new(point)).collect();
    let mut most = (f64::MIN, f64::MIN);
    for step in 0..steps {
        let done = step as f64 / steps as f64;
        let vars = points
            .iter()
            .map(|point| Var::from_slice(point, point.len(), &Device::Cpu));
        let vars = vars.collect::<candle_core::Result<Vec<Var>>>()?;
        let tensors: Vec<_> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let bounds = rules.bounds(closed, &tensors)?;
        let judged = count.judge(
            &Values::of(&bounds)?,
            SOFTNESS.0 * (SOFTNESS.1 / SOFTNESS.0).powf(done),
        );
        // Where nothing is certified yet, the soft count says what is nearest to it.
        if (judged.certified, judged.soft) > most {
            most = (judged.certified, judged.soft);
            let mut moved = points.iter();
            best = replaced(closed, |_| {
                let entries = moved.next().into_iter().flatten();
                entries
                    .map(|entry| units(*entry, VECTOR_BITS, 1 << 40))
                    .collect()
            });
        }
        let slopes = judged.slopes.weigh(&bounds)?.backward()?;
        let length = RATE * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
        for ((var, point), moments) in vars.iter().zip(&mut points).zip(&mut moments) {
            if let Some(slope) = slopes.get(var) {
                moments.step(point, &slope.to_vec1()?, length);
            }
        }
    }
    Ok(best)
}

/// The hints with every vector replaced that the checker's work does not depend on, one after the other.
fn replaced((attention, direct): &Hints, mut by: impl FnMut(&[i64]) -> Vec<i64>) -> Hints {
    let (mut attention, mut direct) = (attention.clone(), direct.clone());
    let mut each = |rows: &mut Rows<i64>| *rows = rows.iter().map(&mut by).collect();
    if let Attention::LowRank(LowRank { peel, error, .. }) = &mut attention {
        for Peel { left, right } in peel {
            each(left);
            each(right);
        }
        if let Residual::MaxDiff(Means { means }) | Residual::Recursive(Means { means }) = error {
            each(means);
        }
    }
    if let DirectPath::MaxDiff(MaxDiff { mean }) = &mut direct
        && !mean.is_empty()
    {
        *mean = by(mean);
    }
    (attention, direct)
}

/// The vectors that [`replaced`] replaces, in its order.
fn vectors(hints: &Hints) -> Vec<Vec<f64>> {
    let mut found = vec![];
    replaced(hints, |vector| {
        found.push(doubled(vector));
        vec![]
    });
    found
}

fn doubled(vector: &[i64]) -> Vec<f64> {
    vector
        .iter()
        .map(|entry| *entry as f64 * f64::from(-VECTOR_BITS).exp2())
        .collect()
}

/// Adam's memory of a vector's slopes, each step in units of the vector's own size.
#[derive(Debug)]
struct Moments {
    size: f64,
    steps: i32,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Moments {
    fn new(point: &[f64]) -> Self {
        let size =
            (point.iter().map(|entry| entry * entry).sum::<f64>() / point.len() as f64).sqrt();
        Self {
            size,
            steps: 0,
            first: vec![0.0; point.len()],
            second: vec![0.0; point.len()],
        }
    }

    /// One step downhill.
    fn step(&mut self, point: &mut [f64], slope: &[f64], length: f64) {
        self.steps += 1;
        let grown = |memory: f64| 1.0 - memory.powi(self.steps);
        for (((entry, slope), first), second) in point
            .iter_mut()
            .zip(slope)
            .zip(&mut self.first)
            .zip(&mut self.second)
        {
            let slope = slope * self.size;
            *first += (1.0 - MEMORY.0) * (slope - *first);
            *second += (1.0 - MEMORY.1) * (slope * slope - *second);
            let speed = (*first / grown(MEMORY.0))
                / ((*second / grown(MEMORY.1)).sqrt() + f64::MIN_POSITIVE);
            *entry -= length * self.size * speed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Options;
    use crate::checker::arithmetic::Enclosure;
    use crate::search::doubles::double;
    use crate::search::prove;
    use crate::strategy::Strategy;
    use candle_core::Tensor;
    use num_traits::ToPrimitive;

    /// The closed form of a strategy, the count, and what the tensors bound.
    fn start(
        network: &OneHead<'_>,
        factors: &Factors<Fixed>,
        family: Family,
    ) -> (Hints, Count, [Tensor; 4]) {
        let hints = closed(network, family).unwrap();
        let (rules, count) = slope(network, factors, family, &hints).unwrap();
        let tensors = vectors(&hints);
        let tensors = tensors
            .iter()
            .map(|point| Tensor::from_slice(point, point.len(), &Device::Cpu).unwrap());
        let bounds = rules
            .unwrap()
            .bounds(&hints, &tensors.collect::<Vec<_>>())
            .unwrap();
        (hints, count, bounds)
    }

    /// The tensors bound what the checker's rules do, and the count is the checker's, for every strategy.
    #[test]
    fn bounds_and_count_are_the_checkers() {
        let network = crate::model::Network::load("models/max_of_4_seed50".as_ref()).unwrap();
        let network = network.one_head().unwrap();
        let free = Meter::new(u64::MAX);
        let factors = Factors::<Fixed>::new(&network, &free).unwrap();
        let [_, _, chain] = factors.chains();
        let table = factors.biased(product(chain, &free, Kind::Logits).unwrap(), &free);
        for family in Family::all().filter(|family| !family.eupu.starts_with("global")) {
            let (hints, count, bounds) = start(&network, &factors, family);
            let bounds = Values::of(&bounds).unwrap();
            let scores = Scores::new(&factors, &hints.0, &free).unwrap();
            let direct = Direct::new(&factors, &table, &hints.1, &free).unwrap();
            let zeros = vec![Fixed::dyadic(0, 0); network.config.d_vocab];
            let pairs = [
                (
                    &bounds.table,
                    &scores.table.iter_rows().flatten().cloned().collect(),
                ),
                (&bounds.error, scores.error.as_ref().unwrap_or(&zeros)),
                (&bounds.offset, direct.offset.as_ref().unwrap_or(&zeros)),
                (&bounds.spread, &direct.spread),
            ];
            for (found, expected) in pairs {
                assert_eq!(found.len(), expected.len(), "{family}");
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (found - double(expected)).abs() < 1e-3 * (1.0 + found.abs()),
                        "{family}"
                    );
                }
            }
            let proof = prove(
                network.network,
                Strategy::Published(family),
                None,
                Options::default(),
            )
            .unwrap();
            let share =
                proof.certified.correct.to_f64().unwrap() / proof.certified.total.to_f64().unwrap();
            let judged = count.judge(&bounds, SOFTNESS.1).certified;
            assert!(
                (judged - share).abs() < 0.003,
                "{family}: {judged}, not {share}"
            );
        }
    }

    /// Slopes are those of the soft count: how far it falls over a small step of each kind of bound.
    #[test]
    fn slopes_are_those_of_the_count() {
        const STEP: f64 = 1e-4;
        type Entry = fn(&mut Values) -> &mut f64;
        let network = crate::model::Network::load("models/max_of_4_seed50".as_ref()).unwrap();
        let network = network.one_head().unwrap();
        let family = Family {
            eupu: "mean-query+max-diff",
            attention: ATTENTION[0],
            error: "mean+max-diff",
        };
        let factors = Factors::<Fixed>::new(&network, &Meter::new(u64::MAX)).unwrap();
        let (_, count, tensors) = start(&network, &factors, family);
        let judge = |entry: Entry, by: f64| {
            let mut bounds = Values::of(&tensors).unwrap();
            *entry(&mut bounds) += by;
            count.judge(&bounds, 1.0)
        };
        let entries: [Entry; 4] = [
            |values| &mut values.table[40 * 64 + 60],
            |values| &mut values.error[40],
            |values| &mut values.offset[60],
            |values| &mut values.spread[40],
        ];
        for entry in entries {
            let fall = (judge(entry, -STEP).soft - judge(entry, STEP).soft) / (2.0 * STEP);
            let slope = *entry(&mut judge(entry, 0.0).slopes);
            assert!(
                (fall - slope).abs() < 0.02 * slope.abs() && slope != 0.0,
                "{fall}, not {slope}"
            );
        }
    }
}
