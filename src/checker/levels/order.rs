//! Rule `order`: a hinted order of a row, from large to small.
//!
//! **Statement** (theorem `order_bound`). For any order o₀, o₁, … of distinct indices of a row r, let `b_i` be an index
//! whose entry has the largest upper end among all indices but o₀ … o_{i−1}. For every set S, if `o_i` is the first of
//! the order in S, then `r(j) ≤ r(b_i)` by upper ends for every j in S.
//! **Why.** S holds none of o₀ … o_{i−1}. The order need not be sorted: a bad one only makes `b_i` large.
//! **Cost.** v − 1 comparisons a row, from the last index to the first, however long the hinted order. To find a set's
//! first index is an integer operation for every index that is looked at.

use crate::certificate::Rows;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::model::Matrix;
use crate::refusal::Refusal;

/// Indices of a row in the hinted order, each with the index that bounds it and all behind it.
#[derive(Debug, Clone, Default)]
pub struct Order {
    ranks: Vec<(usize, usize)>,
    /// Bounds the indices that the order does not list.
    unlisted: Option<usize>,
}

impl Order {
    /// One order for each row of a table.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn of_rows<R: Enclosure>(
        hints: &Rows<usize>,
        table: &Matrix<R>,
        meter: &Meter,
    ) -> Result<Vec<Self>, Refusal> {
        meter.spend(Kind::Orders, 0)?;
        let larger = |a: &R, b: &R| b.upper_at_most(a);
        let order =
            |(hint, row): (&[usize], &[R])| Self::by(hint, row.iter(), larger, Kind::Orders, meter);
        Ok(hints.iter().zip(table.iter_rows()).map(order).collect())
    }

    /// The order of a row of which `comes_first` compares two entries: a bound comes first of all that it bounds.
    pub fn by<'r, R: 'r>(
        hint: &[usize],
        row: impl Iterator<Item = &'r R>,
        comes_first: impl Fn(&R, &R) -> bool,
        kind: Kind,
        meter: &Meter,
    ) -> Self {
        let larger = |(i, a): (usize, _), (j, b): (usize, _)| {
            if comes_first(a, b) { (i, a) } else { (j, b) }
        };
        let mut unlisted: Vec<_> = row.enumerate().map(Some).collect();
        meter.add(kind, unlisted.len().saturating_sub(1));
        // An index beyond the row or listed again bounds nothing, and must not hide the bound of those behind it.
        // No more of the hint is read than the row is long: its length is not in the tally.
        let hint = hint.get(..unlisted.len()).unwrap_or(hint);
        let listed = hint.iter().rev();
        let listed = listed.filter_map(|index| unlisted.get_mut(*index)?.take());
        let listed: Vec<_> = listed.collect();
        let mut best = unlisted.into_iter().flatten().reduce(larger);
        let unlisted = best.map(|(index, _)| index);
        let rank = |entry: (usize, _)| {
            let bound = best.map_or(entry, |best| larger(best, entry));
            best = Some(bound);
            (entry.0, bound.0)
        };
        let mut ranks: Vec<_> = listed.into_iter().map(rank).collect();
        ranks.reverse();
        Self { ranks, unlisted }
    }

    /// An index whose entry is at least every entry of the set.
    pub fn bound(&self, member: impl FnMut(usize) -> bool, meter: &Meter) -> Option<usize> {
        self.leading(0, member, meter).1
    }

    /// The first `count` listed indices that are members, and an index whose entry is at least that of every other one.
    pub fn leading(
        &self,
        count: usize,
        mut member: impl FnMut(usize) -> bool,
        meter: &Meter,
    ) -> (Vec<usize>, Option<usize>) {
        let mut members = self.ranks.iter().filter(|(index, _)| {
            meter.add(Kind::Integer, 1);
            member(*index)
        });
        let leading = members.by_ref().take(count);
        let leading = leading.map(|(index, _)| *index).collect();
        let next = members.next().map(|(_, bound)| *bound);
        (leading, next.or(self.unlisted))
    }
}
