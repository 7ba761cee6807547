//! The best proof for a budget or a target, and the frontier of bound against length: by proofs at many prices.

use super::levels::Prover;
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
    let prover = Prover::new(request, Strategy::Auto, two_sided)?;
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
    let prover = Prover::new(request, Strategy::Auto, two_sided)?;
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
