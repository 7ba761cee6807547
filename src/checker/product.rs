//! Rule `product`: products of enclosed matrices, by Winograd's form of Strassen's algorithm where that is shorter.
//!
//! **Statement** (theorem `winograd`). With A and B cut into quarters, seven products of sums of quarters determine AB:
//! `P₁ = A₁₁B₁₁`, `P₂ = A₁₂B₂₁`, `P₃ = S₄B₂₂`, `P₄ = A₂₂T₄`, `P₅ = S₁T₁`, `P₆ = S₂T₂`, `P₇ = S₃T₃`, where `S₁ = A₂₁ + A₂₂`,
//! `S₂ = S₁ − A₁₁`, `S₃ = A₁₁ − A₂₁`, `S₄ = A₁₂ − S₂` and `T₁ = B₁₂ − B₁₁`, `T₂ = B₂₂ − T₁`, `T₃ = B₂₂ − B₁₂`,
//! `T₄ = T₂ − B₂₁`; then AB has the quarters `P₁ + P₂`, `U₄ + P₃`, `U₃ − P₄` and `U₃ + P₅`, where `U₂ = P₁ + P₆`,
//! `U₃ = U₂ + P₇`, `U₄ = U₂ + P₅`.
//! **Why.** An identity between polynomials; enclosures of its terms give enclosures of its value, a little wider.
//! **Cost.** a×b by b×c: a·c·(2b−1) FLOPs, or seven products of half the size and 15 sums. An odd row stands apart.

use super::arithmetic::Enclosure;
use super::meter::{Kind, Meter};
use crate::model::Matrix;
use crate::refusal::Refusal;

/// A matrix, or [`crate::refusal::Decline::Work`].
pub type Product<R> = Result<Matrix<R>, Refusal>;

/// The product of a chain of matrices: the cheapest split first, then the same for both sides.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn product<R: Enclosure>(chain: Vec<Matrix<R>>, meter: &Meter, kind: Kind) -> Product<R> {
    let Some(split) = (1..chain.len()).min_by_key(|split| cost_of_split(&chain, *split)) else {
        let only = chain.into_iter().next();
        return Ok(only.unwrap_or_else(|| Matrix::new(1, vec![], R::everything())));
    };
    let mut left = chain;
    let right = left.split_off(split);
    let (left, right) = (product(left, meter, kind)?, product(right, meter, kind)?);
    times(&left, &right.transposed(), meter, kind)
}

/// The FLOPs of the cheapest way to multiply the chain whose last multiplication is at `split`.
fn cost_of_split<R: Enclosure>(chain: &[Matrix<R>], split: usize) -> usize {
    let (left, right) = chain.split_at(split);
    let best = |part: &[Matrix<R>]| {
        let costs = (1..part.len()).map(|split| cost_of_split(part, split));
        costs.min().unwrap_or(0)
    };
    let rows = |part: &[Matrix<R>]| part.first().map_or(1, Matrix::rows);
    let cols = right.last().map_or(0, Matrix::cols);
    let parts = best(left).saturating_add(best(right));
    parts.saturating_add(cost(rows(left), rows(right), cols))
}

/// The FLOPs of [`times`], a×b by b×c.
pub fn cost(a: usize, b: usize, c: usize) -> usize {
    let plain = plain_cost(a, b, c);
    match (a % 2, b % 2, c % 2) {
        (0, 0, 0) if a > 0 && c > 0 => {
            let (a, b, c) = (a / 2, b / 2, c / 2);
            let sums = 4 * (a * b + b * c) + 7 * a * c;
            plain.min(cost(a, b, c).saturating_mul(7).saturating_add(sums))
        }
        (1, ..) if a > 1 => cost(a - 1, b, c).saturating_add(cost(1, b, c)),
        (_, _, 1) if c > 1 => cost(c, b, a),
        _ => plain,
    }
}

fn plain_cost(a: usize, b: usize, c: usize) -> usize {
    a.saturating_mul(c).saturating_mul(2 * b - 1)
}

/// `left · rightᵀ`, entry by entry: the narrowest enclosures.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn plain<R: Enclosure>(
    left: &Matrix<R>,
    right: &Matrix<R>,
    meter: &Meter,
    kind: Kind,
) -> Product<R> {
    meter.spend(kind, plain_cost(left.rows(), left.cols(), right.rows()))?;
    let entry = |row, col| R::dot(left.row(row).iter().zip(right.row(col)));
    let table = Matrix::from_fn(left.rows(), right.rows(), R::everything(), entry);
    Ok(table)
}

/// `left · rightᵀ`, the shortest way.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn times<R: Enclosure>(
    left: &Matrix<R>,
    right: &Matrix<R>,
    meter: &Meter,
    kind: Kind,
) -> Product<R> {
    let (a, b, c) = (left.rows(), left.cols(), right.rows());
    if a > 1 && a % 2 == 1 {
        let even = times(&left.block((0, a - 1), (0, b)), right, meter, kind)?;
        let last = times(&left.block((a - 1, a), (0, b)), right, meter, kind)?;
        return Ok(stack(&even, &last));
    }
    if c > 1 && c % 2 == 1 {
        return Ok(times(right, left, meter, kind)?.transposed());
    }
    if cost(a, b, c) >= plain_cost(a, b, c) {
        return plain(left, right, meter, kind);
    }
    let each = |x: &Matrix<R>, y: &Matrix<R>, by: fn(&R, &R) -> R| {
        meter.add(kind, x.rows() * x.cols());
        Matrix::from_fn(x.rows(), x.cols(), R::everything(), |row, col| {
            by(x.at(row, col), y.at(row, col))
        })
    };
    let plus = |x: &Matrix<R>, y: &Matrix<R>| each(x, y, R::add);
    let minus = |x: &Matrix<R>, y: &Matrix<R>| each(x, y, R::sub);
    let by = |x: &Matrix<R>, y: &Matrix<R>| times(x, y, meter, kind);
    let [a11, a12, a21, a22] = left.quarters();
    // Of the transposed right side.
    let [b11, b21, b12, b22] = right.quarters();
    let (s1, s3) = (plus(&a21, &a22), minus(&a11, &a21));
    let s2 = minus(&s1, &a11);
    let s4 = minus(&a12, &s2);
    let (t1, t3) = (minus(&b12, &b11), minus(&b22, &b12));
    let t2 = minus(&b22, &t1);
    let t4 = minus(&t2, &b21);
    let (p1, p5) = (by(&a11, &b11)?, by(&s1, &t1)?);
    let u2 = plus(&p1, &by(&s2, &t2)?);
    let u3 = plus(&u2, &by(&s3, &t3)?);
    let u4 = plus(&u2, &p5);
    let upper = [plus(&p1, &by(&a12, &b21)?), plus(&u4, &by(&s4, &b22)?)];
    let lower = [minus(&u3, &by(&a22, &t4)?), plus(&u3, &p5)];
    let beside =
        |[left, right]: [Matrix<R>; 2]| stack(&left.transposed(), &right.transposed()).transposed();
    Ok(stack(&beside(upper), &beside(lower)))
}

/// One matrix above the other.
pub fn stack<R: Enclosure>(top: &Matrix<R>, bottom: &Matrix<R>) -> Matrix<R> {
    let rows = top.iter_rows().chain(bottom.iter_rows());
    Matrix::new(
        top.cols(),
        rows.flatten().cloned().collect(),
        R::everything(),
    )
}

/// A row added to every row of a table.
pub(super) fn add_row<R: Enclosure>(table: &Matrix<R>, row: &[R]) -> Matrix<R> {
    let entries = table
        .iter_rows()
        .flat_map(|entries| entries.iter().zip(row).map(|(entry, bias)| entry.add(bias)));
    Matrix::new(table.cols(), entries.collect(), R::everything())
}
