//! The same for attention alone, in one layer: tables by token and position, and running sums along the prefix.

use super::decoder::{Linear, Number, rows};
use super::{Answer, NEAR};
use crate::model::{self, Dyadic, Function, Network, Scale, Transformer};
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
        let (e, pos) = (rows::<f64>(&model.w_e), rows::<f64>(&model.w_pos));
        let at = |row: usize| -> Vec<f64> {
            let parts = e[row % v].iter().zip(&pos[row / v]);
            parts.map(|(token, position)| token + position).collect()
        };
        let sources: Vec<Vec<f64>> = (0..shape.n_ctx * v).map(at).collect();
        let own = &sources[(shape.n_ctx - 1) * v..];
        let layer = &model.layers[0];
        let scale = match shape.scale {
            Scale::SqrtDHead => (shape.d_head as f64).sqrt(),
            Scale::One => 1.0,
        };
        let logits = Linear::new(&model.w_u, None);
        let head = |head: &model::Head| {
            let mut queries = Linear::new(&head.w_q, Some(&head.b_q)).of_rows(own);
            queries.iter_mut().flatten().for_each(|x| *x /= scale);
            let values = Linear::new(&head.w_v, Some(&head.b_v)).of_rows(&sources);
            let output = Linear::new(&head.w_o, None);
            Head {
                queries,
                keys: Linear::new(&head.w_k, Some(&head.b_k)).of_rows(&sources),
                values: logits.of_rows(&output.of_rows(&values)),
            }
        };
        let b_o = rows::<f64>(&layer.b_o);
        let direct = Linear {
            bias: Linear::new(&model.w_u, Some(&model.b_u)).of(&b_o[0]),
            rows: logits.rows.clone(),
        };
        Self {
            task,
            outputs: shape.d_vocab_out,
            last: shape.n_ctx - 1,
            v,
            heads: layer.heads.iter().map(head).collect(),
            direct: direct.of_rows(own),
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
        // With one head, logits are sums.
        let leads = match terms.as_slice() {
            [rows] => rows.iter().map(|row| Lead::new(row)).collect(),
            _ => vec![],
        };
        let mut walk = Query {
            heads: self,
            query,
            terms: &terms,
            leads: &leads,
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

/// The largest of a row's logits, and the largest of the others.
struct Lead {
    most: f64,
    at: usize,
    second: f64,
}

impl Lead {
    /// Of a weight and logits.
    fn new(row: &[f64]) -> Self {
        let mut lead = Self {
            most: f64::NEG_INFINITY,
            at: 0,
            second: f64::NEG_INFINITY,
        };
        for (at, x) in row[1..].iter().copied().enumerate() {
            if x > lead.most {
                (lead.second, lead.most, lead.at) = (lead.most, x, at);
            } else if x > lead.second {
                lead.second = x;
            }
        }
        lead
    }

    /// The largest but this one.
    fn but(&self, answer: usize) -> f64 {
        if answer == self.at {
            self.second
        } else {
            self.most
        }
    }
}

struct Query<'a> {
    heads: &'a Heads<'a>,
    query: usize,
    terms: &'a Terms,
    /// Of the one head's terms.
    leads: &'a [Lead],
    prefix: Vec<usize>,
    logits: Vec<f64>,
}

impl Query<'_> {
    /// All inputs that go on behind the prefix, whose sums are given by head.
    fn below(&mut self, sums: &[Vec<f64>], visit: &mut dyn FnMut(&Answer<'_>)) {
        let task = self.heads.task;
        let position = self.prefix.len();
        let lead = match sums {
            [sum] if position + 1 == self.heads.last => Some(Lead::new(sum)),
            _ => None,
        };
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
                if let Some(right) = task.answer(&self.prefix)
                    && !lead
                        .as_ref()
                        .is_some_and(|lead| self.is_sure(&sums[0], lead, row, right))
                {
                    self.leaf(sums, row, right, visit);
                }
                self.prefix.pop();
            }
            self.prefix.pop();
        }
    }

    /// Is the right answer ahead even of the largest of each part?
    fn is_sure(&self, sum: &[f64], lead: &Lead, row: usize, right: usize) -> bool {
        let added = &self.terms[0][row];
        let own = sum[1 + right] + added[1 + right];
        let others = lead.but(right) + self.leads[row].but(right);
        own - others > NEAR * (sum[0] + added[0])
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
