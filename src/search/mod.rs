//! The untrusted search: finds hints, lets the checker derive what they establish, and claims exactly that.

mod doubles;
mod goal;
mod levels;
mod measured;
mod proof;
mod published;

pub use goal::{Goal, frontier, prove_best, prove_best_of};
pub use measured::Row;
pub use proof::Proof;

use crate::checker::Options;
use crate::model::Network;
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use levels::Prover;
use proof::derive;

/// Brute force, and true accuracies by it, are for models with at most this many inputs.
pub const MOST_INPUTS: u64 = 1 << 32;

/// Finds hints for a strategy, and has the checker derive the bound from the certificate's own text.
///
/// `model` is where the certificate says that the model stands, relative to itself.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`].
pub fn prove(
    network: &Network,
    strategy: Strategy,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Proof, Refusal> {
    let hints = match strategy {
        Strategy::BruteForce => levels::brute_force(network),
        Strategy::Cubic => levels::cubic(network, options)?,
        Strategy::Subcubic | Strategy::Exact { .. } | Strategy::Auto => {
            let two_sided = strategy == Strategy::Exact { two_sided: true };
            return Prover::new(network, strategy, two_sided, model, options)?.at(f64::INFINITY);
        }
        Strategy::PublishedCubic => published::cubic(network),
        Strategy::Published(family) => published::family(
            network,
            family,
            published::closed(network, family)?,
            options,
        )?,
    };
    derive(network, hints, model, options)
}

/// The same, with the hinted vectors of a published strategy of the subcubic family moved so many steps uphill, if that
/// certifies more; other strategies have none. Without feature `optimise`, [`prove`].
///
/// # Errors
/// As [`prove`].
pub fn prove_optimised(
    network: &Network,
    strategy: Strategy,
    steps: usize,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Proof, Refusal> {
    #[cfg(not(feature = "optimise"))]
    let _ = steps;
    let closed = prove(network, strategy, model.clone(), options)?;
    #[cfg(feature = "optimise")]
    if let (Strategy::Published(family), true) = (strategy, steps > 0) {
        let hints = published::improve(network, family, steps)?;
        let moved = derive(
            network,
            published::family(network, family, hints, options)?,
            model,
            options,
        )?;
        if moved.certified.correct > closed.certified.correct {
            return Ok(moved);
        }
    }
    Ok(closed)
}

/// How many times [`prove`] goes through all maxima: searches and checks, for progress bars.
pub fn steps(strategy: Strategy) -> usize {
    match strategy {
        Strategy::BruteForce | Strategy::PublishedCubic => 1,
        Strategy::Exact { two_sided: true } => 3,
        _ => 2,
    }
}

/// The published strategy of a class with the best bound after so many steps of [`prove_optimised`], as the name of its
/// certificate says; `None` for other classes.
///
/// # Errors
/// As [`prove`].
pub fn prove_best_published(
    network: &Network,
    class: &str,
    steps: usize,
    model: Option<&str>,
    options: Options<'_>,
) -> Result<Option<(Strategy, Proof)>, Refusal> {
    let mut best: Option<(Strategy, Proof)> = None;
    for strategy in Strategy::published().filter(|strategy| strategy.class() == class) {
        let proof = prove_optimised(network, strategy, steps, model.map(Into::into), options)?;
        if best
            .as_ref()
            .is_none_or(|(_, best)| proof.certified.correct > best.certified.correct)
        {
            best = Some((strategy, proof));
        }
    }
    Ok(best)
}
