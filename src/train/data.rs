//! Inputs of a task: all of them in a list where they are split, else drawn one by one; and batches of them.

use super::stream;
use crate::task::Task;
use candle_core::{Device, Result, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::sync::Arc;

/// The most read-outs of inputs that are listed.
pub(super) const MOST_LISTED: usize = 1 << 20;
/// How many ways through the task are tried for one input.
const MOST_WAYS: usize = 1 << 20;
/// How many ways through the task are tried to see how much they differ in their chances.
const TRIED: usize = 4096;

/// The inputs of a task, and where they are read.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    task: Arc<dyn Task>,
    /// From the first position that is read to behind the last.
    read: Range<usize>,
    /// The largest weight of an input that was seen: see [`Domain::draw`].
    most: f64,
}

impl Domain {
    pub(super) fn new(task: &Arc<dyn Task>) -> Self {
        let read = task.read_outs().into_iter().map(|(position, _)| position);
        let (first, last) = read.fold((usize::MAX, 0), |(first, last), position| {
            (first.min(position), last.max(position))
        });
        let mut domain = Self {
            task: Arc::clone(task),
            read: first.min(last)..last + 1,
            most: 0.0,
        };
        let mut random = stream(0, 4);
        for _ in 0..TRIED {
            let (_, weight) = domain.walk(&mut random);
            domain.most = domain.most.max(weight);
        }
        domain
    }

    /// Every input, in ascending order.
    pub(super) fn list(&self) -> Vec<Vec<usize>> {
        let mut all = vec![];
        self.each(&mut |input| {
            all.push(input.to_vec());
            true
        });
        all
    }

    /// Visits every input, in ascending order, while `visit` says so.
    pub(super) fn each(&self, visit: &mut dyn FnMut(&[usize]) -> bool) {
        self.below(&mut vec![], visit);
    }

    fn below(&self, prefix: &mut Vec<usize>, visit: &mut dyn FnMut(&[usize]) -> bool) -> bool {
        if prefix.len() == self.task.n_ctx() {
            return visit(prefix);
        }
        self.task.next(prefix).iter().all(|token| {
            prefix.push(token);
            let goes_on = self.below(prefix, visit);
            prefix.pop();
            goes_on
        })
    }

    /// A way through the task, each token one of those that may stand there, and the product of their numbers: one over
    /// its chance, or 0 if it leads nowhere.
    fn walk(&self, random: &mut ChaCha8Rng) -> (Vec<usize>, f64) {
        let (mut input, mut weight) = (vec![], 1.0);
        while input.len() < self.task.n_ctx() {
            let choices = self.task.next(&input);
            let Some(most) = choices.len().checked_sub(1) else {
                return (input, 0.0);
            };
            let choice = random.random_range(0..=most as u32) as usize;
            input.extend(choices.iter().nth(choice));
            weight *= choices.len() as f64;
        }
        (input, weight)
    }

    /// An input, all with one chance: ways are kept in proportion to their weight. (Nearly so for a task with inputs of
    /// a larger weight than any of those that were tried.)
    ///
    /// # Errors
    /// [`candle_core::Error::Msg`] when nearly all ways lead nowhere.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Result<Vec<usize>> {
        for _ in 0..MOST_WAYS {
            let (input, weight) = self.walk(random);
            let is_kept = weight >= self.most || random.random::<f64>() * self.most < weight;
            if weight > 0.0 && is_kept {
                return Ok(input);
            }
        }
        candle_core::bail!("no input was found among {MOST_WAYS} sequences drawn token by token")
    }

    /// Inputs for each network, as many for each.
    pub(super) fn batch<'a>(
        &self,
        inputs: impl Iterator<Item = &'a [usize]>,
        seeds: usize,
        device: &Device,
    ) -> Result<Batch> {
        let (mut tokens, mut answers, mut read) = (vec![], vec![], vec![]);
        for input in inputs {
            let input = &input[..self.read.end];
            tokens.extend(input.iter().map(|token| *token as u32));
            for position in self.read.clone() {
                let answer = self.task.answer(&input[..=position]);
                answers.push(answer.unwrap_or(0) as u32);
                read.push(f64::from(u8::from(answer.is_some())));
            }
        }
        let inputs = tokens.len() / seeds / self.read.end;
        let rows = inputs * self.read.len();
        let read = if read.contains(&0.0) {
            Some(Tensor::from_vec(read, (seeds, rows, 1), device)?)
        } else {
            None
        };
        Ok(Batch {
            tokens: Tensor::from_vec(tokens, (seeds, inputs, self.read.end), device)?,
            first: self.read.start,
            answers: Tensor::from_vec(answers, (seeds, rows, 1), device)?,
            read,
        })
    }
}

/// Inputs for each network. Rows are positions that may be read, from the first to the last, of one input after another.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// `seeds × inputs × positions`: up to the last position that is read.
    pub(super) tokens: Tensor,
    /// The first position that is read.
    pub(super) first: usize,
    /// The right answers: `seeds × rows × 1`.
    pub(super) answers: Tensor,
    /// 1 where an answer is read, else 0: `seeds × rows × 1`, float64; none if one is read everywhere.
    pub(super) read: Option<Tensor>,
}

/// What a network is trained on.
pub(super) enum Training {
    /// Inputs drawn from the whole task.
    Drawn,
    /// These inputs alone, of every seed: all at once.
    Whole(Batch),
    /// The same, drawn from them.
    Part(Vec<Vec<Vec<usize>>>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Sizes, read};
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn every_input_is_drawn_as_often_as_any_other() {
        for (task, n_ctx, d_vocab) in [
            (json!("max_of_n"), 2, 5),
            (json!({"name": "induction", "inputs": "abcab"}), 4, 3),
            (json!({"name": "induction", "inputs": "distinct"}), 4, 4),
            (
                json!({"name": "f_g", "functions": "max_min", "elements": 2, "eos": 3}),
                5,
                4,
            ),
        ] {
            let sizes = Sizes {
                n_ctx,
                d_vocab,
                d_vocab_out: d_vocab,
            };
            let domain = Domain::new(&read(&task, sizes, None).unwrap().1);
            let all = domain.list();
            let (mut random, mut times) = (stream(1, 1), BTreeMap::new());
            let expected = 400;
            for _ in 0..expected * all.len() {
                *times.entry(domain.draw(&mut random).unwrap()).or_insert(0) += 1;
            }
            assert_eq!(times.keys().cloned().collect::<Vec<_>>(), all, "{task}");
            let deviations = times.values().map(|times| {
                let apart = f64::from(*times) - f64::from(expected as u32);
                apart * apart / f64::from(expected as u32)
            });
            // χ² has mean k and variance 2k, of k + 1 inputs.
            let (chi, k) = (deviations.sum::<f64>(), (all.len() - 1) as f64);
            assert!(
                (chi - k).abs() < 5.0 * (2.0 * k).sqrt(),
                "{task}: {chi} of {k}"
            );
        }
    }

    #[test]
    fn a_task_of_few_inputs_among_many_sequences_is_an_error_and_no_loop() {
        // The last token stood once before: of 31 tokens, each one of two, one is alone of its kind.
        let sizes = Sizes {
            n_ctx: 32,
            d_vocab: 2,
            d_vocab_out: 2,
        };
        let task = json!({"name": "induction", "inputs": "abcab"});
        let domain = Domain::new(&read(&task, sizes, None).unwrap().1);
        let found = domain.draw(&mut stream(0, 1)).unwrap_err();
        assert!(found.to_string().contains("no input was found"), "{found}");
    }
}
