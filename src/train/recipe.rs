//! What is trained, and how: everything but the seed. What is not said is as in the task's experiment.

use super::data::MOST_LISTED;
use super::groups;
use crate::model::Network;
use crate::refusal::Refusal;
use crate::task::{MAX_LABELS_BYTES, labels_file};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What is trained, and how: the fields of a `[[train]]` table of a sweep, and the flags of `gbmi train`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name of models that differ in their seed only; none for one that tells task and sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The task, as in `config.json`.
    pub task: Value,
    /// A transformer, or an MLP over two tokens.
    pub architecture: Architecture,
    /// Input length.
    pub n_ctx: usize,
    /// Number of tokens.
    pub d_vocab: usize,
    /// Number of outputs.
    pub d_vocab_out: usize,
    /// Number of layers of a transformer.
    pub n_layers: usize,
    /// Number of heads of each layer.
    pub n_heads: usize,
    /// Width of the residual stream, or of each of the two embeddings.
    pub d_model: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Number of neurons; 0 for attention only.
    pub d_mlp: usize,
    /// Layer norms.
    pub normalization_type: Normalization,
    /// α: attention is α times uniform and 1 − α times softmax.
    pub attention_rate: f64,
    /// How weights begin.
    pub init_mode: Start,
    /// Which biases are trained; the others stay zero.
    pub trained_biases: Biases,
    /// What takes the steps.
    pub optimizer: Method,
    /// Learning rate.
    pub lr: f64,
    /// The learning rate at the end, which it falls to along a cosine; the same for a constant one.
    pub lr_end: f64,
    /// Over so many steps the learning rate rises to what it is.
    pub warmup_steps: usize,
    /// Decay rates of the two means.
    pub betas: [f64; 2],
    /// Of AdamW the decay of the weights in a step, times the learning rate; of Adam what is added to the gradient, times
    /// the weights.
    pub weight_decay: f64,
    /// The share of the inputs, drawn for each seed, that is trained on.
    pub train_ratio: f64,
    /// Inputs in a step, drawn uniformly and independently.
    pub batch_size: Batches,
    /// Steps.
    pub steps: usize,
    /// Inputs on which a trained model's accuracy is estimated, where they are not listed.
    pub samples: usize,
    /// The file that the task names, if it names one.
    #[serde(skip)]
    pub labels: Option<(String, Vec<u8>)>,
}

/// What networks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// A decoder, as TransformerLens defines it.
    Transformer,
    /// An MLP over two tokens with an embedding each: `"arch": "group_mlp"`.
    TwoEmbeddings,
}

/// Layer norms before every attention, every MLP and the unembedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalization {
    /// There are none.
    #[serde(rename = "none")]
    None,
    /// With a gain and a bias, which are trained.
    LN,
    /// With neither.
    LNPre,
}

/// How weights begin, independently of each other; biases begin at 0, gains at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Normal with deviation 0.8/√d_model (TransformerLens's default).
    Gpt2,
    /// Uniform to ±√(6/fan-in), with TransformerLens's fan-in: the first axis of a matrix, the second of a head's.
    KaimingUniform,
    /// Normal with deviation 1/√fan-in, the numbers that are added up: of an embedding its width.
    FanIn,
}

/// Which biases are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Biases {
    /// None.
    None,
    /// Those of the MLPs.
    Mlp,
    /// All.
    All,
}

/// What takes the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// Weights decay apart from the gradient.
    AdamW,
    /// Weight decay is part of the gradient.
    Adam,
}

/// Inputs in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub enum Batches {
    /// All that are trained on.
    Full,
    /// So many, drawn.
    Of(usize),
}

impl From<Batches> for Value {
    fn from(batches: Batches) -> Self {
        match batches {
            Batches::Full => "full".into(),
            Batches::Of(inputs) => inputs.into(),
        }
    }
}

impl TryFrom<Value> for Batches {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if value == "full" {
            return Ok(Self::Full);
        }
        let inputs = value
            .as_u64()
            .and_then(|inputs| usize::try_from(inputs).ok());
        inputs
            .map(Self::Of)
            .ok_or_else(|| format!("expected a number of inputs or \"full\", found {value}"))
    }
}

/// A recipe's fields as a user has written them.
pub type Said = Map<String, Value>;

impl Recipe {
    /// What was said, and the task's defaults for the rest. A file that the task names is read from `folder`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when a field is unknown, or a number that training cannot work with; those of
    /// [`Network::read`] for an architecture or a task that gbmi does not have.
    pub fn new(mut said: Said, folder: &Path) -> Result<Self, Refusal> {
        let wrong = |reason: String| Refusal::Unreadable(reason);
        let task = said.remove("task").unwrap_or_else(|| "max_of_n".into());
        let task = with_table(task).map_err(wrong)?;
        let mut fields = defaults(&task);
        fields.append(&mut said);
        sizes(&task, &mut fields);
        fields.insert("task".into(), task);
        let recipe = serde_path_to_error::deserialize::<_, Self>(Value::Object(fields));
        let mut recipe = recipe.map_err(|error| {
            let at = error.path().to_string();
            wrong(match at.as_str() {
                "." => error.into_inner().to_string(),
                at => format!("{at}: {}", error.into_inner()),
            })
        })?;
        if let Some(name) = labels_file(&recipe.task) {
            let bytes = crate::model::read_limited(&folder.join(name), MAX_LABELS_BYTES)?;
            recipe.labels = Some((name.to_owned(), bytes));
        }
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<(), Refusal> {
        let wrong = |name: &str, expected: String, found: String| {
            Err(Refusal::Unreadable(format!(
                "{name}: expected {expected}, found {found}"
            )))
        };
        if let Some(name) = self.name.as_ref().filter(|name| !is_name(name)) {
            let expected = "a name of letters, digits, '.', '_' and '-'".into();
            return wrong("name", expected, format!("{name:?}"));
        }
        let mut counts = vec![
            ("steps", self.steps, 1..=100_000_000),
            ("samples", self.samples, 1..=1_000_000_000),
            ("warmup_steps", self.warmup_steps, 0..=100_000_000),
        ];
        if let Batches::Of(inputs) = self.batch_size {
            counts.push(("batch_size", inputs, 1..=1 << 20));
        }
        for (name, found, expected) in counts {
            if !expected.contains(&found) {
                let (least, most) = expected.into_inner();
                return wrong(name, format!("{least} to {most}"), found.to_string());
            }
        }
        let [first, second] = self.betas;
        for (name, found) in [
            ("lr", self.lr),
            ("lr_end", self.lr_end),
            ("weight_decay", self.weight_decay),
            ("train_ratio", self.train_ratio),
            ("betas", first),
            ("betas", second),
        ] {
            let is_rate = name != "betas" || found < 1.0;
            if !(0.0..=1.0).contains(&found) || !is_rate {
                return wrong(name, "a number from 0 to 1".into(), found.to_string());
            }
        }
        let pairs = self.network()?.task.size();
        if self.lists_inputs() && pairs > MOST_LISTED.into() {
            let expected = format!(
                "1 and a number as batch_size: inputs are split, or taken all at once, if they have at most {MOST_LISTED} \
                 answers"
            );
            return wrong("train_ratio", expected, format!("{pairs} answers"));
        }
        Ok(())
    }

    /// Are inputs split, or taken all at once?
    pub(super) fn lists_inputs(&self) -> bool {
        self.train_ratio < 1.0 || self.batch_size == Batches::Full
    }

    /// The network with all weights zero: what the model's reader makes of the recipe.
    pub(super) fn network(&self) -> Result<Network, Refusal> {
        let config = serde_json::to_vec(&super::files::config(self, 0)).unwrap_or_default();
        // What the reader declines may be of any size; these are no larger than what it takes.
        let sizes = [
            self.d_model,
            self.d_head,
            self.d_mlp,
            self.d_vocab,
            self.d_vocab_out,
        ];
        let fits = sizes.iter().all(|size| *size <= crate::model::MAX_WIDTH)
            && self.n_layers <= crate::model::MAX_LAYERS
            && self.n_heads <= crate::model::MAX_HEADS
            && self.n_ctx <= crate::model::MAX_CTX;
        let weights = if fits {
            let zeros = |parameter: &Parameter| (parameter.clone(), vec![0.0; parameter.len()]);
            let zeros: Vec<_> = self.parameters().iter().map(zeros).collect();
            super::files::weights(&zeros).map_err(|error| Refusal::Unreadable(error.to_string()))?
        } else {
            vec![]
        };
        let labels = self.labels.clone();
        Network::read(&config, &weights, |_| {
            let none = || Refusal::Unreadable("the task's file was not read".into());
            labels.map(|(_, bytes)| bytes).ok_or_else(none)
        })
    }

    /// The standard deviation of initial weights of `init_mode` gpt2, the gain of the others.
    pub fn initializer_range(&self) -> f64 {
        match self.init_mode {
            Start::Gpt2 => 0.8 / (self.d_model as f64).sqrt(),
            Start::KaimingUniform | Start::FanIn => 1.0,
        }
    }

    /// The tensors, in the order in which they are drawn.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let Self {
            n_ctx,
            d_vocab,
            d_vocab_out,
            n_layers,
            n_heads,
            d_model: d,
            d_head,
            d_mlp,
            ..
        } = *self;
        if self.architecture == Architecture::TwoEmbeddings {
            return vec![
                Parameter::weights("embedding_left", &[d_vocab, d], d),
                Parameter::weights("embedding_right", &[d_vocab, d], d),
                Parameter::weights("linear_left", &[d, d_mlp], d),
                Parameter::weights("linear_right", &[d, d_mlp], d),
                Parameter::weights("unembedding", &[d_mlp, d_vocab_out], d_mlp),
                self.bias("unembed_bias", &[d_vocab_out]),
            ];
        }
        let mut all = vec![
            Parameter::weights("embed.W_E", &[d_vocab, d], d),
            Parameter::weights("pos_embed.W_pos", &[n_ctx, d], d),
        ];
        let norm = |name: &str| {
            let gain = Parameter {
                start: Some(1.0),
                trained: true,
                ..Parameter::weights(&format!("{name}.w"), &[d], d)
            };
            let bias = Parameter {
                start: Some(0.0),
                ..gain.clone()
            };
            let bias = Parameter {
                name: format!("{name}.b"),
                ..bias
            };
            let affine = self.normalization_type == Normalization::LN;
            [gain, bias].into_iter().filter(move |_| affine)
        };
        for layer in 0..n_layers {
            let name = |part: &str| format!("blocks.{layer}.{part}");
            for part in ["attn.W_Q", "attn.W_K", "attn.W_V"] {
                all.push(Parameter::weights(&name(part), &[n_heads, d, d_head], d));
            }
            let inner = [n_heads, d_head, d];
            all.push(Parameter::weights(
                &name("attn.W_O"),
                &inner,
                n_heads * d_head,
            ));
            for part in ["attn.b_Q", "attn.b_K", "attn.b_V"] {
                all.push(self.bias(&name(part), &[n_heads, d_head]));
            }
            all.push(self.bias(&name("attn.b_O"), &[d]));
            all.extend(norm(&name("ln1")));
            if d_mlp > 0 {
                all.push(Parameter::weights(&name("mlp.W_in"), &[d, d_mlp], d));
                all.push(self.bias(&name("mlp.b_in"), &[d_mlp]));
                all.push(Parameter::weights(&name("mlp.W_out"), &[d_mlp, d], d_mlp));
                all.push(self.bias(&name("mlp.b_out"), &[d]));
                all.extend(norm(&name("ln2")));
            }
        }
        all.extend(norm("ln_final"));
        all.push(Parameter::weights("unembed.W_U", &[d, d_vocab_out], d));
        all.push(self.bias("unembed.b_U", &[d_vocab_out]));
        all
    }

    fn bias(&self, name: &str, shape: &[usize]) -> Parameter {
        let trained = match self.trained_biases {
            Biases::None => false,
            Biases::Mlp => name.contains(".mlp."),
            Biases::All => true,
        };
        Parameter {
            start: Some(0.0),
            trained,
            ..Parameter::weights(name, shape, 1)
        }
    }
}

/// A tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in the file.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// How many numbers are added up.
    pub(super) fan_in: usize,
    /// What all entries begin at; they are drawn if there is no such number.
    pub(super) start: Option<f32>,
    /// It is trained; else it stays as it begins.
    pub(super) trained: bool,
}

impl Parameter {
    fn weights(name: &str, shape: &[usize], fan_in: usize) -> Self {
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            fan_in,
            start: None,
            trained: true,
        }
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// TransformerLens's fan-in: of a matrix the first axis, of a tensor with a head's matrices their first.
    pub(super) fn first_axis(&self) -> usize {
        let axis = self.shape.len().saturating_sub(2);
        self.shape[axis]
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(is_plain)
}

/// The task with a group's table, where the group is named: `{"name": "group", "group": "S5"}`.
fn with_table(mut task: Value) -> Result<Value, String> {
    let Some(fields) = task.as_object_mut() else {
        return Ok(task);
    };
    if fields.get("name").is_none_or(|name| name != "group") {
        return Ok(task);
    }
    let Some(group) = fields.remove("group") else {
        return Ok(task);
    };
    let table = group.as_str().and_then(groups::table).ok_or_else(|| {
        format!(
            "task.group: expected C, D, S or A and a number, or GL2(3), of at most {} elements, found {group}",
            crate::model::MAX_VOCAB
        )
    })?;
    fields.insert("table".into(), json!(table));
    Ok(task)
}

/// The task's parameters, none for a bare name, with its name.
fn parameters_of(task: &Value) -> (&str, Map<String, Value>) {
    let fields = task.as_object().cloned().unwrap_or_default();
    let name = task.get("name").unwrap_or(task).as_str().unwrap_or("");
    (name, fields)
}

/// The recipe of the task's experiment, but for sizes that follow from others.
fn defaults(task: &Value) -> Said {
    let (name, parameters) = parameters_of(task);
    let has = |field: &str, value: &str| parameters.get(field).is_some_and(|found| found == value);
    let changes = match name {
        "multifun" => json!({"n_heads": 2, "lr": 3e-3, "lr_end": 1e-4, "steps": 5000}),
        "f_g" if has("functions", "add_sub") => json!({
            "n_heads": 4, "d_model": 64, "d_mlp": 256, "init_mode": "kaiming_uniform", "lr_end": 5e-5,
            "betas": [0.9, 0.98], "weight_decay": 1.0, "train_ratio": 0.9, "batch_size": "full", "steps": 1500,
        }),
        "f_g" => json!({
            "n_heads": 4, "d_model": 64, "lr_end": 5e-5, "betas": [0.9, 0.98], "weight_decay": 0.1,
            "train_ratio": 0.8, "batch_size": 512,
        }),
        "sorted_list" => json!({
            "n_heads": 2, "trained_biases": "all", "optimizer": "Adam", "lr_end": 1e-4, "weight_decay": 0.005,
            "batch_size": 256, "steps": 4000,
        }),
        "modular" => json!({
            "n_heads": 4, "d_model": 64, "d_mlp": 256, "init_mode": "kaiming_uniform", "trained_biases": "mlp",
            "warmup_steps": 10, "betas": [0.9, 0.98], "weight_decay": 1.0, "train_ratio": 0.8,
            "batch_size": "full", "steps": 2000,
        }),
        "group" => json!({
            "architecture": "two_embeddings", "d_model": 256, "d_mlp": 128, "init_mode": "fan_in",
            "trained_biases": "all", "optimizer": "Adam", "lr": 0.01, "betas": [0.9, 0.98], "weight_decay": 2e-4,
            "batch_size": "full", "steps": 2500, "lr_end": 0.0,
        }),
        "induction" if has("inputs", "abcab") => json!({
            "n_layers": 2, "d_model": 64, "weight_decay": 0.1, "batch_size": 1024, "steps": 750,
        }),
        "induction" if has("inputs", "exhaustive") => json!({
            "n_layers": 2, "d_model": 64, "weight_decay": 0.1, "batch_size": 2048, "steps": 250,
        }),
        "induction" => json!({
            "n_layers": 2, "d_head": 16, "init_mode": "fan_in", "lr": 3e-3, "lr_end": 0.0, "betas": [0.9, 0.98],
            "weight_decay": 1e-4, "batch_size": 256,
        }),
        _ => json!({}),
    };
    // The paper's recipe for Max-of-4, changed.
    let mut recipe = json!({
        "architecture": "transformer", "n_layers": 1, "n_heads": 1, "d_model": 32, "d_mlp": 0,
        "normalization_type": "none", "attention_rate": 0.0, "init_mode": "gpt2", "trained_biases": "none",
        "optimizer": "AdamW", "lr": 1e-3, "warmup_steps": 0, "betas": [0.9, 0.999], "weight_decay": 0.01,
        "train_ratio": 1.0, "batch_size": 128, "steps": 3000, "samples": 100_000,
    });
    if let (Value::Object(recipe), Value::Object(mut changes)) = (&mut recipe, changes) {
        recipe.append(&mut changes);
        return std::mem::take(recipe);
    }
    Map::new()
}

/// Fills in the sizes, and the rate at the end, that are not said: what the task has by its parameters, as many as its
/// experiment has by default.
fn sizes(task: &Value, fields: &mut Said) {
    let (name, parameters) = parameters_of(task);
    let number = |fields: &Said, name: &str| {
        let number = fields.get(name).and_then(Value::as_u64);
        number.and_then(|number| usize::try_from(number).ok())
    };
    let parameter = |name: &str| number(&parameters, name);
    let list = |name: &str| parameters.get(name).and_then(Value::as_array).cloned();
    let eos = usize::from(parameters.get("eos").is_some_and(|eos| !eos.is_null()));
    let functions = list("functions").unwrap_or_default();
    let inputs = parameters.get("inputs").and_then(Value::as_str);
    // How many values there are to choose from, and positions of them, by default.
    let (values, positions) = match name {
        "f_g" => (parameter("eos"), parameter("elements").map(|k| 2 * k)),
        "sorted_list" => (parameter("separator"), parameter("length").map(|n| 2 * n)),
        "modular" => (parameter("p"), Some(2)),
        "group" => (list("table").map(|table| table.len()), Some(2)),
        "induction" => match inputs {
            Some("distinct") => (Some(16), Some(6)),
            Some("abcab") => (Some(26), Some(5)),
            _ => (Some(4), Some(7)),
        },
        _ => (parameter("eos").or(Some(64)), Some(4)),
    };
    // Special tokens, and the positions of special tokens.
    let (tokens, places) = match name {
        "multifun" => (functions.len() + eos, 1 + eos),
        "sorted_list" => (1, 1),
        _ => (eos, eos),
    };
    let mut or = |name: &str, value: usize| {
        fields.entry(name).or_insert_with(|| value.into());
        number(fields, name).unwrap_or(0)
    };
    let d_vocab = or("d_vocab", values.unwrap_or(64).saturating_add(tokens));
    let n_ctx = or("n_ctx", positions.unwrap_or(4).saturating_add(places));
    let (v, n) = (d_vocab.saturating_sub(tokens), n_ctx.saturating_sub(places));
    let of_function = |function: &Value| match function.as_str() {
        Some("argmax" | "argmin") => n,
        Some("sum") => n * v.saturating_sub(1) + 1,
        _ => v,
    };
    let answers = match name {
        "argmax_of_n" | "argmin_of_n" => n,
        "multifun" => functions.iter().map(of_function).max().unwrap_or(v),
        "table" => d_vocab,
        _ => v,
    };
    or("d_vocab_out", answers);
    let (d_model, heads) = (or("d_model", 0), or("n_heads", 1).max(1));
    or("d_head", d_model / heads);
    if let Some(lr) = fields.get("lr").cloned() {
        fields.entry("lr_end").or_insert(lr);
    }
}
