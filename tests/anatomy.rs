//! Any network taken apart: planted heads and neurons are found, and numbers are those of literal definitions.
#![cfg(feature = "inspect")]

use crate::common::Description;
use crate::inspect::{assert_near, assert_whole, cell};
use gbmi::answers::{Decoder, Path, Seen};
use gbmi::inspect::{Anatomy, Circuits, Format, Heads};
use gbmi::model::Network;
use gbmi::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::f64::consts::TAU;

type Table = Vec<Vec<f64>>;

/// A transformer without layer norms and scale, whose weights are given by tensor and place; all others are zero.
fn planted(sizes: Value, weights: &dyn Fn(&str, &[usize]) -> f64) -> Description {
    let mut config = json!({
        "attn_only": sizes["d_mlp"].is_null(), "act_fn": "relu", "normalization_type": null, "use_attn_scale": false,
        "attention_dir": "causal", "positional_embedding_type": "standard",
    });
    for (field, value) in sizes.as_object().unwrap() {
        config[field] = value.clone();
    }
    let size = |field: &str| usize::try_from(config[field].as_u64().unwrap_or(0)).unwrap();
    let (v, n, d, h) = (
        size("d_vocab"),
        size("n_ctx"),
        size("d_model"),
        size("d_head"),
    );
    let (heads, m, out) = (size("n_heads"), size("d_mlp"), size("d_vocab_out"));
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::from([
        ("embed.W_E".into(), vec![v, d]),
        ("pos_embed.W_pos".into(), vec![n, d]),
        ("unembed.W_U".into(), vec![d, out]),
        ("unembed.b_U".into(), vec![out]),
    ]);
    for layer in 0..size("n_layers") {
        let mut add = |part: &str, shape| shapes.insert(format!("blocks.{layer}.{part}"), shape);
        for kind in ["Q", "K", "V"] {
            add(&format!("attn.W_{kind}"), vec![heads, d, h]);
            add(&format!("attn.b_{kind}"), vec![heads, h]);
        }
        add("attn.W_O", vec![heads, h, d]);
        add("attn.b_O", vec![d]);
        if m > 0 {
            add("mlp.W_in", vec![d, m]);
            add("mlp.b_in", vec![m]);
            add("mlp.W_out", vec![m, d]);
            add("mlp.b_out", vec![d]);
        }
    }
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let places = (0..shape.iter().product()).map(|index: usize| {
            let mut rest = index;
            let mut place: Vec<usize> = shape
                .iter()
                .rev()
                .map(|size| {
                    let at = rest % size;
                    rest /= size;
                    at
                })
                .collect();
            place.reverse();
            weights(&name, &place) as f32
        });
        let entries = places.collect();
        (name, (shape, entries))
    };
    Description {
        tensors: shapes.into_iter().map(tensor).collect(),
        config,
        labels: None,
    }
}

/// Weights that look like nothing, from −1 to 1.
fn scattered(name: &str, place: &[usize]) -> f64 {
    let bytes = name.bytes().map(usize::from).chain(place.iter().copied());
    let seed = bytes.fold(7_usize, |seed, next| {
        (seed * 31 + next * next + 17) % 100_003
    });
    (seed % 201) as f64 / 100.0 - 1.0
}

fn heads(network: &Network) -> Heads {
    Anatomy::new(network, 2).heads
}

fn read(name: &str) -> Network {
    Network::load(&std::path::Path::new("tests/data/families").join(name)).unwrap()
}

const V: usize = 8;
const N: usize = 6;

/// An induction circuit in a stream of the token, the token before, and the position.
fn induction() -> Network {
    let sizes = json!({
        "task": {"name": "induction", "inputs": "distinct"}, "n_ctx": N, "d_vocab": V, "d_vocab_out": V,
        "n_layers": 2, "n_heads": 1, "d_model": 2 * V + N, "d_head": V,
    });
    let weights = |name: &str, place: &[usize]| {
        let is = |row: usize, column: usize| f64::from(u8::from(row == column));
        match (name, place) {
            ("embed.W_E", [t, i]) => is(*t, *i),
            ("pos_embed.W_pos", [p, i]) => is(p + 2 * V, *i),
            // The first head attends from a position to the one before, and writes what token stands there.
            // A little from token 3 to token 5 too, by the last number of keys, which no position has.
            ("blocks.0.attn.W_Q", [_, 3, 7]) | ("blocks.0.attn.W_K", [_, 5, 7]) => 1.0,
            ("blocks.0.attn.W_Q", [_, i, j]) => 64.0 * is(*i, j + 1 + 2 * V),
            ("blocks.0.attn.W_K", [_, i, j]) => is(*i, j + 2 * V),
            ("blocks.0.attn.W_V", [_, i, j]) => is(*i, *j),
            ("blocks.0.attn.W_O", [_, j, i]) => is(*i, j + V),
            ("unembed.W_U", [i, j]) => is(*i, (j + 1) % V + V),
            // The second attends to where the token before is its own: never to position 0, which has none.
            ("blocks.1.attn.W_Q", [_, i, j]) => 64.0 * is(*i, *j),
            ("blocks.1.attn.W_K", [_, i, j]) => is(*i, j + V) - is(*i, 2 * V),
            _ => 0.0,
        }
    };
    planted(sizes, &weights).read().unwrap()
}

#[test]
fn a_planted_induction_circuit_is_found() {
    let found = heads(&induction());
    assert_eq!(found.sampled_inputs, 512);
    let [before, behind] = found.heads.as_slice() else {
        panic!("two heads")
    };
    assert_near(before.previous_token.unwrap(), 1.0);
    assert!(before.induction.unwrap() < 0.5, "{found}");
    assert_near(behind.induction.unwrap(), 1.0);
    assert!(behind.previous_token.unwrap() < 0.5, "{found}");
    // W_OV of the first is v ones, W_QK of the second as many and those of position 0; a half of them meet.
    let composition = found.composition.unwrap();
    let pair = &composition.pairs[0];
    assert_eq!((pair.from, pair.to), ([0, 0], [1, 0]));
    assert_near(pair.k.unwrap(), 1.0 / ((2 * V) as f64).sqrt());
    assert_eq!((pair.q, pair.v), (Some(0.0), None));
    assert_near(composition.random, 1.0 / ((2 * V + N) as f64).sqrt());
}

/// Where no token repeats, there is no induction.
#[test]
fn scores_are_absent_where_there_is_nothing_to_see() {
    let alone = |heads: &Heads| heads.composition.is_none() && heads.neurons.is_empty();
    let sorted = heads(&read("sorted_list_3_ln"));
    assert!(alone(&sorted), "{sorted}");
    let is_partial = |head: &Circuits| head.induction.is_some() && head.previous_token.is_some();
    assert!(sorted.heads.iter().all(is_partial), "{sorted}");
    let with_eos = heads(&read("f_g_max_min"));
    assert!(with_eos.heads.iter().all(|head| head.induction.is_none()));
    let pairs = heads(&read("group_S4_mlp"));
    assert_eq!((pairs.heads.len(), pairs.sampled_inputs), (0, 0));
    assert_eq!(pairs.neurons[0].frequencies, None);
}

fn product(left: &Table, right: &Table) -> Table {
    let column = |row: &Vec<f64>, j: usize| row.iter().zip(right).map(|(x, row)| x * row[j]).sum();
    let row = |row: &Vec<f64>| (0..right[0].len()).map(|j| column(row, j)).collect();
    left.iter().map(row).collect()
}

fn transposed(table: &Table) -> Table {
    let column = |j: usize| table.iter().map(|row| row[j]).collect();
    (0..table[0].len()).map(column).collect()
}

fn norm(table: &Table) -> f64 {
    table.iter().flatten().map(|x| x * x).sum::<f64>().sqrt()
}

/// One head's part of a tensor.
fn part(network: &Description, layer: usize, kind: &str, head: usize) -> Table {
    let (shape, entries) = &network.tensors[&format!("blocks.{layer}.attn.W_{kind}")];
    let rows = entries
        .chunks(shape[2])
        .skip(head * shape[1])
        .take(shape[1]);
    rows.map(wide).collect()
}

fn scattered_layers(task: Value, n_ctx: usize) -> Description {
    let sizes = json!({
        "task": task, "n_ctx": n_ctx, "d_vocab": 5, "d_vocab_out": 5, "n_layers": 3, "n_heads": 2, "d_model": 4, "d_head": 2,
    });
    planted(sizes, &scattered)
}

#[test]
fn compositions_are_those_of_the_definition() {
    let network = scattered_layers("min_of_n".into(), 3);
    let found = heads(&network.read().unwrap()).composition.unwrap();
    // Two heads in each of three layers: of 2 · 2 pairs, three.
    assert_eq!(found.pairs.len(), 12);
    for pair in found.pairs {
        assert!(pair.from[0] < pair.to[0]);
        let of = |[layer, head]: [usize; 2], kind: &str| part(&network, layer, kind, head);
        let ov = |place| product(&of(place, "V"), &of(place, "O"));
        let qk = |place| product(&of(place, "Q"), &transposed(&of(place, "K")));
        let score = |read: &Table| {
            norm(&product(&ov(pair.from), read)) / (norm(&ov(pair.from)) * norm(read))
        };
        assert_near(pair.q.unwrap(), score(&qk(pair.to)));
        assert_near(pair.k.unwrap(), score(&transposed(&qk(pair.to))));
        assert_near(pair.v.unwrap(), score(&ov(pair.to)));
    }
}

fn wide(entries: &[f32]) -> Vec<f64> {
    entries.iter().copied().map(f64::from).collect()
}

fn plus(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(x, y)| x + y).collect()
}

/// `x · W`.
fn apply(x: &[f64], weights: &Table) -> Vec<f64> {
    product(&vec![x.to_vec()], weights).remove(0)
}

fn softmax(scores: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights: Vec<f64> = scores.map(f64::exp).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

/// The attention of every layer, head, position and key to one input.
fn literal_attention(network: &Description, input: &[usize]) -> Vec<Vec<Table>> {
    let (d, h) = (network.size("d_model"), network.size("d_head"));
    let tensor = |name: &str| wide(&network.tensors[name].1);
    let (tokens, places) = (tensor("embed.W_E"), tensor("pos_embed.W_pos"));
    let embedded =
        |(p, t): (usize, &usize)| plus(&tokens[t * d..(t + 1) * d], &places[p * d..(p + 1) * d]);
    let mut stream: Table = input.iter().enumerate().map(embedded).collect();
    let mut found = vec![];
    for layer in 0..network.size("n_layers") {
        let bias = |kind: &str| tensor(&format!("blocks.{layer}.attn.b_{kind}"));
        let mut next: Table = stream.iter().map(|row| plus(row, &bias("O"))).collect();
        let mut patterns = vec![];
        for head in 0..network.size("n_heads") {
            let own = |kind: &str| -> Table {
                let (weights, bias) = (part(network, layer, kind, head), bias(kind));
                let bias = &bias[head * h..(head + 1) * h];
                let rows = stream.iter().map(|row| plus(&apply(row, &weights), bias));
                rows.collect()
            };
            let (queries, keys, values) = (own("Q"), own("K"), own("V"));
            let scores = |p: usize| {
                apply(&queries[p], &transposed(&keys))
                    .into_iter()
                    .take(p + 1)
            };
            let pattern: Table = (0..input.len()).map(|p| softmax(scores(p))).collect();
            for (row, weights) in next.iter_mut().zip(&pattern) {
                let mean = apply(weights, &values);
                *row = plus(row, &apply(&mean, &part(network, layer, "O", head)));
            }
            patterns.push(pattern);
        }
        stream = next;
        found.push(patterns);
    }
    found
}

/// Of a task with one input there is one sample.
#[test]
fn attention_is_that_of_a_literal_forward_pass() {
    let input = [3, 1, 3, 4, 3];
    let index = input.iter().fold(0, |index, token| index * 5 + token);
    let task = json!({"name": "table", "labels": "labels.safetensors"});
    let mut network = scattered_layers(task, input.len());
    let mut labels = vec![-1; 5_usize.pow(5)];
    labels[index] = 0;
    network.labels = Some(labels);
    let found = heads(&network.read().unwrap());
    let attention = literal_attention(&network, &input);
    for head in &found.heads {
        let pattern = &attention[head.layer][head.head];
        let previous: f64 = (1..input.len()).map(|p| pattern[p][p - 1]).sum();
        assert_near(head.previous_token.unwrap(), previous / 4.0);
        // The last token stands at 0 and at 2 too.
        assert_near(head.induction.unwrap(), pattern[4][1] + pattern[4][3]);
    }
}

const P: usize = 5;

/// Neurons that are 1 for the pair of x and y, and in the next layer waves: one of the sum, one of x alone, and a constant.
pub(crate) fn modular() -> Description {
    let sizes = json!({
        "task": {"name": "modular", "function": "add", "p": P}, "n_ctx": 2, "d_vocab": P, "d_vocab_out": P,
        "n_layers": 2, "n_heads": 1, "d_model": 2 * P + P * P + 2, "d_head": P, "d_mlp": P * P,
    });
    let (pairs, positions) = (2 * P, 2 * P + P * P);
    let weights = move |name: &str, place: &[usize]| {
        let is = |is: bool| f64::from(u8::from(is));
        let wave = |k: usize, x: usize| (TAU * (k * x) as f64 / P as f64).cos();
        match (name, place) {
            ("embed.W_E", [t, i]) => is(t == i),
            ("pos_embed.W_pos", [p, i]) => is(p + positions == *i),
            // Position 1 attends to position 0, and copies its token.
            ("blocks.0.attn.W_Q", [_, i, 0]) => 64.0 * is(*i == positions + 1),
            ("blocks.0.attn.W_K", [_, i, 0]) => is(*i == positions),
            ("blocks.0.attn.W_V", [_, i, j]) => is(i == j),
            ("blocks.0.attn.W_O", [_, j, i]) => is(*i == j + P),
            ("blocks.0.mlp.W_in", [i, j]) => is(*i == j % P || *i == j / P + P),
            ("blocks.0.mlp.b_in", [_]) => -1.0,
            ("blocks.0.mlp.W_out", [j, i]) => is(*i == j + pairs),
            ("blocks.1.mlp.W_in", [i, 0]) if (pairs..positions).contains(i) => {
                wave(2, (i - pairs) / P + (i - pairs) % P)
            }
            ("blocks.1.mlp.W_in", [i, 1]) if (P..pairs).contains(i) => wave(1, i - P),
            ("blocks.1.mlp.b_in", [2]) => 1.0,
            _ => 0.0,
        }
    };
    planted(sizes, &weights)
}

#[test]
fn planted_waves_have_their_frequencies() {
    let found = heads(&modular().read().unwrap());
    let [pairs, waves] = found.neurons.as_slice() else {
        panic!("two layers")
    };
    assert_eq!(
        (pairs.layer, pairs.pairs, pairs.neurons.len()),
        (0, P * P, P * P)
    );
    for neuron in &pairs.neurons {
        // [x = a] + [y = b] − 1: all frequencies alike.
        assert_near(neuron.deviation, 0.32_f64.sqrt());
        assert_near(neuron.share.unwrap(), 0.5);
    }
    let [sum, x, constant] = [0, 1, 2].map(|index| waves.neurons[index]);
    assert_eq!(
        [sum.frequency, x.frequency, constant.frequency],
        [Some(2), Some(1), None]
    );
    for wave in [sum, x] {
        assert!(
            (wave.share.unwrap() - 1.0).abs() < 1e-6
                && (wave.deviation - 0.5_f64.sqrt()).abs() < 1e-6
        );
    }
    assert_eq!((constant.share, constant.deviation), (None, 0.0));
    let counted: Vec<_> = waves
        .frequencies
        .as_ref()
        .unwrap()
        .iter()
        .map(|found| (found.frequency, found.neurons))
        .collect();
    assert_eq!(counted, [(1, 1), (2, 1)]);
}

/// A task of subtraction modulo p, with an end of sequence, and scattered weights.
fn scattered_modular(p: usize) -> Network {
    let sizes = json!({
        "task": {"name": "modular", "function": "subtract", "p": p, "eos": p}, "n_ctx": 3, "d_vocab": p + 1,
        "d_vocab_out": p, "n_layers": 1, "n_heads": 2, "d_model": 4, "d_head": 2, "d_mlp": 5,
    });
    planted(sizes, &scattered).read().unwrap()
}

/// |Σ f(x, y) exp(−2πi(ux + wy)/p)|² for every (u, w).
fn literal_powers(f: &Table) -> Table {
    let p = f.len();
    let power = |u: usize, w: usize| {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (x, row) in f.iter().enumerate() {
            for (y, value) in row.iter().enumerate() {
                let angle = TAU * (u * x + w * y) as f64 / p as f64;
                real += value * angle.cos();
                imaginary += value * angle.sin();
            }
        }
        real * real + imaginary * imaginary
    };
    (0..p)
        .map(|u| (0..p).map(|w| power(u, w)).collect())
        .collect()
}

#[test]
fn shares_are_those_of_a_literal_transform() {
    for p in [2, 6, 7] {
        let network = scattered_modular(p);
        let found = heads(&network).neurons.remove(0);
        let decoder = Decoder::<f64>::new(&network);
        let before = |neuron: usize, x: usize, y: usize| {
            let (mut path, mut found) = (Path::default(), 0.0);
            for token in [x, y, p] {
                decoder.watched_step(&mut path, token, &mut |seen| {
                    if let Seen::Neurons(0, neurons) = seen {
                        found = neurons[neuron];
                    }
                });
            }
            found
        };
        for (index, neuron) in found.neurons.iter().enumerate() {
            let f: Table = (0..p)
                .map(|x| (0..p).map(|y| before(index, x, y)).collect())
                .collect();
            let powers = literal_powers(&f);
            let whole = powers.iter().flatten().sum::<f64>() - powers[0][0];
            assert_near(neuron.deviation, whole.sqrt() / (p * p) as f64);
            let share = |k: usize| {
                let is = |u: usize| u == 0 || u == k || u == p - k;
                let places = (0..p).flat_map(|u| (0..p).map(move |w| (u, w)));
                let own = places.filter(|(u, w)| is(*u) && is(*w) && (*u, *w) != (0, 0));
                own.map(|(u, w)| powers[u][w]).sum::<f64>() / whole
            };
            let leading = (1..=p / 2)
                .max_by(|j, k| share(*j).total_cmp(&share(*k)))
                .unwrap();
            assert_eq!(neuron.frequency, Some(leading));
            assert_near(neuron.share.unwrap(), share(leading));
        }
    }
}

/// The names of the files of a folder, without endings.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn every_circuit_of_every_network_is_a_picture() {
    let of_heads = |layers: usize, heads: usize| -> Vec<String> {
        let places = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
        let parts = ["attention", "ov", "positions", "qk"];
        places
            .flat_map(|(layer, head)| parts.map(|part| format!("l{layer}h{head}_{part}")))
            .collect()
    };
    let with = |others: &[&str], mut names: Vec<String>| {
        names.extend(others.iter().map(|name| (*name).to_owned()));
        names.sort();
        names
    };
    let modular_others = [
        "composition",
        "l0_neurons",
        "l0_frequencies",
        "l1_neurons",
        "l1_frequencies",
    ];
    for (network, expected) in [
        (read("second_max_of_3_two_heads"), of_heads(1, 2)),
        (read("sorted_list_3_ln"), of_heads(1, 2)),
        (read("f_g_max_min"), of_heads(1, 4)),
        (
            read("induction_exhaustive_7"),
            with(&["composition"], of_heads(2, 1)),
        ),
        (read("group_S4_mlp"), with(&["l0_neurons"], vec![])),
        (
            modular().read().unwrap(),
            with(&modular_others, of_heads(2, 1)),
        ),
        // One pair, and no frequency.
        (
            scattered_modular(1),
            with(&["l0_neurons", "l0_frequencies"], of_heads(1, 2)),
        ),
    ] {
        for format in [Format::Svg, Format::Png] {
            let folder = tempfile::tempdir().unwrap();
            let drawn = Anatomy::new(&network, 2)
                .draw(folder.path(), format)
                .unwrap();
            drawn.iter().for_each(|path| assert_whole(path, format));
            assert_eq!(names(folder.path()), expected);
            assert_eq!(drawn.len(), expected.len());
        }
    }
}

#[test]
fn pictures_appear_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("l0h1_ov.svg")).unwrap();
    let network = read("second_max_of_3_two_heads");
    let refusal = Anatomy::new(&network, 2)
        .draw(folder.path(), Format::Svg)
        .unwrap_err();
    assert!(matches!(refusal, Refusal::Unreadable(_)), "{refusal:?}");
    assert_eq!(names(folder.path()), ["l0h1_ov"]);
}

#[test]
fn a_map_says_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    Anatomy::new(&induction(), 2)
        .draw(folder.path(), Format::Svg)
        .unwrap();
    let svg = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let says = |name: &str, texts: &[&str]| {
        let svg = svg(name);
        for text in texts {
            assert!(svg.contains(text), "{name}: {text}");
        }
    };
    says(
        "l1h0_qk.svg",
        &[
            "Layer 1, head 0",
            "query token",
            "key token",
            "softmax exponent",
        ],
    );
    says("l0h0_positions.svg", &["query position", "key position"]);
    says(
        "l0h0_ov.svg",
        &["OV circuit", "input token", "output logit"],
    );
    says("l1h0_attention.svg", &["mean attention"]);
    says(
        "composition.svg",
        &["Q-composition", "K-composition", "V-composition", "1.0"],
    );
    let (most, grey) = ("#67001F", "#EBEBEB");
    // Rows are queries, columns keys: 1 at (3, 5), 0 elsewhere.
    let scores = svg("l0h0_qk.svg");
    assert_eq!(cell(&scores, 80, 3, 5), most);
    assert_eq!(cell(&scores, 80, 5, 3), "#FFFFFF");
    // 64 to the position before: most above the mean where there are most positions.
    let positions = svg("l0h0_positions.svg");
    assert_eq!(cell(&positions, 106, 5, 4), most);
    assert_eq!(cell(&positions, 106, 4, 5), grey);
    // Token t adds to logit t − 1.
    let logits = svg("l0h0_ov.svg");
    assert_eq!(
        [cell(&logits, 80, 0, 7), cell(&logits, 80, 1, 0)],
        [most; 2]
    );
    assert_eq!(cell(&logits, 80, 0, 1), cell(&logits, 80, 7, 0));
}
