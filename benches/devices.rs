//! Training and evaluating on the processor, and with the feature `cuda` on the first card too, in one run.
//!
//! `RAYON_NUM_THREADS=1 cargo bench --bench devices`, and with `--features cuda` where there is a card.

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gbmi::answers::count;
use gbmi::model::Network;
use gbmi::train::{self, Inputs, Recipe, evaluate};
use serde_json::json;
use std::path::Path;

fn devices() -> Vec<(&'static str, Device)> {
    let card = cfg!(feature = "cuda")
        .then(|| ("cuda", Device::new_cuda(0).expect("a card and its driver")));
    [("cpu", Device::Cpu)].into_iter().chain(card).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Steps on 151 models of the paper's recipe, and on 16 of other experiments': models × steps in a second.
fn training(criterion: &mut Criterion) {
    let experiments = [
        (151, json!("max_of_n")),
        (
            16,
            json!({"name": "modular", "function": "add", "p": 31, "eos": 31}),
        ),
        (16, json!({"name": "induction", "inputs": "distinct"})),
    ];
    for (models, task) in experiments {
        let said = json!({"task": task, "steps": 10, "samples": 1});
        let said = said.as_object().cloned().unwrap_or_default();
        let recipe = Recipe::new(said, Path::new("")).unwrap();
        let seeds: Vec<u64> = (0..models).collect();
        let mut group = criterion.benchmark_group(format!("training {}", train::group(&recipe)));
        let steps = seeds.len() as u64 * recipe.steps as u64;
        group
            .sample_size(10)
            .throughput(Throughput::Elements(steps));
        for (name, device) in devices() {
            let done = |_| Ok(());
            group.bench_function(name, |b| {
                let train = || train::train(&recipe, &seeds, &device, threads(), &done, &|| ());
                b.iter(|| train().unwrap());
            });
        }
        group.finish();
    }
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
                    let found = evaluate(&network, Inputs::All, &device).unwrap();
                    found.correct.into()
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, training, evaluation);
criterion_main!(benches);
