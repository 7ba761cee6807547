//! Mutations of accepted certificates, with the uncorrupted control.
//!
//! Every certificate here claims exactly what it proves, the core strategies the true count, so that the margin is one: an
//! accepted mutant can only be one whose change proves nothing new. Each accepted mutant is judged by the truth, known
//! from brute force, and the numbers of accepted mutants are bounded, so that a reader that stops looking would be
//! noticed. Published strategies are seeded by the search: every rule, direct path and attention error.
#![cfg(feature = "prove")]

use crate::common::written;
use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Certified, Options, check};
use gbmi::model::Network;
use gbmi::refusal::Refusal;
use gbmi::search::prove;
use gbmi::strategy::{Family, Strategy};
use num_bigint::BigUint;
use serde_json::Value;
use std::path::Path;

const TRUTH: u32 = 109;
/// A certificate that claims what it proves.
struct Seed {
    name: String,
    text: Vec<u8>,
    correct: BigUint,
    /// The most mutants that may be accepted: one in so many by a flipped bit, so many in four by a mutated field.
    survivors: (usize, usize),
}

fn network() -> Network {
    Network::load(Path::new("tests/data/tiny")).unwrap()
}

fn seeds(network: &Network) -> Vec<Seed> {
    let read =
        |name: &str| std::fs::read(format!("tests/certificates/accept/{name}.json")).unwrap();
    let core =
        ["brute_force", "cubic", "subcubic"].map(|name| (name.to_string(), read(name), (10, 2)));
    // Low digits of vectors, and hints of rules that prove little here, matter little.
    let weak = (3, 3);
    let fixtures = [
        "published_references_at_zero",
        "published_error_svd",
        "published_error_recursive_means",
    ];
    let fixtures = fixtures.map(|name| (name.to_string(), read(name), weak));
    let cubic = (
        "published-cubic".to_string(),
        prove(network, Strategy::PublishedCubic, None, Options::default())
            .unwrap()
            .text,
        (10, 2),
    );
    // In steps of eleven: each of the ten attention errors, with each direct path and both attentions.
    let family = Family::all().step_by(11).map(|family| {
        (
            family.to_string(),
            prove(
                network,
                Strategy::Published(family),
                None,
                Options::default(),
            )
            .unwrap()
            .text,
            weak,
        )
    });
    let all = core
        .into_iter()
        .chain(fixtures)
        .chain([cubic])
        .chain(family);
    let seed = |(name, text, survivors): (String, Vec<u8>, (usize, usize))| {
        let correct = Certificate::read(&text).unwrap().claim.correct;
        assert!(
            survivors == weak || name == "published-cubic" || correct == TRUTH.into(),
            "{name}"
        );
        Seed {
            name,
            text,
            correct,
            survivors,
        }
    };
    all.map(seed).collect()
}

fn verdict(network: &Network, text: &[u8]) -> Result<Certified, Refusal> {
    check::<Fixed>(
        network,
        &Certificate::read(text)?,
        Options {
            max_flops: 10_000_000,
            ..Options::default()
        },
    )
}

/// Checks a mutant: was it accepted? Whatever it claims and proves must be true.
fn accepted(network: &Network, mutant: &[u8]) -> bool {
    let Ok(certified) = verdict(network, mutant) else {
        return false;
    };
    let claim = Certificate::read(mutant).unwrap().claim.correct;
    assert!(
        claim <= TRUTH.into() && certified.correct <= TRUTH.into(),
        "{}",
        String::from_utf8_lossy(mutant)
    );
    true
}

#[test]
fn the_control_is_accepted_with_a_margin_of_zero() {
    let network = network();
    for Seed {
        name,
        text,
        correct,
        ..
    } in seeds(&network)
    {
        let certified = verdict(&network, &text).unwrap();
        assert_eq!(certified.correct, correct, "{name}");
        let mut more: Value = serde_json::from_slice(&text).unwrap();
        more["claim"]["correct"] = Value::from((correct + 1_u8).to_string());
        assert!(
            verdict(&network, written(&more).as_bytes()).is_err(),
            "{name}"
        );
    }
}

#[test]
fn no_flipped_bit_proves_more() {
    let network = network();
    for Seed {
        name,
        text: original,
        survivors: (most, _),
        ..
    } in seeds(&network)
    {
        let mut survivors = 0;
        for bit in 0..original.len() * 8 {
            let mut mutant = original.clone();
            mutant[bit / 8] ^= 1 << (bit % 8);
            survivors += usize::from(accepted(&network, &mutant));
        }
        println!(
            "{name}: {survivors} of {} mutants accepted, none proves more than is true",
            original.len() * 8
        );
        // Letters of the label, white space, weaker claims, and hints that are as good.
        assert!(
            survivors * most < original.len() * 8,
            "{name}: {survivors} accepted"
        );
    }
}

#[test]
fn no_truncation_is_accepted() {
    let network = network();
    for Seed {
        name,
        text: original,
        ..
    } in seeds(&network)
    {
        let end = original.trim_ascii_end().len();
        assert!(
            (0..end).all(|length| verdict(&network, &original[..length]).is_err()),
            "{name}"
        );
    }
}

#[test]
fn no_mutated_field_proves_more() {
    let network = network();
    for Seed {
        name,
        text,
        survivors: (_, most),
        ..
    } in seeds(&network)
    {
        let original: Value = serde_json::from_slice(&text).unwrap();
        let (mut tried, mut survivors) = (0, 0);
        for pointer in pointers(&original) {
            for mutate in MUTATIONS {
                let mut mutant = original.clone();
                let Some(place) = mutant.pointer_mut(&pointer) else {
                    continue;
                };
                let before = place.clone();
                mutate(place);
                if *place == before {
                    continue;
                }
                tried += 1;
                survivors += usize::from(accepted(&network, written(&mutant).as_bytes()));
            }
        }
        println!("{name}: {survivors} of {tried} mutants accepted, none proves more than is true");
        assert!(
            tried > 30 && survivors * 4 < tried * most,
            "{name}: {survivors} of {tried} accepted"
        );
    }
}

const MUTATIONS: [fn(&mut Value); 7] = [
    |value| *value = Value::Null,
    |value| *value = Value::String(String::new()),
    // One more, or one less, in every number of the field.
    |value| numbers(value, |number| number + 1),
    |value| numbers(value, |number| number - 1),
    |value| numbers(value, |number| -number),
    |value| match value {
        Value::Array(items) => items.reverse(),
        Value::String(list) => *list = list.split(' ').rev().collect::<Vec<_>>().join(" "),
        _ => {}
    },
    |value| match value {
        Value::Array(items) => drop(items.pop()),
        Value::String(list) => *list = list.rsplit_once(' ').map_or("", |(rest, _)| rest).into(),
        _ => {}
    },
];

fn numbers(value: &mut Value, change: fn(i64) -> i64) {
    if let Value::String(list) = value {
        let changed: Result<Vec<String>, _> = list
            .split(' ')
            .map(|number| {
                number
                    .parse::<i64>()
                    .map(|number| change(number).to_string())
            })
            .collect();
        if let Ok(changed) = changed {
            *list = changed.join(" ");
        }
    }
}

fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        _ => vec![],
    };
    let below = children.into_iter().flat_map(|(name, child)| {
        std::iter::once(format!("/{name}")).chain(
            pointers(child)
                .into_iter()
                .map(move |rest| format!("/{name}{rest}")),
        )
    });
    below.collect()
}
