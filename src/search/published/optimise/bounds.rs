//! The tables that hinted vectors bound (rules `peel`, `residual`, `direct max_diff`), as tensors with gradients.

use crate::certificate::published::{
    Attention, Chain, DirectPath, LowRank, MaxDiff, Means, NoHints, Peel, Residual, Spectral,
};
use crate::checker::arithmetic::Fixed;
use crate::checker::factors::Factors;
use crate::checker::meter::Meter;
use crate::checker::published::direct::Direct;
use crate::checker::published::scores::{Scores, chain};
use crate::model::Matrix;
use crate::search::doubles::{double, doubles};
use crate::search::published::witnesses::Hints;
use candle_core::{DType, Device, Result, Tensor};

/// The scores' table and error, the offset and the spread of the direct path: numbers, or slopes by each.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) table: Vec<f64>,
    pub(super) error: Vec<f64>,
    pub(super) offset: Vec<f64>,
    pub(super) spread: Vec<f64>,
}

impl Values {
    /// Their numbers.
    pub(super) fn of(tensors: &[Tensor; 4]) -> Result<Self> {
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1();
        let [table, error, offset, spread] = tensors;
        Ok(Self {
            table: numbers(table)?,
            error: numbers(error)?,
            offset: numbers(offset)?,
            spread: numbers(spread)?,
        })
    }

    /// The sum of all, weighted with these.
    pub(super) fn weigh(&self, tensors: &[Tensor; 4]) -> Result<Tensor> {
        let weights = [&self.table, &self.error, &self.offset, &self.spread];
        let mut sum = Tensor::zeros((), DType::F64, &Device::Cpu)?;
        for (weights, tensor) in weights.into_iter().zip(tensors) {
            let weights = Tensor::from_slice(weights, tensor.shape(), &Device::Cpu)?;
            sum = (sum + (tensor * weights)?.sum_all()?)?;
        }
        Ok(sum)
    }
}

/// What the bounds are made of.
#[derive(Debug)]
pub(super) struct Rules {
    /// The factors of the scores.
    chain: Vec<Tensor>,
    stream: Tensor,
    w_u: Tensor,
    b_u: Tensor,
    /// The bounds of the first hints: those that hints do not change stay as they are.
    fixed: [Tensor; 4],
}

fn tensor(table: &Matrix<Fixed>) -> Result<Tensor> {
    let entries: Vec<f64> = doubles(table).iter_rows().flatten().copied().collect();
    Tensor::from_vec(entries, (table.rows(), table.cols()), &Device::Cpu)
}

/// One entry for each of `length`; nothing hinted is zero.
fn vector(entries: Option<&[Fixed]>, length: usize) -> Result<Tensor> {
    let entries = entries.map_or_else(
        || vec![0.0; length],
        |entries| entries.iter().map(double).collect(),
    );
    Tensor::from_vec(entries, length, &Device::Cpu)
}

/// The largest entry minus the smallest, of every row.
fn ranges(table: &Tensor) -> Result<Tensor> {
    table.max(1)? - table.min(1)?
}

/// From left to right.
fn product(factors: &[Tensor]) -> Result<Tensor> {
    let (first, rest) = factors
        .split_first()
        .ok_or_else(|| candle_core::Error::msg("a product of nothing"))?;
    rest.iter()
        .try_fold(first.clone(), |product, next| product.matmul(next))
}

/// `Σ_k |row_k − mean_k| weights_k` for every row.
fn spread(table: &Tensor, mean: Option<&Tensor>, weights: &Tensor) -> Result<Tensor> {
    let centred = mean.map_or_else(|| Ok(table.clone()), |mean| table.broadcast_sub(mean))?;
    centred.abs()?.broadcast_mul(weights)?.sum(1)
}

/// How far the rows of a product range: what is left of the first factor's rows, and what their mean adds.
fn split(
    left: &Tensor,
    mean: Option<&Tensor>,
    right: &[Tensor],
    weights: &Tensor,
) -> Result<Tensor> {
    let rest = spread(left, mean, weights)?;
    let Some(mean) = mean else { return Ok(rest) };
    rest.broadcast_add(&ranges(&product(
        &[&[mean.unsqueeze(0)?], right].concat(),
    )?)?)
}

/// √2 times the largest singular value, as near as the checker's powers tell it: by the 64-norm of their squares.
fn spectral(chain: &[Tensor]) -> Result<Tensor> {
    let inner = (1..chain.len())
        .min_by_key(|cut| chain[*cut].dims().first().copied())
        .unwrap_or(0);
    let (left, right) = (product(&chain[..inner])?, product(&chain[inner..])?);
    let gram = left
        .t()?
        .matmul(&left)?
        .matmul(&right.matmul(&right.t()?)?)?;
    let trace =
        |gram: &Tensor| (gram * Tensor::eye(gram.dim(0)?, DType::F64, &Device::Cpu)?)?.sum_all();
    let scale = trace(&gram)?.to_scalar::<f64>()?.max(f64::MIN_POSITIVE);
    let mut power = (gram / scale)?;
    for _ in 0..6 {
        power = power.matmul(&power)?;
    }
    (trace(&power)?.powf(1.0 / 64.0)? * (2.0 * scale))?
        .sqrt()?
        .broadcast_as(left.dim(0)?)
}

impl Rules {
    pub(super) fn new(
        factors: &Factors<Fixed>,
        attention: &Attention,
        (scores, direct): (&Scores<Fixed>, &Direct<Fixed>),
    ) -> Result<Self> {
        let v = scores.table.rows();
        let kind = if let Attention::LowRank(LowRank { factors, .. }) = attention {
            *factors
        } else {
            Chain::Two
        };
        let chain =
            chain(factors, kind, &Meter::new(u64::MAX)).map_err(candle_core::Error::wrap)?;
        Ok(Self {
            chain: chain.iter().map(tensor).collect::<Result<_>>()?,
            stream: tensor(&factors.stream)?,
            w_u: tensor(&factors.w_u)?,
            b_u: vector(factors.b_u.as_ref().map(|b_u| b_u.row(0)), v)?,
            fixed: [
                tensor(&scores.table)?,
                vector(scores.error.as_deref(), v)?,
                vector(direct.offset.as_deref(), v)?,
                vector(Some(&direct.spread), v)?,
            ],
        })
    }

    /// What these hints bound, the vectors in the order of [`super::vectors`].
    pub(super) fn bounds(
        &self,
        (attention, direct): &Hints,
        vectors: &[Tensor],
    ) -> Result<[Tensor; 4]> {
        let [mut table, mut error, mut offset, mut spread] = self.fixed.clone();
        let mut vectors = vectors.iter().cloned();
        if let Attention::LowRank(hints) = attention {
            (table, error) = self.scores(hints, &mut vectors)?;
        }
        if let (DirectPath::MaxDiff(MaxDiff { .. }), Some(mean)) = (direct, vectors.next()) {
            offset = (mean.unsqueeze(0)?.matmul(&self.w_u)?.squeeze(0)? + &self.b_u)?;
            spread = self::spread(&self.stream, Some(&mean), &ranges(&self.w_u)?)?;
        }
        Ok([table, error, offset, spread])
    }

    fn scores(
        &self,
        hints: &LowRank,
        vectors: &mut impl Iterator<Item = Tensor>,
    ) -> Result<(Tensor, Tensor)> {
        let (table, rests) = self.peel(&hints.peel, vectors)?;
        let table = table.unwrap_or(self.fixed[0].zeros_like()?);
        let last = rests.len() - 1;
        let error = match &hints.error {
            Residual::Exact(NoHints {}) => ranges(&product(&rests)?)?,
            Residual::Svd(Spectral { .. }) => spectral(&rests)?,
            Residual::MaxDiff(Means { means }) => {
                let means: Vec<Tensor> = vectors.take(means.len()).collect();
                let bound = |cut: usize| {
                    let right = product(&rests[cut + 1..])?;
                    split(
                        &product(&rests[..=cut])?,
                        means.get(cut),
                        std::slice::from_ref(&right),
                        &ranges(&right)?,
                    )
                };
                (1..last).try_fold(bound(0)?, |best, cut| best.minimum(&bound(cut)?))?
            }
            Residual::Recursive(Means { means }) => {
                let means: Vec<Tensor> = vectors.take(means.len()).collect();
                let bound = |bound: Tensor, cut: usize| {
                    split(&rests[cut], means.get(cut), &rests[cut + 1..], &bound)
                };
                (0..last).rev().try_fold(ranges(&rests[last])?, bound)?
            }
        };
        Ok((table, error))
    }

    /// The low-rank table, and what is left of the factors.
    fn peel(
        &self,
        hints: &[Peel],
        vectors: &mut impl Iterator<Item = Tensor>,
    ) -> Result<(Option<Tensor>, Vec<Tensor>)> {
        let (mut table, mut rests): (Option<Tensor>, Vec<Tensor>) = (None, vec![]);
        for (index, (factor, Peel { left, right })) in self.chain.iter().zip(hints).enumerate() {
            if left.is_empty() {
                rests.push(factor.clone());
                continue;
            }
            let columns = Tensor::stack(&vectors.take(left.len()).collect::<Vec<_>>(), 1)?;
            let rows = Tensor::stack(&vectors.take(right.len()).collect::<Vec<_>>(), 0)?;
            let before = rests
                .iter()
                .rev()
                .try_fold(columns.clone(), |product, rest| rest.matmul(&product))?;
            let after = self.chain[index + 1..]
                .iter()
                .try_fold(rows.clone(), |product, next| product.matmul(next))?;
            let part = before.matmul(&after)?;
            table = Some(match table {
                Some(table) => (table + part)?,
                None => part,
            });
            rests.push((factor - columns.matmul(&rows)?)?);
        }
        Ok((table, rests))
    }
}
