//! The same for attention alone, in one layer: tables by token and position, and running sums along the prefix.

use super::Answer;
use super::decoder::Number;
use crate::model::{Dyadic, Function, Matrix, Network, Transformer};
use crate::task::Task;

/// The most numbers in the tables of a query.
const MOST: usize = 1 << 24;
/// The most that two scores of a query may differ: exponentials further apart are lost beside each other.
const FARTHEST: f64 = 500.0;

/// A network of one layer without MLP, layer norms and attention rate, that is read at the last position.
pub(super) struct Heads<'a> {
    task: &'a dyn Task,
    outputs: usize,
    /// The last position.
    last: usize,
    v: usize,
    heads: Vec<Head>,
    /// The residual stream's own logits, by token at the last position.
    direct: Vec<Vec<f64>>,
}

/// By position and then token, at `p · v + t`.
struct Head {
    /// At the last position alone.
    queries: Vec<Vec<f64>>,
    keys: Vec<Vec<f64>>,
    /// In units of logits.
    values: Vec<Vec<f64>>,
}

impl Head {
    fn scores(&self, query: usize) -> Vec<f64> {
        let dot = |key: &Vec<f64>| -> f64 {
            let pairs = key.iter().zip(&self.queries[query]);
            pairs.map(|(a, b)| a * b).sum()
        };
        self.keys.iter().map(dot).collect()
    }
}

/// For one query: by head and row the weight, and behind it its products with the values.
type Terms = Vec<Vec<Vec<f64>>>;

fn table(matrix: &Matrix<Dyadic>) -> Vec<Vec<f64>> {
    let number = |weight: &Dyadic| f64::dyadic(weight.mantissa.into(), weight.exponent);
    let row = |row: &[Dyadic]| row.iter().map(number).collect();
    matrix.iter_rows().map(row).collect()
}

/// Rows times a matrix, plus a row.
fn affine(rows: &[Vec<f64>], matrix: &[Vec<f64>], bias: Option<&[f64]>) -> Vec<Vec<f64>> {
    let width = matrix.first().map_or(0, Vec::len);
    let of = |row: &Vec<f64>| {
        let mut sums = bias.map_or_else(|| vec![0.0; width], <[f64]>::to_vec);
        for (x, weights) in row.iter().zip(matrix) {
            add(&mut sums, weights, *x);
        }
        sums
    };
    rows.iter().map(of).collect()
}

/// `sums += times · row`.
fn add(sums: &mut [f64], row: &[f64], times: f64) {
    for (sum, x) in sums.iter_mut().zip(row) {
        *sum += times * x;
    }
}

impl<'a> Heads<'a> {
    /// None where the network is another.
    pub(super) fn new(network: &'a Network) -> Option<Self> {
        let Function::Transformer(model) = &network.function else {
            return None;
        };
        let (shape, task) = (&model.shape, network.task.as_ref());
        let last = shape.n_ctx - 1;
        let is_plain = shape.n_layers == 1
            && shape.d_mlp.is_none()
            && shape.norms.is_none()
            && shape.attention_rate == Dyadic::NONE
            && task
                .read_outs()
                .iter()
                .all(|(position, _)| *position == last)
            && last > 0;
        let numbers = shape.n_heads * shape.n_ctx * shape.d_vocab * (shape.d_vocab_out + 1);
        let heads = (is_plain && numbers <= MOST).then(|| Self::of(model, task))?;
        let are_near = |head: &Head| {
            (0..heads.v).all(|query| {
                let scores = head.scores(query);
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                scores.iter().all(|score| most - score < FARTHEST)
            })
        };
        heads.heads.iter().all(are_near).then_some(heads)
    }

    fn of(model: &Transformer, task: &'a dyn Task) -> Self {
        let (shape, v) = (&model.shape, model.shape.d_vocab);
        let (e, pos, w_u) = (table(&model.w_e), table(&model.w_pos), table(&model.w_u));
        let at = |row: usize| -> Vec<f64> {
            let parts = e[row % v].iter().zip(&pos[row / v]);
            parts.map(|(token, position)| token + position).collect()
        };
        let sources: Vec<Vec<f64>> = (0..shape.n_ctx * v).map(at).collect();
        let own = &sources[(shape.n_ctx - 1) * v..];
        let layer = &model.layers[0];
        let row = |matrix: &Matrix<Dyadic>| table(matrix).swap_remove(0);
        let scale = match shape.scale {
            crate::model::Scale::SqrtDHead => (shape.d_head as f64).sqrt(),
            crate::model::Scale::One => 1.0,
        };
        let head = |head: &crate::model::Head| {
            let part =
                |rows: &[Vec<f64>], weights, bias| affine(rows, &table(weights), Some(&row(bias)));
            let mut queries = part(own, &head.w_q, &head.b_q);
            queries.iter_mut().flatten().for_each(|x| *x /= scale);
            let values = part(&sources, &head.w_v, &head.b_v);
            Head {
                queries,
                keys: part(&sources, &head.w_k, &head.b_k),
                values: affine(&affine(&values, &table(&head.w_o), None), &w_u, None),
            }
        };
        let bias = affine(&[row(&layer.b_o)], &w_u, Some(&row(&model.b_u)));
        Self {
            task,
            outputs: shape.d_vocab_out,
            last: shape.n_ctx - 1,
            v,
            heads: layer.heads.iter().map(head).collect(),
            direct: affine(own, &w_u, Some(&bias[0])),
        }
    }

    /// The tokens that the last position may hold.
    pub(super) fn queries(&self) -> Vec<usize> {
        let read = self.task.read_outs();
        let tokens = read.iter().map(|(_, tokens)| tokens.iter());
        tokens.flatten().collect()
    }

    /// All inputs with this token at the last position.
    pub(super) fn walk(&self, query: usize, visit: &mut dyn FnMut(&Answer<'_>)) {
        let terms: Terms = self
            .heads
            .iter()
            .map(|head| self.terms(head, query))
            .collect();
        let own = self.last * self.v + query;
        let start: Vec<Vec<f64>> = terms.iter().map(|rows| rows[own].clone()).collect();
        let mut walk = Query {
            heads: self,
            query,
            terms: &terms,
            prefix: vec![],
            logits: vec![0.0; self.outputs],
        };
        walk.below(&start, visit);
    }

    fn terms(&self, head: &Head, query: usize) -> Vec<Vec<f64>> {
        let weights = f64::exponentials(&head.scores(query));
        // With one head, the stream's own logits are weighed with the head's: their sum is that of all weights.
        let direct = (self.heads.len() == 1).then(|| &self.direct[query]);
        let row = |(weight, values): (&f64, &Vec<f64>)| {
            let mut row = vec![*weight];
            row.extend(values.iter().map(|x| weight * x));
            if let Some(direct) = direct {
                add(&mut row[1..], direct, *weight);
            }
            row
        };
        weights.iter().zip(&head.values).map(row).collect()
    }
}

struct Query<'a> {
    heads: &'a Heads<'a>,
    query: usize,
    terms: &'a Terms,
    prefix: Vec<usize>,
    logits: Vec<f64>,
}

impl Query<'_> {
    /// All inputs that go on behind the prefix, whose sums are given by head.
    fn below(&mut self, sums: &[Vec<f64>], visit: &mut dyn FnMut(&Answer<'_>)) {
        let task = self.heads.task;
        let position = self.prefix.len();
        for token in task.next(&self.prefix).iter() {
            self.prefix.push(token);
            let row = position * self.heads.v + token;
            if position + 1 < self.heads.last {
                let mut sums = sums.to_vec();
                for (sum, rows) in sums.iter_mut().zip(self.terms) {
                    add(sum, &rows[row], 1.0);
                }
                self.below(&sums, visit);
            } else if task.next(&self.prefix).contains(self.query) {
                self.prefix.push(self.query);
                if let Some(right) = task.answer(&self.prefix) {
                    self.leaf(sums, row, right, visit);
                }
                self.prefix.pop();
            }
            self.prefix.pop();
        }
    }

    fn leaf(
        &mut self,
        sums: &[Vec<f64>],
        row: usize,
        right: usize,
        visit: &mut dyn FnMut(&Answer<'_>),
    ) {
        let mut scale = 1.0;
        if let ([sum], [rows]) = (sums, self.terms.as_slice()) {
            let added = &rows[row];
            scale = sum[0] + added[0];
            for (logit, (a, b)) in self.logits.iter_mut().zip(sum[1..].iter().zip(&added[1..])) {
                *logit = a + b;
            }
        } else {
            self.logits.copy_from_slice(&self.heads.direct[self.query]);
            for (sum, rows) in sums.iter().zip(self.terms) {
                let added = &rows[row];
                let share = 1.0 / (sum[0] + added[0]);
                for (logit, (a, b)) in self.logits.iter_mut().zip(sum[1..].iter().zip(&added[1..]))
                {
                    *logit += (a + b) * share;
                }
            }
        }
        visit(&Answer::new(
            &self.prefix,
            1,
            right,
            &mut self.logits,
            scale,
        ));
    }
}
