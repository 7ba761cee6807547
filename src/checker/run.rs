//! What a check may spend, what it comes to, and the loop over parts whose tallies are joined in order.

use super::meter::Meter;
use crate::parallel::parallel;
use crate::refusal::Refusal;
use num_bigint::BigUint;
use std::sync::{Mutex, PoisonError};

/// The default limit on FLOPs and on integer operations: about a minute for an honest certificate. The longest proof among
/// the bundled models takes 2e10 integer operations.
pub const DEFAULT_MAX_FLOPS: u64 = 50_000_000_000;

/// What a check may spend, and who is told of its progress.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The most FLOPs, and the most integer operations: of all maxima together, in the end, and of each while it runs.
    pub max_flops: u64,
    /// Number of threads. The result and the tally do not depend on it.
    pub threads: usize,
    /// Called after each maximum is done, from any thread.
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

/// What was established about the network, whatever the certificate claims.
#[derive(Debug)]
pub struct Certified {
    /// At least this many inputs are answered correctly.
    pub correct: BigUint,
    /// At most this many.
    pub upper: BigUint,
    /// The number of inputs, `d_vocab^n_ctx`.
    pub total: BigUint,
    /// The proof's length.
    pub meter: Meter,
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
        let (before, done) = (
            meter.fork(),
            spent.lock().unwrap_or_else(PoisonError::into_inner),
        );
        done.iter()
            .filter(|(other, _)| *other < index)
            .for_each(|(_, tally)| before.join(tally));
        drop(done);
        let result = before.within().and_then(|()| work(item, &meter));
        spent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((index, meter.clone()));
        (options.progress)();
        (result, meter)
    });
    let judge = |(result, item): (_, Meter)| {
        meter.join(&item);
        meter.within().and(result)
    };
    done.into_iter().map(judge).collect()
}
