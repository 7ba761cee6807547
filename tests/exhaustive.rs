//! Family `exhaustive` against the truth: it never finds more right, nor more wrong, than there is; and in exact rationals
//! no less, where the truth is not a tie.

use crate::common::{Counts, Description, Plan, around_a_lead, plans, truth};
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::exhaustive::decide;
use gbmi::checker::meter::{Kind, Meter};
use gbmi::checker::{Decided, Options, Run};
use gbmi::model::Network;
use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use num_traits::One;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use std::cell::RefCell;

/// A dyadic number.
type Margin = (i64, i32);

/// 0, 2^-20, 0.5 and 3.
const MARGINS: [Margin; 4] = [(0, 0), (1, -20), (1, -1), (3, 0)];

fn exact((mantissa, exponent): Margin) -> BigRational {
    let power = BigInt::one() << exponent.unsigned_abs();
    if exponent < 0 {
        BigRational::new(mantissa.into(), power)
    } else {
        (power * mantissa).into()
    }
}

/// What is decided, and the tally.
fn decided<R: Enclosure>(
    network: &Network,
    margin: Option<Margin>,
    threads: usize,
) -> (Decided, Vec<u64>) {
    let options = Options {
        threads,
        ..Options::default()
    };
    let meter = Meter::new(options.max_flops);
    let margin = margin.map(|(mantissa, exponent)| R::dyadic(mantissa, exponent));
    let run = Run {
        meter: &meter,
        margin,
        options,
    };
    let decided = decide::<R>(network, &run).unwrap();
    let tally = Kind::ALL.iter().map(|(kind, _)| meter.of(*kind));
    (decided, tally.collect())
}

/// No more than the truth, of either.
fn assert_sound(what: &str, found: &Decided, truth: &Counts, network: &Description) {
    let most = |known: u64| BigUint::from(known + truth.undecided);
    assert!(
        found.right <= most(truth.right) && found.wrong <= most(truth.wrong),
        "unsound, {what}: {found:?}, the truth is {truth:?}: {network:?}"
    );
}

/// Sums over many networks of pairs: how many there are, and how many are decided.
#[derive(Debug, Default, Clone, Copy)]
struct Share {
    all: u64,
    right: u64,
    fixed: u64,
}

/// Compares what is found out about one network with its truth, for all margins.
fn compare(description: &Description, plan: &Plan, share: &mut Share) {
    let network = description
        .read()
        .unwrap_or_else(|why| panic!("{why}: {description:?}"));
    let mut margins = MARGINS.to_vec();
    for seed in [plan.seed, !plan.seed] {
        let around = around_a_lead(description, seed).unwrap_or_default();
        margins.extend(around.map(|mantissa| (mantissa, -24)));
    }
    let exactly: Vec<BigRational> = margins.iter().copied().map(exact).collect();
    let (truths, is_small) = truth(description, &exactly);
    let is_plain = is_small && plan.weights.is_plain();
    for (index, (margin, truth)) in margins.into_iter().zip(&truths).enumerate() {
        assert_eq!(
            BigUint::from(truth.all()),
            network.task.size(),
            "{description:?}"
        );
        let given = Some(margin).filter(|_| index > 0 || plan.twins);
        let (fixed, tally) = decided::<Fixed>(&network, given, 1);
        assert_sound(
            &format!("fixed, margin {margin:?}"),
            &fixed,
            truth,
            description,
        );
        if is_plain {
            share.all += truth.right + truth.wrong;
            share.right += truth.right;
            share.fixed += u64::try_from(&fixed.right + &fixed.wrong).unwrap();
        }
        // One margin for each network: these are slow.
        if plan.seed % 8 != u64::try_from(index).unwrap() {
            continue;
        }
        let again = decided::<Fixed>(&network, given, 3);
        assert_eq!(
            (&fixed, &tally),
            (&again.0, &again.1),
            "on three threads: {description:?}"
        );
        let (rational, _) = decided::<Rational>(&network, given, 1);
        let what = format!("rational, margin {margin:?}");
        assert_sound(&what, &rational, truth, description);
        if is_plain {
            assert!(
                rational.right >= truth.right.into()
                    && rational.wrong >= (truth.wrong - truth.ties).into(),
                "too little, {what}: {rational:?}, the truth is {truth:?}: {description:?}"
            );
        }
    }
}

#[test]
fn no_network_is_misjudged() {
    let defaults = Config::default();
    let config = Config {
        cases: defaults.cases * 3 / 4, // more by PROPTEST_CASES
        failure_persistence: None,
        ..defaults
    };
    let share = RefCell::new(Share::default());
    let result = TestRunner::new(config).run(&plans(), |plan| {
        compare(&plan.describe(), &plan, &mut share.borrow_mut());
        Ok(())
    });
    if let Err(why) = result {
        panic!("{why}");
    }
    let share = share.into_inner();
    // Not a claim: that these networks test anything.
    assert!(
        5 * share.fixed > 4 * share.all && 10 * share.right > share.all,
        "too little is decided: {share:?}"
    );
}

/// A network whose logits are exactly those of the last token: 0 and this lead.
fn direct(lead: f32, n_layers: usize, d_mlp: usize, norm: Option<&str>) -> Description {
    let plan = |seed| Plan {
        seed,
        n_layers,
        d_mlp,
        d_model: 2,
        norm: [None, Some("LN"), Some("LNPre")]
            .iter()
            .position(|name| *name == norm)
            .unwrap(),
        ..Plan::least()
    };
    let sizes = |network: &Description| {
        let outputs = network.tensors["unembed.b_U"].1.len();
        (network.n_ctx(), network.size("d_vocab"), outputs) == (2, 2, 2)
    };
    let mut network = (0..).map(|seed| plan(seed).describe()).find(sizes).unwrap();
    for (name, (_, weights)) in &mut network.tensors {
        let gain = if name.ends_with(".w") { 1.0 } else { 0.0 };
        weights.fill(gain);
    }
    // Of both tokens: centred, and of length √2, so that a layer norm changes nothing.
    network
        .tensors
        .get_mut("embed.W_E")
        .unwrap()
        .1
        .copy_from_slice(&[-1.0, 1.0, 1.0, -1.0]);
    network
        .tensors
        .get_mut("unembed.W_U")
        .unwrap()
        .1
        .copy_from_slice(&[0.0, lead, 0.0, 0.0]);
    network.config["task"] = json!({"name": "table", "labels": "labels.safetensors"});
    network.config["eps"] = 0.0.into();
    // A last token 0 has logits 0 and −lead, a last token 1 has 0 and lead.
    network.labels = Some(vec![0, 1, 0, 1]);
    network
}

/// A tie is wrong, and by exactly the margin is not right.
#[test]
fn a_lead_of_exactly_the_margin_is_wrong() {
    for (n_layers, d_mlp, norm) in [
        (1, 0, None),
        (1, 2, None),
        (2, 0, None),
        (3, 2, None),
        (1, 0, Some("LN")),
        (2, 1, Some("LNPre")),
    ] {
        for (lead, margin, is_right) in [
            (0.0, None, false),
            (0.0, Some((0, 0)), false),
            (0.5, Some((1, -1)), false),
            (0.5, Some((0, 0)), true),
            (0.5, Some((3, 0)), false),
            (0.5, Some(((1 << 20) - 1, -21)), true),
            (0.5, Some(((1 << 20) + 1, -21)), false),
            (1.0 / 1048576.0, Some((1, -20)), false),
            (3.0, Some((3, 0)), false),
            (4.0, Some((3, 0)), true),
        ] {
            let network = direct(lead, n_layers, d_mlp, norm);
            let exactly = exact(margin.unwrap_or((0, 0)));
            let (truth, _) = truth(&network, &[exactly]);
            assert_eq!(
                (truth[0].right, truth[0].wrong),
                if is_right { (4, 0) } else { (0, 4) }
            );
            let read = network.read().unwrap();
            for found in [
                decided::<Fixed>(&read, margin, 1).0,
                decided::<Rational>(&read, margin, 1).0,
            ] {
                assert_sound("a lead", &found, &truth[0], &network);
                // Exponentials and roots are not exact: ties stay undecided.
                let known = u64::try_from(&found.right + &found.wrong).unwrap();
                assert!(
                    known == 4 || truth[0].ties > 0,
                    "{found:?}, the truth is {truth:?}: {network:?}"
                );
            }
        }
    }
}

/// Weights below the least normal float32, and the largest ones, which make up for them: exact all the same.
#[test]
fn subnormal_weights_are_read_exactly() {
    let mut network = direct(1.0, 1, 0, None);
    for (name, by) in [
        ("embed.W_E", 2_f32.powi(-140)),
        ("unembed.W_U", 2_f32.powi(120)),
    ] {
        network
            .tensors
            .get_mut(name)
            .unwrap()
            .1
            .iter_mut()
            .for_each(|weight| *weight *= by);
    }
    let read = network.read().unwrap();
    for (margin, is_right) in [
        ((1, -20), false),
        (((1 << 20) - 1, -40), true),
        (((1 << 20) + 1, -40), false),
    ] {
        let (truth, _) = truth(&network, &[exact(margin)]);
        assert_eq!(truth[0].right, if is_right { 4 } else { 0 });
        let found = decided::<Rational>(&read, Some(margin), 1).0;
        assert_eq!(found.right, truth[0].right.into());
        assert_sound(
            "fixed",
            &decided::<Fixed>(&read, Some(margin), 1).0,
            &truth[0],
            &network,
        );
    }
}
