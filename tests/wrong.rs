//! What is listed as wrong is wrong, each once, and as many as the proof says.
#![cfg(all(feature = "prove", feature = "inspect"))]

use gbmi::answers::count;
use gbmi::checker::Options;
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use gbmi::wrong::wrong;
use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::BTreeSet;
use std::path::Path;

/// The models of every kind that are small enough, and the tiny one.
fn networks() -> Vec<Network> {
    let families = std::fs::read_dir("tests/data/families").unwrap();
    let mut folders: Vec<_> = families.map(|entry| entry.unwrap().path()).collect();
    folders.push(Path::new("tests/data/tiny").into());
    folders.sort();
    folders
        .iter()
        .map(|path| Network::load(path).unwrap())
        .collect()
}

#[test]
fn every_wrong_answer_is_listed_once() {
    let mut listed = 0;
    for network in networks() {
        let options = Options::default();
        let truth = prove(&network, Strategy::Exhaustive, None, options)
            .unwrap()
            .certified;
        let listing = wrong(&network, None, usize::MAX, options).unwrap();
        let wrong_ones = &truth.total - &truth.correct;
        assert_eq!(
            (&listing.wrong_at_least, &listing.wrong_at_most),
            (&(&truth.total - &truth.upper), &wrong_ones)
        );
        let inputs: u128 = listing.inputs.iter().filter_map(|wrong| wrong.inputs).sum();
        assert_eq!(wrong_ones, inputs.into(), "{}", network.task_name);
        let distinct: BTreeSet<_> = listing.inputs.iter().map(|wrong| &wrong.tokens).collect();
        assert_eq!(distinct.len(), listing.inputs.len());
        assert!(listing.is_complete && listing.inputs.is_sorted_by_key(|wrong| &wrong.tokens));
        for wrong in &listing.inputs {
            assert_eq!(network.task.answer(&wrong.tokens), Some(wrong.right));
            assert!(wrong.answer != wrong.right);
            assert!(wrong.margin <= BigRational::from_integer(BigInt::ZERO));
        }
        let (correct, total) = count(&network, 2, &|| ());
        assert_eq!((truth.correct, truth.total), (correct, total));
        listed += listing.inputs.len();
    }
    assert!(listed > 60, "{listed}");
}

/// The same inputs on any number of threads, and the first of them under a limit.
#[test]
fn a_limit_lists_the_first() {
    let network = Network::load(Path::new("tests/data/tiny")).unwrap();
    let listed = |limit, threads| {
        let options = Options {
            threads,
            ..Options::default()
        };
        wrong(&network, None, limit, options).unwrap()
    };
    let (all, three) = (listed(100, 1), listed(3, 2));
    assert_eq!(all.inputs.len(), 16);
    assert_eq!(three.inputs, all.inputs[..3]);
    assert!(all.is_complete && !three.is_complete);
    assert_eq!(three.wrong_at_least, all.wrong_at_least);
}

#[test]
fn the_bundled_model_has_13_981_of_them() {
    let network = Network::bundled().unwrap();
    let options = Options {
        threads: 2,
        ..Options::default()
    };
    let listing = wrong(&network, None, 20_000, options).unwrap();
    let distinct: BTreeSet<_> = listing.inputs.iter().map(|wrong| &wrong.tokens).collect();
    assert_eq!((listing.inputs.len(), distinct.len()), (13_981, 13_981));
    assert!(listing.is_complete);
}

/// Too many inputs to look at each: those of blocks that the proof shows to hold wrong ones.
#[test]
fn beyond_enumeration_some_are_found() {
    let network = Network::load(Path::new("models/max_of_10_seed123")).unwrap();
    let options = Options {
        threads: 2,
        ..Options::default()
    };
    let listing = wrong(&network, None, 50, options).unwrap();
    assert!(!listing.inputs.is_empty() && !listing.is_complete);
    for wrong in &listing.inputs {
        assert_eq!(wrong.tokens.iter().max(), Some(&wrong.right));
    }
}
