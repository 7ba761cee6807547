//! The exact accuracy of a tiny model: a literal forward pass for every input (`docs/theory.md`, T0), nothing shared.
//!
//! The one liberty: logits are affine in the attention-weighted mean of values, and attention sums to one; so each
//! logit, times the softmax's denominator, is the sum over positions of the exponential of the score times the logit
//! that attention to this position alone would give.

use super::{Exact, Model, exp_of_minus};
use num_bigint::{BigInt, BigUint, Sign};
use num_rational::BigRational;
use num_traits::Signed;
use std::cmp::Ordering;
use std::collections::BTreeMap;

struct Oracle {
    model: Model,
    tensors: BTreeMap<&'static str, Vec<Exact>>,
    /// By how much the right logit is to exceed the others.
    margin: Exact,
    /// Exponentials met before, by exponent and bits.
    known: BTreeMap<(Exact, u32), (BigInt, BigInt)>,
}

/// Bounds on the number of inputs whose largest token has strictly the largest logit: equal but for inputs that
/// thousands of bits do not decide.
pub(crate) fn exact_correct(model: &Model) -> (u64, u64) {
    correct_by_pair(model, &BigUint::default())
        .values()
        .fold((0, 0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1))
}

/// The same for every (query, maximum) apart, and for a logit that is the largest by more than a margin.
pub(crate) fn correct_by_pair(
    model: &Model,
    margin: &BigUint,
) -> BTreeMap<(usize, usize), (u64, u64)> {
    let mut pairs = BTreeMap::new();
    for (input, verdict) in verdicts_by(model, margin) {
        let (least, most) = pairs
            .entry((input[model.n_ctx - 1], *input.iter().max().unwrap()))
            .or_insert((0, 0));
        *least += u64::from(verdict == Some(true));
        *most += u64::from(verdict != Some(false));
    }
    pairs
}

/// Every input, and whether it is answered correctly, if thousands of bits decide it.
pub(crate) fn verdicts(model: &Model) -> Vec<(Vec<usize>, Option<bool>)> {
    verdicts_by(model, &BigUint::default())
}

/// The same by more than a margin, in units of 2^-48.
fn verdicts_by(model: &Model, margin: &BigUint) -> Vec<(Vec<usize>, Option<bool>)> {
    let exact = |weights: &Vec<f32>| weights.iter().map(|weight| Exact::from(*weight)).collect();
    let tensors = model
        .tensors
        .iter()
        .map(|(name, weights)| (*name, exact(weights)))
        .collect();
    let mut oracle = Oracle {
        model: model.clone(),
        tensors,
        margin: Exact::new(margin.clone().into(), -48),
        known: BTreeMap::new(),
    };
    let (v, n) = (model.d_vocab, model.n_ctx);
    let verdict = |index: usize| {
        let input: Vec<usize> = (0..n)
            .map(|p| index / v.pow(u32::try_from(p).unwrap()) % v)
            .collect();
        let verdict = oracle.is_correct(&input);
        (input, verdict)
    };
    (0..v.pow(u32::try_from(n).unwrap())).map(verdict).collect()
}

impl Oracle {
    fn row(&self, name: &str, row: usize, cols: usize) -> &[Exact] {
        &self.tensors[name][row * cols..(row + 1) * cols]
    }

    /// `x · W + b`.
    fn affine(&self, x: &[Exact], weights: &str, bias: &str) -> Vec<Exact> {
        let bias = &self.tensors[bias];
        let mut result = bias.clone();
        for (i, x) in x.iter().enumerate() {
            for (result, weight) in result.iter_mut().zip(self.row(weights, i, bias.len())) {
                *result = &*result + &(x * weight);
            }
        }
        result
    }

    fn is_correct(&mut self, input: &[usize]) -> Option<bool> {
        let d = self.model.d_model;
        let residual = |(p, token): (usize, &usize)| {
            add(
                self.row("embed.W_E", *token, d),
                self.row("pos_embed.W_pos", p, d),
            )
        };
        let stream: Vec<Vec<Exact>> = input.iter().enumerate().map(residual).collect();
        let last = stream.last().unwrap();
        let query = self.affine(last, "blocks.0.attn.W_Q", "blocks.0.attn.b_Q");
        // (score, logits if all attention went to this position)
        let positions: Vec<(Exact, Vec<Exact>)> = stream
            .iter()
            .map(|x| {
                let key = self.affine(x, "blocks.0.attn.W_K", "blocks.0.attn.b_K");
                let score = query
                    .iter()
                    .zip(&key)
                    .fold(Exact::zero(), |sum, (q, k)| &sum + &(q * k));
                let value = self.affine(x, "blocks.0.attn.W_V", "blocks.0.attn.b_V");
                let written = self.affine(&value, "blocks.0.attn.W_O", "blocks.0.attn.b_O");
                (
                    score,
                    self.affine(&add(last, &written), "unembed.W_U", "unembed.b_U"),
                )
            })
            .collect();
        let max = *input.iter().max().unwrap();
        let mut verdict = Some(true);
        for answer in (0..self.model.d_vocab).filter(|answer| *answer != max) {
            let lead = positions.iter().map(|(score, logits)| {
                let lead = &logits[max] - &logits[answer];
                (score.clone(), &lead - &self.margin)
            });
            match self.sign_of_sum(lead.collect()) {
                Some(Sign::Plus) => {}
                Some(_) => return Some(false),
                None => verdict = None,
            }
        }
        verdict
    }

    /// The sign of `Σ c·exp(s/√h)`, for pairs (s, c).
    ///
    /// Terms with equal exponents are added exactly; exponentials of distinct algebraic numbers are linearly
    /// independent (Lindemann–Weierstrass), so what remains is zero only if nothing remains.
    fn sign_of_sum(&mut self, terms: Vec<(Exact, Exact)>) -> Option<Sign> {
        let mut groups: Vec<(Exact, Exact)> = vec![];
        for (score, factor) in terms {
            match groups.iter_mut().find(|(known, _)| *known == score) {
                Some((_, sum)) => *sum = &*sum + &factor,
                None => groups.push((score, factor)),
            }
        }
        groups.retain(|(_, factor)| factor.sign() != Sign::NoSign);
        let Some(first) = groups.first() else {
            return Some(Sign::NoSign);
        };
        if groups
            .iter()
            .all(|(_, factor)| factor.sign() == first.1.sign())
        {
            return Some(first.1.sign());
        }
        let by_score = |a: &(Exact, Exact), b: &(Exact, Exact)| match (&a.0 - &b.0).sign() {
            Sign::Minus => Ordering::Less,
            Sign::NoSign => Ordering::Equal,
            Sign::Plus => Ordering::Greater,
        };
        let most = groups
            .iter()
            .max_by(|a, b| by_score(a, b))
            .unwrap()
            .0
            .clone();
        let h = if self.model.use_attn_scale {
            self.model.d_head
        } else {
            1
        };
        for bits in [128, 512, 4096] {
            let (mut low, mut high) = (Exact::zero(), Exact::zero());
            for (score, factor) in &groups {
                let below = &most - score;
                let (least, greatest) = self
                    .known
                    .entry((below.clone(), bits))
                    .or_insert_with(|| exp_of_minus(&below, h, bits))
                    .clone();
                let times = |weight: BigInt| factor * &Exact::new(weight, -i64::from(bits));
                let (a, b) = (times(least), times(greatest));
                let (a, b) = if factor.sign() == Sign::Plus {
                    (a, b)
                } else {
                    (b, a)
                };
                (low, high) = (&low + &a, &high + &b);
            }
            if low.sign() == Sign::Plus || high.sign() == Sign::Minus {
                return Some(low.sign());
            }
        }
        None
    }
}

fn add(a: &[Exact], b: &[Exact]) -> Vec<Exact> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// An exact number is what it was read from.
#[test]
fn exact_numbers_are_floats() {
    for x in [0.0_f32, 1.0, -0.1, f32::MIN_POSITIVE / 8.0, f32::MAX] {
        assert_eq!(
            Exact::from(x).rational(),
            BigRational::from_float(x).unwrap()
        );
        assert_eq!(Exact::from(x).rational().is_negative(), x < 0.0);
    }
}
