//! Random corruption of certificates, configurations and weights, for a given time: nothing may panic, and nothing
//! false may be accepted. `GBMI_FUZZ_SECONDS` sets the time (default 2); the seed is printed and can be set again with
//! `GBMI_FUZZ_SEED`.
#![cfg(feature = "prove")]

use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Options, check};
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::{Family, Strategy};
use proptest::test_runner::{RngAlgorithm, TestRng};
use rand::{Rng, RngExt};
use std::time::{Duration, Instant};

const TRUTH: u32 = 109;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn rng() -> TestRng {
    let seed = number(
        "GBMI_FUZZ_SEED",
        std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos() as u64
            ^ u64::from(std::process::id()),
    );
    println!("GBMI_FUZZ_SEED={seed}");
    TestRng::from_seed(RngAlgorithm::ChaCha, &[seed.to_le_bytes(); 4].concat())
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(number("GBMI_FUZZ_SECONDS", 2))
}

/// Pieces that mean something to the readers.
const PIECES: [&str; 52] = [
    "0",
    "1",
    "-1",
    "109",
    "110",
    "125",
    "18446744073709551616",
    "1e9",
    "1.5",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"0\"",
    "\"all\"",
    "\"rest\"",
    "\"each\"",
    "\"pooled\"",
    "\"unpooled\"",
    "\"count\"",
    "\"forfeit\"",
    "\"tree\"",
    "\"grid\"",
    "\"bits\":\"0\"",
    "\"window\":\"1\"",
    "\"upper\":\"125\"",
    "\"0 1 2 3 4\"",
    "\"4 3 2 1 0\"",
    ",",
    ":",
    " ",
    "{\"answers\":\"rest\",\"test\":\"count\"},",
    "2",
    "4",
    "-1048576",
    "1099511627775",
    "1152921504606846975",
    "\"partition\"",
    "\"gaps\"",
    "\"convexity\"",
    "\"low_rank\"",
    "\"exact\"",
    "\"svd\"",
    "\"max_diff\"",
    "\"recursive\"",
    "\"max_diff_exact\"",
    "\"global_max_diff_exact\"",
    "\"mean\":\"1048576 0 -3\",",
    "\"means\":[\"1\",\"\",\"-1048576\"]",
    "{\"left\":[\"1048576\"],\"right\":[\"1 2 3\"]},",
];

fn corrupt(rng: &mut TestRng, original: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        let end = rng.random_range(at..=bytes.len().min(at + 40));
        match rng.random_range(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => drop(bytes.splice(at..end, [])),
            2 => drop(bytes.splice(at..end, PIECES[rng.random_range(0..PIECES.len())].bytes())),
            3 => {
                let other = &others[rng.random_range(0..others.len())];
                let from = rng.random_range(0..other.len());
                let to = rng.random_range(from..other.len().min(from + 80));
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            4 if at < bytes.len() && bytes[at].is_ascii_digit() => {
                bytes[at] = b'0' + rng.random_range(0..10)
            }
            _ => drop(bytes.splice(at..end, rng.next_u64().to_le_bytes())),
        }
    }
    bytes
}

#[test]
fn corrupted_certificates_prove_nothing_false() {
    let network = Network::load("tests/data/tiny".as_ref()).unwrap();
    let read =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.unwrap().path()).unwrap();
    let mut originals: Vec<Vec<u8>> = std::fs::read_dir("tests/certificates/accept")
        .unwrap()
        .map(read)
        .collect();
    originals.sort();
    // The published strategies, as the search finds them.
    originals.push(
        prove(&network, Strategy::PublishedCubic, None, Options::default())
            .unwrap()
            .text,
    );
    originals.extend(Family::all().map(|family| {
        prove(
            &network,
            Strategy::Published(family),
            None,
            Options::default(),
        )
        .unwrap()
        .text
    }));
    let (mut rng, deadline, mut tried, mut accepted) = (rng(), deadline(), 0_u64, 0_u64);
    while Instant::now() < deadline {
        let original = originals[rng.random_range(0..originals.len())].clone();
        let mutant = corrupt(&mut rng, &original, &originals);
        tried += 1;
        let Ok(certificate) = Certificate::read(&mutant) else {
            continue;
        };
        let options = Options {
            max_flops: 1_000_000,
            ..Options::default()
        };
        if let Ok(certified) = check::<Fixed>(&network, &certificate, options) {
            accepted += 1;
            assert!(
                certified.correct <= TRUTH.into(),
                "{}",
                String::from_utf8_lossy(&mutant)
            );
            assert!(certificate.claim.upper.is_none_or(
                |upper| upper >= TRUTH.into() || certificate.claim.margin > 0_u8.into()
            ));
        }
    }
    println!("{tried} certificates, {accepted} accepted, none false");
    assert!(tried > 100 && accepted > 0);
}

#[test]
fn corrupted_models_are_refused_or_read() {
    let config = std::fs::read("tests/data/tiny/config.json").unwrap();
    let weights = std::fs::read("tests/data/tiny/model.safetensors").unwrap();
    let (mut rng, deadline, mut tried, mut read) = (rng(), deadline(), 0_u64, 0_u64);
    let others = [config.clone(), weights[..1000].to_vec()];
    while Instant::now() < deadline {
        let (mut config, mut weights) = (config.clone(), weights.clone());
        if rng.random_bool(0.5) {
            config = corrupt(&mut rng, &config, &others);
        } else {
            weights = corrupt(&mut rng, &weights, &others);
        }
        tried += 1;
        let Ok(network) = Network::from_bytes(&config, &weights) else {
            continue;
        };
        read += 1;
        // Whatever was read, the checker must survive it.
        let text = std::fs::read_to_string("tests/certificates/accept/brute_force.json").unwrap();
        let certificate = Certificate::read(text.as_bytes());
        if let Ok(mut certificate) = certificate {
            certificate.network.clone_from(&network.sha256);
            let _ = check::<Fixed>(
                &network,
                &certificate,
                Options {
                    max_flops: 1_000_000,
                    ..Options::default()
                },
            );
        }
    }
    println!("{tried} models, {read} read");
    assert!(tried > 100 && read > 0);
}
