//! The checker: re-derives the bound of a certificate from the weights, and tallies the proof's length.
//!
//! The claim it establishes is about exact real arithmetic on the exact weights: of all `d_vocab^n_ctx` inputs, at
//! least `correct` have a logit of the largest token strictly above every other logit at the last position.
//!
//! The core stands here: [`arithmetic`], [`meter`], [`product`], [`order`], [`factors`]. Upon it stand families of rules,
//! [`levels`] and [`published`], which know nothing of each other; each derives how many inputs are right from the weights
//! and its own hints. What it derives is compared with the claim here.
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
pub mod factors;
pub mod levels;
pub mod meter;
pub mod order;
pub mod product;
pub mod published;
mod run;

pub use run::{Certified, DEFAULT_MAX_FLOPS, Options, in_order};

use crate::certificate::{self as hints, Certificate, Claim};
use crate::model::Network;
use crate::refusal::{Refusal, Rejection};
use arithmetic::Enclosure;
use num_bigint::BigUint;

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
    match (attention, direct_path, criterion) {
        (
            hints::Attention::Exact(exact),
            hints::DirectPath::Split(split),
            hints::Criterion::Partition(partition),
        ) => levels::certify::<R>(network, (exact, split, partition), options),
        _ => published::certify::<R>(network, certificate, options),
    }
}
