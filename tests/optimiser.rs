//! Moved hints: never a lower bound, the same on any number of threads, and no more than the truth.
#![cfg(feature = "optimise")]

use crate::common::{Random, exact_correct, random_model};
use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::{Fixed, Rational};
use gbmi::checker::{Options, check};
use gbmi::model::Network;
use gbmi::search::{Proof, prove, prove_optimised};
use gbmi::strategy::{Family, Strategy};

const STEPS: usize = 20;

/// The certificate is accepted, and claims what the proof says.
fn accepted(network: &Network, proof: &Proof) {
    let certificate = Certificate::read(&proof.text).unwrap();
    let checked = check::<Fixed>(network, &certificate, Options::default()).unwrap();
    assert_eq!(
        (&checked.correct, &checked.correct),
        (&certificate.claim.correct, &proof.certified.correct)
    );
}

#[test]
fn a_real_model_gains_at_the_same_length() {
    let network = Network::load("models/max_of_4_seed50".as_ref()).unwrap();
    let errors = [
        "svd",
        "mean+max-diff-subproduct",
        "mean+max-diff-subproduct-recursive",
    ];
    for error in errors {
        let strategy = Strategy::Published(Family {
            eupu: "mean-query+max-diff",
            attention: "mean-query+diff",
            error,
        });
        let closed = prove(&network, strategy, None, Options::default())
            .unwrap()
            .certified;
        let moved = prove_optimised(&network, strategy, STEPS, None, Options::default()).unwrap();
        accepted(&network, &moved);
        let both = prove_optimised(
            &network,
            strategy,
            STEPS,
            None,
            Options {
                threads: 2,
                ..Options::default()
            },
        );
        assert_eq!(moved.text, both.unwrap().text, "{error}");
        let (before, after) = (closed.meter.flops(), moved.certified.meter.flops());
        // Only gaps that certify something are tested: about one FLOP in a hundred.
        assert!(
            before.abs_diff(after) * 100 < before,
            "{error}: {before}, {after}"
        );
        assert!(
            moved.certified.correct > &closed.correct + &closed.total / 100_u32,
            "{error}: {closed:?}"
        );
    }
}

#[test]
fn nothing_is_lost_and_nothing_false_is_certified() {
    let mut gained = 0;
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let (kind, model) = random_model(&mut random);
        let network = model.network();
        let most = exact_correct(&model).1;
        for family in [(); 3].map(|()| random.pick(&Family::all().collect::<Vec<_>>())) {
            let strategy = Strategy::Published(family);
            let closed = prove(&network, strategy, None, Options::default()).unwrap();
            let moved =
                prove_optimised(&network, strategy, STEPS, None, Options::default()).unwrap();
            accepted(&network, &moved);
            let (before, after) = (&closed.certified.correct, &moved.certified.correct);
            assert!(
                before <= after && *after <= most.into(),
                "seed {seed}, {family}: {before}, {after}, {most}"
            );
            gained += usize::from(before < after);
            if kind.is_plain() {
                check::<Rational>(&network, &moved.certificate, Options::default()).unwrap();
            }
        }
    }
    println!("{gained} of 120 gain");
    assert!(gained > 0);
}

#[test]
fn no_steps_and_other_strategies_are_closed_forms() {
    let (_, model) = random_model(&mut Random::new(1));
    let network = model.network();
    let family = Strategy::Published(Family::all().next().unwrap());
    for (strategy, steps) in [
        (family, 0),
        (Strategy::PublishedCubic, STEPS),
        (Strategy::Cubic, STEPS),
    ] {
        let closed = prove(&network, strategy, None, Options::default()).unwrap();
        let moved = prove_optimised(&network, strategy, steps, None, Options::default()).unwrap();
        assert_eq!(closed.text, moved.text);
    }
}
