//! A proof, and how hints become one: the checker has the last word.

use crate::certificate::{Attention, Certificate, Claim, Criterion, DirectPath, VERSION};
use crate::checker::arithmetic::Fixed;
use crate::checker::{self, Certified, Options};
use crate::model::{Config, Network};
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use num_bigint::BigUint;

/// A proof: the certificate's text and what it establishes.
#[derive(Debug)]
pub struct Proof {
    /// The certificate, ready to be written.
    pub text: Vec<u8>,
    /// The certificate as it is read.
    pub certificate: Certificate,
    /// What the checker derived from it.
    pub certified: Certified,
}

/// Writes the hints out, reads them back, and claims what the checker derives from them.
pub(super) fn derive(
    network: &Network,
    hints: Certificate,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Proof, Refusal> {
    let text = text(&Certificate { model, ..hints });
    let mut certificate = Certificate::read(&text)?;
    let certified = checker::certify::<Fixed>(network, &certificate, options)?;
    certificate.claim.correct.clone_from(&certified.correct);
    certificate.claim.upper = (certified.upper < certified.total).then(|| certified.upper.clone());
    Ok(Proof {
        text: self::text(&certificate),
        certificate,
        certified,
    })
}

/// The certificate's file.
fn text(certificate: &Certificate) -> Vec<u8> {
    let mut text =
        serde_json::to_vec(certificate).expect("a certificate has only strings and lists");
    text.push(b'\n');
    text
}

/// A certificate with these hints, which claims nothing.
pub(super) fn hinted(
    network: &Network,
    strategy: Strategy,
    attention: Attention,
    direct_path: DirectPath,
    criterion: Criterion,
) -> Certificate {
    let Config { d_vocab, n_ctx, .. } = network.config;
    let claim = Claim {
        task: Config::TASK.into(),
        d_vocab,
        n_ctx,
        correct: BigUint::default(),
        upper: None,
    };
    Certificate {
        gbmi: VERSION.into(),
        network: network.sha256.clone(),
        model: None,
        strategy: strategy.name().into_owned(),
        claim,
        attention,
        direct_path,
        criterion,
    }
}
