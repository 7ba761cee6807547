//! The checker extracted from `proofs/` against ours: random models, hints and claims.
//!
//! `make -C proofs checker` first, then `cargo test verified:: -- --ignored`. `scripts/verified` compares the two on
//! the corpora and on trained models.
#![cfg(feature = "prove")]

use crate::common::{Random, hints, random_model};
use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Certified, Options, certify};
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use num_traits::Zero;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const MODELS: u64 = 400;
/// Random hints for each model.
const HINTS: usize = 4;

/// Exit code, and what was derived.
type Verdict = (i32, Option<(String, String)>);

/// The verified checker's verdict on a certificate about the model in a folder.
fn verified(folder: &Path, certificate: &Certificate) -> Verdict {
    let path = folder.join("cert.json");
    std::fs::write(&path, serde_json::to_vec(certificate).unwrap()).unwrap();
    let program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/extracted/gbmi-verified-check");
    let output = Command::new(program)
        .arg(&path)
        .arg("--model")
        .arg(folder)
        .output()
        .expect("make -C proofs checker");
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|number| number.trim().to_string())
    };
    (
        output.status.code().unwrap(),
        value("correct ").zip(value("upper ")),
    )
}

#[test]
#[ignore = "needs `make -C proofs checker`"]
fn the_verified_checker_derives_the_same() {
    let folder = TempDir::new().unwrap();
    let (mut accepted, mut rejected, mut positive) = (0, 0, 0);
    for seed in 0..MODELS {
        let mut random = Random::new(seed);
        let (_, model) = random_model(&mut random);
        let network = model.network();
        std::fs::write(folder.path().join("config.json"), model.config()).unwrap();
        std::fs::write(folder.path().join("model.safetensors"), model.weights()).unwrap();
        let proof = prove(
            &network,
            Strategy::Exact { two_sided: true },
            None,
            Options::default(),
        )
        .unwrap();
        let mut certificates: Vec<Certificate> =
            (0..HINTS).map(|_| hints(&mut random, &network)).collect();
        certificates.push(proof.certificate);
        for mut certificate in certificates {
            let Certified { correct, upper, .. } =
                certify::<Fixed>(&network, &certificate, Options::default()).unwrap();
            // What is true, or one more.
            let more = random.within(0, 1);
            certificate.claim.correct = &correct + more;
            certificate.claim.upper = (random.within(0, 1) == 1).then(|| upper.clone());
            if certificate.claim.correct > network.task.size() {
                continue;
            }
            let expected = (
                i32::from(more > 0),
                Some((correct.to_string(), upper.to_string())),
            );
            let found = verified(folder.path(), &certificate);
            assert_eq!(found, expected, "seed {seed}: {certificate:?}; {model:?}");
            *(if more == 0 {
                &mut accepted
            } else {
                &mut rejected
            }) += 1;
            positive += usize::from(!correct.is_zero());
        }
    }
    println!("{accepted} accepted, {rejected} rejected, {positive} with a positive count");
    assert!(accepted > 800 && rejected > 800 && positive > 400);
}
