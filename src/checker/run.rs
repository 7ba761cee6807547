//! What a check may spend, what its parts come to, and the loop over parts whose tallies are joined in order.

use super::meter::Meter;
use crate::parallel::{locked, parallel};
use crate::refusal::Refusal;
use num_bigint::BigUint;
use std::iter::Sum;
use std::ops::Add;
use std::sync::Mutex;

/// The default limit on FLOPs and on integer operations: about a minute for an honest certificate. The longest proof among
/// the bundled models takes 2e10 integer operations.
pub const DEFAULT_MAX_FLOPS: u64 = 50_000_000_000;

/// What a check may spend, and who is told of its progress.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The most FLOPs, and the most integer operations: of all answers together, in the end, and of each while it runs.
    pub max_flops: u64,
    /// Number of threads. The result and the tally do not depend on it.
    pub threads: usize,
    /// Called after each answer is done, from any thread.
    pub progress: &'a (dyn Fn() + Sync),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            max_flops: DEFAULT_MAX_FLOPS,
            threads: 1,
            progress: &|| (),
        }
    }
}

/// What a family of rules decides for: the claim's margin, and what it may spend.
pub struct Run<'a, R> {
    /// The tally of the whole proof.
    pub meter: &'a Meter,
    /// By how much the right logit is to exceed every other, if by more than zero.
    pub margin: Option<R>,
    /// What it may spend.
    pub options: Options<'a>,
}

/// Inputs that are shown to be answered correctly, and inputs that are shown not to be: the rest is undecided. Those of
/// disjoint parts add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// Shown right.
    pub right: BigUint,
    /// Shown wrong.
    pub wrong: BigUint,
}

impl Add for Decided {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            wrong: self.wrong + other.wrong,
        }
    }
}

impl Sum for Decided {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// The results of `work` on each item, in the order of the items, its tallies joined to `meter`. The refusal is that of
/// the first item in this order that has one; the limit is judged item by item, after the work: a verdict does not depend
/// on which thread was faster. No item takes more than the limit, and none begins when those before it that are done have passed it.
///
/// # Errors
/// Those of `work`; [`crate::refusal::Decline::Work`].
pub fn in_order<S: Send, T: Send>(
    items: Vec<S>,
    meter: &Meter,
    options: Options<'_>,
    work: impl Fn(S, &Meter) -> Result<T, Refusal> + Sync,
) -> Result<Vec<T>, Refusal> {
    let spent = Mutex::new(Vec::<(usize, Meter)>::new());
    let items = items.into_iter().map(|item| (item, meter.fork())).collect();
    let done = parallel(items, options.threads, |index, (item, meter)| {
        // What is done of the items before this one: beyond the limit, its result is never asked for.
        let before = meter.fork();
        for (other, tally) in locked(&spent).iter() {
            if *other < index {
                before.join(tally);
            }
        }
        let result = before.within().and_then(|()| work(item, &meter));
        locked(&spent).push((index, meter.clone()));
        (options.progress)();
        (result, meter)
    });
    let judge = |(result, item): (_, Meter)| {
        meter.join(&item);
        meter.within().and(result)
    };
    done.into_iter().map(judge).collect()
}
