//! No hint, good or bad, makes the checker certify more than the truth: random tiny models against an exact oracle.

use crate::common::{
    Model, NOTHING, Paths, Random, broken_hints, certified, certified_by_pair, correct_by_pair,
    exact_correct, hints, partition, random_model, reread,
};
use gbmi::certificate::Certificate;
use gbmi::certificate::levels::{Count, Script};
use gbmi::checker::arithmetic::{Fixed, Rational};
use gbmi::checker::{Certified, Options, certify};
use gbmi::parallel::parallel;
use gbmi::refusal::{Refusal, Rejection};
use gbmi::search::{Request, prove, prove_by};
use gbmi::strategy::Strategy;
use num_bigint::BigUint;
use num_traits::Zero;

const MODELS: u64 = 1200;
/// Random hints for each model; the rationals follow every third.
const HINTS: usize = 6;

/// What one model's cases came to.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    cases: usize,
    /// Cases that certify something.
    positive: usize,
    /// Cases that certify all that is true, and something is.
    whole: usize,
    undecided: usize,
    equalities: usize,
}

#[test]
fn nothing_certifies_more_than_the_truth() {
    let sum = many_models(MODELS, |_| BigUint::default());
    // Not vacuous: what could be certified often is.
    assert!(
        sum.cases >= 10_000 && sum.positive * 4 > sum.cases && sum.whole * 20 > sum.cases,
        "{sum:?}"
    );
    assert!(sum.equalities > 500 && sum.undecided == 0, "{sum:?}");
}

/// The same by more than a margin: tiny ones, ones that tie with differences of plain logits, and any.
#[test]
fn nothing_certifies_more_than_the_truth_by_a_margin() {
    let sum = many_models(MODELS / 3, |random| {
        let plain = random.pick(&[1, 1 << 20, 1 << 44, 1 << 46, 1 << 47, 1 << 48, 3 << 47]);
        let any = random.next() >> 14;
        if random.once_in(2) { plain } else { any }.into()
    });
    assert!(
        sum.cases >= 3_000 && sum.positive * 5 > sum.cases && sum.whole * 25 > sum.cases,
        "{sum:?}"
    );
    assert!(sum.equalities > 150 && sum.undecided == 0, "{sum:?}");
}

fn many_models(models: u64, margin: impl Fn(&mut Random) -> BigUint + Sync) -> Tally {
    let tallies = parallel((0..models).collect(), 2, |_, seed| {
        one_model(seed, &margin(&mut Random::new(!seed)))
    });
    let sum = tallies.into_iter().fold(Tally::default(), |a, b| Tally {
        cases: a.cases + b.cases,
        positive: a.positive + b.positive,
        whole: a.whole + b.whole,
        undecided: a.undecided + b.undecided,
        equalities: a.equalities + b.equalities,
    });
    println!("{sum:?}");
    sum
}

fn one_model(seed: u64, margin: &BigUint) -> Tally {
    let mut random = Random::new(seed);
    let (kind, model) = random_model(&mut random);
    let network = model.network();
    let pairs = correct_by_pair(&model, margin);
    let request = Request {
        margin: margin.clone(),
        ..Request::new(&network, None, Options::default())
    };
    let (least, most) = pairs
        .values()
        .fold((0, 0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    let mut tally = Tally {
        undecided: usize::from(least < most),
        ..Tally::default()
    };
    let context = |what: &str| {
        format!(
            "seed {seed}, {kind:?}, by {margin}, {what}: the truth is {least} to {most}; {model:?}"
        )
    };
    let mut judge = |what: &str, certified: &BigUint| {
        assert!(
            *certified <= most.into(),
            "{certified} certified: {}",
            context(what)
        );
        tally.cases += 1;
        tally.positive += usize::from(!certified.is_zero());
        tally.whole += usize::from(!certified.is_zero() && *certified == most.into());
    };
    for index in 0..HINTS {
        let mut certificate = hints(&mut random, &network);
        certificate.claim.margin.clone_from(margin);
        // Pair by pair, lest one pair's caution hide another's fault.
        let by_pair = certified_by_pair(&network, &certificate);
        for (pair, (certified, upper)) in &by_pair {
            let (least, most) = pairs[pair];
            let holds = *certified <= most.into() && *upper >= least.into();
            assert!(
                holds,
                "{certified} to {upper} at {pair:?}: {}",
                context(&format!("{certificate:?}"))
            );
        }
        let number = certified::<Fixed>(&network, &certificate);
        assert_eq!(
            number,
            by_pair.values().map(|(certified, _)| certified).sum()
        );
        judge(&format!("fixed, {certificate:?}"), &number);
        if index % 3 == 0 {
            judge(
                &format!("rational, {certificate:?}"),
                &certified::<Rational>(&network, &certificate),
            );
        }
    }
    for strategy in Strategy::OWN {
        let proof = prove_by(&request, strategy, 0);
        let Certified { correct, upper, .. } = proof.unwrap().certified;
        judge(&strategy.name(), &correct);
        assert!(
            upper >= least.into(),
            "at most {upper}: {}",
            context(&strategy.name())
        );
        if kind.is_plain() && strategy == (Strategy::Exact { two_sided: true }) {
            // As brute force: ties of real numbers may stay undecided.
            let brute_force = prove_by(&request, Strategy::BruteForce, 0)
                .unwrap()
                .certified;
            assert_eq!(
                (correct, upper),
                (brute_force.correct, brute_force.upper),
                "{}",
                context("exact")
            );
        }
    }
    let brute_force = prove_by(&request, Strategy::BruteForce, 0).unwrap();
    let certificate = Certificate::read(&brute_force.text).unwrap();
    let rational = certify::<Rational>(&network, &certificate, Options::default())
        .unwrap()
        .correct;
    judge("brute force by rationals", &rational);
    if kind.is_plain() {
        assert_eq!(
            (brute_force.certified.correct, rational),
            (least.into(), most.into()),
            "{}",
            context("equality")
        );
        tally.equalities += 1;
    }
    tally
}

/// Scripts that nearly say what is true: proof trees of the exact strategy with a few numbers changed.
#[test]
fn mutated_trees_show_nothing_false() {
    let (mut trees, mut decided, mut undecided) = (0, 0, 0);
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let (_, model) = random_model(&mut random);
        let network = model.network();
        let proof = prove(
            &network,
            Strategy::Exact { two_sided: true },
            None,
            Options::default(),
        )
        .unwrap();
        let truth = correct_by_pair(&model, &BigUint::default());
        let mut certificate = proof.certificate;
        for plan in &mut partition(&mut certificate).plans {
            let Count::Tree(Script { order, walk }) = &mut plan.count else {
                continue;
            };
            trees += usize::from(!walk.is_empty());
            for numbers in [order, walk] {
                for _ in 0..random.within(0, 2) {
                    if numbers.is_empty() {
                        break;
                    }
                    let at = random.within(0, numbers.len() - 1);
                    match random.within(0, 2) {
                        0 => drop(numbers.remove(at)),
                        1 => numbers.insert(at, random.within(0, 8)),
                        _ => numbers[at] = random.within(0, 8),
                    }
                }
            }
        }
        for (pair, (certified, upper)) in certified_by_pair(&network, &certificate) {
            let (least, most) = truth[&pair];
            assert!(
                certified <= most.into() && upper >= least.into(),
                "seed {seed}, {pair:?}: {certified} to {upper}"
            );
            if certified == upper {
                decided += 1
            } else {
                undecided += 1
            }
        }
    }
    println!("{trees} trees; {decided} pairs decided, {undecided} not");
    assert!(trees > 500 && decided > 2_000 && undecided > 200);
}

#[test]
fn the_search_writes_what_a_certificate_can_hold() {
    for v in 2..6 {
        let tiny = Model::zero(v, 2, 1, 1);
        let mut large = tiny.clone();
        large.set("unembed.b_U", 0, 2_f32.powi(22));
        for (model, network) in [("tiny", tiny.network()), ("large", large.network())] {
            for strategy in Strategy::OWN {
                let proof = prove(&network, strategy, None, Options::default());
                assert!(
                    proof.is_ok(),
                    "{model}, {v} tokens, {}: {}",
                    strategy.name(),
                    proof.unwrap_err()
                );
            }
        }
    }
}

#[test]
fn groups_that_are_no_partition_are_rejected() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let network = random_model(&mut random).1.network();
        let certificate = reread(&broken_hints(&mut random, &network));
        let verdict = certify::<Fixed>(&network, &certificate, Options::default());
        let not_a_partition = matches!(
            verdict,
            Err(Refusal::Rejected(Rejection::NotAPartition { .. }))
        );
        assert!(not_a_partition, "seed {seed}: {verdict:?}, {certificate:?}");
    }
}

#[test]
fn the_oracle_knows_ties_and_solutions() {
    assert_eq!(exact_correct(&Model::zero(3, 2, 1, 1)), (0, 0));
    // Uniform attention adds up the tokens' powers of three: the largest outweighs all others.
    let powers = Paths {
        d_vocab: 3,
        token_logit: |t, j| if t == j { 3_f32.powi(j as i32) } else { 0.0 },
        ..NOTHING
    };
    assert_eq!(exact_correct(&powers.model()), (9, 9));
}
