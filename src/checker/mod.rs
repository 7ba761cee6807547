//! The checker: re-derives the bound of a certificate from the weights, and tallies the proof's length.
//!
//! The claim it establishes is about exact real arithmetic on the exact weights: of all pairs of an input of the task and
//! a read-out of it, at least `correct` have the right answer's logit strictly above every other (`docs/theory.md`, T0).
//!
//! The core stands here: [`arithmetic`], [`meter`], [`product`], [`factors`]. Upon it stand families of rules,
//! [`exhaustive`], [`levels`] and [`published`], which know nothing of each other; each derives how many inputs are right
//! from the weights and its own hints. What it derives is compared with the claim here.
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
pub mod exhaustive;
pub mod factors;
pub mod levels;
pub mod meter;
pub mod product;
pub mod published;
mod run;

pub use run::{DEFAULT_MAX_FLOPS, Decided, Options, Run, in_order};

use crate::certificate::{Certificate, Claim, Hints, MARGIN_BITS};
use crate::model::Network;
use crate::refusal::{Refusal, Rejection};
use arithmetic::Enclosure;
use meter::{Kind, Meter};
use num_bigint::BigUint;

/// What was established about the network, whatever the certificate claims.
#[derive(Debug)]
pub struct Certified {
    /// At least this many inputs are answered correctly.
    pub correct: BigUint,
    /// At most this many.
    pub upper: BigUint,
    /// Of this many: the pairs of an input and a read-out of it.
    pub total: BigUint,
    /// The margin by which they are, in units of `2^-MARGIN_BITS`.
    pub margin: BigUint,
    /// The family of rules that the proof goes by.
    pub family: &'static str,
    /// The proof's length, and its rules.
    pub meter: Meter,
}

/// Checks a certificate: derives the bound and compares it with the claim.
///
/// # Errors
/// [`Rejection`] when the certificate does not prove its claim about this network, [`crate::refusal::Decline`] when
/// it takes more than is allowed.
///
/// ```
/// use gbmi::certificate::Certificate;
/// use gbmi::checker::{Options, arithmetic::Rational, check};
/// use gbmi::model::Network;
/// use gbmi::refusal::{Refusal, Rejection};
///
/// let network = Network::load("tests/data/tiny".as_ref())?;
/// let text = std::fs::read("tests/certificates/accept/brute_force.json").unwrap();
/// let mut certificate = Certificate::read(&text)?;
/// let certified = check::<Rational>(&network, &certificate, Options::default())?;
/// assert_eq!(certified.correct, 109_u32.into());
///
/// // One more than is true.
/// certificate.claim.correct += 1_u32;
/// let refusal = check::<Rational>(&network, &certificate, Options::default()).unwrap_err();
/// assert!(matches!(refusal, Refusal::Rejected(Rejection::NotEstablished { path: "claim.correct", .. })));
/// # Ok::<(), gbmi::refusal::Refusal>(())
/// ```
pub fn check<R: Enclosure>(
    network: &Network,
    certificate: &Certificate,
    options: Options<'_>,
) -> Result<Certified, Refusal> {
    certificate.is_about(network)?;
    let certified = certify::<R>(network, certificate, options)?;
    let Claim { correct, upper, .. } = &certificate.claim;
    let upper = upper.as_ref().unwrap_or(&certified.total);
    let not_established = |path, claimed: &BigUint, certified: &BigUint| {
        let (claimed, certified) = (claimed.to_string(), certified.to_string());
        Rejection::NotEstablished {
            path,
            claimed,
            certified,
        }
    };
    if *correct > certified.correct {
        return Err(not_established("claim.correct", correct, &certified.correct).into());
    }
    if *upper < certified.upper {
        return Err(not_established("claim.upper", upper, &certified.upper).into());
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
    let meter = Meter::new(options.max_flops);
    let margin = &certificate.claim.margin;
    let run = Run {
        meter: &meter,
        margin: self::margin::<R>(margin, &meter),
        options,
    };
    let (family, decided) = match &certificate.hints {
        Hints::Exhaustive(_) => ("exhaustive", exhaustive::decide(network, &run)?),
        Hints::Levels(hints) => ("levels", levels::decide(&network.one_head()?, hints, &run)?),
        Hints::Published(hints) => (
            "published",
            published::decide(&network.max_of_n()?, hints, &run)?,
        ),
    };
    let total = network.task.size();
    Ok(Certified {
        correct: decided.right,
        upper: &total - decided.wrong,
        total,
        margin: margin.clone(),
        family,
        meter,
    })
}

/// How many times [`certify`] calls `progress`.
pub fn parts(network: &Network, certificate: &Certificate) -> usize {
    match certificate.hints {
        Hints::Exhaustive(_) => exhaustive::parts(network),
        Hints::Levels(_) | Hints::Published(_) => network.sizes.d_vocab_out,
    }
}

/// A claim's margin as a number; none for zero, so that nothing is added to any logit.
pub fn margin<R: Enclosure>(units: &BigUint, meter: &Meter) -> Option<R> {
    let digits = units.iter_u32_digits().zip((-MARGIN_BITS..).step_by(32));
    let parts = digits.map(|(digit, exponent)| R::dyadic(digit.into(), exponent));
    parts.reduce(|sum, part| {
        meter.add(Kind::Terms, 1);
        sum.add(&part)
    })
}
