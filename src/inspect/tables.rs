//! The network's paths as tables of doubles (`docs/theory.md`, T0).

use crate::model::{Dyadic, Head, Matrix, OneHead, Scale, Shape, Transformer};
use nalgebra::DMatrix;

/// The paths, kept as products of thin factors where they are such.
#[derive(Debug)]
pub struct Tables {
    /// `v × h`: (Ê_q W_Q + b_Q) / s, of every query token.
    pub(crate) queries: DMatrix<f64>,
    /// `v × h`: W_E W_K, of every key token.
    pub(crate) keys: DMatrix<f64>,
    /// `n × h`: W_pos W_K, of every key position.
    position_keys: DMatrix<f64>,
    /// `v × h`: W_E W_V, of every token.
    pub(crate) values: DMatrix<f64>,
    /// `n × h`: W_pos W_V, of every position.
    position_values: DMatrix<f64>,
    /// `h × v`: W_O W_U.
    pub(crate) outputs: DMatrix<f64>,
    /// `v × v`: D(q, j), the direct path with all biases.
    pub(crate) d: DMatrix<f64>,
}

impl Tables {
    /// In double precision.
    pub fn new(network: &OneHead<'_>) -> Self {
        let config = &network.config;
        let scale = divisor(config);
        let (w_e, w_pos) = (doubles(network.w_e), doubles(network.w_pos));
        let (w_k, w_v, w_u) = (
            doubles(network.w_k),
            doubles(network.w_v),
            doubles(network.w_u),
        );
        let w_o = doubles(network.w_o);
        // Ê_q = W_E[q] + W_pos[n−1]: logits are read at the last position.
        let stream = plus_row(w_e.clone(), &w_pos.rows(config.n_ctx - 1, 1).into_owned());
        let queries = plus_row(&stream * doubles(network.w_q), &doubles(network.b_q)) / scale;
        let constant =
            (doubles(network.b_v) * &w_o + doubles(network.b_o)) * &w_u + doubles(network.b_u);
        Self {
            queries,
            keys: &w_e * &w_k,
            position_keys: &w_pos * &w_k,
            values: &w_e * &w_v,
            position_values: &w_pos * &w_v,
            outputs: w_o * &w_u,
            d: plus_row(stream * w_u, &constant),
        }
    }

    /// `v × v`: A(q, t), the score of key token t for query token q.
    pub fn a(&self) -> DMatrix<f64> {
        &self.queries * self.keys.transpose()
    }

    /// `v × n`: B(q, p), the score of key position p for query token q.
    pub fn b(&self) -> DMatrix<f64> {
        &self.queries * self.position_keys.transpose()
    }

    /// `v × v`: EV(t, j), logit j from attending to token t.
    pub fn ev(&self) -> DMatrix<f64> {
        &self.values * &self.outputs
    }

    /// `v × v`: D(q, j), logit j from the query token itself, with all biases.
    pub fn direct(&self) -> &DMatrix<f64> {
        &self.d
    }

    /// `n × v`: PV(p, j), logit j from attending to position p.
    pub fn pv(&self) -> DMatrix<f64> {
        &self.position_values * &self.outputs
    }
}

/// The direct paths of any transformer's head: from the embeddings to its scores, and from it to the logits. Without biases,
/// with nothing of other layers, and with layer norms as the identity.
pub(super) struct Circuit {
    /// `v × h` and `n × h`: W_E W_Q / s and W_pos W_Q / s.
    queries: [DMatrix<f64>; 2],
    /// `v × h` and `n × h`: W_E W_K and W_pos W_K.
    keys: [DMatrix<f64>; 2],
    /// `v × h`: W_E W_V.
    values: DMatrix<f64>,
    /// `h × d_vocab_out`: W_O W_U.
    outputs: DMatrix<f64>,
}

impl Circuit {
    pub(super) fn new(model: &Transformer, head: &Head) -> Self {
        let [w_e, w_pos] = [&model.w_e, &model.w_pos].map(doubles);
        let [w_q, w_k] = [&head.w_q, &head.w_k].map(doubles);
        let w_q = w_q / divisor(&model.shape);
        Self {
            queries: [&w_e * &w_q, &w_pos * w_q],
            keys: [&w_e * &w_k, w_pos * w_k],
            values: w_e * doubles(&head.w_v),
            outputs: doubles(&head.w_o) * doubles(&model.w_u),
        }
    }

    /// `v × v`: the score of the column's token for the row's.
    pub(super) fn token_scores(&self) -> DMatrix<f64> {
        &self.queries[0] * self.keys[0].transpose()
    }

    /// `n × n`: the score of the column's position for the row's; NaN where it stands behind.
    pub(super) fn position_scores(&self) -> DMatrix<f64> {
        let mut scores = &self.queries[1] * self.keys[1].transpose();
        scores.fill_upper_triangle(f64::NAN, 1);
        scores
    }

    /// `v × d_vocab_out`: the logits of the row's token, if it is attended to.
    pub(super) fn logits(&self) -> DMatrix<f64> {
        &self.values * &self.outputs
    }
}

/// What scores are divided by.
fn divisor(shape: &Shape) -> f64 {
    match shape.scale {
        Scale::SqrtDHead => (shape.d_head as f64).sqrt(),
        Scale::One => 1.0,
    }
}

/// The table with the mean of every row removed, over its entries that are numbers.
pub(crate) fn rows_centred(mut table: DMatrix<f64>) -> DMatrix<f64> {
    for mut row in table.row_iter_mut() {
        let numbers = || row.iter().filter(|entry| !entry.is_nan());
        let mean = numbers().sum::<f64>() / numbers().count() as f64;
        row.add_scalar_mut(-mean);
    }
    table
}

/// Exact: a weight has 24 bits, and its exponent is one of a double.
pub(super) fn doubles(weights: &Matrix<Dyadic>) -> DMatrix<f64> {
    DMatrix::from_fn(weights.rows(), weights.cols(), |row, col| {
        let weight = weights.at(row, col);
        f64::from(weight.mantissa) * 2_f64.powi(weight.exponent)
    })
}

fn plus_row(mut table: DMatrix<f64>, row: &DMatrix<f64>) -> DMatrix<f64> {
    for mut entries in table.row_iter_mut() {
        entries += row;
    }
    table
}
