//! Proofs at a price: what a share of the inputs is worth in FLOPs decides which (query, maximum) pairs are proved, and
//! how. An infinite price asks for all that can be proved; lower ones give the frontier of bound against length.

use super::entries::{Search, Start, TableHints};
use super::orders::Orders;
use super::plans::{self, Menu, Style};
use super::{PREFIX, Proof, Ways, derive, prove, split};
use crate::certificate::{Attention, Certificate, ExactAttention, Split};
use crate::checker::Options;
use crate::model::Network;
use crate::refusal::{Decline, Refusal};
use crate::strategy::Strategy;
use num_bigint::BigUint;
use num_traits::ToPrimitive;
use std::cmp::Ordering;

/// The longest inputs for which proof trees are grown.
const MOST_POSITIONS: usize = 5;
/// Prices of the frontier, in FLOPs for all inputs.
const PRICES: [f64; 10] = [
    f64::INFINITY,
    1e7,
    4e6,
    2e6,
    1.2e6,
    8e5,
    5e5,
    3e5,
    2e5,
    1.2e5,
];
/// The same for counts on a grid, which has no end of decided inputs.
const GRID_PRICES: [f64; 14] = [
    f64::INFINITY,
    1e11,
    1e10,
    1e9,
    1e8,
    1e7,
    4e6,
    2e6,
    1.2e6,
    8e5,
    5e5,
    3e5,
    2e5,
    1.2e5,
];
/// What all inputs are worth to an exact proof on a grid: the last ones cannot be had at any price.
const DEAREST: f64 = 2e11;
/// Every entry is computed.
const FULL: Start = Start { tables: [None; 3] };
/// Scores are bounded where that is enough.
const SCORES: Start = Start {
    tables: [Some((2, false)), None, None],
};
/// So is what attention does to the logits.
const SCORES_AND_LOGITS: Start = Start {
    tables: [Some((2, false)), Some((7, false)), None],
};
/// So is the direct path.
const ALL: Start = Start {
    tables: [Some((2, false)), Some((7, false)), Some((1, true))],
};

/// What a proof is to reach.
#[derive(Debug, Clone, Default)]
pub struct Goal {
    /// At most this many FLOPs.
    pub budget: Option<u64>,
    /// At least this many inputs.
    pub target: Option<BigUint>,
}

impl Goal {
    /// Does any proof reach it?
    pub fn is_open(&self) -> bool {
        self.budget.is_none() && self.target.is_none()
    }

    /// Does a proof reach it?
    pub fn is_met(&self, proof: &Proof) -> bool {
        self.affords(proof) && self.is_reached(proof)
    }

    fn affords(&self, proof: &Proof) -> bool {
        self.budget
            .is_none_or(|budget| proof.certified.meter.flops() <= budget)
    }

    fn is_reached(&self, proof: &Proof) -> bool {
        self.target
            .as_ref()
            .is_none_or(|target| proof.certified.correct >= *target)
    }

    /// The better proof is the greater. Of those that meet the goal, the shortest if there is a target, else the one
    /// with the highest bound; of the others the one nearest to the goal: within the budget the highest bound, beyond it
    /// the shortest.
    fn compare(&self, a: &Proof, b: &Proof) -> Ordering {
        let shorter = || b.certified.meter.flops().cmp(&a.certified.meter.flops());
        let higher = || a.certified.correct.cmp(&b.certified.correct);
        let by_length = if self.is_met(a) {
            self.target.is_some()
        } else {
            !self.affords(a)
        };
        let equals = || {
            if by_length {
                shorter().then_with(higher)
            } else {
                higher().then_with(shorter)
            }
        };
        self.is_met(a)
            .cmp(&self.is_met(b))
            .then(self.affords(a).cmp(&self.affords(b)))
            .then_with(equals)
    }

    /// Is a proof better than the best so far?
    fn prefers(&self, proof: &Proof, best: Option<&Proof>) -> bool {
        best.is_none_or(|best| self.compare(proof, best).is_gt())
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
            let exact = matches!(strategy, Strategy::Exact { .. });
            let style = if exact {
                Style::exact(two_sided)
            } else {
                Style::SUBCUBIC
            };
            let menu = plans::menu(
                network,
                &ways(&orders, TableHints::default()),
                &orders,
                &style,
                options,
            )?;
            Way::Grids(Box::new(orders), menu)
        };
        Ok(Self {
            network,
            strategy,
            model,
            options,
            way,
        })
    }

    fn prices(&self) -> &'static [f64] {
        match self.way {
            Way::Trees(_) => &PRICES,
            Way::Grids(..) => &GRID_PRICES,
        }
    }

    /// The best proof at a price.
    pub(super) fn at(&self, price: f64) -> Result<Proof, Refusal> {
        let searches = match &self.way {
            Way::Grids(orders, menu) => {
                let ways = ways(orders, TableHints::default());
                let exact = matches!(self.strategy, Strategy::Exact { .. });
                let price = if exact { price.min(DEAREST) } else { price };
                let hints = ways.hinted(self.network, self.strategy, menu.choose(price));
                return derive(self.network, hints, self.model.clone(), self.options);
            }
            Way::Trees(searches) => searches,
        };
        // Where every input counts, the dearest entries pay; elsewhere bounds of them do.
        let starts: &[Start] = if price < 1e7 {
            &[SCORES, SCORES_AND_LOGITS, ALL]
        } else {
            &[FULL, SCORES]
        };
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
                if best
                    .as_ref()
                    .is_none_or(|(best, _)| merit(&proof, price) > merit(best, price))
                {
                    best = Some((proof, search));
                }
            }
        }
        Ok(best.expect("one start and one search are tried").0)
    }

    /// The same; none where it takes more than is allowed.
    fn allowed(&self, price: f64) -> Result<Option<Proof>, Refusal> {
        match self.at(price) {
            Err(Refusal::Declined(Decline::Work { .. })) => Ok(None),
            proof => proof.map(Some),
        }
    }

    fn hints(
        &self,
        search: &Search<'_>,
        price: f64,
        start: &Start,
    ) -> Result<Certificate, Refusal> {
        let v = self.network.config.d_vocab;
        let tables = search.tables(price, start)?;
        let mixed = search.full.with(self.network, &tables, v)?;
        let ways = ways(&mixed, tables);
        let mut found = search.plans(price, &mixed);
        if price.is_infinite() {
            plans::complete(
                self.network,
                &ways,
                &mixed,
                &Style::SUBCUBIC,
                &mut found,
                self.options,
            )?;
        }
        let rows = found.into_iter().map(|row| {
            row.into_iter()
                .map(|plan| plan.unwrap_or_else(plans::forfeit))
        });
        Ok(ways.hinted(self.network, self.strategy, plans::assemble(rows)))
    }
}

/// With the orders of attention that windows need.
fn ways(orders: &Orders, tables: TableHints) -> Ways {
    let TableHints {
        scores: entries,
        logits,
        direct,
    } = tables;
    let scores = Attention::Exact(ExactAttention {
        orders: orders.attention.iter().cloned().collect(),
        entries,
    });
    Ways {
        scores,
        split: Split {
            logits: logits.map(Box::new),
            direct: direct.map(Box::new),
            ..split(orders)
        },
    }
}

/// What a proof is worth at a price: undecided inputs first for an infinite one.
fn merit(proof: &Proof, price: f64) -> (f64, f64) {
    let certified = &proof.certified;
    let share =
        |inputs: &BigUint| inputs.to_f64().unwrap_or(0.0) / certified.total.to_f64().unwrap_or(1.0);
    let flops = certified.meter.flops() as f64;
    if price.is_infinite() {
        return (
            -(&certified.upper - &certified.correct)
                .to_f64()
                .unwrap_or(f64::MAX),
            -flops,
        );
    }
    (price * share(&certified.correct) - flops, 0.0)
}

/// The best proof for a goal, or if none that was found meets it, the nearest: [`Goal::is_met`] tells.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`].
pub fn prove_best(
    network: &Network,
    goal: &Goal,
    two_sided: bool,
    model: Option<String>,
    options: Options<'_>,
) -> Result<Proof, Refusal> {
    let prover = Prover::new(network, Strategy::Auto, two_sided, model, options)?;
    let mut best: Option<Proof> = None;
    // Is the proof on the side of the goal that a higher price leads away from (a budget), or to (a target)?
    let mut consider = |proof: Proof| {
        let met = if goal.target.is_some() {
            goal.is_reached(&proof)
        } else {
            goal.affords(&proof)
        };
        if goal.prefers(&proof, best.as_ref()) {
            best = Some(proof);
        }
        met
    };
    // From dear to cheap: with a budget until it is kept, with a target until it is missed; then between the two prices.
    let (mut high, mut low) = (f64::INFINITY, f64::INFINITY);
    let mut met = false;
    for price in prover.prices() {
        (high, low) = (low, *price);
        let Some(proof) = prover.allowed(*price)? else {
            continue;
        };
        met = consider(proof);
        if met == goal.target.is_none() {
            break;
        }
    }
    for _ in 0..STEPS {
        // Nothing lies between: the first proof ended the search, or the last did not.
        if !low.is_finite() || met != goal.target.is_none() {
            break;
        }
        let middle = if high.is_finite() {
            (high * low).sqrt()
        } else {
            low * 3.0
        };
        // What is met lies on the cheap side with a budget, on the dear side with a target.
        if consider(prover.at(middle)?) == goal.target.is_none() {
            low = middle
        } else {
            high = middle
        }
    }
    best.ok_or_else(|| {
        Decline::Work {
            limit: options.max_flops,
        }
        .into()
    })
}

/// The best proof for a goal among our strategies of a class ([`prove_best`] for `subcubic`) and its published ones.
///
/// # Errors
/// As [`prove_best`]; [`Refusal::Unreadable`] for a class that is none of [`crate::strategy::CLASSES`].
pub fn prove_best_of(
    network: &Network,
    goal: &Goal,
    class: &str,
    model: Option<&str>,
    options: Options<'_>,
) -> Result<(Strategy, Proof), Refusal> {
    let mut best: Option<(Strategy, Proof)> = None;
    let candidates = [Strategy::Auto, Strategy::Cubic]
        .into_iter()
        .chain(Strategy::published());
    for strategy in candidates.filter(|strategy| strategy.class() == class) {
        let model = model.map(Into::into);
        let proof = match strategy {
            Strategy::Auto => prove_best(network, goal, false, model, options)?,
            _ => prove(network, strategy, model, options)?,
        };
        if goal.prefers(&proof, best.as_ref().map(|(_, best)| best)) {
            best = Some((strategy, proof));
        }
    }
    best.ok_or_else(|| Refusal::Unreadable(format!("no strategy is of class {class}")))
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
    let found = prover
        .prices()
        .iter()
        .map(|price| prover.allowed(*price))
        .collect::<Result<Vec<_>, _>>()?;
    let mut proofs: Vec<Proof> = found.into_iter().flatten().collect();
    proofs.sort_by_key(|proof| {
        (
            proof.certified.meter.flops(),
            std::cmp::Reverse(proof.certified.correct.clone()),
        )
    });
    let mut most = BigUint::default();
    proofs.retain(|proof| {
        let better = proof.certified.correct > most;
        most = most.clone().max(proof.certified.correct.clone());
        better
    });
    Ok(proofs)
}
