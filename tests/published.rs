//! The published strategies: no witness, good or bad, certifies a wrong input or counts one twice, and good ones
//! certify what they should. Random tiny models against the exact oracle, class of inputs by class.

use crate::common::{
    Kind, NOTHING, Paths, Random, bare, published_hints, random_model, tight_model, verdicts,
};
use gbmi::certificate::published::{
    Attention, Chain, DirectPath, Gaps, LowRank, MaxDiff, Means, NoHints, Published, Residual,
    SPECTRAL_BITS, Spectral, VECTOR_BITS,
};
use gbmi::certificate::{Certificate, Hints, Rows};
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::meter::Meter;
use gbmi::checker::published::{convexity, gaps, residual};
use gbmi::checker::{Options, certify, check};
use gbmi::model::{Matrix, Network};
use gbmi::parallel::parallel;
use gbmi::search::{Proof, prove};
use gbmi::strategy::{Family, Strategy};
use num_bigint::BigUint;
use num_traits::Zero;
use std::collections::BTreeMap;

const MODELS: u64 = 800;
/// Random hints for each model; the rationals follow every third.
const HINTS: usize = 8;
/// Strategies of the search for each model: all, for every fortieth.
const STRATEGIES: usize = 4;

const EXACT: Attention = Attention::Exact(NoHints {});
const NO_MEAN: DirectPath = DirectPath::MaxDiff(MaxDiff { mean: vec![] });

type Verdicts = Vec<(Vec<usize>, Option<bool>)>;

/// What the cases of one rule came to.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    cases: usize,
    /// Cases that certify something.
    positive: usize,
    /// Cases that certify all that is true, and something is.
    whole: usize,
}

/// The rules of these hints, with the finer distinctions that matter.
fn rules(certificate: &Certificate) -> Vec<String> {
    let Hints::Published(Published::Gaps(gaps)) = &certificate.hints else {
        return vec!["convexity".into()];
    };
    let Gaps {
        attention,
        direct_path,
        references,
        ..
    } = gaps.as_ref();
    let mut rules = vec![
        if references.is_empty() {
            "gaps, no reference"
        } else {
            "gaps, reference"
        }
        .to_string(),
    ];
    rules.push(match direct_path {
        DirectPath::MaxDiff(MaxDiff { mean }) if mean.is_empty() => {
            "direct max_diff, no mean".into()
        }
        DirectPath::MaxDiff(MaxDiff { .. }) => "direct max_diff, mean".into(),
        DirectPath::MaxDiffExact(NoHints {}) => "direct max_diff_exact".into(),
        DirectPath::GlobalMaxDiffExact(NoHints {}) => "direct global_max_diff_exact".into(),
    });
    let Attention::LowRank(LowRank {
        factors,
        peel,
        error,
    }) = attention
    else {
        rules.push("scores exact".into());
        return rules;
    };
    let factors = if *factors == Chain::Four { 4 } else { 2 };
    let means = |means: &Rows<i64>| {
        if means.iter().all(<[i64]>::is_empty) {
            "no means"
        } else {
            "means"
        }
    };
    rules.push(match error {
        Residual::Exact(NoHints {}) => format!("residual exact, {factors} factors"),
        Residual::Svd(Spectral { .. }) => format!("residual svd, {factors} factors"),
        Residual::MaxDiff(Means { means: rows }) => {
            format!("residual max_diff, {factors} factors, {}", means(rows))
        }
        Residual::Recursive(Means { means: rows }) => {
            format!("residual recursive, {factors} factors, {}", means(rows))
        }
    });
    let rank = peel
        .iter()
        .map(|part| part.left.len().min(part.right.len()))
        .max()
        .unwrap_or(0);
    rules.push(format!("peel, rank {rank}"));
    rules
}

/// Asserts that what is certified is right: class by class for gaps, maximum by maximum for convexity. The sum.
fn certified<R: Enclosure>(
    network: &Network,
    certificate: &Certificate,
    verdicts: &Verdicts,
) -> BigUint {
    let (v, n) = (
        network.one_head().unwrap().config.d_vocab,
        network.one_head().unwrap().config.n_ctx,
    );
    let meter = Meter::new(u64::MAX);
    let maximum = |input: &Vec<usize>| *input.iter().max().unwrap();
    let mut sum = BigUint::default();
    let Hints::Published(hints) = &certificate.hints else {
        unreachable!("no published rule")
    };
    let hints = match hints {
        Published::Gaps(hints) => hints,
        Published::Convexity(NoHints {}) => {
            let tables = convexity::Tables::<R>::new(&network.one_head().unwrap(), &meter).unwrap();
            for m in 0..v {
                let certified = tables.certified(m, &meter).unwrap();
                let most = verdicts
                    .iter()
                    .filter(|(input, right)| maximum(input) == m && *right != Some(false))
                    .count();
                assert!(
                    certified <= most.into(),
                    "{certified} of {most} with maximum {m}"
                );
                sum += certified;
            }
            return sum;
        }
    };
    let (attention, direct_path) = (&hints.attention, &hints.direct_path);
    let tables =
        gaps::Tables::<R>::new(&network.one_head().unwrap(), attention, direct_path, &meter)
            .unwrap();
    let bare = |gaps| Gaps {
        gaps,
        ..hints.as_ref().clone()
    };
    for m in 0..v {
        let level = gaps::Level::new(&tables, m, &meter);
        let alone = level.certified(&bare(Rows::EMPTY), &meter).unwrap();
        assert!(alone <= 1_u8.into());
        if !alone.is_zero() {
            let (_, right) = verdicts
                .iter()
                .find(|(input, _)| *input == vec![m; n])
                .unwrap();
            assert_ne!(*right, Some(false), "{m} throughout");
        }
        for (index, gap) in hints.gaps.get(m).unwrap().iter().enumerate() {
            let mut one = vec![vec![]; v];
            one[m] = (0..index).map(|_| 0).chain([*gap]).collect();
            let certified = level.certified(&bare(one.into()), &meter).unwrap() - &alone;
            sum += &certified;
            if certified.is_zero() {
                continue;
            }
            let (q, c) = (index / (n - 1), index % (n - 1) + 1);
            let in_class = |input: &Vec<usize>| {
                let others: Vec<&usize> = input.iter().filter(|token| **token != m).collect();
                input[n - 1] == q
                    && others.len() == c
                    && others.iter().all(|token| **token + gap <= m)
            };
            let class = verdicts.iter().filter(|(input, _)| in_class(input));
            let wrong: Vec<_> = class
                .clone()
                .filter(|(_, right)| *right == Some(false))
                .collect();
            assert!(
                wrong.is_empty(),
                "q {q}, m {m}, {c} others, gap {gap}: {wrong:?} are wrong"
            );
            assert_eq!(
                certified,
                class.count().into(),
                "q {q}, m {m}, {c} others, gap {gap}"
            );
        }
        sum += alone;
    }
    sum
}

fn read(proof: &Proof) -> Certificate {
    Certificate::read(&proof.text).unwrap()
}

fn all(network: &Network, threads: usize) -> impl Iterator<Item = (String, Proof)> {
    let options = Options {
        threads,
        ..Options::default()
    };
    let convexity = [(
        "convexity".to_string(),
        prove(network, Strategy::PublishedCubic, None, options).unwrap(),
    )];
    let cubic = Family::all().map(move |family| {
        (
            family.to_string(),
            prove(network, Strategy::Published(family), None, options).unwrap(),
        )
    });
    convexity.into_iter().chain(cubic)
}

fn one_model(seed: u64) -> BTreeMap<String, Tally> {
    let mut random = Random::new(seed ^ 0x9ab1);
    let (kind, model) = if seed.is_multiple_of(2) {
        random_model(&mut random)
    } else {
        (Kind::Normal, tight_model(&mut random))
    };
    let network = model.network();
    let verdicts = verdicts(&model);
    let most: BigUint = verdicts
        .iter()
        .filter(|(_, right)| *right != Some(false))
        .count()
        .into();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut judge = |source: &str, certificate: &Certificate, certified: &BigUint| {
        assert!(
            *certified <= most,
            "seed {seed}, {kind:?}: {certified} of {most}: {certificate:?}, {model:?}"
        );
        for rule in rules(certificate) {
            let tally = tallies.entry(format!("{source}: {rule}")).or_default();
            tally.cases += 1;
            tally.positive += usize::from(!certified.is_zero());
            tally.whole += usize::from(!certified.is_zero() && *certified == most);
        }
    };
    for index in 0..HINTS {
        let certificate = published_hints(&mut random, &network);
        let number = certify::<Fixed>(&network, &certificate, Options::default())
            .unwrap()
            .correct;
        let context = format!("seed {seed}, {kind:?}, {certificate:?}, {model:?}");
        let sum = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self::certified::<Fixed>(&network, &certificate, &verdicts)
        }));
        assert_eq!(
            sum.unwrap_or_else(|_| panic!("{context}")),
            number,
            "{context}"
        );
        judge("random", &certificate, &number);
        // Exact numbers of every size make large powers: the rationals take their time.
        if index % 3 == 0 && !matches!(kind, Kind::Huge | Kind::Tiny | Kind::Mixed) {
            judge(
                "rational",
                &certificate,
                &self::certified::<Rational>(&network, &certificate, &verdicts),
            );
        }
    }
    let families: Vec<Family> = Family::all().collect();
    let mut proofs =
        vec![prove(&network, Strategy::PublishedCubic, None, Options::default()).unwrap()];
    if seed.is_multiple_of(40) {
        proofs.extend(all(&network, 1).map(|(_, proof)| proof));
    }
    for _ in 0..STRATEGIES {
        proofs.push(
            prove(
                &network,
                Strategy::Published(random.pick(&families)),
                None,
                Options::default(),
            )
            .unwrap(),
        );
    }
    for (index, proof) in proofs.iter().enumerate() {
        let certificate = read(proof);
        let accepted = check::<Fixed>(&network, &certificate, Options::default())
            .unwrap()
            .correct;
        assert_eq!(
            (&accepted, &accepted),
            (&certificate.claim.correct, &proof.certified.correct)
        );
        judge("search", &certificate, &accepted);
        if index < 5 {
            assert_eq!(
                certified::<Fixed>(&network, &certificate, &verdicts),
                accepted
            );
        }
        if index < 3 && kind.is_plain() {
            let rational = certify::<Rational>(&network, &certificate, Options::default())
                .unwrap()
                .correct;
            assert_eq!(
                accepted, rational,
                "seed {seed}, {kind:?}: {certificate:?}, {model:?}"
            );
        }
    }
    tallies
}

#[test]
fn no_witness_certifies_more_than_the_truth() {
    let mut sums: BTreeMap<String, Tally> = BTreeMap::new();
    for (rule, tally) in parallel((0..MODELS).collect(), 2, |_, seed| one_model(seed))
        .into_iter()
        .flatten()
    {
        let sum = sums.entry(rule).or_default();
        sum.cases += tally.cases;
        sum.positive += tally.positive;
        sum.whole += tally.whole;
    }
    for (
        rule,
        Tally {
            cases,
            positive,
            whole,
        },
    ) in &sums
    {
        println!("{rule}: {cases} cases, {positive} certify something, {whole} all that is true");
    }
    // Every rule is touched by every source, and often certifies something.
    let of = |source: &str| {
        sums.iter()
            .filter(|(rule, _)| rule.starts_with(source))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of("random").len(), of("rational").len(), of("search").len()),
        (RULES, RULES, RULES - 6),
        "{sums:#?}"
    );
    for (rule, tally) in sums.iter().filter(|(rule, _)| rule.starts_with("random")) {
        assert!(
            tally.cases >= 60 && tally.positive * 4 > tally.cases && tally.whole > 0,
            "{rule}: {tally:?}"
        );
    }
    for (rule, tally) in sums.iter().filter(|(rule, _)| rule.starts_with("search")) {
        assert!(
            tally.cases >= 60 && tally.positive * 2 > tally.cases && tally.whole > 0,
            "{rule}: {tally:?}"
        );
    }
}

/// The number of distinct names by [`rules`]: of criteria, direct paths, residuals, ranks.
const RULES: usize = 3 + 4 + 1 + 2 * 6 + 4;

/// A model that attends to large tokens and copies what it attends to: every strategy proves that it is right.
fn copier() -> crate::common::Model {
    let paths = Paths {
        d_vocab: 4,
        n_ctx: 3,
        token_score: |_, t| 6.0 * t as f32,
        token_logit: |t, j| if t == j { 4.0 } else { 0.0 },
        ..NOTHING
    };
    paths.model()
}

#[test]
fn every_strategy_proves_a_clear_case() {
    let network = copier().network();
    let mut names = vec![];
    for (name, proof) in all(&network, 1) {
        assert_eq!(proof.certified.correct, 64_u8.into(), "{name}");
        let rational = certify::<Rational>(&network, &read(&proof), Options::default()).unwrap();
        assert_eq!(rational.correct, 64_u8.into(), "{name}");
        names.push(name);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 101);
}

#[test]
fn threads_change_nothing() {
    let mut random = Random::new(3);
    let plain = std::iter::repeat_with(|| random_model(&mut random))
        .filter(|(kind, _)| *kind == Kind::Trained);
    for (_, model) in plain.take(3) {
        let network = model.network();
        for ((name, one), (_, two)) in all(&network, 1).zip(all(&network, 2)) {
            assert_eq!(one.text, two.text, "{name}");
            let tally = |proof: &Proof| {
                (
                    proof.certified.meter.flops(),
                    proof.certified.meter.int_ops(),
                )
            };
            assert_eq!(
                (&one.certified.correct, tally(&one)),
                (&two.certified.correct, tally(&two)),
                "{name}"
            );
        }
    }
}

/// For every ratio one of the two lines is at least F: the first up to the reference, the second beyond.
#[test]
fn lines_with_a_reference_bound_every_answer() {
    let (meter, mut compared) = (Meter::new(u64::MAX), 0);
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let network = tight_model(&mut random).network();
        let tables =
            gaps::Tables::<Rational>::new(&network.one_head().unwrap(), &EXACT, &NO_MEAN, &meter)
                .unwrap();
        for m in 0..network.one_head().unwrap().config.d_vocab {
            let level = gaps::Level::new(&tables, m, &meter);
            let mut ratio =
                || Rational::dyadic((random.next() >> 42).try_into().unwrap(), -VECTOR_BITS);
            let ratios = [ratio(), ratio(), ratio(), Rational::dyadic(0, 0)];
            // A reference below zero is sound, too: the second line is then the one for every ratio.
            let reference = if seed % 4 == 0 {
                Rational::dyadic(0, 0).sub(&ratio())
            } else {
                ratio()
            };
            let slope = (i64::try_from(random.next() >> 41).unwrap()) - (1 << 22);
            let (at_zero, at_reference) =
                (level.at_zero(&meter), level.at_ratio(&reference, &meter));
            let lines = level.lines(&at_zero, &at_reference, &reference, slope, &meter);
            for u in ratios
                .iter()
                .chain([&reference])
                .filter(|u| !u.is_negative())
            {
                let line = &lines[usize::from(!u.upper_at_most(&reference))];
                let (bound, truth) = (line.0.add(&line.1.mul(u)), level.at_ratio(u, &meter));
                assert!(
                    !bound.sub(&truth).is_negative(),
                    "seed {seed}, m {m}: {lines:?} at {u:?}: {truth:?}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 2000, "{compared}");
}

/// A bound on the ranges of rows is at least the ranges; whatever the hints.
#[test]
fn residuals_bound_the_ranges_of_rows() {
    let meter = Meter::new(u64::MAX);
    let mut bounded = [0; 3];
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let mut sizes = vec![random.within(1, 3)];
        for _ in 0..random.pick(&[2, 2, 4]) {
            sizes.push(random.within(1, 3));
        }
        let mut matrix = |rows: usize, cols: usize| {
            let entry = |random: &mut Random| Rational::dyadic((random.unit() * 1024.0) as i64, -8);
            Matrix::from_fn(rows, cols, Rational::everything(), |_, _| {
                entry(&mut random)
            })
        };
        let mut chain: Vec<Matrix<Rational>> = sizes
            .windows(2)
            .map(|pair| matrix(pair[0], pair[1]))
            .collect();
        if seed.is_multiple_of(2) {
            // The row (a, −a) attains √2 σ₁.
            let last = chain.pop().unwrap();
            let zero = Rational::dyadic(0, 0);
            let entry = |row: usize, col: usize| {
                if col == 0 {
                    last.at(row, 0).clone()
                } else {
                    zero.sub(last.at(row, 0))
                }
            };
            chain.push(Matrix::from_fn(
                last.rows(),
                2,
                Rational::everything(),
                entry,
            ));
        }
        let ranges = residual::bound(&chain, &Residual::Exact(NoHints {}), &meter).unwrap();
        let mut row = |length: usize| {
            (0..length)
                .map(|_| (random.unit() * 4e6) as i64)
                .collect::<Vec<i64>>()
        };
        let means: Rows<i64> = sizes[1..sizes.len() - 1]
            .iter()
            .map(|size| row(*size))
            .collect();
        let width = ranges
            .iter()
            .filter_map(Rational::ends)
            .map(|(_, hi)| hi)
            .max()
            .unwrap();
        let width = num_traits::ToPrimitive::to_f64(&width).unwrap()
            * [0.9, 0.99, 1.01, 1.5][random.within(0, 3)];
        let units =
            |value: f64| (value * f64::from(SPECTRAL_BITS).exp2()).clamp(-1e17, 1e17) as i64;
        let scale = 2.0 / (width * width) * random.pick(&[1.000_01, 1.000_01, 0.9, 0.6, 0.1]);
        let svd = Residual::Svd(Spectral {
            bound: units(width),
            scale: units(scale),
        });
        for (index, rule) in [
            svd,
            Residual::MaxDiff(Means {
                means: means.clone(),
            }),
            Residual::Recursive(Means { means }),
        ]
        .iter()
        .enumerate()
        {
            let bounds = residual::bound(&chain, rule, &meter).unwrap();
            assert_eq!(bounds.len(), ranges.len());
            for (bound, range) in bounds.iter().zip(&ranges) {
                assert!(
                    !bound.sub(range).is_negative(),
                    "seed {seed}, {rule:?}, {chain:?}: {bound:?} below {range:?}"
                );
                bounded[index] += usize::from(bound.ends().is_some());
            }
        }
    }
    println!("{bounded:?} rows bounded by svd, max_diff, recursive");
    assert!(
        bounded[0] > 200 && bounded[1] > 5000 && bounded[2] == bounded[1],
        "{bounded:?}"
    );
}

/// Where other tokens help, the least attention to them counts, not the greatest.
#[test]
fn a_line_that_falls_is_largest_at_no_attention() {
    let paths = Paths {
        d_vocab: 3,
        token_score: |_, t| if t == 1 { 3.0 } else { 0.0 },
        token_logit: |t, j| if (t, j) == (2, 2) { -3.0 } else { 0.0 },
        ..NOTHING
    };
    let mut model = paths.model();
    model.set("unembed.b_U", 2, 1.0);
    let network = model.network();
    let gaps = Gaps {
        attention: EXACT,
        direct_path: NO_MEAN,
        references: Rows::EMPTY,
        slopes: Rows::EMPTY,
        gaps: (0..3_usize).map(|m| vec![m.min(1); m + 1]).collect(),
    };
    let hints = bare(&network, Hints::Published(Published::Gaps(Box::new(gaps))));
    // With token 2 before it, 0 gets too little attention to help; beside 1, which would, it is the same class.
    assert!(certified::<Fixed>(&network, &hints, &verdicts(&model)).is_zero());
}

/// Where other tokens help, both ends of what they may weigh matter.
#[test]
fn convexity_looks_at_both_ends() {
    let paths = Paths {
        d_vocab: 3,
        n_ctx: 4,
        token_logit: |t, j| if (t, j) == (2, 2) { -3.0 } else { 0.0 },
        position_score: |_, p| [0.0, 2.3, 2.3, 0.0][p],
        direct: |_, j| if j == 2 { 1.0 } else { 0.0 },
        ..NOTHING
    };
    let model = paths.model();
    // Three other tokens before a 2 at the end: all right, and all that is certified.
    let network = model.network();
    let hints = bare(&network, Hints::Published(Published::Convexity(NoHints {})));
    assert_eq!(
        certified::<Fixed>(&network, &hints, &verdicts(&model)),
        8_u8.into()
    );
}
