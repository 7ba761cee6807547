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
use super::terms::{Answer, View};
use super::window::Window;
use crate::certificate::levels::{Grid, MAX_GRID_BITS};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::run::Decided;
use crate::refusal::{Decline, Refusal};
use crate::task::{Move, Words};
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// L, in bins.
const LIMIT: i64 = 1 << 16;
/// The most bytes of a histogram, but for its last row.
const MOST_BYTES: usize = 1 << 26;

/// Bins by position, then class, then item: token by token, then a far class. The last position comes first, as one item.
type Bins = Vec<Vec<Vec<i64>>>;

impl<R: Enclosure> Answer<'_, R> {
    /// All but at most so many inputs are right, and at least so many are wrong.
    pub(super) fn grid(
        &mut self,
        view: &View<'_>,
        groups: &[Margin<'_, R>],
        window: &Window,
        hint: &Grid,
    ) -> Result<Decided, Refusal> {
        self.meter.goes_by("grid");
        let bits = hint.bits.min(MAX_GRID_BITS);
        let positions = 0..self.tables.n_ctx - 1;
        let beyond = LIMIT * i64::try_from(self.tables.n_ctx).unwrap_or(LIMIT);
        let ceiling = |term: &R| term.ceil_to_grid(bits, LIMIT).unwrap_or(beyond);
        let floor = |term: &R| term.floor_to_grid(bits, LIMIT).unwrap_or(-beyond);
        let far = positions.clone().filter(|_| window.has_far());
        let far: Vec<R> = far.map(|p| self.far_term(window, view, p)).collect();
        let mut known = Vec::new();
        for group in groups {
            let mut terms = vec![vec![vec![self.last_term(group, view)]]];
            for p in positions.clone() {
                let classes = window.near.iter().zip(view.words.classes_at(p));
                let row = |(near, stands): (&Vec<usize>, bool)| {
                    let near = if stands { near.as_slice() } else { &[] };
                    let groups = std::slice::from_ref(group);
                    let term = |t: &usize| self.terms(groups, view, *t, p).collect::<Vec<R>>();
                    near.iter().flat_map(term).collect()
                };
                terms.push(classes.map(row).collect());
            }
            let ceilings = self.rounded((view, window), (&terms, &far), ceiling);
            known.push((matches!(group.set, Set::One(_)), terms, ceilings));
        }
        let (mut fails, mut wrong) = (BigUint::default(), BigUint::default());
        for (index, (_, _, ceilings)) in known.iter().enumerate() {
            let hinted = hint.without(index);
            let earlier = hinted.and_then(|without| known.get(..index)?.get(without.group));
            let earlier = earlier.map(|(_, _, ceilings)| ceilings);
            let coarser = hinted.map_or(0, |without| without.coarser);
            fails += self.count((view, window), (ceilings, earlier), coarser, true)?;
        }
        let mut outside = None;
        let shown = hint.wrong.into_iter();
        for group in shown.flat_map(|wrong| std::iter::once(wrong.by).chain(wrong.then_by)) {
            let Some((true, terms, ceilings)) = known.get(group) else {
                continue;
            };
            let far = positions.clone().filter(|_| window.has_far());
            let far: Vec<R> = far.map(|p| self.far_below(window, view, p)).collect();
            let floors = self.rounded((view, window), (terms, &far), floor);
            let coarser = hint.wrong.map_or(0, |wrong| wrong.coarser);
            wrong += self.count((view, window), (&floors, outside), coarser, false)?;
            outside = Some(ceilings);
        }
        let all = view.words.inputs();
        Ok(Decided {
            right: &all - fails.min(all.clone()),
            wrong,
        })
    }

    /// Terms as bins, with those of the far classes by position.
    fn rounded(
        &self,
        (view, window): (&View<'_>, &Window),
        (terms, far): (&[Vec<Vec<R>>], &[R]),
        round: impl Fn(&R) -> i64,
    ) -> Bins {
        let bins = |term: &R| {
            self.meter.add(Kind::Grid, 1);
            round(term)
        };
        let rows = |classes: &Vec<Vec<R>>| -> Vec<Vec<i64>> {
            classes
                .iter()
                .map(|row| row.iter().map(bins).collect())
                .collect()
        };
        let mut rounded: Bins = terms.iter().map(rows).collect();
        let far = far.iter().map(bins).collect::<Vec<i64>>();
        for ((p, classes), far) in rounded.iter_mut().skip(1).enumerate().zip(far) {
            let stands = view.words.classes_at(p);
            for ((row, left), stands) in classes.iter_mut().zip(&window.far).zip(stands) {
                row.extend((stands && *left > 0).then_some(far));
            }
        }
        rounded
    }

    /// At most the number of inputs with `Σ first ≥ 0` and, if there is a second, `Σ second < 0`, then on a grid coarser by
    /// so many bits; or at least.
    fn count(
        &self,
        (view, window): (&View<'_>, &Window),
        (first, second): (&Bins, Option<&Bins>),
        coarser: usize,
        at_most: bool,
    ) -> Result<BigUint, Refusal> {
        let shift = second.map_or(0, |_| coarser.min(16));
        let round = |bin: i64, up: bool| if up { -(-bin >> shift) } else { bin >> shift };
        let mut positions = Vec::new();
        for (p, classes) in first.iter().enumerate() {
            let mut here = Vec::new();
            for (class, row) in classes.iter().enumerate() {
                let second = second.and_then(|second| second.get(p)?.get(class));
                let near = window.near.get(class).map_or(0, Vec::len);
                let left = window.far.get(class).copied().unwrap_or(0);
                let mut items = BTreeMap::new();
                for (item, bin) in row.iter().enumerate() {
                    self.meter.add(Kind::Integer, 5);
                    let other = second.and_then(|second| second.get(item)).copied();
                    let other = other.unwrap_or(if p == 0 { -1 } else { 0 });
                    let is_far = p > 0 && item == near;
                    let times = if is_far {
                        u64::try_from(left).unwrap_or(0)
                    } else {
                        1
                    };
                    *items
                        .entry((round(*bin, at_most), round(other, !at_most)))
                        .or_insert(0_u64) += times;
                }
                here.push(items.into_iter().collect::<Vec<_>>());
            }
            positions.push(here);
        }
        // No histogram holds more than all sequences of tokens.
        let tokens = BigUint::from(view.singles.len() + view.others.len());
        let most = tokens
            .pow(u32::try_from(first.len() - 1).unwrap_or(0))
            .bits();
        match most {
            0..=64 => sequences::<u64>(view.words, &positions, self.meter),
            65..=128 => sequences::<u128>(view.words, &positions, self.meter),
            _ => sequences::<BigUint>(view.words, &positions, self.meter),
        }
    }
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

/// Items of a class: bins, and how many tokens have them.
type Items = Vec<((i64, i64), u64)>;

/// The inputs by items, with `Σ first ≥ 0` and `Σ second < 0`. By position, from the last one's item on, then class.
fn sequences<T: Amount>(
    words: &Words<'_>,
    positions: &[Vec<Items>],
    meter: &Meter,
) -> Result<BigUint, Refusal> {
    let ranges = positions.iter().map(|classes| {
        let items = || classes.iter().flatten();
        meter.add(Kind::Integer, 4 * items().count() + 20);
        (
            Range::of(items().map(|item| item.0.0)),
            Range::of(items().map(|item| item.0.1)),
        )
    });
    let ranges: Vec<(Range, Range)> = ranges.collect();
    let mut behind = vec![<(Range, Range)>::default()];
    for (first, second) in ranges.iter().skip(1).rev() {
        let (a, b) = behind.last().copied().unwrap_or_default();
        behind.push((a.plus(*first), b.plus(*second)));
    }
    // The last position's item leads from the start to the start.
    let start = [Move { class: 0, to: 0 }];
    // Prefix sums: by the state and the second, a row by the first, from the least on.
    let (mut least, mut rows) = (0, BTreeMap::from([((0, 0), vec![T::from(1)])]));
    let places = positions.iter().zip(ranges).zip(behind.iter().rev());
    for (p, ((classes, (first, _)), rest)) in places.enumerate() {
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
        let mut next: BTreeMap<(usize, i64), Vec<T>> = BTreeMap::new();
        for ((state, second), row) in &rows {
            // Zeros at both ends are left out.
            let full = |count: &T| *count != T::default();
            let (from, to) = (
                row.iter().position(full).unwrap_or(0),
                row.iter().rposition(full).map_or(0, |last| last + 1),
            );
            let counts = row.get(from..to).unwrap_or(&[]);
            meter.spend(Kind::Integer, row.len())?;
            let moves = match p.checked_sub(1) {
                None => &start,
                Some(p) => words.moves(p, *state),
            };
            for step in moves {
                let items = classes.get(step.class).map_or(&[][..], Vec::as_slice);
                // A multiplication and an addition for every count and item, and for what is put together.
                meter.spend(
                    Kind::Integer,
                    items.len().saturating_mul(2 * counts.len() + 4),
                )?;
                for ((first, other), times) in items {
                    let sum = (second + other).max(other_stays);
                    if sum >= -rest.1.least {
                        continue;
                    }
                    // A row takes as much as some cells, however short it is.
                    let bytes = next.len().saturating_mul((width + 8) * size_of::<T>());
                    if bytes > MOST_BYTES {
                        return Err(
                            Decline::too_large("a histogram, in bytes", MOST_BYTES, bytes).into(),
                        );
                    }
                    let key = (step.to, sum);
                    if !next.contains_key(&key) {
                        meter.spend(Kind::Integer, width)?;
                    }
                    let target = next.entry(key).or_insert_with(|| vec![T::default(); width]);
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
