//! The yardstick for rule `exhaustive`: a float32 walk through any one-layer, attention-only network's inputs, with the same
//! tables, the same running sums and the same order, and nothing rigorous.

use super::product;
use gbmi::model::{Dyadic, Function, Matrix, Network, Transformer};
use gbmi::task::Task;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

fn dense(weights: &Matrix<Dyadic>) -> Vec<f32> {
    let number = |w: &Dyadic| w.mantissa as f32 * (w.exponent as f32).exp2();
    weights.iter_rows().flatten().map(number).collect()
}

/// For each head the weight, then its products with the logits: of token t at position p at `p · v + t`.
type Rows = Vec<Vec<f32>>;

struct Walk<'a> {
    task: &'a dyn Task,
    v: usize,
    outputs: usize,
    query: usize,
    position: usize,
    heads: Vec<Rows>,
}

/// The read-outs answered correctly, as float32 sees them, by `threads` threads.
pub(crate) fn exhaustive(network: &Network, threads: usize) -> u64 {
    let Function::Transformer(model) = &network.function else {
        panic!("a transformer");
    };
    let task = network.task.as_ref();
    let queries: Vec<(usize, usize)> = task
        .read_outs()
        .into_iter()
        .flat_map(|(position, tokens)| {
            tokens
                .iter()
                .map(move |q| (position, q))
                .collect::<Vec<_>>()
        })
        .collect();
    let (next, total) = (AtomicUsize::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&(position, query)) =
                    queries.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let walk = Walk::new(model, task, query, position);
                    let own = walk.row(position, query);
                    let start = walk.heads.iter().map(|rows| rows[own].clone()).collect();
                    total.fetch_add(walk.below(&mut vec![], &start), Ordering::Relaxed);
                }
            });
        }
    });
    total.into_inner()
}

impl<'a> Walk<'a> {
    fn new(model: &Transformer, task: &'a dyn Task, query: usize, position: usize) -> Self {
        let shape = &model.shape;
        let (v, d, h, outputs) = (
            shape.d_vocab,
            shape.d_model,
            shape.d_head,
            shape.d_vocab_out,
        );
        let (e, pos, w_u) = (dense(&model.w_e), dense(&model.w_pos), dense(&model.w_u));
        let at = |p: usize, t: usize| (0..d).map(move |k| (p, t, k));
        let sources: Vec<f32> = (0..(position + 1) * v)
            .flat_map(|row| at(row / v, row % v))
            .map(|(p, t, k)| e[t * d + k] + pos[p * d + k])
            .collect();
        let own = &sources[(position * v + query) * d..][..d];
        let direct = product(own, &w_u, d, outputs);
        let heads = model.layers[0]
            .heads
            .iter()
            .enumerate()
            .map(|(index, head)| {
                let asked = product(own, &dense(&head.w_q), d, h);
                let keys = product(&sources, &dense(&head.w_k), d, h);
                let values = product(&sources, &dense(&head.w_v), d, h);
                let values = product(&product(&values, &dense(&head.w_o), h, d), &w_u, d, outputs);
                let scores: Vec<f32> = keys
                    .chunks(h)
                    .map(|key| {
                        key.iter().zip(&asked).map(|(a, b)| a * b).sum::<f32>() / (h as f32).sqrt()
                    })
                    .collect();
                let most = scores.iter().copied().fold(f32::MIN, f32::max);
                let row = |(row, score): (usize, &f32)| {
                    let weight = (score - most).exp();
                    let logit = |j: usize| {
                        values[row * outputs + j] + if index == 0 { direct[j] } else { 0.0 }
                    };
                    let terms = (0..outputs).map(|j| weight * logit(j));
                    std::iter::once(weight).chain(terms).collect()
                };
                scores.iter().enumerate().map(row).collect()
            });
        Self {
            heads: heads.collect(),
            task,
            v,
            outputs,
            query,
            position,
        }
    }

    fn row(&self, p: usize, t: usize) -> usize {
        p * self.v + t
    }

    fn below(&self, prefix: &mut Vec<usize>, sums: &Rows) -> u64 {
        let mut correct = 0;
        let p = prefix.len();
        for t in self.task.next(prefix).iter() {
            prefix.push(t);
            let row = self.row(p, t);
            if p + 1 < self.position {
                let add = |(sum, rows): (&Vec<f32>, &Rows)| {
                    sum.iter().zip(&rows[row]).map(|(a, b)| a + b).collect()
                };
                let sums = sums.iter().zip(&self.heads).map(add).collect();
                correct += self.below(prefix, &sums);
            } else if self.task.next(prefix).contains(self.query) {
                prefix.push(self.query);
                if let Some(right) = self.task.answer(prefix) {
                    correct += u64::from(self.is_right(sums, row, right));
                }
                prefix.pop();
            }
            prefix.pop();
        }
        correct
    }

    fn is_right(&self, sums: &Rows, row: usize, right: usize) -> bool {
        let mut logits = [0.0_f32; 64];
        let mut scale = 0.0;
        for (index, (sum, rows)) in sums.iter().zip(&self.heads).enumerate() {
            let add = &rows[row];
            let weight = sum[0] + add[0];
            if index == 0 {
                scale = weight;
            }
            let share = scale / weight;
            for ((logit, sum), add) in logits.iter_mut().zip(&sum[1..]).zip(&add[1..]) {
                *logit += (sum + add) * share;
            }
        }
        let most = logits[..self.outputs]
            .iter()
            .copied()
            .fold(f32::MIN, f32::max);
        most <= logits[right]
    }
}
