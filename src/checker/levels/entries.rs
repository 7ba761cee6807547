//! Rule `entries`: a table XYᵀ of which only some entries are computed.
//!
//! **Statement** (theorem `entry_bound`). Let B be a matrix whose Gram matrix BBᵀ has rows with sums of absolute values
//! at most 1. For `s² ≥ ‖x‖² − ‖Bx‖²` and `z² ≥ ‖y‖² − ‖By‖²`, all of x·y lies within `Bx·By ± s z`. Adding one
//! vector to all rows of Y changes each row of the table by a constant, and no input's correctness (`docs/theory.md`, T0).
//! **Why.** No eigenvalue of BBᵀ is above 1 (Gershgorin), so `I − BᵀB` is positive semidefinite, and the
//! Cauchy–Schwarz inequality holds for it: `(xᵀ(I − BᵀB)y)² ≤ (‖x‖² − ‖Bx‖²)(‖y‖² − ‖By‖²)`.
//! **Cost.** 2d − 1 an entry that is computed, less where blocks are large (rule `product`); 2r + 1 for any other, and
//! about 2d(r + 1) for every row of X and Y with a bound, for d columns and r rows of B.

use crate::certificate::levels::{Block, ENTRY_BITS, Entries};
use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::Chain;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::{Product, add_row, product, times};
use crate::model::Matrix;
use crate::refusal::Refusal;

/// What the basis sees of a row, and the bound on the rest, if it holds.
type Seen<R> = Option<(Vec<R>, i64)>;

/// The product of a chain of matrices, up to a constant for each row: computed in full, or as the hints say.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn table<R: Enclosure>(
    chain: Chain<R>,
    hints: Option<&Entries>,
    meter: &Meter,
    kind: Kind,
) -> Product<R> {
    let Some(hints) = hints else {
        return product(chain, meter, kind);
    };
    meter.goes_by("entries");
    let [left, mut right] = sides(chain, meter, kind)?;
    let vector = |entries: &[i64]| -> Vec<R> {
        let entry = |k: usize| R::dyadic(entries.get(k).copied().unwrap_or(0), -ENTRY_BITS);
        (0..left.cols()).map(entry).collect()
    };
    if !hints.centre.is_empty() {
        meter.spend(kind, right.rows() * right.cols())?;
        right = add_row(&right, &vector(&hints.centre));
    }
    let mut table = Matrix::from_fn(left.rows(), right.rows(), None, |_, _| None);
    for Block { rows, columns } in &hints.blocks {
        meter.spend(Kind::Integer, 1)?;
        let (row, col) = (rows.end.min(left.rows()), columns.end.min(right.rows()));
        // What is empty costs nothing, its other side's copy included.
        if rows.start >= row || columns.start >= col {
            continue;
        }
        let part =
            |side: &Matrix<R>, from: usize, to: usize| side.block((from, to), (0, side.cols()));
        let block = times(
            &part(&left, rows.start, row),
            &part(&right, columns.start, col),
            meter,
            kind,
        )?;
        table.paste((rows.start, columns.start), &block);
    }
    // More rows than X and Y have, or than they are wide, see nothing new.
    let rank = hints
        .basis
        .len()
        .min(left.cols())
        .min(left.rows() + right.rows());
    meter.spend(kind, rank * rank * (2 * left.cols() + 2) + 2 * rank)?;
    let basis: Vec<Vec<R>> = hints.basis.iter().take(rank).map(vector).collect();
    let dot = |x: &[R], y: &[R]| R::dot(x.iter().zip(y));
    let (zero, one) = (R::dyadic(0, 0), R::dyadic(1, 0));
    let small = basis.iter().fold(true, |small, row| {
        let sizes = basis
            .iter()
            .map(|other| dot(row, other))
            .map(|entry| entry.max(&zero.sub(&entry)));
        let sum = sizes.fold(zero.clone(), |sum, size| sum.add(&size));
        small & one.sub(&sum).is_nonnegative()
    });
    let rows = |rows: &Matrix<R>, bounds: &[i64]| -> Result<Vec<Seen<R>>, Refusal> {
        let row = |(row, bound): (&[R], &i64)| {
            if *bound <= 0 || !small {
                return Ok(None);
            }
            meter.spend(kind, (rank + 1) * (2 * row.len() - 1) + 2 * rank + 3)?;
            let seen: Vec<R> = basis.iter().map(|vector| dot(row, vector)).collect();
            let (square, bound_square) = (dot(row, row), R::dyadic(*bound, -ENTRY_BITS));
            let rest = seen
                .iter()
                .fold(square, |rest, part| rest.sub(&part.mul(part)));
            Ok(rest
                .sub(&bound_square.mul(&bound_square))
                .is_negative()
                .then_some((seen, *bound)))
        };
        rows.iter_rows().zip(bounds).map(row).collect()
    };
    let (queries, keys) = (rows(&left, &hints.left)?, rows(&right, &hints.right)?);
    let bound = |row: usize, col: usize| {
        let (Some(Some((x, s))), Some(Some((y, z)))) = (queries.get(row), keys.get(col)) else {
            return R::everything();
        };
        meter.add(kind, (2 * rank).max(1) + 1);
        let either = R::dyadic(-z, -ENTRY_BITS).hull(&R::dyadic(*z, -ENTRY_BITS));
        dot(x, y).add(&R::dyadic(*s, -ENTRY_BITS).mul(&either))
    };
    let mut entries = Vec::with_capacity(left.rows() * right.rows());
    for row in 0..left.rows() {
        meter.within()?;
        entries.extend((0..right.rows()).map(|col| {
            table
                .at(row, col)
                .clone()
                .unwrap_or_else(|| bound(row, col))
        }));
    }
    Ok(Matrix::new(right.rows(), entries, R::everything()))
}

/// X and Y: the chain of matrices cut at its narrowest place, the last of several.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn sides<R: Enclosure>(
    mut chain: Chain<R>,
    meter: &Meter,
    kind: Kind,
) -> Result<[Matrix<R>; 2], Refusal> {
    let inner = |split: &usize| chain.get(*split).map_or(usize::MAX, Matrix::rows);
    let split = (1..chain.len()).rev().min_by_key(inner).unwrap_or(0);
    let right = chain.split_off(split);
    Ok([
        product(chain, meter, kind)?,
        product(right, meter, kind)?.transposed(),
    ])
}
