//! The untrusted search: finds hints, lets the checker derive what they establish, and claims exactly that.

mod exact;
mod orders;
mod plans;
mod published;

use crate::certificate::{
    Answers, Attention, Certificate, Claim, Count, Criterion, DirectPath, Group, Partition, Plan, Split, Test, VERSION,
};
use crate::checker::arithmetic::Fixed;
use crate::checker::meter::Meter;
use crate::checker::{self, Certified, Options};
use crate::model::{Config, Network};
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use num_bigint::BigUint;
use orders::Orders;
use plans::{Aim, Style};

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
        Strategy::Subcubic => subcubic(network, options)?,
        Strategy::Exact { two_sided } => return exact(network, two_sided, model, options),
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
    let text = text(&Certificate { model, ..hints });
    let mut certificate = Certificate::parse(&text, &network.config)?;
    let certified = checker::certify::<Fixed>(network, &certificate, options)?;
    certificate.claim.correct.clone_from(&certified.correct);
    certificate.claim.upper = (certified.upper < certified.total).then(|| certified.upper.clone());
    Ok(Proof { text: self::text(&certificate), certificate, certified })
}

/// The certificate's file.
fn text(certificate: &Certificate) -> Vec<u8> {
    let mut text = serde_json::to_vec(certificate).expect("a certificate has only strings and lists");
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
    let claim = Claim { task: Config::TASK.into(), d_vocab, n_ctx, correct: BigUint::default(), upper: None };
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
const EXACT: Attention = Attention::Exact { orders: vec![] };

/// What the subcubic strategy allows.
const STYLE: Style = Style {
    windows: &[1, 2, 3, 4, 6, 8, 12],
    count_window: 12,
    most_apart: 8,
    bits: 7,
    search_bits: 5,
    aim: Aim::Bound,
};

fn brute_force(network: &Network) -> Certificate {
    let groups = vec![Group { answers: Answers::Each, test: Test::Count, window: None }];
    let plan = Plan { groups, count: Count::default(), window: None };
    let partition = Partition { plans: vec![plan], assignment: vec![] };
    let (direct_path, criterion) = (DirectPath::Split(Split::default()), Criterion::Partition(partition));
    hinted(network, Strategy::BruteForce, EXACT, direct_path, criterion)
}

fn cubic(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let orders = Orders::new(network, PREFIX)?;
    let style = Style { windows: &[usize::MAX], count_window: usize::MAX, ..STYLE };
    with_plans(network, Strategy::Cubic, vec![], &orders, &style, options)
}

fn subcubic(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let orders = Orders::new(network, PREFIX)?;
    with_plans(network, Strategy::Subcubic, orders.attention.clone(), &orders, &STYLE, options)
}

/// The shortest of the proofs that certify the most.
fn exact(network: &Network, two_sided: bool, model: Option<String>, options: Options<'_>) -> Result<Proof, Refusal> {
    let strategy = Strategy::Exact { two_sided };
    if network.config.n_ctx > exact::MOST_POSITIONS {
        // Trees of longer inputs do not end in any reasonable time.
        let hints = Certificate { strategy: strategy.name().into_owned(), ..subcubic(network, options)? };
        return derive(network, hints, model, options);
    }
    // Whole orders: groups may be of any answers.
    let orders = Orders::new(network, network.config.d_vocab)?;
    let mut best: Option<Proof> = None;
    // Bounding the far class from below costs something once, and makes trees of wrong inputs shorter.
    let ways = [Some(orders.widest()), None];
    for widest in ways.into_iter().take(if two_sided { 2 } else { 1 }) {
        let style = Style { aim: Aim::Exact { two_sided, widest }, ..STYLE };
        let hints = with_plans(network, strategy, orders.attention.clone(), &orders, &style, options)?;
        let proof = derive(network, hints, model.clone(), options)?;
        let undecided = |proof: &Proof| &proof.certified.upper - &proof.certified.correct;
        let merit = |proof: &Proof| (undecided(proof), proof.certified.meter.flops());
        if best.as_ref().is_none_or(|best| merit(&proof) < merit(best)) {
            best = Some(proof);
        }
    }
    Ok(best.expect("one way is tried"))
}

/// Orders, as many of attention as are given, and the plans that go with them.
fn with_plans(
    network: &Network,
    strategy: Strategy,
    attention: Vec<Vec<usize>>,
    orders: &Orders,
    style: &Style,
    options: Options<'_>,
) -> Result<Certificate, Refusal> {
    let split = Split {
        offset: orders.offset.clone(),
        token_orders: orders.token.clone(),
        query_orders: orders.query.clone(),
        last_orders: orders.last.clone(),
    };
    let tables = checker::tables::<Fixed>(network, &attention, &split, &Meter::new(u64::MAX))?;
    let criterion = Criterion::Partition(plans::search(&tables, orders, style, options)?);
    let attention = Attention::Exact { orders: attention };
    Ok(hinted(network, strategy, attention, DirectPath::Split(split), criterion))
}
