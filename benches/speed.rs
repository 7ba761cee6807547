//! Speed, compared within one run: brute force against float32, the strategies, and the arithmetic below them.
//!
//! `cargo bench` runs all; `cargo bench -- brute_force` one group. Both sides of a comparison use the same threads.

mod float32;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::levels::Paths;
use gbmi::checker::meter::Meter;
use gbmi::checker::{Options, check};
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use std::hint::black_box;

fn options() -> Options<'static> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Options {
        threads,
        ..Options::default()
    }
}

fn proof(network: &Network, strategy: Strategy) -> Certificate {
    let proof = prove(network, strategy, None, options()).unwrap();
    Certificate::read(&proof.text).unwrap()
}

fn brute_force(criterion: &mut Criterion) {
    let network = Network::bundled().unwrap();
    let certificate = proof(&network, Strategy::BruteForce);
    let mut group = criterion.benchmark_group("brute_force");
    group.sample_size(10);
    group.bench_function("rigorous", |b| {
        b.iter(|| {
            check::<Fixed>(&network, &certificate, options())
                .unwrap()
                .correct
        })
    });
    group.bench_function("float32", |b| {
        b.iter(|| float32::brute_force(&network.one_head().unwrap(), options().threads))
    });
    group.finish();
}

fn exhaustive(criterion: &mut Criterion) {
    let folder = "tests/data/families/second_max_of_3_two_heads";
    let network = Network::load(folder.as_ref()).unwrap();
    let certificate = proof(&network, Strategy::Exhaustive);
    let mut group = criterion.benchmark_group("exhaustive");
    group.bench_function("rigorous", |b| {
        b.iter(|| {
            check::<Fixed>(&network, &certificate, options())
                .unwrap()
                .correct
        })
    });
    group.bench_function("float32", |b| {
        b.iter(|| float32::exhaustive(&network, options().threads))
    });
    group.finish();
}

fn strategies(criterion: &mut Criterion) {
    let network = Network::bundled().unwrap();
    let mut group = criterion.benchmark_group("strategies");
    group.sample_size(10);
    for strategy in [Strategy::Cubic, Strategy::Subcubic] {
        let certificate = proof(&network, strategy);
        let name = strategy.name();
        group.bench_function(format!("{name}/check"), |b| {
            b.iter(|| check::<Fixed>(&network, &certificate, options()))
        });
        group.bench_function(format!("{name}/prove"), |b| {
            b.iter(|| proof(&network, strategy))
        });
    }
    group.finish();
}

fn arithmetic(criterion: &mut Criterion) {
    let network = Network::bundled().unwrap();
    let mut group = criterion.benchmark_group("arithmetic");
    group.bench_function("tables/fixed", |b| {
        b.iter_batched(
            || Meter::new(u64::MAX),
            |meter| Paths::<Fixed>::new(&network.one_head().unwrap(), [None; 3], &meter),
            BatchSize::SmallInput,
        );
    });
    let (x, y) = (Fixed::dyadic(3, -7), Rational::dyadic(3, -7));
    group.bench_function("exp/fixed", |b| b.iter(|| black_box(&x).exp()));
    group.bench_function("exp/rational", |b| b.iter(|| black_box(&y).exp()));
    group.bench_function("mul/fixed", |b| b.iter(|| black_box(&x).mul(black_box(&x))));
    group.bench_function("mul/rational", |b| {
        b.iter(|| black_box(&y).mul(black_box(&y)))
    });
    group.finish();
}

criterion_group!(benches, brute_force, exhaustive, strategies, arithmetic);
criterion_main!(benches);
