//! The weights as chains of matrices, whose products are the paths of the network: scores A and B, logits EV and PV, direct
//! path D (`docs/theory.md`, T0).

use super::arithmetic::Enclosure;
use super::meter::{Kind, Meter};
use super::product::{add_row, product, stack};
use crate::model::{Dyadic, Matrix, OneHead, Scale};
use crate::refusal::Refusal;

/// Matrices to be multiplied.
pub type Chain<R> = Vec<Matrix<R>>;

/// The factors of the paths, with the softmax scale and the biases in their places.
#[derive(Debug)]
pub struct Factors<R> {
    /// By query, `· × d`, with a column of ones where there is a query bias: Ê_q = W_E\[q\] + W_pos\[n−1\].
    pub query: Matrix<R>,
    /// `d × h` over s, with the query bias as a further row.
    pub w_q: Matrix<R>,
    /// `h × d`: W_Kᵀ.
    pub w_k: Matrix<R>,
    /// `(v + n) × d`: W_E above W_pos.
    pub sources: Matrix<R>,
    /// `d × h`.
    pub w_v: Matrix<R>,
    /// `h × d`.
    pub w_o: Matrix<R>,
    /// By query, `· × d`: Ê_q + b_V W_O + b_O.
    pub stream: Matrix<R>,
    /// `d × d_vocab_out`.
    pub w_u: Matrix<R>,
    /// `1 × d_vocab_out`, unless zero.
    pub b_u: Option<Matrix<R>>,
}

impl<R: Enclosure> Factors<R> {
    /// Encloses the weights.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`] when the products pass the meter's limit.
    pub fn new(network: &OneHead<'_>, meter: &Meter) -> Result<Self, Refusal> {
        let (queries, n) = (&network.queries, network.config.n_ctx);
        let w_e: Matrix<R> = enclose(network.w_e);
        let w_pos = enclose(network.w_pos);
        meter.add(Kind::Attention, queries.len() * w_e.cols());
        let read = Matrix::from_fn(queries.len(), w_e.cols(), R::everything(), |row, col| {
            let token = queries.get(row).copied();
            w_e.at(token.unwrap_or(usize::MAX), col).clone()
        });
        let query = add_row(&read, w_pos.row(n - 1));
        let sources = stack(&w_e, &w_pos);

        // The query bias is a further row of W_Q, met by a column of ones.
        let mut w_q: Matrix<R> = enclose(network.w_q);
        if let Some(b_q) = nonzero(network.b_q) {
            w_q = stack(&w_q, &b_q);
        }
        if network.config.scale == Scale::SqrtDHead {
            let d_head = i64::try_from(network.config.d_head).unwrap_or(0);
            let scale = R::dyadic(d_head, 0).inverse_sqrt();
            meter.add(Kind::Attention, w_q.rows() * w_q.cols());
            w_q = w_q.map(R::everything(), |entry| entry.mul(&scale));
        }
        let (w_v, w_o): (_, Matrix<R>) = (enclose(network.w_v), enclose(network.w_o));
        // The attention-weighted biases reach every position alike: (b_V W_O + b_O) joins the residual stream.
        let mut stream = query.clone();
        if let Some(b_v) = nonzero(network.b_v) {
            let row = product(vec![b_v, w_o.clone()], meter, Kind::Logits)?;
            meter.add(Kind::Logits, queries.len() * row.cols());
            stream = add_row(&stream, row.row(0));
        }
        if let Some(b_o) = nonzero(network.b_o) {
            meter.add(Kind::Logits, queries.len() * b_o.cols());
            stream = add_row(&stream, b_o.row(0));
        }
        Ok(Self {
            query: Matrix::from_fn(queries.len(), w_q.rows(), R::everything(), |q, col| {
                query.row(q).get(col).cloned().unwrap_or(R::dyadic(1, 0))
            }),
            w_q,
            w_k: enclose(network.w_k).transposed(),
            sources,
            w_v,
            w_o,
            stream,
            w_u: enclose(network.w_u),
            b_u: nonzero(network.b_u),
        })
    }

    /// The chains of matrices whose products are A above B, EV above PV, and D without `b_U`.
    pub fn chains(&self) -> [Chain<R>; 3] {
        let chain = |factors: &[&Matrix<R>]| factors.iter().copied().cloned().collect();
        let keys = self.sources.transposed();
        [
            chain(&[&self.query, &self.w_q, &self.w_k, &keys]),
            chain(&[&self.sources, &self.w_v, &self.w_o, &self.w_u]),
            chain(&[&self.stream, &self.w_u]),
        ]
    }

    /// D(q, j), from the product of its chain: with `b_U`.
    pub fn biased(&self, direct: Matrix<R>, meter: &Meter) -> Matrix<R> {
        let Some(b_u) = &self.b_u else {
            return direct;
        };
        meter.add(Kind::Logits, direct.rows() * direct.cols());
        add_row(&direct, b_u.row(0))
    }
}

/// The weights, enclosed.
pub fn enclose<R: Enclosure>(weights: &Matrix<Dyadic>) -> Matrix<R> {
    weights.map(R::everything(), |weight| {
        R::dyadic(weight.mantissa.into(), weight.exponent)
    })
}

/// The enclosed bias, unless every entry is exactly zero: adding it would be no operation.
pub fn nonzero<R: Enclosure>(bias: &Matrix<Dyadic>) -> Option<Matrix<R>> {
    bias.row(0)
        .iter()
        .any(|entry| entry.mantissa != 0)
        .then(|| enclose(bias))
}
