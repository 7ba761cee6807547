//! Tiny models, random hints, and an oracle that shares no code with the checker.
#![allow(dead_code)] // less is needed without some features

mod exact;
mod hints;
mod literal;
mod oracle;
mod published;
mod random;
pub(crate) mod tiny;

pub(crate) use exact::{Exact, exp_of_minus, power_of_two};
pub(crate) use hints::{
    bare, broken_hints, by_hand, entries, group, hints, levels, numbers, partition, plan, reread,
    sorted, split, tokens,
};
pub(crate) use literal::{Counts, around_a_lead, truth, votes};
pub(crate) use oracle::{correct_by_pair, exact_correct, verdicts};
pub(crate) use published::{gaps_of, published_hints, tight_model};
pub(crate) use random::{Kind, Random, random_model};
pub(crate) use tiny::{Description, Plan, TASKS, Weights, file, plans};

use gbmi::certificate::{Certificate, Hints, Rows};
use gbmi::checker::arithmetic::{Enclosure, Fixed};
use gbmi::checker::levels::{Answer, Tables};
use gbmi::checker::meter::Meter;
use gbmi::checker::{Decided, Options, certify, margin};
use gbmi::model::Network;
use gbmi::task::Words;
use num_bigint::BigUint;
use serde_json::Value;
use std::collections::BTreeMap;

/// A model as float32 tensors, by TransformerLens name.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) d_vocab: usize,
    pub(crate) n_ctx: usize,
    pub(crate) d_model: usize,
    pub(crate) d_head: usize,
    pub(crate) use_attn_scale: bool,
    pub(crate) tensors: BTreeMap<&'static str, Vec<f32>>,
}

/// A network by its paths (`docs/theory.md`, T0), each a function of small integers.
pub(crate) struct Paths {
    pub(crate) d_vocab: usize,
    pub(crate) n_ctx: usize,
    /// A(q, t).
    pub(crate) token_score: fn(usize, usize) -> f32,
    /// B(q, p).
    pub(crate) position_score: fn(usize, usize) -> f32,
    /// EV(t, j).
    pub(crate) token_logit: fn(usize, usize) -> f32,
    /// PV(p, j).
    pub(crate) position_logit: fn(usize, usize) -> f32,
    /// D(q, j).
    pub(crate) direct: fn(usize, usize) -> f32,
}

/// All paths zero; for struct update.
pub(crate) const NOTHING: Paths = Paths {
    d_vocab: 2,
    n_ctx: 2,
    token_score: |_, _| 0.0,
    position_score: |_, _| 0.0,
    token_logit: |_, _| 0.0,
    position_logit: |_, _| 0.0,
    direct: |_, _| 0.0,
};

impl Paths {
    /// The model with these paths: one-hot embeddings of tokens and positions, and a block that attention writes to.
    pub(crate) fn model(&self) -> Model {
        let (v, n) = (self.d_vocab, self.n_ctx);
        let (d, h) = (2 * v + n, v + n);
        let mut model = Model::zero(v, n, d, h);
        model.use_attn_scale = false;
        for t in 0..v {
            model.set("embed.W_E", t * d + t, 1.0);
            model.set("blocks.0.attn.W_K", t * h + t, 1.0);
            model.set("blocks.0.attn.W_O", t * d + v + n + t, 1.0);
            model.set("unembed.W_U", (v + n + t) * v + t, 1.0);
            for j in 0..v {
                model.set("blocks.0.attn.W_Q", t * h + j, (self.token_score)(t, j));
                model.set("blocks.0.attn.W_V", t * h + j, (self.token_logit)(t, j));
                model.set("unembed.W_U", t * v + j, (self.direct)(t, j));
            }
            for p in 0..n {
                model.set(
                    "blocks.0.attn.W_Q",
                    t * h + v + p,
                    (self.position_score)(t, p),
                );
            }
        }
        for p in 0..n {
            model.set("pos_embed.W_pos", p * d + v + p, 1.0);
            model.set("blocks.0.attn.W_K", (v + p) * h + v + p, 1.0);
            for j in 0..v {
                model.set(
                    "blocks.0.attn.W_V",
                    (v + p) * h + j,
                    (self.position_logit)(p, j),
                );
            }
        }
        model
    }
}

impl Model {
    /// The model whose weights are all zero.
    pub(crate) fn zero(d_vocab: usize, n_ctx: usize, d_model: usize, d_head: usize) -> Self {
        let mut model = Self {
            d_vocab,
            n_ctx,
            d_model,
            d_head,
            use_attn_scale: true,
            tensors: BTreeMap::new(),
        };
        for (name, shape) in model.shapes() {
            model
                .tensors
                .insert(name, vec![0.0; shape.iter().product()]);
        }
        model
    }

    /// Changes one weight.
    pub(crate) fn set(&mut self, name: &'static str, index: usize, value: f32) {
        self.tensors.get_mut(name).unwrap()[index] = value;
    }

    /// Names and shapes of all tensors.
    pub(crate) fn shapes(&self) -> [(&'static str, Vec<usize>); 12] {
        let (v, n, d, h) = (self.d_vocab, self.n_ctx, self.d_model, self.d_head);
        [
            ("embed.W_E", vec![v, d]),
            ("pos_embed.W_pos", vec![n, d]),
            ("blocks.0.attn.W_Q", vec![1, d, h]),
            ("blocks.0.attn.W_K", vec![1, d, h]),
            ("blocks.0.attn.W_V", vec![1, d, h]),
            ("blocks.0.attn.W_O", vec![1, h, d]),
            ("blocks.0.attn.b_Q", vec![1, h]),
            ("blocks.0.attn.b_K", vec![1, h]),
            ("blocks.0.attn.b_V", vec![1, h]),
            ("blocks.0.attn.b_O", vec![d]),
            ("unembed.W_U", vec![d, v]),
            ("unembed.b_U", vec![v]),
        ]
    }

    /// `config.json`.
    pub(crate) fn config(&self) -> String {
        format!(
            r#"{{"task":"max_of_n","d_vocab":{},"n_ctx":{},"d_model":{},"d_head":{},"n_heads":1,"n_layers":1,"attn_only":true,"normalization_type":null,"use_attn_scale":{}}}"#,
            self.d_vocab, self.n_ctx, self.d_model, self.d_head, self.use_attn_scale
        )
    }

    /// `model.safetensors`.
    pub(crate) fn weights(&self) -> Vec<u8> {
        let shapes = self.shapes();
        let data: Vec<Vec<u8>> = shapes
            .iter()
            .map(|(name, _)| {
                self.tensors[name]
                    .iter()
                    .flat_map(|weight| weight.to_le_bytes())
                    .collect()
            })
            .collect();
        let view = |(shape, data)| {
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, data).unwrap()
        };
        let views = shapes
            .into_iter()
            .zip(&data)
            .map(|((name, shape), data)| (name, view((shape, data))));
        safetensors::serialize(views, None).unwrap()
    }

    /// The network, read as any other.
    pub(crate) fn network(&self) -> Network {
        Network::from_bytes(self.config().as_bytes(), &self.weights()).unwrap()
    }
}

/// What a certificate, written and read, establishes about a network.
pub(crate) fn certified<R: Enclosure>(network: &Network, certificate: &Certificate) -> BigUint {
    certify::<R>(network, &reread(certificate), Options::default())
        .unwrap()
        .correct
}

/// The tables under a certificate's rules, those of our own proofs.
pub(crate) fn tables(network: &Network, certificate: &Certificate, meter: &Meter) -> Tables<Fixed> {
    let Hints::Levels(hints) = &certificate.hints else {
        panic!("another family")
    };
    let margin = margin(&certificate.claim.margin, meter);
    Tables::<Fixed>::new(&network.one_head().unwrap(), hints, margin, meter).unwrap()
}

/// A certificate's text, with the version, the family and each rule as the first fields of their objects.
pub(crate) fn written(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            let first = ["gbmi", "family", "rule"];
            let place = |name: &String| first.iter().position(|first| first == name);
            fields.sort_by_key(|(name, _)| place(name).unwrap_or(first.len()));
            let field =
                |(name, value)| format!("{}:{}", Value::from(String::as_str(name)), written(value));
            format!(
                "{{{}}}",
                fields.into_iter().map(field).collect::<Vec<_>>().join(",")
            )
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(written).collect::<Vec<_>>().join(",")
        ),
        other => other.to_string(),
    }
}

/// Changes rows of hints as lists of their own.
pub(crate) fn change<T: Clone>(rows: &mut Rows<T>, by: impl FnOnce(&mut Vec<Vec<T>>)) {
    let mut lists = rows.iter().map(<[T]>::to_vec).collect();
    by(&mut lists);
    *rows = lists.into();
}

/// What a certificate, written and read, establishes for every (query, maximum) apart: from below and from above.
pub(crate) fn certified_by_pair(
    network: &Network,
    certificate: &Certificate,
) -> BTreeMap<(usize, usize), (BigUint, BigUint)> {
    let certificate = reread(certificate);
    let Hints::Levels(levels) = &certificate.hints else {
        panic!("another family")
    };
    let partition = &levels.criterion;
    let meter = Meter::new(u64::MAX);
    let tables = tables(network, &certificate, &meter);
    let mut pairs = BTreeMap::new();
    for m in 0..network.max_of_n().unwrap().config.d_vocab {
        let mut answer = Answer::new(&tables, m, &meter);
        let levels = network.task.levels(m);
        let words = levels[0].words();
        for (number, (q, words)) in Words::by_query(&words).into_iter().enumerate() {
            let settled = match partition.plan(m, number) {
                None => Decided::default(),
                Some((plan, _)) => {
                    let sets = answer.partition(plan, "").unwrap();
                    let view = answer.view(words, q);
                    answer.settled(&view, &sets, plan).unwrap()
                }
            };
            pairs.insert((q, m), (settled.right, words.inputs() - settled.wrong));
        }
    }
    pairs
}

/// Asserts that no (query, maximum) certifies more than its truth: no level's caution hides another's fault.
pub(crate) fn assert_sound(model: &Model, certificate: &Certificate) {
    let truth = correct_by_pair(model, &certificate.claim.margin);
    for (pair, certified) in certified_by_pair(&model.network(), certificate) {
        let ((certified, upper), (least, most)) = (certified, truth[&pair]);
        assert!(
            certified <= most.into(),
            "(q, m) = {pair:?}: {certified} certified of {most}; {certificate:?}"
        );
        assert!(
            upper >= least.into(),
            "(q, m) = {pair:?}: {upper} at most, of {least}; {certificate:?}"
        );
    }
}
