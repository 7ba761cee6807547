//! Training and evaluating on the processor, and with the feature `cuda` on the first card too, in one run.
//!
//! `RAYON_NUM_THREADS=1 cargo bench --bench devices`, and with `--features cuda` where there is a card.

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gbmi::answers::count;
use gbmi::model::Network;
use gbmi::train::{Inputs, Recipe, evaluate, train};

fn devices() -> Vec<(&'static str, Device)> {
    let card = cfg!(feature = "cuda")
        .then(|| ("cuda", Device::new_cuda(0).expect("a card and its driver")));
    [("cpu", Device::Cpu)].into_iter().chain(card).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Steps of AdamW on 151 models of the paper's recipe: models × steps in a second.
fn training(criterion: &mut Criterion) {
    let recipe = Recipe {
        steps: 20,
        samples: 1,
        ..Recipe::default()
    };
    let seeds: Vec<u64> = (0..151).collect();
    let mut group = criterion.benchmark_group("training");
    group.sample_size(10).throughput(Throughput::Elements(
        seeds.len() as u64 * recipe.steps as u64,
    ));
    for (name, device) in devices() {
        group.bench_function(name, |b| {
            b.iter(|| train(&recipe, &seeds, &device, threads(), &|_| Ok(()), &|| ()).unwrap());
        });
    }
    group.finish();
}

/// All 16,777,216 inputs of the bundled model, in float64: inputs in a second.
fn evaluation(criterion: &mut Criterion) {
    let network = Network::bundled().unwrap();
    let mut group = criterion.benchmark_group("evaluation");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(1 << 24));
    for (name, device) in devices() {
        group.bench_function(name, |b| {
            b.iter(|| match device {
                Device::Cpu => count(&network, threads(), &|| ()).0,
                _ => {
                    let one_head = network.one_head().unwrap();
                    let found = evaluate(&one_head, Inputs::All, &device).unwrap();
                    found.correct.into()
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, training, evaluation);
criterion_main!(benches);
