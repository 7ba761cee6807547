//! Regenerates the table of the bundled models in docs/results.md: `cargo run --release --example table`.
//!
//! Proves and checks every bundled model with every strategy that can finish, and replaces the lines between the
//! markers. Seconds are of this machine; all other columns are the same everywhere.

use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Certified, Options, check};
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use num_bigint::BigUint;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

const MODELS: [&str; 9] = [
    "max_of_2_seed123",
    "max_of_2_undertrained",
    "max_of_4_seed123",
    "max_of_4_seed50",
    "max_of_4_seed7238",
    "max_of_5_seed123",
    "max_of_10_seed123",
    "max_of_20_seed123",
    "max_of_10_v128_seed123",
];
const PAGE: &str = "docs/results.md";
const BEGIN: &str = "<!-- table: cargo run --release --example table -->\n";
const END: &str = "<!-- end of table -->";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::thread::available_parallelism()?.get();
    let options = Options {
        threads,
        ..Options::default()
    };
    let mut table = String::from(
        "| model | strategy | accuracy ≥ | not certified | FLOPs | int. ops | prove s | check s | bytes |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for model in MODELS {
        let network = Network::load(&Path::new("models").join(model))?;
        // Up to five positions, `subcubic` and `auto` are `exact` without the upper side.
        let apart = [Strategy::Auto, Strategy::Exact { two_sided: false }];
        for strategy in Strategy::OWN
            .into_iter()
            .filter(|strategy| !apart.contains(strategy))
        {
            if matches!(strategy, Strategy::BruteForce | Strategy::Exact { .. })
                && network.sizes.n_ctx > 5
            {
                continue;
            }
            eprintln!("{model} {}", strategy.name());
            let start = Instant::now();
            let proof = prove(&network, strategy, None, options)?;
            let proved = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let certificate = Certificate::read(&proof.text)?;
            let certified = check::<Fixed>(&network, &certificate, options)?;
            let checked = start.elapsed().as_secs_f64();
            writeln!(
                table,
                "{}",
                row(
                    model,
                    strategy,
                    &certified,
                    proved,
                    checked,
                    proof.text.len()
                )
            )?;
        }
    }
    print!("{table}");
    let page = std::fs::read_to_string(PAGE)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("no table in the page")?;
    let (_, after) = rest.split_once(END).ok_or("no end of table in the page")?;
    std::fs::write(PAGE, format!("{before}{BEGIN}{table}{END}{after}"))?;
    Ok(())
}

fn row(
    model: &str,
    strategy: Strategy,
    certified: &Certified,
    proved: f64,
    checked: f64,
    bytes: usize,
) -> String {
    let (correct, total) = (&certified.correct, &certified.total);
    let millionths = (correct * 10_000_000_u64 / total).to_string();
    let padded = format!("{millionths:0>8}");
    let left = total - correct;
    let left = if left < BigUint::from(1_000_000_000_u64) {
        left.to_string()
    } else {
        "…".into()
    };
    let (flops, int_ops) = (certified.meter.flops(), certified.meter.int_ops());
    format!(
        "| {model} | {} | {}.{} | {left} | {} | {} | {proved:.2} | {checked:.3} | {bytes} |",
        strategy.name(),
        &padded[..padded.len() - 7],
        &padded[padded.len() - 7..],
        millions(flops),
        millions(int_ops),
    )
}

fn millions(count: u64) -> String {
    let decimals = if count < 10_000_000 { 3 } else { 0 };
    format!("{:.decimals$}M", count as f64 / 1e6)
}
