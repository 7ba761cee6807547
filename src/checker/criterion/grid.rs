//! Rule `grid`: each group apart, by convolution of rounded terms.
//!
//! **Statement** (theorem `grid_counts`; T3). Round every term φ up to a multiple of 2^-bits. The inputs of (q, m) whose
//! rounded sum is ≥ 0 include all that the group fails on. Terms below −L are raised to −L; terms that reach L fail.
//! **Why.** Rounding up and raising keep upper bounds. A failing term is replaced by n·L: no sum with it is negative,
//! since every other term is ≥ −L. The histograms of sums with and without an m so far count each input once.
//! **Cost.** One rounding a term; integer operations for the histograms, which drop sums that no completion can bring
//! to 0 and settle sums that every completion leaves ≥ 0.

use super::{Level, Window};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::rules::Margin;
use crate::refusal::Refusal;
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// L, in bins.
const LIMIT: i64 = 1 << 16;

/// The rounded terms of one position.
#[derive(Debug)]
struct Position {
    /// Bin and number of tokens below m.
    below: Vec<(i64, u64)>,
    /// Bin of token m.
    at_m: i64,
}

impl Position {
    fn bins(&self) -> impl Iterator<Item = i64> {
        self.below.iter().map(|(bin, _)| *bin).chain([self.at_m])
    }
}

impl<R: Enclosure> Level<'_, R> {
    /// At most this many inputs are not certified: the sum over the groups of those each fails on.
    pub(super) fn grid(
        &mut self,
        q: usize,
        groups: &[Margin<'_, R>],
        window: &Window,
        bits: u32,
    ) -> Result<BigUint, Refusal> {
        let n = self.tables.n_ctx;
        let all = self.inputs(q);
        let fails = LIMIT * i64::try_from(n).unwrap_or(LIMIT);
        let round = |meter: &Meter, term: &R| {
            meter.add(Kind::Grid, 1);
            term.ceil_to_grid(bits, LIMIT).unwrap_or(fails)
        };
        let mut far = Vec::new();
        for p in 0..if window.far > 0 { n - 1 } else { 0 } {
            let term = self.far_term(window, q, p);
            far.push(round(self.meter, &term));
        }
        let mut uncertified = BigUint::default();
        for group in groups {
            let base = self.last_term(group, q);
            let base = round(self.meter, &base);
            let mut positions = Vec::new();
            for p in 0..n - 1 {
                let mut bins = Vec::new();
                for t in &window.tokens {
                    let term = self.term(group, q, *t, p);
                    bins.push(round(self.meter, &term));
                }
                let mut bins = bins.into_iter();
                let at_m = bins.next().unwrap_or(fails);
                let mut below = BTreeMap::new();
                let far = far.get(p).map(|bin| (*bin, u64::try_from(window.far).unwrap_or(0)));
                for (bin, times) in bins.map(|bin| (bin, 1)).chain(far) {
                    self.meter.add(Kind::Integer, 1);
                    *below.entry(bin).or_insert(0_u64) += times;
                }
                positions.push(Position { below: below.into_iter().collect(), at_m });
            }
            // No histogram holds more than all sequences of tokens ≤ m.
            let problem =
                Problem { base, positions: &positions, tokens: self.m + 1, seen: q == self.m, meter: self.meter };
            uncertified += match BigUint::from(self.m + 1).pow(u32::try_from(n - 1).unwrap_or(0)).bits() {
                0..=127 => problem.failures::<u128>()?,
                _ => problem.failures::<BigUint>()?,
            };
            if uncertified >= all {
                return Ok(all);
            }
        }
        Ok(uncertified)
    }
}

/// A number of inputs: a machine integer where it fits, a big one elsewhere.
trait Amount: Clone + Default + From<u8> + Into<BigUint> {
    /// Adds `other · times`.
    fn add_times(&mut self, other: &Self, times: &Self);
    /// Converts a small number.
    fn small(value: u64) -> Self;
}

impl Amount for u128 {
    // Within the number of all sequences, which the caller found to fit.
    fn add_times(&mut self, other: &Self, times: &Self) {
        *self = self.wrapping_add(other.wrapping_mul(*times));
    }
    fn small(value: u64) -> Self {
        value.into()
    }
}

impl Amount for BigUint {
    fn add_times(&mut self, other: &Self, times: &Self) {
        *self += other * times;
    }
    fn small(value: u64) -> Self {
        value.into()
    }
}

/// Histograms of prefix sums from bin `least` on: sequences without m so far, and with.
struct Histograms<T> {
    least: i64,
    without: Vec<T>,
    with: Vec<T>,
}

/// What is counted: sequences with base + Σ bins ≥ 0, and with an m unless it is already seen.
struct Problem<'a> {
    base: i64,
    positions: &'a [Position],
    tokens: usize,
    seen: bool,
    meter: &'a Meter,
}

impl Problem<'_> {
    fn failures<T: Amount>(&self) -> Result<BigUint, Refusal> {
        // From the last position back: least and greatest sum still to come, and numbers of completions.
        let end = Rest { least: 0, most: 0, all: T::from(1), with_m: T::from(0) };
        let mut rests = vec![end];
        let (all, below) = (u64::try_from(self.tokens).unwrap_or(0), u64::try_from(self.tokens - 1).unwrap_or(0));
        for position in self.positions.iter().rev() {
            self.meter.add(Kind::Integer, 2 * position.below.len() + 8);
            let mut rest = Rest { least: 0, most: 0, all: T::default(), with_m: T::default() };
            if let Some(next) = rests.last() {
                rest.least = next.least.saturating_add(position.bins().min().unwrap_or(0));
                rest.most = next.most.saturating_add(position.bins().max().unwrap_or(0));
                rest.all.add_times(&next.all, &T::small(all));
                // Those with m: any below and an m later, or m here.
                rest.with_m.add_times(&next.with_m, &T::small(below));
                rest.with_m.add_times(&next.all, &T::from(1));
            }
            rests.push(rest);
        }
        let mut rests = rests.iter().rev();
        let mut failures = T::default();
        let Some(first) = rests.next() else { return Ok(failures.into()) };
        if self.base.saturating_add(first.most) < 0 {
            return Ok(failures.into());
        }
        if self.base.saturating_add(first.least) >= 0 {
            failures.add_times(if self.seen { &first.all } else { &first.with_m }, &T::from(1));
            return Ok(failures.into());
        }
        let (one, zero) = (vec![T::from(1)], vec![T::default()]);
        let (without, with) = if self.seen { (vec![], one) } else { (one, zero) };
        let mut sums = Histograms { least: self.base, without, with };
        for (position, rest) in self.positions.iter().zip(rests) {
            sums = self.step(&sums, position, rest, &mut failures)?;
        }
        Ok(failures.into())
    }

    /// Extends every prefix sum by one position; those that can only fail are settled, those that cannot are dropped.
    fn step<T: Amount>(
        &self,
        sums: &Histograms<T>,
        position: &Position,
        rest: &Rest<T>,
        failures: &mut T,
    ) -> Result<Histograms<T>, Refusal> {
        let size = i64::try_from(sums.with.len()).unwrap_or(0);
        let (low, high) = (position.bins().min().unwrap_or(0), position.bins().max().unwrap_or(0));
        // Kept: least ≤ sum < settled.
        let least = (sums.least + low).max(-rest.most);
        let settled = -rest.least;
        let kept = usize::try_from(settled.min(sums.least + size + high) - least).unwrap_or(0);
        let without = vec![T::default(); if self.seen { 0 } else { kept }];
        let mut next = Histograms { least, without, with: vec![T::default(); kept] };
        // A multiplication and an addition for every sum and bin below m, an addition for m's; for each bin twice, a
        // multiplication and an addition of what is settled.
        let (sources, bins) = (sums.with.len() + sums.without.len(), position.below.len());
        self.meter.spend(Kind::Integer, sources.saturating_mul(2 * bins + 1).saturating_add(4 * bins + 4))?;
        for (bin, times) in &position.below {
            let times = T::small(*times);
            let tail = spread(&sums.with, sums.least + bin - least, &times, &mut next.with);
            failures.add_times(&tail, &rest.all);
            let tail = spread(&sums.without, sums.least + bin - least, &times, &mut next.without);
            failures.add_times(&tail, &rest.with_m);
        }
        for source in [&sums.with, &sums.without] {
            let tail = spread(source, sums.least + position.at_m - least, &T::from(1), &mut next.with);
            failures.add_times(&tail, &rest.all);
        }
        Ok(next)
    }
}

/// What may follow a prefix.
struct Rest<T> {
    least: i64,
    most: i64,
    all: T,
    with_m: T,
}

/// Adds `source[i]·times` to `target[i + shift]`. What falls before the target is dropped; the sum of what falls behind
/// it is returned.
fn spread<T: Amount>(source: &[T], shift: i64, times: &T, target: &mut [T]) -> T {
    let dropped = usize::try_from(shift.saturating_neg()).unwrap_or(0).min(source.len());
    let source = source.get(dropped..).unwrap_or(&[]);
    let start = usize::try_from(shift).unwrap_or(0).min(target.len());
    let target = target.get_mut(start..).unwrap_or(&mut []);
    for (sum, count) in target.iter_mut().zip(source) {
        sum.add_times(count, times);
    }
    let mut tail = T::default();
    for count in source.get(target.len()..).unwrap_or(&[]) {
        tail.add_times(count, times);
    }
    tail
}
