//! A proof, and how hints become one: the checker has the last word.

use crate::certificate::{Certificate, Claim, Hints, VERSION};
use crate::checker::arithmetic::Fixed;
use crate::checker::{self, Certified, Options};
use crate::model::Network;
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

/// What is to be proved about, and with what means.
#[derive(Clone)]
pub struct Request<'a> {
    /// The network.
    pub network: &'a Network,
    /// Where the certificate says that the model stands, relative to itself.
    pub model: Option<String>,
    /// By how much right logits are to exceed the others, in units of `2^-MARGIN_BITS`.
    pub margin: BigUint,
    /// What it may spend.
    pub options: Options<'a>,
}

impl<'a> Request<'a> {
    /// By any margin.
    pub fn new(network: &'a Network, model: Option<String>, options: Options<'a>) -> Self {
        Self {
            network,
            model,
            margin: BigUint::default(),
            options,
        }
    }
}

/// Writes the hints out, reads them back, and claims what the checker derives from them.
pub(super) fn derive(
    request: &Request<'_>,
    strategy: Strategy,
    hints: Hints,
) -> Result<Proof, Refusal> {
    let network = request.network;
    let claim = Claim {
        task: network.task_name.clone(),
        total: network.task.size(),
        margin: request.margin.clone(),
        ..Claim::default()
    };
    let text = text(&Certificate {
        gbmi: VERSION.into(),
        network: network.sha256.clone(),
        model: request.model.clone(),
        strategy: strategy.name().into_owned(),
        claim,
        hints,
    });
    let mut certificate = Certificate::read(&text)?;
    let certified = checker::certify::<Fixed>(network, &certificate, request.options)?;
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
