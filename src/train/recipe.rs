//! What is trained, and how: everything but the seed. What is not said is as in the task's experiment.

use super::data::MOST_LISTED;
use super::experiments::{defaults, sizes, with_table};
use super::parameters::Parameter;
use crate::model::Network;
use crate::refusal::Refusal;
use crate::task::{MAX_LABELS_BYTES, labels_file};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
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
}

pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(is_plain)
}
