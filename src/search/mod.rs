//! The untrusted search: finds hints, lets the checker derive what they establish, and claims exactly that.

mod orders;
mod plans;
mod write;

use crate::certificate::{Answers, Certificate, Count, CriterionHints, DirectPathHints, Group, Plan, Test};
use crate::checker::arithmetic::Fixed;
use crate::checker::{self, Certified, Options};
use crate::model::Network;
use crate::refusal::Refusal;
use num_bigint::BigUint;

pub use write::to_file;

/// A strategy of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Every input, every wrong answer.
    BruteForce,
    /// The whole vocabulary, token by token.
    Cubic,
    /// A window of tokens, the others as a far class.
    Subcubic,
}

impl Strategy {
    /// Every strategy, shortest proofs last.
    pub const ALL: [Self; 3] = [Self::BruteForce, Self::Cubic, Self::Subcubic];

    /// The name on the command line and in certificates.
    pub fn name(self) -> &'static str {
        match self {
            Self::BruteForce => "brute-force",
            Self::Cubic => "cubic",
            Self::Subcubic => "subcubic",
        }
    }
}

/// A proof: the certificate's text and what it establishes.
#[derive(Debug)]
pub struct Proof {
    /// The certificate, ready to be written.
    pub text: Vec<u8>,
    /// What the checker derived from it.
    pub certified: Certified,
}

/// Finds hints for a strategy, and has the checker derive the bound from the certificate's own text.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`].
pub fn prove(network: &Network, strategy: Strategy, options: Options<'_>) -> Result<Proof, Refusal> {
    let hints = match strategy {
        Strategy::BruteForce => brute_force(network),
        Strategy::Cubic | Strategy::Subcubic => brute_force(network),
    };
    let mut file = to_file(&hints, &network.config);
    let certificate = Certificate::parse(&write::text(&file), &network.config)?;
    let certified = checker::certify::<Fixed>(network, &certificate, options)?;
    file.claim.correct = certified.correct.to_string();
    Ok(Proof { text: write::text(&file), certified })
}

fn brute_force(network: &Network) -> Certificate {
    let plan = Plan {
        groups: vec![Group { answers: Answers::Each, test: Test::Count }],
        count: Count::Tree,
        window: usize::MAX,
    };
    Certificate {
        network: network.sha256.clone(),
        model: None,
        strategy: Strategy::BruteForce.name().into(),
        correct: BigUint::default(),
        upper: None,
        attention_orders: vec![],
        direct_path: DirectPathHints::Split {
            offset: vec![],
            token_orders: vec![],
            query_orders: vec![],
            last_orders: vec![],
        },
        criterion: CriterionHints { plans: vec![plan], assignment: vec![] },
    }
}
