//! Every published strategy on the models named: `cargo run --release --example published -- MODEL…` prints CSV.

use gbmi::checker::Options;
use gbmi::model::Network;
use gbmi::search::published::{Family, prove_convexity, prove_family};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("model,strategy,class,count,flops,unexplained_dimension,seconds");
    for path in std::env::args().skip(1) {
        let network = Network::load(std::path::Path::new(&path))?;
        let options = Options { threads: std::thread::available_parallelism()?.get(), ..Options::default() };
        let (v, n, d) = (network.config.d_vocab, network.config.n_ctx, network.config.d_model);
        let start = Instant::now();
        let cubic = prove_convexity(&network, None, options)?.certified;
        let (count, flops, dimension) = (cubic.correct, cubic.meter.flops(), 3 * v * v + 2 * n * v);
        println!("{path},published-cubic,cubic,{count},{flops},{dimension},{:.2}", start.elapsed().as_secs_f64());
        for family in Family::all() {
            let start = Instant::now();
            let certified = prove_family(&network, family, None, options)?.certified;
            let (count, flops, dimension) =
                (certified.correct, certified.meter.flops(), family.unexplained_dimension(v, d));
            let seconds = start.elapsed().as_secs_f64();
            println!("{path},{},{},{count},{flops},{dimension},{seconds:.2}", family.name(), family.class());
        }
    }
    Ok(())
}
