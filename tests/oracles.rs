//! Certificates of real models under every arithmetic: the same verdict, and the same tally of FLOPs.
#![cfg(feature = "prove")]

use gbmi::certificate::Certificate;
#[cfg(feature = "mpfr")]
use gbmi::checker::arithmetic::Mpfr;
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::{Certified, Options, check};
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use std::path::Path;

fn checked<R: Enclosure>(network: &Network, text: &[u8]) -> Certified {
    let certificate = Certificate::read(text).unwrap();
    let verdict = check::<R>(
        network,
        &certificate,
        Options {
            threads: 2,
            ..Options::default()
        },
    );
    verdict.unwrap_or_else(|refusal| panic!("{}: {refusal}", R::NAME))
}

#[test]
fn every_arithmetic_accepts_what_fixed_point_proves() {
    let cases = [
        ("max_of_2_undertrained", Strategy::BruteForce),
        ("max_of_2_undertrained", Strategy::Cubic),
        ("max_of_4_seed7238", Strategy::Subcubic),
        ("max_of_10_seed123", Strategy::Subcubic),
    ];
    for (model, strategy) in cases {
        let network = Network::load(&Path::new("models").join(model)).unwrap();
        let options = Options {
            threads: 2,
            ..Options::default()
        };
        let text = prove(&network, strategy, None, options).unwrap().text;
        let fixed = checked::<Fixed>(&network, &text);
        let rational = checked::<Rational>(&network, &text);
        assert!(
            rational.correct >= fixed.correct,
            "{model}: tighter enclosures certify no less"
        );
        assert_eq!(rational.meter.flops(), fixed.meter.flops(), "{model}");
        #[cfg(feature = "mpfr")]
        assert_eq!(
            checked::<Mpfr>(&network, &text).correct,
            rational.correct,
            "{model}"
        );
    }
}

/// The counts known from evaluating every input in float64, from both sides.
#[test]
fn brute_force_counts_what_is_known() {
    for (model, correct) in [
        ("max_of_2_seed123", 4_096_u32),
        ("max_of_2_undertrained", 4_037),
        ("max_of_4_seed123", 16_763_235),
        ("max_of_4_seed50", 16_771_350),
        ("max_of_4_seed7238", 16_769_197),
    ] {
        let network = Network::load(&Path::new("models").join(model)).unwrap();
        let options = Options {
            threads: 2,
            ..Options::default()
        };
        let proof = prove(&network, Strategy::BruteForce, None, options).unwrap();
        let certified = (proof.certified.correct, proof.certified.upper);
        assert_eq!(certified, (correct.into(), correct.into()), "{model}");
    }
}
