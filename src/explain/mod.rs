//! Where a proof loses inputs: pair by pair of query and maximum, rule by rule, answer by answer.
//!
//! Untrusted, and without mathematics of its own: every number is what the checker derives, from the certificate as it
//! stands or with one rule replaced by its exact form. A replacement is never taken for a pair where it does worse.

mod draw;
mod levels;
mod published;

pub use draw::draw;

use crate::certificate::{Certificate, Hints};
use crate::checker::arithmetic::Fixed;
use crate::checker::{Options, check};
use crate::model::{Network, OneHead};
use crate::refusal::{Decline, Refusal};
use levels::Rules;
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};

/// The default limit on FLOPs, and on integer operations, of the truth and of each replacement.
pub const DEFAULT_SPEND: u64 = 5_000_000_000;
/// The longest inputs for which every input is looked at.
const MOST_POSITIONS: usize = 5;

/// What a proof certifies, and what it loses where.
#[derive(Debug)]
pub struct Explanation {
    /// The number of inputs, `d_vocab^n_ctx`.
    pub total: BigUint,
    /// By maximum, then query.
    pub rows: Vec<Row>,
    /// FLOPs that no single row takes: the tables.
    pub shared_flops: u64,
    /// Why the number of right inputs is not known, if it is not.
    pub unknown: Option<String>,
    /// What each rule loses.
    pub replacements: Vec<Replacement>,
    /// Inputs that a group of answers fails to certify by itself, most first; `None` where there are no groups, or too
    /// much work.
    pub answers: Option<Vec<Cause>>,
}

/// The inputs of one maximum and one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The maximum m.
    pub maximum: usize,
    /// The query q; all of them together where the rule does not tell them apart.
    pub query: Option<usize>,
    /// How many inputs there are.
    pub inputs: BigUint,
    /// How many are certified to be answered correctly.
    pub certified: BigUint,
    /// How many are shown to be answered wrongly.
    pub wrong: BigUint,
    /// How many truly are answered correctly, if that is known.
    pub right: Option<BigUint>,
    /// What this row takes, beside the tables.
    pub flops: u64,
    /// Likewise.
    pub int_ops: u64,
}

impl Row {
    /// Neither certified nor shown wrong.
    pub fn undecided(&self) -> BigUint {
        less(&self.inputs, &(&self.certified + &self.wrong))
    }

    /// Right inputs that are not certified; where those are not known, undecided ones.
    pub fn loss(&self) -> BigUint {
        self.right
            .as_ref()
            .map_or_else(|| self.undecided(), |right| less(right, &self.certified))
    }
}

/// One rule replaced by its exact form.
#[derive(Debug)]
pub struct Replacement {
    /// What is replaced.
    pub rule: &'static str,
    /// What replaces it.
    pub by: &'static str,
    /// What that changes.
    pub outcome: Outcome,
}

/// What a replacement changes.
#[derive(Debug)]
pub enum Outcome {
    /// No undecided input depends on the rule.
    Unused,
    /// It takes more FLOPs, or more integer operations, than this.
    TooLong(u64),
    /// It was derived.
    Done {
        /// Inputs certified, in all.
        certified: BigUint,
        /// Inputs shown wrong, in all.
        wrong: BigUint,
        /// The length of the proof with the replacement.
        flops: u64,
    },
}

/// Answers tested together, and what they fail to certify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The answers, shortened, and how they are tested if not counted.
    pub answers: String,
    /// The inputs not certified by themselves, in all undecided rows.
    pub fails: BigUint,
    /// In how many rows.
    pub rows: usize,
}

/// A sum over some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// The maximum or query.
    pub token: usize,
    /// Inputs.
    pub inputs: BigUint,
    /// Shown wrong.
    pub wrong: BigUint,
    /// Neither certified nor shown wrong.
    pub undecided: BigUint,
    /// As [`Row::loss`].
    pub loss: BigUint,
    /// FLOPs.
    pub flops: u64,
}

impl Explanation {
    /// Inputs certified.
    pub fn certified(&self) -> BigUint {
        self.rows.iter().map(|row| &row.certified).sum()
    }

    /// Inputs shown wrong.
    pub fn wrong(&self) -> BigUint {
        self.rows.iter().map(|row| &row.wrong).sum()
    }

    /// Inputs neither certified nor shown wrong.
    pub fn undecided(&self) -> BigUint {
        self.rows.iter().map(Row::undecided).sum()
    }

    /// Inputs answered correctly, if that is known.
    pub fn right(&self) -> Option<BigUint> {
        self.rows.iter().map(|row| row.right.as_ref()).sum()
    }

    /// Right inputs that are not certified; if those are not known, undecided ones.
    pub fn loss(&self) -> BigUint {
        self.loss_with(&self.certified(), &self.wrong())
    }

    /// What would be lost if as many were certified and shown wrong.
    pub fn loss_with(&self, certified: &BigUint, wrong: &BigUint) -> BigUint {
        self.right().map_or_else(
            || less(&self.total, &(certified + wrong)),
            |right| less(&right, certified),
        )
    }

    /// The length of the proof.
    pub fn flops(&self) -> u64 {
        self.rows
            .iter()
            .fold(self.shared_flops, |sum, row| sum.saturating_add(row.flops))
    }

    /// Sums by maximum, the largest loss first, or where nothing is lost the most wrong.
    pub fn by_maximum(&self) -> Vec<Share> {
        self.by(|row| Some(row.maximum))
    }

    /// Sums by query, likewise; none where the rule does not tell queries apart.
    pub fn by_query(&self) -> Vec<Share> {
        self.by(|row| row.query)
    }

    fn by(&self, token: impl Fn(&Row) -> Option<usize>) -> Vec<Share> {
        let mut shares: BTreeMap<usize, Share> = BTreeMap::new();
        for row in &self.rows {
            let Some(token) = token(row) else { continue };
            let share = shares.entry(token).or_default();
            share.token = token;
            share.inputs += &row.inputs;
            share.wrong += &row.wrong;
            share.undecided += row.undecided();
            share.loss += row.loss();
            share.flops = share.flops.saturating_add(row.flops);
        }
        let mut shares: Vec<Share> = shares.into_values().collect();
        shares.sort_by(|a, b| {
            let (own, other) = (
                (&a.loss, &a.undecided, &a.wrong),
                (&b.loss, &b.undecided, &b.wrong),
            );
            other.cmp(&own).then(a.token.cmp(&b.token))
        });
        shares
    }
}

/// Checks a certificate, and finds out where it loses inputs. The truth, and each replacement, may spend `spend` FLOPs
/// and as many integer operations.
///
/// # Errors
/// Those of [`check`]: a certificate that is refused is not explained.
pub fn explain(
    network: &Network,
    certificate: &Certificate,
    spend: u64,
    options: Options<'_>,
) -> Result<Explanation, Refusal> {
    check::<Fixed>(network, certificate, options)?;
    let spending = Options {
        max_flops: spend,
        ..options
    };
    let margin = &certificate.claim.margin;
    let mut derived = match &certificate.hints {
        Hints::Exhaustive(_) => {
            let reason = "it evaluates every input, and loses none that its arithmetic decides; `gbmi wrong` lists those that are wrong";
            return Err(Decline::Explain { reason }.into());
        }
        Hints::Levels(hints) => levels::derive(
            &network.one_head()?,
            Rules { hints, margin },
            &|_, _| true,
            options,
        )?,
        Hints::Published(hints) => published::derive(&network.max_of_n()?, hints, options)?,
    };
    let network = &network.one_head()?;
    let truth = truth(network, margin, &mut derived.rows, spending)?;
    let before = &derived;
    let (replacements, answers) = match &certificate.hints {
        Hints::Exhaustive(_) => (vec![], None),
        Hints::Levels(hints) => {
            let rules = Rules { hints, margin };
            let answers = afford(levels::causes(network, rules, before, spending))?.ok();
            (
                levels::replacements(network, rules, before, spending)?,
                answers,
            )
        }
        Hints::Published(hints) => (
            published::replacements(network, hints, before, spending)?,
            None,
        ),
    };
    let mut explanation = Explanation {
        total: network.network.task.size(),
        shared_flops: derived.shared_flops,
        rows: derived.rows,
        unknown: None,
        replacements,
        answers,
    };
    let outcome = match truth {
        Ok(flops) if explanation.right().is_none() => {
            explanation.unknown =
                Some("some inputs are too close to a tie for the checker's arithmetic".into());
            let right = explanation
                .rows
                .iter()
                .map(|row| row.right.as_ref().unwrap_or(&row.certified))
                .sum();
            Outcome::Done {
                certified: right,
                wrong: explanation.wrong(),
                flops,
            }
        }
        Ok(flops) => {
            let right = explanation.right().unwrap_or_default();
            Outcome::Done {
                wrong: less(&explanation.total, &right),
                certified: right,
                flops,
            }
        }
        Err(limit) => {
            let n = network.config.n_ctx;
            explanation.unknown = Some(match limit {
                None => format!("inputs of {n} tokens are too many to look at each"),
                Some(limit) => format!("looking at every input takes more than {limit} operations"),
            });
            Outcome::TooLong(limit.unwrap_or(spend))
        }
    };
    explanation.replacements.push(Replacement {
        rule: "every rule",
        by: "every input looked at",
        outcome,
    });
    Ok(explanation)
}

/// Finds how many inputs are right in each row that is not decided; returns the FLOPs that all of them take, or the limit
/// that is too low, if it was tried.
fn truth(
    network: &OneHead<'_>,
    margin: &BigUint,
    rows: &mut [Row],
    options: Options<'_>,
) -> Result<Result<u64, Option<u64>>, Refusal> {
    for row in rows
        .iter_mut()
        .filter(|row| row.undecided() == BigUint::default())
    {
        row.right = Some(row.certified.clone());
    }
    let wanted: BTreeSet<(usize, Option<usize>)> = rows
        .iter()
        .filter(|row| row.right.is_none())
        .map(|row| (row.maximum, row.query))
        .collect();
    if network.config.n_ctx > MOST_POSITIONS && !wanted.is_empty() {
        return Ok(Err(None));
    }
    let only = |q: usize, m: usize| wanted.contains(&(m, Some(q))) || wanted.contains(&(m, None));
    let derived = match afford(levels::every_input(network, margin, &only, options))? {
        Ok(derived) => derived,
        Err(limit) => return Ok(Err(Some(limit))),
    };
    let kept: u64 = rows
        .iter()
        .filter(|row| row.right.is_some())
        .map(|row| row.flops)
        .sum();
    // By maximum and query, and by maximum: a sum if every part is decided.
    let mut right: BTreeMap<(usize, Option<usize>), Option<BigUint>> = BTreeMap::new();
    for row in &derived.rows {
        for key in [(row.maximum, row.query), (row.maximum, None)] {
            let sum = right.entry(key).or_insert_with(|| Some(BigUint::default()));
            let decided = row.undecided() == BigUint::default();
            *sum = sum
                .take()
                .filter(|_| decided)
                .map(|sum| sum + &row.certified);
        }
    }
    for row in rows.iter_mut().filter(|row| row.right.is_none()) {
        row.right = right.get(&(row.maximum, row.query)).cloned().flatten();
    }
    Ok(Ok(derived
        .rows
        .iter()
        .fold(derived.shared_flops + kept, |sum, row| {
            sum + row.flops
        })))
}

/// Rows, and the FLOPs of what they share.
struct Derived {
    rows: Vec<Row>,
    shared_flops: u64,
}

impl Derived {
    /// What a replacement makes of these rows: in each row the better of the two.
    fn replaced(&self, replaced: Result<Self, Refusal>) -> Result<Outcome, Refusal> {
        let found = match afford(replaced)? {
            Ok(found) => found,
            Err(limit) => return Ok(Outcome::TooLong(limit)),
        };
        let rows: BTreeMap<_, &Row> = found
            .rows
            .iter()
            .map(|row| ((row.maximum, row.query), row))
            .collect();
        let (mut certified, mut wrong, mut flops) =
            (BigUint::default(), BigUint::default(), found.shared_flops);
        for row in &self.rows {
            let new = rows.get(&(row.maximum, row.query)).copied().unwrap_or(row);
            certified += (&row.certified).max(&new.certified);
            wrong += (&row.wrong).max(&new.wrong);
            flops = flops.saturating_add(new.flops);
        }
        Ok(Outcome::Done {
            certified,
            wrong,
            flops,
        })
    }
}

/// Tells work beyond the limit from other refusals.
fn afford<T>(result: Result<T, Refusal>) -> Result<Result<T, u64>, Refusal> {
    match result {
        Ok(found) => Ok(Ok(found)),
        Err(Refusal::Declined(Decline::Work { limit })) => Ok(Err(limit)),
        // A histogram too large is too long a way as well.
        Err(Refusal::Declined(Decline::TooLarge { limit, .. })) => Ok(Err(limit)),
        Err(other) => Err(other),
    }
}

fn less(a: &BigUint, b: &BigUint) -> BigUint {
    if a > b { a - b } else { BigUint::default() }
}
