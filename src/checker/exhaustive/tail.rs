//! What stands behind the last attention: MLP, layer norm and unembedding, up to the comparison of logits.
//!
//! **Statement** (theorem `tail_logits`). Let r be the residual stream at a read-out before the last layer's MLP. Its
//! *columns* are linear functionals of r, plus constants, that determine the logits:
//!
//! | last layer | columns | logits |
//! |---|---|---|
//! | no MLP, no layer norm | `r W_U + b_U` | the columns |
//! | layer norm, no MLP | centred r, and centred r by `diag(w) W_U` | the latter times 1/√(var + eps), plus `b W_U + b_U` |
//! | MLP, no layer norm | `r W_in + b_in`, and `(r + b_out) W_U + b_U` | the latter plus `relu(first) W_out W_U` |
//! | both | r | as they are defined |
//!
//! An answer is right by more than τ if every other logit lies below its own less τ; it is not if one does not
//! (`docs/theory.md`, T12).
//! **Why.** Definitions, and what is linear may be multiplied out. A relu that is surely zero adds nothing (zero-skip).
//! **Cost.** A difference and a comparison for every wrong answer, one more where it is not below; with an MLP two operations
//! for every neuron that may be above zero and every output.

use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::{enclose, nonzero};
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::{Product, product};
use crate::model::{Dyadic, Layer, Matrix, Mlp, Norm, Transformer};
use crate::refusal::Refusal;

/// A linear map with constants: `r · map + constant`.
#[derive(Debug, Clone)]
pub(super) struct Affine<R> {
    /// `d × c`.
    pub(super) map: Matrix<R>,
    /// Of length c.
    pub(super) constant: Vec<R>,
}

impl<R: Enclosure> Affine<R> {
    /// A map and its bias.
    pub(super) fn new(map: &Matrix<Dyadic>, bias: &Matrix<Dyadic>) -> Self {
        Self {
            map: enclose(map),
            constant: enclose(bias).row(0).to_vec(),
        }
    }

    /// A map without constants.
    pub(super) fn linear(map: Matrix<R>) -> Self {
        Self {
            constant: vec![R::dyadic(0, 0); map.cols()],
            map,
        }
    }

    /// The identity.
    pub(super) fn identity(d: usize) -> Self {
        let entry = |row, col| R::dyadic(i64::from(row == col), 0);
        Self::linear(Matrix::from_fn(d, d, R::everything(), entry))
    }

    /// This map after the layer norm's gain and bias, which join it.
    pub(super) fn after(self, norm: Option<&Norm>, meter: &Meter) -> Result<Self, Refusal> {
        let Some((gain, bias)) = norm.and_then(|norm| norm.affine.as_ref()) else {
            return Ok(self);
        };
        let (gain, bias) = (enclose::<R>(gain), enclose::<R>(bias));
        let (rows, cols) = (self.map.rows(), self.map.cols());
        meter.spend(Kind::Logits, rows * cols + cols)?;
        let shift = product(vec![bias, self.map.clone()], meter, Kind::Logits)?;
        let map = Matrix::from_fn(rows, cols, R::everything(), |row, col| {
            gain.at(0, row).mul(self.map.at(row, col))
        });
        Ok(Self {
            map,
            constant: plus(shift.row(0), &self.constant),
        })
    }

    /// This map after a bias was added.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub(super) fn after_bias(&self, bias: &Matrix<Dyadic>, meter: &Meter) -> Result<Self, Refusal> {
        let Some(bias) = nonzero(bias) else {
            return Ok(self.clone());
        };
        let shift = product(vec![bias, self.map.clone()], meter, Kind::Logits)?;
        meter.add(Kind::Logits, shift.cols());
        Ok(Self {
            map: self.map.clone(),
            constant: plus(shift.row(0), &self.constant),
        })
    }

    /// The values of rows, with the constants on the first so many.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub(super) fn of_rows(
        &self,
        rows: &Matrix<R>,
        first: usize,
        kind: Kind,
        meter: &Meter,
    ) -> Product<R> {
        let table = product(vec![rows.clone(), self.map.clone()], meter, kind)?;
        meter.spend(kind, first.min(table.rows()) * table.cols())?;
        let entry = |row: usize, col: usize| match self.constant.get(col) {
            Some(constant) if row < first => table.at(row, col).add(constant),
            _ => table.at(row, col).clone(),
        };
        Ok(Matrix::from_fn(
            table.rows(),
            table.cols(),
            R::everything(),
            entry,
        ))
    }

    /// This map, then another.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub(super) fn then(&self, other: &Self, meter: &Meter) -> Result<Self, Refusal> {
        let constant = Matrix::new(self.map.cols(), self.constant.clone(), R::everything());
        let constant = other.of_rows(&constant, 1, Kind::Logits, meter)?;
        Ok(Self {
            map: product(
                vec![self.map.clone(), other.map.clone()],
                meter,
                Kind::Logits,
            )?,
            constant: constant.row(0).to_vec(),
        })
    }

    /// The same, to be evaluated row by row.
    pub(super) fn dense(&self) -> Dense<R> {
        Dense {
            columns: self.map.transposed(),
            constant: self.constant.clone(),
        }
    }
}

/// A linear map with constants, by columns.
#[derive(Debug, Clone)]
pub(super) struct Dense<R> {
    columns: Matrix<R>,
    constant: Vec<R>,
}

impl<R: Enclosure> Dense<R> {
    /// The values of a row.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub(super) fn of(&self, row: &[R], meter: &Meter) -> Result<Vec<R>, Refusal> {
        meter.spend(Kind::Logits, 2 * row.len() * self.constant.len())?;
        let columns = self.columns.iter_rows().zip(&self.constant);
        let value = |(column, constant): (&[R], &R)| R::dot(row.iter().zip(column)).add(constant);
        Ok(columns.map(value).collect())
    }
}

/// Entry by entry.
pub(super) fn plus<R: Enclosure>(left: &[R], right: &[R]) -> Vec<R> {
    left.iter().zip(right).map(|(a, b)| a.add(b)).collect()
}

/// A layer norm without its gain and bias.
#[derive(Debug, Clone)]
pub(super) struct Normalise<R> {
    eps: R,
    /// 1/d.
    share: R,
}

impl<R: Enclosure> Normalise<R> {
    /// The layer norm of rows of width d.
    pub(super) fn new(norm: &Norm, d: usize) -> Self {
        let width = i64::try_from(d).unwrap_or(0);
        Self {
            eps: R::dyadic(norm.eps.mantissa, norm.eps.exponent),
            share: R::dyadic(width, 0).inverse(),
        }
    }

    /// The row less its mean.
    fn centred(&self, row: &[R], meter: &Meter) -> Vec<R> {
        meter.add(Kind::Logits, 2 * row.len());
        let sum = row.iter().cloned().reduce(|sum, entry| sum.add(&entry));
        let mean = sum.unwrap_or_else(R::everything).mul(&self.share);
        row.iter().map(|entry| entry.sub(&mean)).collect()
    }

    /// `1/√(var + eps)` of a row whose mean is zero.
    fn inverse_root(&self, centred: &[R], meter: &Meter) -> R {
        meter.add(Kind::Logits, 2 * centred.len() + 3);
        let squares = R::dot(centred.iter().zip(centred));
        // A sum of squares is not below zero, whatever its enclosure says.
        let squares = squares.max(&R::dyadic(0, 0));
        squares.mul(&self.share).add(&self.eps).inverse_sqrt()
    }

    /// The row, normalised.
    pub(super) fn of(&self, row: &[R], meter: &Meter) -> Vec<R> {
        let centred = self.centred(row, meter);
        let root = self.inverse_root(&centred, meter);
        meter.add(Kind::Logits, row.len());
        centred.iter().map(|entry| entry.mul(&root)).collect()
    }
}

/// A ReLU MLP.
#[derive(Debug, Clone)]
pub(super) struct Neurons<R> {
    norm: Option<Normalise<R>>,
    inward: Dense<R>,
    outward: Dense<R>,
}

impl<R: Enclosure> Neurons<R> {
    /// The MLP of a layer.
    pub(super) fn new(mlp: &Mlp, meter: &Meter) -> Result<Self, Refusal> {
        let norm = mlp.ln2.as_ref();
        Ok(Self {
            norm: norm.map(|norm| Normalise::new(norm, mlp.w_in.rows())),
            inward: Affine::new(&mlp.w_in, &mlp.b_in)
                .after(norm, meter)?
                .dense(),
            outward: Affine::new(&mlp.w_out, &mlp.b_out).dense(),
        })
    }

    /// The residual stream behind it.
    pub(super) fn of(&self, row: &[R], meter: &Meter) -> Result<Vec<R>, Refusal> {
        let normalised = self.norm.as_ref().map(|norm| norm.of(row, meter));
        let before = self
            .inward
            .of(normalised.as_deref().unwrap_or(row), meter)?;
        meter.add(Kind::Logits, row.len());
        let stream = plus(row, &self.outward.constant);
        fired(&before, &self.outward.columns, stream, meter)
    }
}

/// `sums + relu(before) · weights`, with a row of weights for each sum: neurons that are surely off are skipped.
fn fired<R: Enclosure>(
    before: &[R],
    weights: &Matrix<R>,
    mut sums: Vec<R>,
    meter: &Meter,
) -> Result<Vec<R>, Refusal> {
    let zero = R::dyadic(0, 0);
    let is_on = |(_, neuron): &(usize, &R)| !neuron.is_negative();
    let on: Vec<(usize, R)> = before
        .iter()
        .enumerate()
        .filter(is_on)
        .map(|(index, neuron)| (index, neuron.max(&zero)))
        .collect();
    meter.spend(
        Kind::Logits,
        before.len() + on.len() + 2 * on.len() * sums.len(),
    )?;
    if on.is_empty() {
        return Ok(sums);
    }
    let everything = R::everything();
    for (sum, weights) in sums.iter_mut().zip(weights.iter_rows()) {
        let pairs = on
            .iter()
            .map(|(index, neuron)| (neuron, weights.get(*index).unwrap_or(&everything)));
        *sum = sum.add(&R::dot(pairs));
    }
    Ok(sums)
}

/// What was found out about one read-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The right answer's logit lies above every other by more than the margin.
    Right,
    /// It does not.
    Wrong,
    /// The enclosures do not tell.
    Undecided,
}

/// What stands behind the last attention.
#[derive(Debug)]
pub(super) struct Tail<R> {
    /// The columns.
    pub(super) columns: Affine<R>,
    /// Their number.
    width: usize,
    kind: Behind<R>,
    /// τ, if it is not zero.
    margin: Option<R>,
}

#[derive(Debug)]
enum Behind<R> {
    Logits,
    Norm {
        norm: Normalise<R>,
        /// `b W_U + b_U`.
        constant: Vec<R>,
    },
    /// `W_out W_U`, a row for each output.
    Neurons(Matrix<R>),
    Both {
        neurons: Box<Neurons<R>>,
        norm: Normalise<R>,
        unembed: Dense<R>,
    },
}

impl<R: Enclosure> Tail<R> {
    /// That of a transformer.
    pub(super) fn new(
        model: &Transformer,
        last: &Layer,
        margin: Option<R>,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let d = model.shape.d_model;
        let norm = model.ln_final.as_ref();
        let unembed = Affine::<R>::new(&model.w_u, &model.b_u).after(norm, meter)?;
        let (columns, kind) = match (&last.mlp, norm) {
            (None, None) => (unembed, Behind::Logits),
            (None, Some(norm)) => {
                let norm = Normalise::new(norm, d);
                // Every row of the identity, centred, beside what the unembedding makes of it.
                let identity = Affine::<R>::identity(d);
                let centre = identity.map.iter_rows().map(|row| norm.centred(row, meter));
                let centre: Vec<R> = centre.flatten().collect();
                let centre = Matrix::new(d, centre, R::everything());
                let logits = product(vec![centre.clone(), unembed.map], meter, Kind::Logits)?;
                let constant = vec![R::dyadic(0, 0); d + logits.cols()];
                let map = beside(&centre, &logits);
                let constant_behind = unembed.constant;
                let kind = Behind::Norm {
                    norm,
                    constant: constant_behind,
                };
                (Affine { map, constant }, kind)
            }
            (Some(mlp), None) => {
                let inward = Affine::<R>::new(&mlp.w_in, &mlp.b_in);
                let weights = vec![enclose(&mlp.w_out), unembed.map.clone()];
                let weights = product(weights, meter, Kind::Logits)?;
                let bias = vec![enclose(&mlp.b_out), unembed.map.clone()];
                let bias = product(bias, meter, Kind::Logits)?;
                meter.add(Kind::Logits, bias.cols());
                let outward = plus(bias.row(0), &unembed.constant);
                let constant = [inward.constant, outward].concat();
                let map = beside(&inward.map, &unembed.map);
                (
                    Affine { map, constant },
                    Behind::Neurons(weights.transposed()),
                )
            }
            (Some(mlp), Some(norm)) => {
                let kind = Behind::Both {
                    neurons: Box::new(Neurons::new(mlp, meter)?),
                    norm: Normalise::new(norm, d),
                    unembed: unembed.dense(),
                };
                (Affine::identity(d), kind)
            }
        };
        Ok(Self {
            width: columns.constant.len(),
            columns,
            kind,
            margin,
        })
    }

    /// That of an MLP over two tokens: columns are its neurons before their relu, and then the unembedding's bias.
    pub(super) fn of_neurons(weights: &Matrix<R>, margin: Option<R>) -> Self {
        Self {
            columns: Affine::identity(0),
            width: weights.rows() + weights.cols(),
            kind: Behind::Neurons(weights.transposed()),
            margin,
        }
    }

    /// Are logits compared as they stand in the columns, so that all may be multiplied by one positive number?
    pub(super) fn is_homogeneous(&self) -> bool {
        matches!(self.kind, Behind::Logits)
    }

    /// Is `right` the answer by more than the margin? `columns` are times `scale`, which must be positive and may be given
    /// where [`Tail::is_homogeneous`].
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub(super) fn answer(
        &self,
        columns: &[R],
        scale: Option<&R>,
        right: usize,
        meter: &Meter,
    ) -> Result<Answer, Refusal> {
        if columns.len() != self.width {
            return Ok(Answer::Undecided);
        }
        let behind;
        let logits = match &self.kind {
            Behind::Logits => columns,
            Behind::Norm { norm, constant } => {
                let (centred, logits) = columns
                    .split_at_checked(columns.len().saturating_sub(constant.len()))
                    .unwrap_or((&[], columns));
                let root = norm.inverse_root(centred, meter);
                meter.add(Kind::Logits, 2 * constant.len());
                let logits = logits.iter().zip(constant);
                behind = logits
                    .map(|(logit, constant)| logit.mul(&root).add(constant))
                    .collect::<Vec<R>>();
                &behind
            }
            Behind::Neurons(weights) => {
                let (neurons, direct) = columns
                    .split_at_checked(weights.cols())
                    .unwrap_or((&[], columns));
                behind = fired(neurons, weights, direct.to_vec(), meter)?;
                &behind
            }
            Behind::Both {
                neurons,
                norm,
                unembed,
            } => {
                let stream = neurons.of(columns, meter)?;
                behind = unembed.of(&norm.of(&stream, meter), meter)?;
                &behind
            }
        };
        let Some(own) = logits.get(right) else {
            return Ok(Answer::Undecided);
        };
        let least = match (&self.margin, scale) {
            (None, _) => own.clone(),
            (Some(margin), None) => own.sub(margin),
            (Some(margin), Some(scale)) => own.sub(&margin.mul(scale)),
        };
        let mut operations = match (&self.margin, scale) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(_), Some(_)) => 2,
        };
        let mut answer = Answer::Right;
        for (index, logit) in logits.iter().enumerate() {
            if index == right {
                continue;
            }
            let above = logit.sub(&least);
            operations += 2;
            if above.is_negative() {
                continue;
            }
            answer = Answer::Undecided;
            operations += 1;
            if above.is_nonnegative() {
                answer = Answer::Wrong;
                break;
            }
        }
        meter.spend(Kind::Tree, operations)?;
        Ok(answer)
    }
}

/// One matrix beside the other.
pub(super) fn beside<R: Enclosure>(left: &Matrix<R>, right: &Matrix<R>) -> Matrix<R> {
    let rows = left.iter_rows().zip(right.iter_rows());
    let entries = rows.flat_map(|(left, right)| left.iter().chain(right).cloned());
    Matrix::new(
        left.cols() + right.cols(),
        entries.collect(),
        R::everything(),
    )
}
