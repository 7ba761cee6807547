//! Rule `grid`: counts on a grid.
//!
//! **Statement** (theorem `grid_counts`; `docs/theory.md`, T3, T8). Round every term φ of group i up to a multiple of
//! 2^-bits: to −L where it is less, to n·L where it reaches L. With c these terms, the group fails at most on
//! `C_i = {Σ c ≥ 0}`. If each group i has an earlier one k(i) or none, all together fail on at most `Σ_i |C_i ∖ C_k(i)|`
//! inputs. Round φ of two answers r and s down likewise, to f: the inputs with `Σ f ≥ 0` for r are wrong, and so are
//! those for s outside C_r: others.
//! **Why.** Rounding up and raising keep upper bounds; no sum with n·L is negative, since every other term is ≥ −L. C_i
//! lies in `C_k ∪ (C_i ∖ C_k)`, and C_k in what is counted before. On a grid coarser by a power of two, a difference of
//! two such sets is bounded from above by rounding the first up and the second down again, from below the other way.
//! **Cost.** One rounding a term; integer operations for the histograms of prefix sums, which drop sums that no
//! completion can bring into the set, and put those together that every completion leaves in it.

use super::margins::{Margin, Set};
use super::terms::Level;
use super::window::Window;
use crate::certificate::levels::{Grid, MAX_GRID_BITS};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::run::Decided;
use crate::refusal::{Decline, Refusal};
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// L, in bins.
const LIMIT: i64 = 1 << 16;
/// The most bytes of a histogram, but for its last row.
const MOST_BYTES: usize = 1 << 26;

/// Bins of the last position's term, then of the items of every other position: token m, the other tokens of the
/// window, the far class.
type Bins = Vec<Vec<i64>>;

impl<R: Enclosure> Level<'_, R> {
    /// All but at most so many inputs are right, and at least so many are wrong.
    pub(super) fn grid(
        &mut self,
        q: usize,
        groups: &[Margin<'_, R>],
        window: &Window,
        hint: &Grid,
    ) -> Result<Decided, Refusal> {
        self.meter.goes_by("grid");
        let (bits, positions) = (hint.bits.min(MAX_GRID_BITS), 0..self.tables.n_ctx - 1);
        let has_far = window.far > 0;
        let far: Vec<R> = positions
            .clone()
            .filter(|_| has_far)
            .map(|p| self.far_term(window, q, p))
            .collect();
        let beyond = LIMIT * i64::try_from(self.tables.n_ctx).unwrap_or(LIMIT);
        let ceiling = |term: &R| term.ceil_to_grid(bits, LIMIT).unwrap_or(beyond);
        let far = self.rounded(&far, ceiling);
        let mut known = Vec::new();
        for group in groups {
            let mut terms = vec![vec![self.last_term(group, q)]];
            let row = |p| {
                window
                    .tokens
                    .iter()
                    .map(|t| self.term(group, q, *t, p))
                    .collect()
            };
            terms.extend(positions.clone().map(row));
            let ceilings = with_far(
                terms.iter().map(|row| self.rounded(row, ceiling)).collect(),
                &far,
            );
            known.push((matches!(group.set, Set::One(_)), terms, ceilings));
        }
        let (mut fails, mut wrong) = (BigUint::default(), BigUint::default());
        for (index, (_, _, ceilings)) in known.iter().enumerate() {
            let hinted = hint.without(index);
            let earlier = hinted.and_then(|without| known.get(..index)?.get(without.group));
            let earlier = earlier.map(|(_, _, ceilings)| ceilings);
            let coarser = hinted.map_or(0, |without| without.coarser);
            fails += self.count(q, window, (ceilings, earlier), coarser, true)?;
        }
        let mut outside = None;
        let shown = hint.wrong.into_iter();
        for group in shown.flat_map(|wrong| std::iter::once(wrong.by).chain(wrong.then_by)) {
            let Some((true, terms, ceilings)) = known.get(group) else {
                continue;
            };
            let far: Vec<R> = positions
                .clone()
                .filter(|_| has_far)
                .map(|p| self.far_below(window, q, p))
                .collect();
            let floor = |term: &R| term.floor_to_grid(bits, LIMIT).unwrap_or(-beyond);
            let rows = terms.iter().map(|row| self.rounded(row, floor)).collect();
            let floors = with_far(rows, &self.rounded(&far, floor));
            let coarser = hint.wrong.map_or(0, |wrong| wrong.coarser);
            wrong += self.count(q, window, (&floors, outside), coarser, false)?;
            outside = Some(ceilings);
        }
        let all = self.inputs(q);
        Ok(Decided {
            right: &all - fails.min(all.clone()),
            wrong,
        })
    }

    fn rounded(&self, terms: &[R], round: impl Fn(&R) -> i64) -> Vec<i64> {
        self.meter.add(Kind::Grid, terms.len());
        terms.iter().map(round).collect()
    }

    /// At most the number of inputs with `Σ first ≥ 0` and, if there is a second, `Σ second < 0`, then on a grid coarser by
    /// so many bits; or at least.
    fn count(
        &self,
        q: usize,
        window: &Window,
        (first, second): (&Bins, Option<&Bins>),
        coarser: usize,
        at_most: bool,
    ) -> Result<BigUint, Refusal> {
        let shift = second.map_or(0, |_| coarser.min(16));
        let round = |bin: i64, up: bool| if up { -(-bin >> shift) } else { bin >> shift };
        let far = u64::try_from(window.far).unwrap_or(0);
        // No histogram holds more than all sequences of tokens ≤ m.
        let most = BigUint::from(self.m + 1)
            .pow(u32::try_from(first.len() - 1).unwrap_or(0))
            .bits();
        let sequences = |from: usize| {
            let mut positions = Vec::new();
            for (p, row) in first.iter().enumerate() {
                let second = second
                    .and_then(|second| second.get(p))
                    .map_or(&[][..], Vec::as_slice);
                let mut items = BTreeMap::new();
                for (item, bin) in row.iter().enumerate().skip(if p == 0 { 0 } else { from }) {
                    self.meter.add(Kind::Integer, 5);
                    let other = second
                        .get(item)
                        .copied()
                        .unwrap_or(if p == 0 { -1 } else { 0 });
                    let times = if item == window.tokens.len() { far } else { 1 };
                    *items
                        .entry((round(*bin, at_most), round(other, !at_most)))
                        .or_insert(0_u64) += times;
                }
                positions.push(items.into_iter().collect::<Vec<_>>());
            }
            match most {
                0..=64 => sequences::<u64>(&positions, self.meter),
                65..=128 => sequences::<u128>(&positions, self.meter),
                _ => sequences::<BigUint>(&positions, self.meter),
            }
        };
        let all = sequences(0)?;
        // Those without m are not of this level.
        let others = if q < self.m {
            sequences(1)?
        } else {
            BigUint::default()
        };
        Ok(&all - others.min(all.clone()))
    }
}

/// Every position's items, with the far class if there is one.
fn with_far(mut bins: Bins, far: &[i64]) -> Bins {
    bins.iter_mut()
        .skip(1)
        .zip(far)
        .for_each(|(row, far)| row.push(*far));
    bins
}

/// A number of inputs: a machine integer where it fits, a big one elsewhere.
trait Amount: Clone + Default + PartialEq + From<u64> + Into<BigUint> {
    /// Adds `other · times`.
    fn add_times(&mut self, other: &Self, times: &Self);
}

macro_rules! amount {
    ($machine:ty) => {
        impl Amount for $machine {
            // Within the number of all sequences, which the caller found to fit.
            fn add_times(&mut self, other: &Self, times: &Self) {
                *self = self.wrapping_add(other.wrapping_mul(*times));
            }
        }
    };
}
amount!(u64);
amount!(u128);

impl Amount for BigUint {
    fn add_times(&mut self, other: &Self, times: &Self) {
        *self += other * times;
    }
}

/// The least and the greatest of some bins, or of their sums.
#[derive(Clone, Copy, Default)]
struct Range {
    least: i64,
    most: i64,
}

impl Range {
    fn of(bins: impl Iterator<Item = i64> + Clone) -> Self {
        Self {
            least: bins.clone().min().unwrap_or(0),
            most: bins.max().unwrap_or(0),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            least: self.least + other.least,
            most: self.most + other.most,
        }
    }
}

/// The sequences of items, of each its bins and how many tokens it is, with `Σ first ≥ 0` and `Σ second < 0`.
fn sequences<T: Amount>(
    positions: &[Vec<((i64, i64), u64)>],
    meter: &Meter,
) -> Result<BigUint, Refusal> {
    let ranges = positions.iter().map(|items| {
        meter.add(Kind::Integer, 4 * items.len() + 20);
        (
            Range::of(items.iter().map(|item| item.0.0)),
            Range::of(items.iter().map(|item| item.0.1)),
        )
    });
    let ranges: Vec<(Range, Range)> = ranges.collect();
    let mut behind = vec![<(Range, Range)>::default()];
    for (first, second) in ranges.iter().skip(1).rev() {
        let (a, b) = behind.last().copied().unwrap_or_default();
        behind.push((a.plus(*first), b.plus(*second)));
    }
    // Prefix sums: by the second, a row by the first, from the least on.
    let (mut least, mut rows) = (0, BTreeMap::from([(0, vec![T::from(1)])]));
    for ((items, (first, _)), rest) in positions.iter().zip(ranges).zip(behind.iter().rev()) {
        // A first sum that stays below zero is dropped, one that stays above is as good as the least that does; a second
        // sum the other way.
        let (reaches, stays, other_stays) = (-rest.0.most, -rest.0.least, -1 - rest.1.most);
        let width = rows
            .values()
            .map(Vec::len)
            .max()
            .and_then(|width| i64::try_from(width).ok())
            .unwrap_or(0);
        let most = (least + width - 1 + first.most).min(stays);
        let next_least = (least + first.least).max(reaches).min(stays);
        let width = usize::try_from(most - next_least + 1).unwrap_or(0);
        let mut next: BTreeMap<i64, Vec<T>> = BTreeMap::new();
        for (second, row) in &rows {
            // Zeros at both ends are left out.
            let full = |count: &T| *count != T::default();
            let (from, to) = (
                row.iter().position(full).unwrap_or(0),
                row.iter().rposition(full).map_or(0, |last| last + 1),
            );
            let counts = row.get(from..to).unwrap_or(&[]);
            // A multiplication and an addition for every count and item, and for what is put together.
            meter.spend(
                Kind::Integer,
                row.len()
                    .saturating_add(items.len().saturating_mul(2 * counts.len() + 4)),
            )?;
            for ((first, other), times) in items {
                let sum = (second + other).max(other_stays);
                if sum < -rest.1.least {
                    // A row takes as much as some cells, however short it is.
                    let bytes = next.len().saturating_mul((width + 8) * size_of::<T>());
                    if bytes > MOST_BYTES {
                        return Err(
                            Decline::too_large("a histogram, in bytes", MOST_BYTES, bytes).into(),
                        );
                    }
                    if !next.contains_key(&sum) {
                        meter.spend(Kind::Integer, width)?;
                    }
                    let target = next.entry(sum).or_insert_with(|| vec![T::default(); width]);
                    let shift = least + i64::try_from(from).unwrap_or(0) + first - next_least;
                    spread(counts, shift, &T::from(*times), target);
                }
            }
        }
        (least, rows) = (next_least, next);
    }
    Ok(rows.into_values().flatten().map(Into::into).sum())
}

/// Adds `source[i]·times` to `target[i + shift]`. What falls before the target is dropped; what falls behind it goes to
/// its end.
fn spread<T: Amount>(source: &[T], shift: i64, times: &T, target: &mut [T]) {
    let dropped = usize::try_from(-shift).unwrap_or(0).min(source.len());
    let source = source.get(dropped..).unwrap_or(&[]);
    let start = usize::try_from(shift).unwrap_or(0).min(target.len());
    let (inside, behind) = source.split_at(source.len().min(target.len() - start));
    for (sum, count) in target.iter_mut().skip(start).zip(inside) {
        sum.add_times(count, times);
    }
    let Some(last) = target.last_mut() else {
        return;
    };
    behind.iter().for_each(|count| last.add_times(count, times));
}
