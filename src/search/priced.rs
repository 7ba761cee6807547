//! Proofs at a price: what a share of the inputs is worth in FLOPs decides which (query, maximum) pairs are proved, and
//! how. An infinite price asks for all that can be proved; lower ones give the frontier of bound against length.

use super::entries::{Search, Start, TableHints};
use super::orders::Orders;
use super::plans::{self, Menu, Style};
use super::{PREFIX, Proof, Ways, derive, split};
use crate::certificate::{Attention, Certificate, Split};
use crate::checker::Options;
use crate::model::Network;
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use num_bigint::BigUint;
use num_traits::ToPrimitive;

/// The longest inputs for which proof trees are grown.
const MOST_POSITIONS: usize = 5;
/// Prices of the frontier, in FLOPs for all inputs.
const PRICES: [f64; 10] = [f64::INFINITY, 1e7, 4e6, 2e6, 1.2e6, 8e5, 5e5, 3e5, 2e5, 1.2e5];
/// Every entry is computed.
const FULL: Start = Start { tables: [None; 3] };
/// Scores are bounded where that is enough.
const SCORES: Start = Start { tables: [Some((2, false)), None, None] };
/// So is what attention does to the logits.
const SCORES_AND_LOGITS: Start = Start { tables: [Some((2, false)), Some((7, false)), None] };
/// So is the direct path.
const ALL: Start = Start { tables: [Some((2, false)), Some((7, false)), Some((1, true))] };

/// What a proof is to reach.
#[derive(Debug, Clone, Default)]
pub struct Goal {
    /// At most this many FLOPs.
    pub budget: Option<u64>,
    /// At least this many inputs.
    pub target: Option<BigUint>,
}

impl Goal {
    fn is_met(&self, proof: &Proof) -> bool {
        self.budget.is_none_or(|budget| proof.certified.meter.flops() <= budget)
            && self.target.as_ref().is_none_or(|target| proof.certified.correct >= *target)
    }

    /// Is one proof better than another: the higher bound within a budget, else the shorter?
    fn prefers(&self, a: &Proof, b: &Proof) -> bool {
        let rank = |proof: &Proof| (proof.certified.correct.clone(), std::cmp::Reverse(proof.certified.meter.flops()));
        match self.target {
            Some(_) => rank(a).1 > rank(b).1 || rank(a).1 == rank(b).1 && rank(a) > rank(b),
            None => rank(a) > rank(b),
        }
    }
}

/// A network, ready for proofs at any price.
pub(super) struct Prover<'a> {
    network: &'a Network,
    strategy: Strategy,
    model: Option<String>,
    options: Options<'a>,
    way: Way<'a>,
}

enum Way<'a> {
    /// Proof trees: with the far class bounded from below, and without.
    Trees(Vec<Search<'a>>),
    /// Counts on a grid.
    Grids(Box<Orders>, Menu),
}

impl<'a> Prover<'a> {
    pub(super) fn new(
        network: &'a Network,
        strategy: Strategy,
        two_sided: bool,
        model: Option<String>,
        options: Options<'a>,
    ) -> Result<Self, Refusal> {
        let way = if network.config.n_ctx <= MOST_POSITIONS {
            // Bounding the far class from below costs something once, and makes trees of wrong inputs shorter.
            let ways: &[bool] = if two_sided { &[true, false] } else { &[true] };
            let search = |bounded: &bool| Search::new(network, (two_sided, *bounded), options);
            Way::Trees(ways.iter().map(search).collect::<Result<_, _>>()?)
        } else {
            let orders = Orders::new(network, PREFIX)?;
            let menu = plans::menu(network, &ways(&orders, TableHints::default()), &orders, &Style::SUBCUBIC, options)?;
            Way::Grids(Box::new(orders), menu)
        };
        Ok(Self { network, strategy, model, options, way })
    }

    /// The best proof at a price.
    pub(super) fn at(&self, price: f64) -> Result<Proof, Refusal> {
        let searches = match &self.way {
            Way::Grids(orders, menu) => {
                let ways = ways(orders, TableHints::default());
                let hints = ways.hinted(self.network, self.strategy, menu.choose(price));
                return derive(self.network, hints, self.model.clone(), self.options);
            }
            Way::Trees(searches) => searches,
        };
        // Where every input counts, the dearest entries pay; elsewhere bounds of them do.
        let starts: &[Start] = if price < 1e7 { &[SCORES, SCORES_AND_LOGITS, ALL] } else { &[FULL, SCORES] };
        let mut best: Option<(Proof, &Search<'_>)> = None;
        for (index, start) in starts.iter().enumerate() {
            // The first start decides how far classes are bounded.
            let searches: Vec<&Search<'_>> = match &best {
                Some((_, search)) if index > 0 => vec![*search],
                _ => searches.iter().collect(),
            };
            for search in searches {
                let hints = self.hints(search, price, start)?;
                let proof = derive(self.network, hints, self.model.clone(), self.options)?;
                if best.as_ref().is_none_or(|(best, _)| merit(&proof, price) > merit(best, price)) {
                    best = Some((proof, search));
                }
            }
        }
        Ok(best.expect("one start and one search are tried").0)
    }

    fn hints(&self, search: &Search<'_>, price: f64, start: &Start) -> Result<Certificate, Refusal> {
        let v = self.network.config.d_vocab;
        let tables = search.tables(price, start)?;
        let mixed = search.full.with(self.network, &tables, v)?;
        let ways = ways(&mixed, tables);
        let mut found = search.plans(price, &mixed);
        if price.is_infinite() {
            plans::complete(self.network, &ways, &mixed, &Style::SUBCUBIC, &mut found, self.options)?;
        }
        let rows = found.into_iter().map(|row| row.into_iter().map(|plan| plan.unwrap_or_else(plans::forfeit)));
        Ok(ways.hinted(self.network, self.strategy, plans::assemble(rows)))
    }
}

/// With the orders of attention that windows need.
fn ways(orders: &Orders, tables: TableHints) -> Ways {
    let TableHints { scores: entries, logits, direct } = tables;
    let scores = Attention::Exact { orders: orders.attention.clone(), entries };
    Ways { scores, split: Split { logits: logits.map(Box::new), direct: direct.map(Box::new), ..split(orders) } }
}

/// What a proof is worth at a price: undecided inputs first for an infinite one.
fn merit(proof: &Proof, price: f64) -> (f64, f64) {
    let certified = &proof.certified;
    let share = |inputs: &BigUint| inputs.to_f64().unwrap_or(0.0) / certified.total.to_f64().unwrap_or(1.0);
    let flops = certified.meter.flops() as f64;
    if price.is_infinite() {
        return (-(&certified.upper - &certified.correct).to_f64().unwrap_or(f64::MAX), -flops);
    }
    (price * share(&certified.correct) - flops, 0.0)
}

/// The best proof that reaches a goal; `None` if none was found.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`].
pub fn prove_best(
    network: &Network,
    goal: &Goal,
    two_sided: bool,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Option<Proof>, Refusal> {
    let prover = Prover::new(network, Strategy::Auto, two_sided, model, options)?;
    let mut best: Option<Proof> = None;
    let mut consider = |proof: Proof| {
        let met = goal.is_met(&proof);
        if met && best.as_ref().is_none_or(|best| goal.prefers(&proof, best)) {
            best = Some(proof);
        }
        met
    };
    // From dear to cheap: with a budget until it is kept, with a target until it is missed; then between the two prices.
    let (mut high, mut low) = (f64::INFINITY, f64::INFINITY);
    for price in PRICES {
        let met = consider(prover.at(price)?);
        (high, low) = (low, price);
        if met == goal.target.is_none() {
            break;
        }
    }
    for _ in 0..STEPS {
        if !low.is_finite() || goal.budget.is_none() && goal.target.is_none() {
            break;
        }
        let middle = if high.is_finite() { (high * low).sqrt() } else { low * 3.0 };
        // What is met lies on the cheap side with a budget, on the dear side with a target.
        let met = consider(prover.at(middle)?);
        if met == goal.target.is_none() { low = middle } else { high = middle }
    }
    Ok(best)
}

/// Steps between two prices.
const STEPS: usize = 4;

/// Proofs from the shortest to the longest, each with a higher bound than all shorter ones.
///
/// # Errors
/// As [`prove_best`].
pub fn frontier(
    network: &Network,
    two_sided: bool,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Vec<Proof>, Refusal> {
    let prover = Prover::new(network, Strategy::Auto, two_sided, model, options)?;
    let mut proofs = PRICES.iter().map(|price| prover.at(*price)).collect::<Result<Vec<_>, _>>()?;
    proofs.sort_by_key(|proof| (proof.certified.meter.flops(), std::cmp::Reverse(proof.certified.correct.clone())));
    let mut most = BigUint::default();
    proofs.retain(|proof| {
        let better = proof.certified.correct > most;
        most = most.clone().max(proof.certified.correct.clone());
        better
    });
    Ok(proofs)
}
