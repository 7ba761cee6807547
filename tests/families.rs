//! Trained networks of several kinds, copies of which stand in `tests/data/families`: their exact accuracy as certificates,
//! which were counted elsewhere, in doubles, over the whole domain.

use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::{Options, check};
use gbmi::model::Network;
use gbmi::refusal::{Decline, Refusal};
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use num_bigint::BigUint;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Model, right answers, pairs of an input and a read-out.
const FAMILIES: [(&str, u32, u32); 5] = [
    ("second_max_of_3_two_heads", 32_706, 32_768),
    ("sorted_list_3_ln", 3_960, 3_960),
    ("f_g_max_min", 9_224, 9_224),
    ("group_S4_mlp", 569, 576),
    ("induction_exhaustive_7", 41_664, 41_664),
];

fn network(name: &str) -> Network {
    Network::load(&Path::new("tests/data/families").join(name)).unwrap()
}

fn options() -> Options<'static> {
    Options {
        threads: 2,
        ..Options::default()
    }
}

fn assert_counts<R: Enclosure>(name: &str, certificate: &Certificate, right: u32, total: u32) {
    let certified = check::<R>(&network(name), certificate, options()).unwrap();
    let counts = [&certified.correct, &certified.upper, &certified.total];
    let expected = [right, right, total].map(BigUint::from);
    assert_eq!(counts, expected.each_ref(), "{name}, {}", R::NAME);
}

#[test]
fn the_exact_accuracy_of_every_kind_is_a_checked_certificate() {
    for (name, right, total) in FAMILIES {
        let network = network(name);
        for strategy in [Strategy::Exhaustive, Strategy::Exact { two_sided: true }] {
            let proof = prove(&network, strategy, None, options()).unwrap();
            assert_eq!(proof.certified.family, "exhaustive");
            let certificate = Certificate::read(&proof.text).unwrap();
            assert_counts::<Fixed>(name, &certificate, right, total);
            assert!(proof.text.len() < 2_000, "nothing is hinted");
        }
    }
}

#[test]
fn rational_arithmetic_counts_the_same() {
    for (name, right, total) in FAMILIES {
        let proof = prove(&network(name), Strategy::Exhaustive, None, options()).unwrap();
        if proof.certified.meter.flops() < 10_000_000 {
            assert_counts::<Rational>(name, &proof.certificate, right, total);
        }
    }
}

#[test]
fn one_more_than_there_are_is_rejected_and_so_is_one_fewer_from_above() {
    let network = network("group_S4_mlp");
    let proof = prove(&network, Strategy::Exhaustive, None, options()).unwrap();
    for (correct, upper) in [(570_u32, 576_u32), (569, 568)] {
        let mut certificate = proof.certificate.clone();
        certificate.claim.correct = correct.into();
        certificate.claim.upper = Some(upper.into());
        let verdict = check::<Fixed>(&network, &certificate, options());
        assert!(matches!(verdict, Err(Refusal::Rejected(_))), "{verdict:?}");
    }
}

#[test]
fn what_takes_too_long_is_declined_before_it_begins_with_a_number() {
    let network = network("f_g_max_min");
    let few = Options {
        max_flops: 100_000,
        ..options()
    };
    let started = AtomicBool::new(false);
    let begun = || started.store(true, Ordering::Relaxed);
    let few = Options {
        progress: &begun,
        ..few
    };
    let refusal = prove(&network, Strategy::Exhaustive, None, few).unwrap_err();
    let Refusal::Declined(Decline::Estimate { flops, limit }) = refusal else {
        panic!("{refusal:?}");
    };
    assert!(flops > BigUint::from(1_000_000_u32) && limit == 100_000);
    assert!(!started.load(Ordering::Relaxed));
}

#[test]
fn a_strategy_that_the_network_does_not_have_is_declined_with_those_it_has() {
    let network = network("sorted_list_3_ln");
    for strategy in [
        Strategy::Cubic,
        Strategy::Subcubic,
        Strategy::PublishedCubic,
    ] {
        let refusal = prove(&network, strategy, None, options()).unwrap_err();
        assert!(matches!(
            refusal,
            Refusal::Declined(Decline::Strategy { .. })
        ));
        assert!(refusal.to_string().contains("exhaustive"), "{refusal}");
    }
}

/// A margin is asked of every answer: the more, the fewer are right by it.
#[test]
fn fewer_answers_are_right_by_a_larger_margin() {
    let network = network("group_S4_mlp");
    let right = |units: u64| {
        let mut certificate = prove(&network, Strategy::Exhaustive, None, options())
            .unwrap()
            .certificate;
        certificate.claim.margin = units.into();
        let certified = gbmi::checker::certify::<Fixed>(&network, &certificate, options()).unwrap();
        assert_eq!(certified.correct, certified.upper);
        certified.correct
    };
    let counts = [0, 1 << 46, 1 << 49, 1 << 52, 1 << 56].map(right);
    assert!(counts.is_sorted_by(|more, less| more >= less), "{counts:?}");
    assert!(
        counts[0] > counts[3] && counts[4] == BigUint::ZERO,
        "{counts:?}"
    );
}
