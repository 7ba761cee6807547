//! Inputs that a network answers wrongly: found in floating point, each shown wrong once more in the checker's arithmetic.
//!
//! Nothing here is a proof: how many inputs are wrong, at least and at most, is what a certificate says.

use crate::answers::{Answer, Decoder, NEAR, Path, walk};
use crate::certificate::Certificate;
use crate::checker::arithmetic::{Enclosure, Fixed};
use crate::checker::{Options, check};
use crate::explain::explain;
use crate::model::{Dyadic, Function, Matrix, Network};
use crate::parallel::parallel;
use crate::refusal::{Decline, Refusal};
use crate::search::prove;
use crate::strategy::Strategy;
use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Beyond this many inputs, some are drawn.
pub const MOST_INPUTS: u64 = 1 << 30;
/// How many are drawn where nothing says where to look, and how many of every block that holds wrong ones.
const DRAWN: [usize; 2] = [100_000, 400];

/// A read-out that is answered wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The tokens up to the read-out, which is at the last of them.
    pub tokens: Vec<usize>,
    /// The number of inputs that begin with them, if it is known.
    pub inputs: Option<u128>,
    /// The right answer.
    pub right: usize,
    /// The strongest wrong answer.
    pub answer: usize,
    /// The right answer's logit less the other's is at most this: at most 0, a multiple of 2^-48.
    pub margin: BigRational,
}

/// Read-outs that are answered wrongly, in the order of their tokens.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Each once.
    pub inputs: Vec<Wrong>,
    /// Pairs of an input and a read-out that are wrong: at least so many are.
    pub wrong_at_least: BigUint,
    /// At most so many are.
    pub wrong_at_most: BigUint,
    /// Was every input looked at, and everything that was found listed?
    pub is_complete: bool,
}

/// Lists at most `limit` read-outs that are answered wrongly: the first, where every input can be looked at, else those
/// found in blocks that the certificate shows to hold some, or anywhere.
///
/// # Errors
/// Those of [`check`] for the certificate.
///
/// ```
/// use gbmi::checker::Options;
/// use gbmi::model::Network;
/// use gbmi::wrong::wrong;
///
/// let network = Network::load("tests/data/tiny".as_ref())?;
/// let listing = wrong(&network, None, 100, Options::default())?;
/// assert_eq!(listing.wrong_at_least, 16_u32.into());
/// for wrong in listing.inputs {
///     assert_eq!(wrong.tokens.iter().max(), Some(&wrong.right));
///     assert_ne!(wrong.answer, wrong.right);
/// }
/// # Ok::<(), gbmi::refusal::Refusal>(())
/// ```
pub fn wrong(
    network: &Network,
    certificate: Option<&Certificate>,
    limit: usize,
    options: Options<'_>,
) -> Result<Listing, Refusal> {
    let total = network.task.size();
    let are_few = total <= MOST_INPUTS.into();
    let certified = match certificate {
        Some(certificate) => Some(check::<Fixed>(network, certificate, options)?),
        // A walk through every input is its own proof.
        None if are_few => match prove(network, Strategy::BruteForce, None, options) {
            Ok(proof) => Some(proof.certified),
            Err(Refusal::Declined(_)) => None,
            Err(other) => return Err(other),
        },
        None => None,
    };
    let candidates = if are_few {
        every_input(network, limit.saturating_add(1), options)
    } else {
        let blocks = certificate.map(|certificate| blocks(network, certificate, options));
        let blocks = blocks.transpose()?.unwrap_or_default();
        drawn(network, &blocks)
    };
    let mut inputs = shown_wrong(network, candidates, options.threads);
    let is_cut = inputs.len() > limit;
    inputs.truncate(limit);
    let found: u128 = inputs.iter().map(|wrong| wrong.inputs.unwrap_or(1)).sum();
    let bounds = certified.map(|certified| (&total - certified.upper, &total - certified.correct));
    let (least, most) = bounds.unwrap_or_else(|| (BigUint::default(), total));
    Ok(Listing {
        inputs,
        wrong_at_least: least.max(found.into()),
        wrong_at_most: most,
        is_complete: are_few && !is_cut,
    })
}

/// What floating point takes for wrong, or for a tie.
struct Candidate {
    tokens: Vec<usize>,
    inputs: Option<u128>,
    right: usize,
    rival: usize,
}

impl Candidate {
    fn of(answer: &Answer<'_>, inputs: Option<u128>) -> Option<Self> {
        // What is no number is near everything.
        let is_right = answer.margin > NEAR;
        (!is_right).then(|| Self {
            tokens: answer.prefix.to_vec(),
            inputs,
            right: answer.right,
            rival: answer.rival(),
        })
    }
}

/// The first candidates, at most so many of every part of the walk.
fn every_input(network: &Network, most: usize, options: Options<'_>) -> Vec<Candidate> {
    let visit = |found: &mut Vec<Candidate>, answer: &Answer<'_>| {
        if found.len() < most {
            found.extend(Candidate::of(answer, Some(answer.inputs)));
        }
    };
    let parts = walk(network, options.threads, options.progress, visit);
    let mut all: Vec<Candidate> = parts.into_iter().flatten().collect();
    all.sort_by(|a, b| a.tokens.cmp(&b.tokens));
    all
}

/// Queries and maxima of inputs some of which a certificate shows to be wrong.
fn blocks(
    network: &Network,
    certificate: &Certificate,
    options: Options<'_>,
) -> Result<Vec<(usize, usize)>, Refusal> {
    let rows = match explain(network, certificate, 0, options) {
        // A proof without blocks.
        Err(Refusal::Declined(Decline::Explain { .. })) => vec![],
        explained => explained?.rows,
    };
    let wrong = rows.iter().filter(|row| row.wrong > BigUint::default());
    Ok(wrong
        .filter_map(|row| Some((row.query?, row.maximum)))
        .collect())
}

/// Inputs drawn from blocks, or from all.
fn drawn(network: &Network, blocks: &[(usize, usize)]) -> Vec<Candidate> {
    let (task, decoder) = (network.task.as_ref(), Decoder::<f64>::new(network));
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut inputs: BTreeSet<Vec<usize>> = BTreeSet::new();
    let n = network.sizes.n_ctx;
    for (query, maximum) in blocks {
        for _ in 0..DRAWN[1] {
            let mut input: Vec<usize> = (1..n).map(|_| random.random_range(0..=*maximum)).collect();
            if query != maximum {
                input[random.random_range(0..n - 1)] = *maximum;
            }
            input.push(*query);
            inputs.insert(input);
        }
    }
    let anywhere = if blocks.is_empty() { DRAWN[0] } else { 0 };
    for _ in 0..anywhere {
        let mut input = vec![];
        while input.len() < n {
            let next: Vec<usize> = task.next(&input).iter().collect();
            // A prefix may have no way on.
            let Some(token) = next.get(random.random_range(0..next.len().max(1))) else {
                break;
            };
            input.push(*token);
        }
        inputs.insert(input);
    }
    let mut found: BTreeMap<Vec<usize>, Candidate> = BTreeMap::new();
    for input in inputs.iter().filter(|input| input.len() == n) {
        let mut path = Path::default();
        for (position, token) in input.iter().enumerate() {
            let row = decoder.step(&mut path, *token);
            let prefix = &input[..=position];
            if let Some(right) = task.answer(prefix) {
                let mut logits = decoder.logits(&row);
                let answer = Answer::new(prefix, 1, right, &mut logits, 1.0);
                let candidate = Candidate::of(&answer, None);
                found.extend(candidate.map(|candidate| (prefix.to_vec(), candidate)));
            }
        }
    }
    found.into_values().collect()
}

/// Those that are wrong in the checker's arithmetic too.
fn shown_wrong(network: &Network, candidates: Vec<Candidate>, threads: usize) -> Vec<Wrong> {
    const TOGETHER: usize = 256;
    let decoder = Decoder::<Fixed>::new(network);
    let mut parts = vec![];
    let mut candidates = candidates.into_iter().peekable();
    while candidates.peek().is_some() {
        parts.push(candidates.by_ref().take(TOGETHER).collect::<Vec<_>>());
    }
    let judged = parallel(parts, threads, |_, part| {
        let (mut prefix, mut path, mut row) = (vec![], Path::default(), vec![]);
        let judge = |candidate: Candidate| {
            // Tokens that the last one began with too are not evaluated again.
            let same = prefix.iter().zip(&candidate.tokens);
            let kept = same.take_while(|(a, b)| a == b).count();
            if kept < candidate.tokens.len() || kept < prefix.len() {
                let kept = kept.min(candidate.tokens.len() - 1);
                path.truncate(kept);
                for token in &candidate.tokens[kept..] {
                    row = decoder.step(&mut path, *token);
                }
                prefix.clone_from(&candidate.tokens);
            }
            let margin = margin(network, &decoder.logits(&row), &candidate)?;
            Some(Wrong {
                tokens: candidate.tokens,
                inputs: candidate.inputs,
                right: candidate.right,
                answer: candidate.rival,
                margin,
            })
        };
        part.into_iter().filter_map(judge).collect::<Vec<Wrong>>()
    });
    judged.into_iter().flatten().collect()
}

/// An upper bound of the margin that is at most 0, if there is one.
fn margin(network: &Network, logits: &[Fixed], candidate: &Candidate) -> Option<BigRational> {
    let Candidate { right, rival, .. } = candidate;
    let (weights, bias) = match &network.function {
        Function::Transformer(model) => (&model.w_u, &model.b_u),
        Function::TwoEmbeddings(model) => (&model.unembedding, &model.unembed_bias),
    };
    let are_same = |matrix: &Matrix<Dyadic>| {
        let mut rows = matrix.iter_rows();
        rows.all(|row| row.get(*right) == row.get(*rival))
    };
    if are_same(weights) && are_same(bias) {
        return Some(BigRational::from_integer(0.into()));
    }
    let bits = Fixed::FRACTION.unsigned_abs();
    let difference = Enclosure::sub(logits.get(*right)?, logits.get(*rival)?);
    let units = difference.ceil_to_grid(bits, i64::MAX)?;
    let margin = BigRational::new(units.into(), BigInt::from(1) << bits);
    (units <= 0).then_some(margin)
}
