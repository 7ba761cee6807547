//! The untrusted search: finds hints, lets the checker derive what they establish, and claims exactly that.

mod entries;
mod exact;
mod orders;
mod plans;
mod priced;
mod published;
mod write;

use crate::certificate::{
    Answers, Certificate, Count, CriterionHints, DirectPathHints, Group, Plan, Script, TableHints, Test,
};
use crate::checker::arithmetic::Fixed;
use crate::checker::{self, Certified, Options};
use crate::model::Network;
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use num_bigint::BigUint;
use orders::Orders;
use plans::Style;
use priced::Prover;

pub use priced::{Goal, frontier, prove_best, prove_best_of};
pub use write::to_file;

/// The longest hinted prefix of an order of answers: what few groups need, at a fraction of the bytes.
const PREFIX: usize = 32;

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
        Strategy::BruteForce => brute_force(network),
        Strategy::Cubic => cubic(network, options)?,
        Strategy::Subcubic | Strategy::Exact { .. } | Strategy::Auto => {
            let two_sided = strategy == Strategy::Exact { two_sided: true };
            return Prover::new(network, strategy, two_sided, model, options)?.at(f64::INFINITY);
        }
        Strategy::PublishedCubic => published::cubic(network),
        Strategy::Published(family) => published::family(network, family, options)?,
    };
    derive(network, hints, model, options)
}

/// How many times [`prove`] goes through all maxima: searches and checks, for progress bars.
pub fn steps(strategy: Strategy) -> usize {
    match strategy {
        Strategy::BruteForce | Strategy::PublishedCubic => 1,
        Strategy::Exact { two_sided: true } => 4,
        _ => 2,
    }
}

/// The published strategy of a class with the best bound, as the name of its certificate says; `None` for other
/// classes.
///
/// # Errors
/// As [`prove`].
pub fn prove_best_published(
    network: &Network,
    class: &str,
    model: Option<&str>,
    options: Options<'_>,
) -> Result<Option<(Strategy, Proof)>, Refusal> {
    let mut best: Option<(Strategy, Proof)> = None;
    for strategy in Strategy::published().filter(|strategy| strategy.class() == class) {
        let proof = prove(network, strategy, model.map(Into::into), options)?;
        if best.as_ref().is_none_or(|(_, best)| proof.certified.correct > best.certified.correct) {
            best = Some((strategy, proof));
        }
    }
    Ok(best)
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
    let upper = (certified.upper < certified.total).then(|| certified.upper.clone());
    file.claim.upper = upper.as_ref().map(ToString::to_string);
    let certificate = Certificate { correct: certified.correct.clone(), upper, ..certificate };
    Ok(Proof { text: write::text(&file), certificate, certified })
}

/// Hints with no orders and no plan.
fn bare(network: &Network, strategy: Strategy, direct_path: DirectPathHints) -> Certificate {
    Certificate {
        network: network.sha256.clone(),
        model: None,
        strategy: strategy.name().into_owned(),
        correct: BigUint::default(),
        upper: None,
        tables: TableHints::default(),
        attention_orders: vec![],
        direct_path,
        criterion: CriterionHints { plans: vec![], assignment: vec![] },
        published: None,
    }
}

fn brute_force(network: &Network) -> Certificate {
    let mut hints = bare(network, Strategy::BruteForce, DirectPathHints::default());
    hints.criterion.plans.push(Plan {
        groups: vec![Group { answers: Answers::Each, test: Test::Count }],
        count: Count::Tree(Script::default()),
        window: usize::MAX,
    });
    hints
}

fn split(orders: &Orders) -> DirectPathHints {
    DirectPathHints {
        offset: orders.offset.clone(),
        token_orders: orders.token.clone(),
        query_orders: orders.query.clone(),
        last_orders: orders.last.clone(),
    }
}

fn cubic(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let orders = Orders::new(network, PREFIX)?;
    let mut hints = bare(network, Strategy::Cubic, split(&orders));
    hints.criterion = plans::menu(network, &hints, &orders, &Style::CUBIC, options)?.choose(f64::INFINITY);
    Ok(hints)
}

/// With the orders of attention that windows need.
fn with_orders(mut hints: Certificate, orders: &Orders) -> Certificate {
    hints.attention_orders = orders.attention.clone();
    hints
}
