//! The untrusted search: finds hints, lets the checker derive what they establish, and claims exactly that.

mod orders;
mod plans;
pub mod published;
mod write;

use crate::certificate::{Answers, Certificate, Count, CriterionHints, DirectPathHints, Group, Plan, Test};
use crate::checker::arithmetic::Fixed;
use crate::checker::meter::Meter;
use crate::checker::{self, Certified, Options};
use crate::model::Network;
use crate::refusal::Refusal;
use num_bigint::BigUint;
use orders::Orders;
use plans::Style;

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

impl Strategy {
    /// The asymptotic class, as in the published tables.
    pub fn class(self) -> &'static str {
        self.name()
    }

    /// FLOPs in terms of v = d_vocab, n = n_ctx, d = d_model, g = window.
    pub fn cost(self) -> &'static str {
        match self {
            Self::BruteForce => "O(v^(n+1))",
            Self::Cubic => "O(v³·n)",
            Self::Subcubic => "O(v²·(n·g + d) + d³)",
        }
    }

    /// One line about it.
    pub fn description(self) -> &'static str {
        match self {
            Self::BruteForce => "every input, every wrong answer",
            Self::Cubic => "whole vocabulary; sums counted on a grid",
            Self::Subcubic => "a window of tokens and a far class; whole-level tests, counts on a grid",
        }
    }

    /// How many times a proof goes through all maxima: searches and checks, for progress bars.
    pub fn steps(self, choice: DirectPathChoice) -> usize {
        match (self, choice) {
            (Self::BruteForce, _) => 1,
            (Self::Cubic, DirectPathChoice::Best) => 4,
            _ => 2,
        }
    }
}

/// Which direct-path rule the cubic strategy uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectPathChoice {
    /// The one with the better bound.
    Best,
    /// The split rule.
    Split,
    /// The exact rule.
    Exact,
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
/// `model` is where the certificate says that the model stands, relative to itself.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`].
pub fn prove(
    network: &Network,
    strategy: Strategy,
    choice: DirectPathChoice,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Proof, Refusal> {
    let first = match (strategy, choice) {
        (Strategy::BruteForce, _) => brute_force(network),
        (Strategy::Cubic, DirectPathChoice::Exact) => cubic_exact(network, options)?,
        (Strategy::Cubic, _) => cubic_split(network, options)?,
        (Strategy::Subcubic, _) => subcubic(network, options)?,
    };
    let proof = derive(network, first, model.clone(), options)?;
    if strategy == Strategy::Cubic && choice == DirectPathChoice::Best {
        let other = derive(network, cubic_exact(network, options)?, model, options)?;
        if other.certified.correct > proof.certified.correct {
            return Ok(other);
        }
    }
    Ok(proof)
}

/// Writes the hints out, reads them back, and claims what the checker derives from them.
fn derive(
    network: &Network,
    hints: Certificate,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Proof, Refusal> {
    let mut file = to_file(&Certificate { model, ..hints }, &network.config);
    let certificate = Certificate::parse(&write::text(&file), &network.config)?;
    let certified = checker::certify::<Fixed>(network, &certificate, options)?;
    file.claim.correct = certified.correct.to_string();
    Ok(Proof { text: write::text(&file), certified })
}

/// Hints with no orders and no plan.
fn bare(network: &Network, strategy: Strategy, direct_path: DirectPathHints) -> Certificate {
    Certificate {
        network: network.sha256.clone(),
        model: None,
        strategy: strategy.name().into(),
        correct: BigUint::default(),
        upper: None,
        attention_orders: vec![],
        direct_path,
        criterion: CriterionHints { plans: vec![], assignment: vec![] },
        published: None,
    }
}

fn brute_force(network: &Network) -> Certificate {
    let (offset, token_orders, query_orders, last_orders) = (vec![], vec![], vec![], vec![]);
    let split = DirectPathHints::Split { offset, token_orders, query_orders, last_orders };
    let mut hints = bare(network, Strategy::BruteForce, split);
    hints.criterion.plans.push(Plan {
        groups: vec![Group { answers: Answers::Each, test: Test::Count }],
        count: Count::Tree,
        window: usize::MAX,
    });
    hints
}

fn split(orders: &Orders) -> DirectPathHints {
    DirectPathHints::Split {
        offset: orders.offset.clone(),
        token_orders: orders.token.clone(),
        query_orders: orders.query.clone(),
        last_orders: orders.last.clone(),
    }
}

fn cubic_exact(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let most_apart = 2;
    let style = Style { windows: &[usize::MAX], count_window: usize::MAX, most_apart, bits: 7, search_bits: 5 };
    let hints =
        bare(network, Strategy::Cubic, DirectPathHints::Exact { depth: (most_apart + 2).min(network.config.d_vocab) });
    with_plans(network, hints, &Orders::new(network)?, &style, options)
}

fn cubic_split(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let orders = Orders::new(network)?;
    let style = Style { windows: &[usize::MAX], count_window: usize::MAX, most_apart: 8, bits: 7, search_bits: 5 };
    let hints = bare(network, Strategy::Cubic, split(&orders));
    with_plans(network, hints, &orders, &style, options)
}

fn subcubic(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let orders = Orders::new(network)?;
    let windows = &[1, 2, 3, 4, 6, 8, 12];
    let style = Style { windows, count_window: 12, most_apart: 8, bits: 7, search_bits: 5 };
    let mut hints = bare(network, Strategy::Subcubic, split(&orders));
    hints.attention_orders = orders.attention.clone();
    with_plans(network, hints, &orders, &style, options)
}

fn with_plans(
    network: &Network,
    mut hints: Certificate,
    orders: &Orders,
    style: &Style,
    options: Options<'_>,
) -> Result<Certificate, Refusal> {
    let tables = checker::tables::<Fixed>(network, &hints, &Meter::new(u64::MAX))?;
    hints.criterion = plans::search(&tables, orders, style, options)?;
    Ok(hints)
}
