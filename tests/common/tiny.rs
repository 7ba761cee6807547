//! Tiny networks of every kind that is read: all options of an architecture, all tasks, weights that have ties, vanish,
//! overflow or say nothing.

use super::{Random, votes};
use gbmi::model::Network;
use gbmi::refusal::Refusal;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A network as its files say it.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) config: Value,
    /// Shape and weights, by name.
    pub(crate) tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// One for each sequence, where the task has them.
    pub(crate) labels: Option<Vec<i32>>,
}

impl Description {
    pub(crate) fn is_transformer(&self) -> bool {
        self.config.get("arch").is_none()
    }

    pub(crate) fn size(&self, field: &str) -> usize {
        let size = self.config[field].as_u64();
        usize::try_from(size.unwrap_or_else(|| panic!("no {field}"))).unwrap()
    }

    pub(crate) fn n_ctx(&self) -> usize {
        if self.is_transformer() {
            self.size("n_ctx")
        } else {
            2
        }
    }

    /// `config.json`.
    pub(crate) fn config(&self) -> Vec<u8> {
        self.config.to_string().into_bytes()
    }

    /// `model.safetensors`.
    pub(crate) fn weights(&self) -> Vec<u8> {
        let bytes = |weights: &[f32]| weights.iter().flat_map(|x| x.to_le_bytes()).collect();
        let tensors = self.tensors.iter();
        let tensors = tensors
            .map(|(name, (shape, weights))| (name.as_str(), shape.as_slice(), bytes(weights)));
        file(safetensors::Dtype::F32, &tensors.collect::<Vec<_>>())
    }

    /// The file of labels.
    pub(crate) fn labels(&self) -> Vec<u8> {
        let labels = self.labels.as_deref().unwrap_or_default();
        let bytes = labels.iter().flat_map(|x| x.to_le_bytes()).collect();
        let shape = vec![self.size("d_vocab"); self.n_ctx()];
        file(safetensors::Dtype::I32, &[("labels", &shape, bytes)])
    }

    /// The network, read as any other.
    pub(crate) fn read(&self) -> Result<Network, Refusal> {
        Network::read(&self.config(), &self.weights(), |_| Ok(self.labels()))
    }
}

/// A safetensors file.
pub(crate) fn file(dtype: safetensors::Dtype, tensors: &[(&str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (
            *name,
            safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

/// What a task asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) task: Value,
    pub(crate) n_ctx: usize,
    pub(crate) d_vocab: usize,
    /// The fewest outputs.
    pub(crate) answers: usize,
    labels: Option<Vec<i32>>,
    /// Is only the last position read?
    pub(crate) at_the_end: bool,
}

/// Every task by name.
pub(crate) const TASKS: [&str; 12] = [
    "max_of_n",
    "min_of_n",
    "nth_max_of_n",
    "argmax_of_n",
    "argmin_of_n",
    "multifun",
    "f_g",
    "sorted_list",
    "modular",
    "group",
    "induction",
    "table",
];

/// A task of this name, and its sizes.
pub(crate) fn asked(random: &mut Random, name: &str) -> Asked {
    let n = random.within(1, 4);
    let v = random.within(2, [6, 5, 4, 3][n - 1]);
    let eos = (n == 1 || random.once_in(2)).then_some(v);
    let end = usize::from(eos.is_some());
    let plain = |mut task: Value, answers: usize| {
        task["name"] = name.into();
        if let Some(eos) = eos {
            task["eos"] = eos.into();
        }
        let (n_ctx, d_vocab) = (n + end, v + end);
        Asked {
            task,
            n_ctx,
            d_vocab,
            answers,
            labels: None,
            at_the_end: true,
        }
    };
    match name {
        "max_of_n" if eos.is_none() && random.once_in(2) => Asked {
            task: name.into(),
            ..plain(json!({}), v)
        },
        "max_of_n" | "min_of_n" => plain(json!({}), v),
        "nth_max_of_n" => plain(json!({ "nth": random.within(1, n) }), v),
        "argmax_of_n" | "argmin_of_n" => plain(json!({}), n),
        "modular" => {
            let function = random.pick(&["add", "subtract", "x2xyy2"]);
            plain(json!({ "function": function, "p": v }), v)
        }
        "group" => {
            let most = random.within(1, v + 1);
            let mut row = || {
                (0..v)
                    .map(|_| random.within(0, most - 1))
                    .collect::<Vec<_>>()
            };
            let table: Vec<_> = (0..v).map(|_| row()).collect();
            let answers = table.iter().flatten().max().unwrap() + 1;
            let asked = plain(json!({ "table": table }), answers);
            Asked {
                n_ctx: 2 + end,
                ..asked
            }
        }
        "multifun" => {
            let all = ["max", "min", "argmax", "argmin", "sum", "summod"];
            let (n, v) = (random.within(1, 3), random.within(2, 3));
            let count = random.within(1, if n < 3 { 3 } else { 2 });
            let order = random.shuffled((0..all.len()).collect());
            let functions: Vec<&str> = order.iter().take(count).map(|i| all[*i]).collect();
            let specials = random.shuffled((v..v + count + end).collect());
            let bound = |name: &&str| match *name {
                "argmax" | "argmin" => n,
                "sum" => n * (v - 1) + 1,
                _ => v,
            };
            let mut task = json!({ "name": name, "functions": functions, "function_tokens": specials[..count] });
            if end == 1 {
                task["eos"] = specials[count].into();
            }
            let answers = functions.iter().map(bound).max().unwrap();
            Asked {
                task,
                n_ctx: n + 1 + end,
                d_vocab: v + count + end,
                answers,
                labels: None,
                at_the_end: true,
            }
        }
        "f_g" => {
            let m = random.within(2, 3);
            let functions = random.pick(&["max_min", "min_max", "add_sub"]);
            let task = json!({ "name": name, "functions": functions, "elements": 2, "eos": m });
            Asked {
                task,
                n_ctx: 5,
                d_vocab: m + 1,
                answers: m,
                labels: None,
                at_the_end: true,
            }
        }
        "sorted_list" => {
            let length = random.pick(&[1, 2, 2, 2, 3]);
            let v = if length == 3 {
                3
            } else {
                random.within(2.max(length), 4)
            };
            let task = json!({ "name": name, "length": length, "separator": v });
            Asked {
                task,
                n_ctx: 2 * length + 1,
                d_vocab: v + 1,
                answers: v,
                labels: None,
                at_the_end: false,
            }
        }
        "induction" => {
            let inputs = random.pick(&["distinct", "abcab", "exhaustive", "exhaustive"]);
            let n = random.within(if inputs == "exhaustive" { 2 } else { 3 }, 5);
            let least = if inputs == "distinct" {
                (n - 1).max(2)
            } else {
                2
            };
            let v = random.within(least, least.max([5, 5, 4, 3, 3, 2][n]));
            let task = json!({ "name": name, "inputs": inputs });
            Asked {
                task,
                n_ctx: n,
                d_vocab: v,
                answers: v,
                labels: None,
                at_the_end: inputs != "exhaustive",
            }
        }
        "table" => {
            let n = random.within(2, 3);
            let v = random.within(2, 4);
            let most = i32::try_from(random.within(1, v + 1)).unwrap();
            let sparse = random.pick(&[1, 2, 5]);
            let mut label = || {
                let label = i32::try_from(random.within(0, 99)).unwrap() % most;
                if random.once_in(sparse) { label } else { -1 }
            };
            let mut labels: Vec<i32> = (0..v.pow(n.try_into().unwrap())).map(|_| label()).collect();
            if labels.iter().all(|label| *label == -1) {
                labels[0] = 0;
            }
            let answers = usize::try_from(*labels.iter().max().unwrap()).unwrap() + 1;
            let task = json!({ "name": name, "labels": "labels.safetensors" });
            Asked {
                task,
                n_ctx: n,
                d_vocab: v,
                answers,
                labels: Some(labels),
                at_the_end: true,
            }
        }
        other => panic!("no task {other}"),
    }
}

/// Kinds of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weights {
    /// −1, 0 and 1: equal rows, equal scores, exact ties.
    Ties,
    /// Small integers over powers of two.
    Dyadic,
    /// Below one in size, or a few times that.
    Normal,
    /// Normal; one token's embedding is far longer than the others'.
    OneHuge,
    /// Every tensor at a scale of its own, from 1e-30 to 1e6.
    Scales,
    /// All rows of the embedding equal, or zero.
    Flat,
}

impl Weights {
    /// Are enclosures narrow?
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Ties | Self::Dyadic | Self::Normal | Self::Flat)
    }
}

/// A network to be made: sizes that can be shrunk one by one; all else is drawn by the seed.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) task: usize,
    pub(crate) two_embeddings: bool,
    pub(crate) n_layers: usize,
    pub(crate) n_heads: usize,
    pub(crate) d_model: usize,
    pub(crate) d_head: usize,
    /// 0 if attention-only.
    pub(crate) d_mlp: usize,
    /// None, "LN", "LNPre".
    pub(crate) norm: usize,
    pub(crate) eps: usize,
    pub(crate) rate: usize,
    pub(crate) weights: Weights,
    pub(crate) biases: bool,
    /// Are two tokens alike, and two answers?
    pub(crate) twins: bool,
    /// Are the outputs put in an order that makes many answers right?
    pub(crate) trained: bool,
    pub(crate) more_outputs: usize,
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    use Weights::{Dyadic, Flat, Normal, OneHuge, Scales, Ties};
    let weights = prop::sample::select(vec![
        Ties, Ties, Dyadic, Normal, Normal, OneHuge, Scales, Flat,
    ]);
    let layers = prop_oneof![3 => Just(1_usize), 2 => Just(2), 1 => Just(3)];
    let sizes = (
        layers,
        1_usize..=3,
        1_usize..=4,
        1_usize..=3,
        prop_oneof![Just(0), 1_usize..=4],
    );
    let options = (
        0_usize..3,
        0_usize..5,
        0_usize..8,
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.7),
        0_usize..3,
    );
    let task = (any::<u64>(), 0..TASKS.len(), prop::bool::weighted(0.1));
    (task, sizes, options, weights).prop_map(|(task, sizes, options, weights)| Plan {
        seed: task.0,
        task: task.1,
        two_embeddings: task.2,
        n_layers: sizes.0,
        n_heads: sizes.1,
        d_model: sizes.2,
        d_head: sizes.3,
        d_mlp: sizes.4,
        norm: options.0,
        eps: options.1,
        rate: options.2,
        weights,
        biases: options.3,
        twins: options.4,
        trained: options.5,
        more_outputs: options.6,
    })
}

impl Plan {
    /// The smallest network, of an exact answer to two tokens.
    pub(crate) fn least() -> Self {
        Self {
            seed: 0,
            task: TASKS.len() - 1,
            two_embeddings: false,
            n_layers: 1,
            n_heads: 1,
            d_model: 1,
            d_head: 1,
            d_mlp: 0,
            norm: 0,
            eps: 0,
            rate: 7,
            weights: Weights::Ties,
            biases: false,
            twins: false,
            trained: false,
            more_outputs: 0,
        }
    }

    /// The network.
    pub(crate) fn describe(&self) -> Description {
        let mut random = Random::new(self.seed);
        if self.two_embeddings {
            return self.pairs(&mut random);
        }
        let Asked {
            task,
            n_ctx,
            d_vocab,
            answers,
            labels,
            at_the_end,
        } = asked(&mut random, TASKS[self.task]);
        let d_vocab_out = match self.more_outputs {
            0 => answers,
            1 => answers.max(d_vocab),
            _ => answers + random.within(1, 2),
        };
        let (d, h) = (self.d_model, self.d_head);
        let norm = [Value::Null, "LN".into(), "LNPre".into()][self.norm].clone();
        let mut config = json!({
            "task": task, "n_ctx": n_ctx, "d_vocab": d_vocab, "d_model": d, "d_head": h, "n_layers": self.n_layers,
            "n_heads": self.n_heads, "attn_only": self.d_mlp == 0,
            "normalization_type": norm,
        });
        let fields = config.as_object_mut().unwrap();
        let mut set = |field: &str, value: Value| fields.insert(field.into(), value);
        if d_vocab_out != d_vocab || random.once_in(2) {
            set("d_vocab_out", d_vocab_out.into());
        }
        if self.d_mlp > 0 {
            set("act_fn", "relu".into());
            set("d_mlp", self.d_mlp.into());
        }
        // 1e-5 where it is not said.
        if self.norm > 0 && self.eps > 0 {
            set("eps", [0.0, 0.0, 1e-5, 1e-2, 1.0][self.eps].into());
        }
        let may_mix = self.n_layers == 1 && at_the_end;
        if may_mix && self.rate < 4 {
            set("attention_rate", [0.0, 1.0, 0.5, 1e-7][self.rate].into());
        }
        if random.once_in(2) {
            set("use_attn_scale", random.once_in(2).into());
        }
        let mut shapes = vec![
            ("embed.W_E".into(), vec![d_vocab, d]),
            ("pos_embed.W_pos".into(), vec![n_ctx, d]),
            ("unembed.W_U".into(), vec![d, d_vocab_out]),
            ("unembed.b_U".into(), vec![d_vocab_out]),
        ];
        let mut norms = vec!["ln_final".to_string()];
        for layer in 0..self.n_layers {
            let name = |part: &str| format!("blocks.{layer}.{part}");
            let heads = self.n_heads;
            for letter in ["Q", "K", "V"] {
                shapes.push((name(&format!("attn.W_{letter}")), vec![heads, d, h]));
                shapes.push((name(&format!("attn.b_{letter}")), vec![heads, h]));
            }
            shapes.push((name("attn.W_O"), vec![heads, h, d]));
            shapes.push((name("attn.b_O"), vec![d]));
            norms.push(name("ln1"));
            if self.d_mlp > 0 {
                shapes.push((name("mlp.W_in"), vec![d, self.d_mlp]));
                shapes.push((name("mlp.b_in"), vec![self.d_mlp]));
                shapes.push((name("mlp.W_out"), vec![self.d_mlp, d]));
                shapes.push((name("mlp.b_out"), vec![d]));
                norms.push(name("ln2"));
            }
        }
        if self.norm == 1 {
            let parts = norms
                .iter()
                .flat_map(|name| ["w", "b"].map(|part| (format!("{name}.{part}"), vec![d])));
            shapes.extend(parts);
        }
        let mut tensors = self.draw(&mut random, shapes);
        self.spoil(
            &mut random,
            &mut tensors,
            ["embed.W_E", "unembed.W_U", "unembed.b_U"],
        );
        let network = Description {
            config,
            tensors,
            labels,
        };
        self.train(network, ["unembed.W_U", "unembed.b_U"])
    }

    /// An MLP over two tokens.
    fn pairs(&self, random: &mut Random) -> Description {
        let (d, m) = (self.d_model, self.d_mlp.max(1));
        let asked = loop {
            let name = random.pick(&TASKS);
            let asked = asked(random, name);
            if asked.n_ctx == 2 && asked.answers <= asked.d_vocab {
                break asked;
            }
        };
        let v = asked.d_vocab;
        let config = json!({
            "arch": "group_mlp", "task": asked.task, "d_vocab": v, "d_embed": d, "d_mlp": m, "act_fn": "relu",
        });
        let shapes = vec![
            ("embedding_left".into(), vec![v, d]),
            ("embedding_right".into(), vec![v, d]),
            ("linear_left".into(), vec![d, m]),
            ("linear_right".into(), vec![d, m]),
            ("unembedding".into(), vec![m, v]),
            ("unembed_bias".into(), vec![v]),
        ];
        let mut tensors = self.draw(random, shapes);
        self.spoil(
            random,
            &mut tensors,
            ["embedding_left", "unembedding", "unembed_bias"],
        );
        let network = Description {
            config,
            tensors,
            labels: asked.labels,
        };
        self.train(network, ["unembedding", "unembed_bias"])
    }

    /// The network with its outputs in another order.
    fn train(&self, mut network: Description, [unembedding, bias]: [&str; 2]) -> Description {
        if !self.trained {
            return network;
        }
        let outputs = network.tensors[bias].1.len();
        let mut free: Vec<usize> = (0..outputs).collect();
        let order: Vec<usize> = votes(&network, outputs)
            .iter()
            .map(|votes| {
                let best = (0..free.len())
                    .max_by_key(|place| votes[free[*place]])
                    .unwrap();
                free.remove(best)
            })
            .collect();
        for name in [unembedding, bias] {
            for row in network.tensors.get_mut(name).unwrap().1.chunks_mut(outputs) {
                let old = row.to_vec();
                row.iter_mut()
                    .zip(&order)
                    .for_each(|(new, from)| *new = old[*from]);
            }
        }
        network
    }

    fn draw(
        &self,
        random: &mut Random,
        shapes: Vec<(String, Vec<usize>)>,
    ) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let gain = random.pick(&[1.0, 1.0, 4.0]);
        let mut tensors = BTreeMap::new();
        for (name, shape) in shapes {
            let is_bias = name.contains(".b") || name.ends_with("bias");
            let is_zero = is_bias && (!self.biases || random.once_in(3));
            let scale = match self.weights {
                Weights::Scales => random.pick(&[1e-30, 1e-7, 1.0, 1.0, 1.0, 40.0, 1e6]),
                Weights::Dyadic => random.pick(&[0.125, 0.5, 0.5, 1.0]),
                Weights::Normal | Weights::OneHuge => gain,
                Weights::Ties | Weights::Flat => 1.0,
            };
            let mut weight = || match self.weights {
                _ if is_zero => 0.0,
                Weights::Ties => random.pick(&[-1.0, 0.0, 0.0, 1.0]),
                Weights::Dyadic => {
                    scale * random.pick(&[-3.0, -2.0, -1.0, -1.0, 0.0, 1.0, 1.0, 2.0])
                }
                _ => scale * random.unit(),
            };
            let weights = (0..shape.iter().product()).map(|_| weight()).collect();
            tensors.insert(name, (shape, weights));
        }
        tensors
    }

    /// Rows that are equal, zero or huge; answers that are twins.
    fn spoil(
        &self,
        random: &mut Random,
        tensors: &mut BTreeMap<String, (Vec<usize>, Vec<f32>)>,
        [embedding, unembedding, bias]: [&str; 3],
    ) {
        let (shape, rows) = tensors.get_mut(embedding).unwrap();
        let (v, d) = (shape[0], shape[1]);
        let (from, to) = (random.within(0, v - 1), random.within(0, v - 1));
        match self.weights {
            Weights::OneHuge => {
                let size = random.pick(&[30.0, 1e3, 1e5]);
                rows[from * d..(from + 1) * d]
                    .iter_mut()
                    .for_each(|x| *x *= size);
            }
            Weights::Flat => {
                let value = random.pick(&[0.0, 1.0, 0.1]);
                let all = random.once_in(2);
                for row in rows.chunks_mut(d).skip(usize::from(!all)) {
                    row.fill(value);
                }
                if let Some((_, positions)) = tensors
                    .get_mut("pos_embed.W_pos")
                    .filter(|_| random.once_in(2))
                {
                    positions.fill(0.0);
                }
            }
            _ if self.twins => rows.copy_within(from * d..(from + 1) * d, to * d),
            _ => {}
        }
        if !self.twins {
            return;
        }
        let outputs = tensors[bias].1.len();
        let (from, to) = (random.within(0, outputs - 1), random.within(0, outputs - 1));
        for row in tensors.get_mut(unembedding).unwrap().1.chunks_mut(outputs) {
            row[to] = row[from];
        }
        tensors
            .get_mut(bias)
            .unwrap()
            .1
            .copy_within(from..=from, to);
    }
}
