//! What a network answers, by its definition and no proof rule: in floating point for every input, to find out where it is
//! wrong; in the checker's enclosures for one input, to show that it is.

mod decoder;
mod heads;

pub use decoder::{Decoder, Number, Path, Seen};

use crate::model::Network;
use crate::parallel::parallel;
use crate::task::Task;
use num_bigint::BigUint;

/// Margins that are this near to 0 are looked at, if they matter.
pub const NEAR: f64 = 1e-7;

/// What is answered at one read-out.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The tokens up to the read-out.
    pub prefix: &'a [usize],
    /// The number of inputs that begin with them.
    pub inputs: u128,
    /// The right answer.
    pub right: usize,
    /// By how much the right answer's logit exceeds every other: at most 0 if it does not.
    pub margin: f64,
    /// The logits up to a positive factor and a constant, the right answer's as −∞.
    others: &'a [f64],
}

impl<'a> Answer<'a> {
    /// Of logits that are `scale` times too large. The right answer's is overwritten.
    pub(crate) fn new(
        prefix: &'a [usize],
        inputs: u128,
        right: usize,
        logits: &'a mut [f64],
        scale: f64,
    ) -> Self {
        let own = std::mem::replace(&mut logits[right], f64::NEG_INFINITY);
        let margin = (own - most(logits)) / scale;
        Self {
            prefix,
            inputs,
            right,
            margin,
            others: logits,
        }
    }

    /// The strongest wrong answer, the first of several.
    pub fn rival(&self) -> usize {
        let first = |best: usize, next: usize| {
            if self.others[next] > self.others[best] {
                next
            } else {
                best
            }
        };
        (0..self.others.len()).reduce(first).unwrap_or(0)
    }
}

/// The largest of some numbers, several at a time.
fn most(numbers: &[f64]) -> f64 {
    let larger = |a: f64, b: f64| if a > b { a } else { b };
    let (chunks, rest) = numbers.as_chunks::<8>();
    let mut most = [f64::NEG_INFINITY; 8];
    for chunk in chunks {
        for (most, number) in most.iter_mut().zip(chunk) {
            *most = larger(*most, *number);
        }
    }
    most.into_iter()
        .chain(rest.iter().copied())
        .fold(f64::NEG_INFINITY, larger)
}

/// Goes through every read-out of every input, in float64, and visits at least all that are not right by more than [`NEAR`];
/// what `visit` gathers, part by part: the parts do not depend on the number of threads.
pub fn walk<S: Default + Send>(
    network: &Network,
    threads: usize,
    progress: &(dyn Fn() + Sync),
    visit: impl Fn(&mut S, &Answer<'_>) + Sync,
) -> Vec<S> {
    if let Some(heads) = heads::Heads::new(network) {
        return parallel(heads.queries(), threads, |_, query| {
            let mut sum = S::default();
            heads.walk(query, &mut |answer: &Answer<'_>| visit(&mut sum, answer));
            progress();
            sum
        });
    }
    let decoder = Decoder::<f64>::new(network);
    let last = network.task.read_outs().iter().map(|(p, _)| *p).max();
    let last = last.unwrap_or(0);
    let first = network.task.next(&[]).iter().collect();
    parallel(first, threads, |_, token| {
        let mut sum = S::default();
        let mut walk = Walk {
            task: network.task.as_ref(),
            decoder: &decoder,
            last,
            prefix: vec![],
            path: Path::default(),
        };
        walk.below(token, &mut |answer: &Answer<'_>| visit(&mut sum, answer));
        progress();
        sum
    })
}

struct Walk<'a> {
    task: &'a dyn Task,
    decoder: &'a Decoder<f64>,
    /// The last position that is read.
    last: usize,
    prefix: Vec<usize>,
    path: Path<f64>,
}

impl Walk<'_> {
    /// All inputs that go on with this token; their number.
    fn below(&mut self, token: usize, visit: &mut dyn FnMut(&Answer<'_>)) -> u128 {
        let is_read = self.prefix.len() <= self.last;
        self.prefix.push(token);
        let right = self.task.answer(&self.prefix);
        let row = is_read.then(|| self.decoder.step(&mut self.path, token));
        let mut inputs = u128::from(self.prefix.len() == self.task.n_ctx());
        for next in self.task.next(&self.prefix).iter() {
            inputs += self.below(next, visit);
        }
        if let (Some(row), Some(right)) = (row, right)
            && inputs > 0
        {
            let mut logits = self.decoder.logits(&row);
            visit(&Answer::new(&self.prefix, inputs, right, &mut logits, 1.0));
        }
        if is_read {
            self.path.pop();
        }
        self.prefix.pop();
        inputs
    }
}

/// The read-outs answered correctly, and all of them.
pub fn count(
    network: &Network,
    threads: usize,
    progress: &(dyn Fn() + Sync),
) -> (BigUint, BigUint) {
    let wrong = walk(network, threads, progress, |wrong: &mut u128, answer| {
        // What is no number is not right.
        let is_right = answer.margin > 0.0;
        *wrong += if is_right { 0 } else { answer.inputs };
    });
    let total = network.task.size();
    (
        &total - BigUint::from(wrong.into_iter().sum::<u128>()),
        total,
    )
}
