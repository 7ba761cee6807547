//! The untrusted search: finds hints, lets the checker derive what they establish, and claims exactly that.

mod doubles;
mod goal;
mod levels;
mod measured;
mod proof;
mod published;

pub use goal::{Goal, frontier, prove_best, prove_best_of};
pub use levels::has_levels;
pub use measured::Row;
pub use proof::{Proof, Request};

use crate::certificate::Hints;
use crate::certificate::exhaustive::Exhaustive;
use crate::checker::{Options, exhaustive};
use crate::model::Network;
use crate::refusal::{Decline, Refusal};
use crate::strategy::Strategy;
use levels::{Places, Prover};
use proof::derive;

/// Brute force, and true accuracies by it, are for models with at most this many inputs.
pub const MOST_INPUTS: u64 = 1 << 32;

/// Finds hints for a strategy, and has the checker derive the bound from the certificate's own text.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`].
///
/// ```
/// use gbmi::checker::Options;
/// use gbmi::model::Network;
/// use gbmi::search::prove;
/// use gbmi::strategy::Strategy;
///
/// let network = Network::load("tests/data/tiny".as_ref())?;
/// let proved = |strategy| prove(&network, strategy, None, Options::default());
/// let (short, long) = (proved(Strategy::Subcubic)?, proved(Strategy::BruteForce)?);
/// assert_eq!(short.certified.correct, long.certified.correct);
/// assert!(short.certified.meter.flops() < long.certified.meter.flops());
/// # Ok::<(), gbmi::refusal::Refusal>(())
/// ```
pub fn prove(
    network: &Network,
    strategy: Strategy,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Proof, Refusal> {
    prove_by(&Request::new(network, model, options), strategy, 0)
}

/// The same, with the hinted vectors of a published strategy moved as [`prove_by`] says.
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
    prove_by(&Request::new(network, model, options), strategy, steps)
}

/// The proof by a strategy: with the hinted vectors of a published strategy of the subcubic family moved so many steps
/// uphill, if that certifies more; other strategies have none, and without feature `optimise` none is moved.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`], and [`crate::refusal::Decline::Claim`] for a margin that the
/// strategy's rules do not prove.
pub fn prove_by(request: &Request<'_>, strategy: Strategy, steps: usize) -> Result<Proof, Refusal> {
    let Request {
        network, options, ..
    } = *request;
    let hints = match strategy {
        Strategy::Exhaustive => Hints::Exhaustive(Exhaustive {}),
        // What these names stand for where no other family is of the network.
        Strategy::BruteForce | Strategy::Exact { .. } if !has_levels(network) => {
            Hints::Exhaustive(Exhaustive {})
        }
        _ if !has_levels(network) => {
            return Err(Decline::Strategy {
                found: strategy.name().into_owned(),
                has: "exhaustive, brute-force, exact, exact-one-sided".into(),
            }
            .into());
        }
        Strategy::BruteForce => Hints::Levels(levels::brute_force().into()),
        Strategy::Cubic => Hints::Levels(levels::cubic(request)?.into()),
        Strategy::Subcubic | Strategy::Exact { .. } | Strategy::Auto => {
            let two_sided = strategy == Strategy::Exact { two_sided: true };
            let places = Places::new(&network.one_head()?);
            let words = places.words();
            return Prover::new(request, &words, strategy, two_sided)?.at(f64::INFINITY);
        }
        Strategy::PublishedCubic => Hints::Published(published::cubic()),
        Strategy::Published(family) => {
            let network = &network.max_of_n()?;
            let closed = published::closed(network, family)?;
            let closed = published::family(network, family, closed, options)?;
            let closed = derive(request, strategy, Hints::Published(closed))?;
            #[cfg(not(feature = "optimise"))]
            let _ = steps;
            #[cfg(feature = "optimise")]
            if steps > 0 {
                let moved = published::improve(network, family, steps)?;
                let moved = published::family(network, family, moved, options)?;
                let moved = derive(request, strategy, Hints::Published(moved))?;
                if moved.certified.correct > closed.certified.correct {
                    return Ok(moved);
                }
            }
            return Ok(closed);
        }
    };
    derive(request, strategy, hints)
}

/// How many times [`prove`] calls `progress`: searches and checks, for progress bars.
pub fn steps(strategy: Strategy, network: &Network) -> usize {
    let answers = network.sizes.d_vocab_out;
    match strategy {
        Strategy::Exhaustive => exhaustive::parts(network),
        _ if !has_levels(network) => exhaustive::parts(network),
        Strategy::BruteForce | Strategy::PublishedCubic => answers,
        Strategy::Exact { two_sided: true } => 3 * answers,
        _ => 2 * answers,
    }
}

/// The published strategy of a class with the best bound after so many steps of [`prove_by`], as the name of its
/// certificate says; `None` for other classes.
///
/// # Errors
/// As [`prove`].
pub fn prove_best_published(
    request: &Request<'_>,
    class: &str,
    steps: usize,
) -> Result<Option<(Strategy, Proof)>, Refusal> {
    let mut best: Option<(Strategy, Proof)> = None;
    for strategy in Strategy::published().filter(|strategy| strategy.class() == class) {
        let proof = prove_by(request, strategy, steps)?;
        if best
            .as_ref()
            .is_none_or(|(_, best)| proof.certified.correct > best.certified.correct)
        {
            best = Some((strategy, proof));
        }
    }
    Ok(best)
}
