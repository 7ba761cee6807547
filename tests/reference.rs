//! All published strategies on trained models, beside what the original verifier gets there
//! (`tests/data/reference`, one file for every model).

use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::{Fixed, Rational};
use gbmi::checker::{Options, check};
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::{Strategy, unexplained_dimension};
use num_bigint::BigUint;
use std::collections::BTreeMap;
use std::path::Path;

/// What the original gets.
struct Reference {
    class: String,
    original: BigUint,
    repaired: BigUint,
    shared_gap: BigUint,
    dimension: String,
}

fn references(model: &str) -> BTreeMap<String, Reference> {
    let path = format!(
        "{}/tests/data/reference/{model}.csv",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let count =
        |row: &BTreeMap<String, String>, column: &str| row[column].parse().unwrap_or_default();
    let reference = |row: &BTreeMap<String, String>| Reference {
        class: row["class"].clone(),
        original: count(row, "original_count"),
        repaired: count(row, "repaired_sound_count"),
        shared_gap: count(row, "shared_gap_sound_count"),
        dimension: row["unexplained_dimension"].clone(),
    };
    rows.iter()
        .map(|row| (row["strategy"].clone(), reference(row)))
        .collect()
}

/// Every published strategy is accepted, certifies what the original does and more, and is of its class and dimension.
fn at_least_the_original(model: &str, rational: &[&str]) {
    let network = Network::load(&Path::new("models").join(model)).unwrap();
    let references = references(model);
    let options = Options {
        threads: 2,
        ..Options::default()
    };
    let mut best: BTreeMap<&str, (BigUint, BigUint)> = BTreeMap::new();
    let mut compared = 0;
    for strategy in Strategy::published() {
        if strategy == Strategy::BruteForce && network.one_head().unwrap().config.n_ctx > 5 {
            continue;
        }
        let name = strategy.name();
        let proof = prove(&network, strategy, None, options).unwrap();
        let certificate = Certificate::read(&proof.text).unwrap();
        let correct = check::<Fixed>(&network, &certificate, options)
            .unwrap()
            .correct;
        if rational.iter().any(|part| name.contains(part)) {
            assert_eq!(
                check::<Rational>(&network, &certificate, options)
                    .unwrap()
                    .correct,
                correct,
                "{model} {name}"
            );
        }
        let Some(reference) = references.get(name.trim_start_matches("published-")) else {
            continue;
        };
        compared += 1;
        // The original's argument has a hole where it compares answers at the average attention.
        let sound = !name.contains("attn-mean-query+diff");
        let least = if sound {
            (&reference.original).max(&reference.repaired)
        } else {
            &reference.repaired
        };
        assert!(
            correct >= *least,
            "{model} {name}: {correct} certified, {least} by the original"
        );
        assert_eq!(strategy.class(), reference.class, "{model} {name}");
        assert_eq!(
            unexplained_dimension(&certificate, &network).to_string(),
            reference.dimension,
            "{name}"
        );
        let (mine, theirs) = best.entry(strategy.class()).or_default();
        *mine = correct.clone().max(mine.clone());
        *theirs = reference.shared_gap.clone().max(theirs.clone());
    }
    assert!(
        compared >= 100 && best.len() >= 6,
        "{model}: {compared} strategies compared"
    );
    assert!(
        best.iter().all(|(_, (mine, theirs))| mine >= theirs),
        "{model}: {best:?}"
    );
}

#[test]
#[ignore = "a quarter of a minute: CI runs it by name"]
fn max_of_4_seed123() {
    at_least_the_original("max_of_4_seed123", &[]);
}

/// With exact rationals for one strategy of each rule.
#[test]
fn max_of_4_seed50() {
    let rational = [
        "published-cubic",
        "EUPU-max-diff-exact--attn-mean-query+diff--attn-err-exact-EQKE",
        "EUPU-mean-query+max-diff--attn-mean-query+diff--attn-err-svd",
        "EUPU-svd-query+max-diff--attn-drop-average-query-per-output-logit-reasoning--attn-err-mean+max-diff-subproduct",
        "EUPU-global-max-diff-exact--attn-mean-query+diff--attn-err-mean-recursive",
        "EUPU-max-diff--attn-mean-query+diff--attn-err-max-diff-exact",
    ];
    at_least_the_original("max_of_4_seed50", &rational);
}

#[test]
#[ignore = "a quarter of a minute: CI runs it by name"]
fn max_of_4_seed7238() {
    at_least_the_original("max_of_4_seed7238", &[]);
}

#[test]
fn max_of_5_seed123() {
    at_least_the_original("max_of_5_seed123", &[]);
}

#[test]
#[ignore = "a quarter of a minute: CI runs it by name"]
fn max_of_10_seed123() {
    at_least_the_original("max_of_10_seed123", &[]);
}
