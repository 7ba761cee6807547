//! Rule `peel`: a product of matrices as a low-rank table and a product of remainders.
//!
//! **Statement** (theorem `peel_exact`). For any columns U_i and rows Y_i, with `F̃_i = F_i − U_i Y_i`,
//! `F_1⋯F_k = Σ_i (F̃_1⋯F̃_{i−1} U_i)(Y_i F_{i+1}⋯F_k) + F̃_1⋯F̃_k`, exactly.
//! **Proof.** Telescope: `F̃_1⋯F̃_{i−1} F_i⋯F_k = F̃_1⋯F̃_{i−1} U_i Y_i F_{i+1}⋯F_k + F̃_1⋯F̃_i F_{i+1}⋯F_k`.
//! **Cost.** For r columns in all, v²(2r−1), and O(r) passes through each factor. Nothing about U and Y is assumed:
//! singular vectors make the remainder small, no tolerance is needed.

use super::vector;
use crate::certificate::published::{MAX_RANK, Peel};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::{product, stack};
use crate::model::Matrix;
use crate::refusal::Refusal;

/// A product taken apart.
#[derive(Debug)]
pub struct Peeled<R> {
    /// The low-rank table, if anything is taken out.
    pub table: Option<Matrix<R>>,
    /// F̃_1 … F̃_k.
    pub rests: Vec<Matrix<R>>,
}

/// Takes the hinted low-rank part out of each factor.
///
/// # Errors
/// [`crate::refusal::Decline::Work`].
pub fn peel<R: Enclosure>(
    chain: &[Matrix<R>],
    hints: &[Peel],
    meter: &Meter,
) -> Result<Peeled<R>, Refusal> {
    meter.goes_by("peel");
    let mut rests: Vec<Matrix<R>> = vec![];
    let mut parts: Option<(Matrix<R>, Matrix<R>)> = None;
    for (index, factor) in chain.iter().enumerate() {
        let hinted = hints
            .get(index)
            .into_iter()
            .flat_map(|peel| peel.left.iter().zip(peel.right.iter()));
        let pairs = hinted.take(MAX_RANK);
        let (left, right): (Vec<_>, Vec<_>) = pairs
            .filter_map(|(left, right)| {
                vector::<R>(left, factor.rows()).zip(vector::<R>(right, factor.cols()))
            })
            .unzip();
        if left.is_empty() {
            rests.push(factor.clone());
            continue;
        }
        let columns = Matrix::new(factor.rows(), left.concat(), R::everything()).transposed();
        let rows = Matrix::new(factor.cols(), right.concat(), R::everything());
        let before = [rests.as_slice(), std::slice::from_ref(&columns)].concat();
        let after = [
            std::slice::from_ref(&rows),
            chain.get(index + 1..).unwrap_or(&[]),
        ]
        .concat();
        let before = product(before, meter, Kind::Attention)?.transposed();
        let after = product(after, meter, Kind::Attention)?;
        parts = Some(match &parts {
            Some((lefts, rights)) => (stack(lefts, &before), stack(rights, &after)),
            None => (before, after),
        });
        let part = product(vec![columns, rows], meter, Kind::Attention)?;
        meter.spend(Kind::Attention, factor.rows() * factor.cols())?;
        let rest = |row: usize, col: usize| factor.at(row, col).sub(part.at(row, col));
        rests.push(Matrix::from_fn(
            factor.rows(),
            factor.cols(),
            R::everything(),
            rest,
        ));
    }
    let table = parts
        .map(|(lefts, rights)| product(vec![lefts.transposed(), rights], meter, Kind::Attention));
    Ok(Peeled {
        table: table.transpose()?,
        rests,
    })
}
