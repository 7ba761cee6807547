//! The untrusted search: finds hints, lets the checker derive what they establish, and claims exactly that.

mod entries;
mod exact;
mod measured;
#[cfg(feature = "optimise")]
mod optimise;
mod orders;
mod overlaps;
mod plans;
mod priced;
mod published;

use crate::certificate::{
    Answers, Attention, Certificate, Claim, Count, Criterion, DirectPath, ExactAttention, Group,
    Partition, Plan, Rows, Split, Test, VERSION,
};
use crate::checker::arithmetic::Fixed;
use crate::checker::criterion::Tables;
use crate::checker::meter::Meter;
use crate::checker::{self, Certified, Options};
use crate::model::{Config, Network};
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use num_bigint::BigUint;
use orders::Orders;
use plans::Style;
use priced::Prover;

pub use measured::Row;
pub use priced::{Goal, frontier, prove_best, prove_best_of};

/// Brute force, and true accuracies by it, are for models with at most this many inputs.
pub const MOST_INPUTS: u64 = 1 << 32;

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
        let hints = optimise::improve(network, family, steps)?;
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

/// Writes the hints out, reads them back, and claims what the checker derives from them.
fn derive(
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
fn hinted(
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

/// Scores computed in full, without orders.
const EXACT: Attention = Attention::Exact(ExactAttention {
    orders: Rows::EMPTY,
    entries: None,
});

fn brute_force(network: &Network) -> Certificate {
    let groups = vec![Group {
        answers: Answers::Each,
        test: Test::Count,
        window: None,
    }];
    let plan = Plan {
        groups,
        count: Count::default(),
        window: None,
    };
    let partition = Partition {
        plans: vec![plan],
        assignment: Rows::EMPTY,
    };
    let (direct_path, criterion) = (
        DirectPath::Split(Split::default()),
        Criterion::Partition(partition),
    );
    hinted(network, Strategy::BruteForce, EXACT, direct_path, criterion)
}

fn cubic(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let orders = Orders::new(network, PREFIX)?;
    let ways = Ways {
        scores: EXACT,
        split: split(&orders),
    };
    let partition =
        plans::menu(network, &ways, &orders, &Style::CUBIC, options)?.choose(f64::INFINITY);
    Ok(ways.hinted(network, Strategy::Cubic, partition))
}

/// How scores and logits are read: the rules before the criterion.
struct Ways {
    scores: Attention,
    split: Split,
}

impl Ways {
    /// The tables that the checker makes of this.
    fn tables(&self, network: &Network) -> Result<Tables<Fixed>, Refusal> {
        let Attention::Exact(attention) = &self.scores else {
            unreachable!("our own attention rule")
        };
        checker::tables::<Fixed>(network, attention, &self.split, &Meter::new(u64::MAX))
    }

    fn hinted(self, network: &Network, strategy: Strategy, partition: Partition) -> Certificate {
        hinted(
            network,
            strategy,
            self.scores,
            DirectPath::Split(self.split),
            Criterion::Partition(partition),
        )
    }
}

fn split(orders: &Orders) -> Split {
    Split {
        offset: orders.offset.clone(),
        token_orders: orders.token.iter().cloned().collect(),
        query_orders: orders.query.iter().cloned().collect(),
        last_orders: orders.last.iter().cloned().collect(),
        ..Split::default()
    }
}
