//! The checker: re-derives the bound of a certificate from the weights, and tallies the proof's length.
//!
//! The claim it establishes is about exact real arithmetic on the exact weights: of all `d_vocab^n_ctx` inputs, at
//! least `correct` have a logit of the largest token strictly above every other logit at the last position.
//!
//! The path of the data: weights → [`paths`] (tables) → [`rules`] (attention weights, margins, orders) → [`criterion`]
//! (groups, windows, whole-level tests, counts) → certified inputs → comparison with the claim, here.
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

pub mod arithmetic;
pub mod criterion;
pub mod meter;
pub mod paths;
pub mod product;
pub mod published;
pub mod rules;

use crate::certificate::{self as hints, Certificate, Claim, ExactAttention, Split};
use crate::model::Network;
use crate::refusal::{Refusal, Rejection};
use arithmetic::Enclosure;
use criterion::{Level, Tables};
use meter::Meter;
use num_bigint::BigUint;
use paths::Paths;
use rules::{Attention, DirectPath};
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

/// Checks a certificate: derives the bound and compares it with the claim.
///
/// # Errors
/// [`Rejection`] when the certificate does not prove its claim about this network, [`crate::refusal::Decline`] when
/// it takes more than is allowed.
pub fn check<R: Enclosure>(
    network: &Network,
    certificate: &Certificate,
    options: Options<'_>,
) -> Result<Certified, Refusal> {
    certificate.is_about(network)?;
    let certified = certify::<R>(network, certificate, options)?;
    let established = |path, claimed: &BigUint, certified: &BigUint, holds: bool| {
        let (claimed, certified) = (claimed.to_string(), certified.to_string());
        if holds {
            Ok(())
        } else {
            Err(Rejection::NotEstablished {
                path,
                claimed,
                certified,
            })
        }
    };
    let Claim { correct, upper, .. } = &certificate.claim;
    established(
        "claim.correct",
        correct,
        &certified.correct,
        *correct <= certified.correct,
    )?;
    if let Some(upper) = upper {
        established(
            "claim.upper",
            upper,
            &certified.upper,
            *upper >= certified.upper,
        )?;
    }
    Ok(certified)
}

/// Derives the bound that a certificate's hints establish, whatever it claims.
///
/// # Errors
/// As [`check`], but for the claim.
pub fn certify<R: Enclosure>(
    network: &Network,
    certificate: &Certificate,
    options: Options<'_>,
) -> Result<Certified, Refusal> {
    let Certificate {
        attention,
        direct_path,
        criterion,
        ..
    } = certificate;
    let (
        hints::Attention::Exact(exact),
        hints::DirectPath::Split(split),
        hints::Criterion::Partition(partition),
    ) = (attention, direct_path, criterion)
    else {
        return published::certify::<R>(network, certificate, options);
    };
    let meter = Meter::new(options.max_flops);
    let tables = tables::<R>(network, exact, split, &meter)?;
    let v = tables.d_vocab;
    // The largest maximum, with the most inputs, first.
    let certified = |m, meter: &Meter| Level::new(&tables, m, meter).certified(partition);
    let levels = in_order((0..v).rev().collect(), &meter, options, certified)?;
    let total = network.config.inputs();
    let (mut correct, mut upper) = (BigUint::default(), total.clone());
    for (certified, wrong) in levels {
        (correct, upper) = (correct + certified, upper - wrong);
    }
    Ok(Certified {
        correct,
        upper,
        total,
        meter,
    })
}

/// The tables of a network, with every hinted order of attention and of logits bounded.
///
/// # Errors
/// As [`certify`].
pub fn tables<R: Enclosure>(
    network: &Network,
    attention: &ExactAttention,
    split: &Split,
    meter: &Meter,
) -> Result<Tables<R>, Refusal> {
    let paths = Paths::<R>::new(
        network,
        [
            attention.entries.as_ref(),
            split.logits.as_deref(),
            split.direct.as_deref(),
        ],
        meter,
    )?;
    Ok(Tables {
        attention: Attention::new(&paths, &attention.orders, meter)?,
        direct_path: DirectPath::new(&paths, split, meter)?,
        d_vocab: paths.d_vocab,
        n_ctx: paths.n_ctx,
    })
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

/// The results of `work` on each item, with its index, in the order of the items; computed by several threads.
pub fn parallel<S: Send, T: Send>(
    items: Vec<S>,
    threads: usize,
    work: impl Fn(usize, S) -> T + Sync,
) -> Vec<T> {
    let threads = threads.clamp(1, items.len().max(1));
    let (queue, done) = (
        Mutex::new(items.into_iter().enumerate()),
        Mutex::new(Vec::new()),
    );
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let item = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, item)) = item else { break };
                    let result = work(index, item);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
