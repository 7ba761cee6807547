//! The best proof for a budget or a target, and the frontier of bound against length: by proofs at many prices.

use super::levels::{Places, Prover};
use super::proof::{Proof, Request};
use super::prove_by;
use crate::refusal::{Decline, Refusal};
use crate::strategy::Strategy;
use num_bigint::BigUint;
use std::cmp::Ordering;

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

/// The best proof for a goal, or if none that was found meets it, the nearest: [`Goal::is_met`] tells.
///
/// # Errors
/// Those of the checker: [`crate::refusal::Decline::Work`].
pub fn prove_best(request: &Request<'_>, goal: &Goal, two_sided: bool) -> Result<Proof, Refusal> {
    if goal.budget.is_some() {
        // What nothing can be had for is said at once.
        let shortest = Prover::shortest(request, Strategy::Auto)?;
        if !goal.affords(&shortest) {
            return Ok(shortest);
        }
    }
    let places = Places::new(&request.network.one_head()?);
    let words = places.words();
    let prover = Prover::new(request, &words, Strategy::Auto, two_sided)?;
    let mut best: Option<Proof> = None;
    // Is the proof at a price on the cheap side of the goal: does it keep the budget, or miss the target? One that takes
    // more work than is allowed is too dear.
    let mut is_cheap = |price: f64| -> Result<bool, Refusal> {
        let Some(proof) = prover.allowed(price)? else {
            return Ok(false);
        };
        let cheap = match goal.target {
            Some(_) => !goal.is_reached(&proof),
            None => goal.affords(&proof),
        };
        if goal.prefers(&proof, best.as_ref()) {
            best = Some(proof);
        }
        Ok(cheap)
    };
    let prices = prover.prices();
    let (mut dear, mut cheap) = (0, prices.len() - 1);
    // The goal lies between two prices, if there is one on each side: first of those in the list.
    if !is_cheap(prices[dear])? && is_cheap(prices[cheap])? {
        while dear + 1 < cheap {
            let middle = dear.midpoint(cheap);
            if is_cheap(prices[middle])? {
                cheap = middle;
            } else {
                dear = middle;
            }
        }
        let (mut high, mut low) = (prices[dear], prices[cheap]);
        for _ in 0..STEPS {
            let middle = if high.is_finite() {
                (high * low).sqrt()
            } else {
                low * 3.0
            };
            if is_cheap(middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
    }
    best.ok_or_else(|| {
        Decline::Work {
            limit: request.options.max_flops,
        }
        .into()
    })
}

/// The best proof for a goal among our strategies of a class ([`prove_best`] for `subcubic`) and its published ones.
///
/// # Errors
/// As [`prove_best`]; [`Refusal::Unreadable`] for a class that is none of [`crate::strategy::CLASSES`].
pub fn prove_best_of(
    request: &Request<'_>,
    goal: &Goal,
    class: &str,
) -> Result<(Strategy, Proof), Refusal> {
    let mut best: Option<(Strategy, Proof)> = None;
    let candidates = [Strategy::Auto, Strategy::Cubic]
        .into_iter()
        .chain(Strategy::published());
    for strategy in candidates.filter(|strategy| strategy.class() == class) {
        let proof = match strategy {
            Strategy::Auto => prove_best(request, goal, false),
            _ => prove_by(request, strategy, 0),
        };
        let proof = match proof {
            // Not all rules prove margins.
            Err(Refusal::Declined(Decline::Claim { .. })) => continue,
            proof => proof?,
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
pub fn frontier(request: &Request<'_>, two_sided: bool) -> Result<Vec<Proof>, Refusal> {
    let places = Places::new(&request.network.one_head()?);
    let words = places.words();
    let prover = Prover::new(request, &words, Strategy::Auto, two_sided)?;
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
