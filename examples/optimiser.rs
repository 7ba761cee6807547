//! Regenerates the tables of docs/optimiser.md: `cargo run --release --example optimiser [MODEL…]`.
//!
//! Proves every model with the published strategies whose hints can be moved, without and with the optimiser. Seconds
//! are of this machine.

use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Options, check};
use gbmi::model::Network;
use gbmi::search::{prove, prove_optimised};
use gbmi::strategy::{ATTENTION, ATTENTION_ERROR, Family, Strategy};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

const MODELS: [&str; 6] = [
    "max_of_4_seed123",
    "max_of_4_seed50",
    "max_of_4_seed7238",
    "max_of_5_seed123",
    "max_of_10_seed123",
    "max_of_10_v128_seed123",
];
/// The direct path with all that can be moved, and with nothing.
const EUPU: [&str; 2] = ["mean-query+max-diff", "max-diff-exact"];
const STEPS: usize = 200;
const BEGIN: &str = "<!-- tables: cargo run --release --example optimiser -->\n";
const END: &str = "<!-- end of tables -->";
const PAGE: &str = "docs/optimiser.md";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::thread::available_parallelism()?.get();
    let options = Options {
        threads,
        ..Options::default()
    };
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let mut tables = String::new();
    for model in MODELS
        .into_iter()
        .filter(|model| asked.is_empty() || asked.iter().any(|asked| asked == model))
    {
        let network = Network::load(&Path::new("models").join(model))?;
        let total = network.task.size();
        let head = "| class | direct path | attention error | closed | FLOPs | optimised | FLOPs | gain | s |\n";
        write!(
            tables,
            "\n### {model}\n\n{head}|---|---|---|---|---|---|---|---|---|\n"
        )?;
        for family in families() {
            let strategy = Strategy::Published(family);
            let closed = prove(&network, strategy, None, options)?;
            let start = Instant::now();
            let moved = prove_optimised(&network, strategy, STEPS, None, options)?;
            let seconds = start.elapsed().as_secs_f64();
            check::<Fixed>(&network, &moved.certificate, options)?;
            // Rounded down.
            let share = |count: &num_bigint::BigUint| {
                u32::try_from(count * 100_000_u32 / &total).unwrap_or(u32::MAX)
            };
            let [before, after] = [&closed, &moved].map(|proof| share(&proof.certified.correct));
            let decimal = |share: u32| format!("{}.{:05}", share / 100_000, share % 100_000);
            let row = format!(
                "| {} | {} | {} | {} | {} | {} | {} | +{} | {seconds:.1} |",
                strategy.class(),
                family.eupu,
                family.error,
                decimal(before),
                closed.certified.meter.flops(),
                decimal(after),
                moved.certified.meter.flops(),
                decimal(after - before),
            );
            eprintln!("{model} {row}");
            writeln!(tables, "{row}")?;
        }
    }
    print!("{tables}");
    if asked.is_empty() {
        let page = std::fs::read_to_string(PAGE)?;
        let (before, rest) = page.split_once(BEGIN).ok_or("the page has no tables")?;
        let (_, after) = rest
            .split_once(END)
            .ok_or("the page has no end of tables")?;
        std::fs::write(PAGE, format!("{before}{BEGIN}{tables}\n{END}{after}"))?;
    }
    Ok(())
}

/// With something to move.
fn families() -> impl Iterator<Item = Family> {
    let family = |eupu| {
        move |error| Family {
            eupu,
            attention: ATTENTION[0],
            error,
        }
    };
    let families = EUPU
        .into_iter()
        .flat_map(move |eupu| ATTENTION_ERROR.into_iter().map(family(eupu)));
    families.filter(|family| {
        !(family.eupu == "max-diff-exact" && family.error.starts_with("exact-EQKE"))
    })
}
