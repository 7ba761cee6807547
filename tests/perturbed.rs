//! Models that nobody tuned to: noise on every weight. The exact proof's count is that of walking
//! all inputs, from both sides.
#![cfg(feature = "prove")]

use crate::common::Random;
use gbmi::checker::{self, Options};
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::Strategy;

/// The first bundled model with uniform noise of this size on every number of its file.
fn perturbed(noise: f32) -> Network {
    let config = std::fs::read("models/max_of_4_seed50/config.json").unwrap();
    let mut weights = std::fs::read("models/max_of_4_seed50/model.safetensors").unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(weights[..8].try_into().unwrap())).unwrap();
    let mut random = Random::new(noise.to_bits().into());
    for word in weights[header..].as_chunks_mut::<4>().0 {
        *word = (f32::from_le_bytes(*word) + noise * random.unit()).to_le_bytes();
    }
    Network::from_bytes(&config, &weights).unwrap()
}

#[test]
#[ignore = "five minutes: CI runs it by name"]
fn exact_proofs_of_perturbed_models_count_what_there_is() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        threads,
        ..Options::default()
    };
    for noise in [0.01, 0.04, 0.12] {
        let network = perturbed(noise);
        let walked = prove(&network, Strategy::BruteForce, None, options)
            .unwrap()
            .certified;
        assert_eq!(walked.correct, walked.upper, "no tie is left open");
        let exact = prove(&network, Strategy::Exact { two_sided: true }, None, options).unwrap();
        let certified =
            checker::check::<checker::arithmetic::Fixed>(&network, &exact.certificate, options)
                .unwrap();
        assert_eq!(
            (&certified.correct, &certified.upper),
            (&walked.correct, &walked.correct),
            "noise {noise}"
        );
        assert!(
            certified.meter.flops() * 10 < walked.meter.flops(),
            "noise {noise}: {}",
            certified.meter.flops()
        );
        println!(
            "noise {noise}: {} of {}, {} FLOPs",
            walked.correct,
            walked.total,
            certified.meter.flops()
        );
    }
}
