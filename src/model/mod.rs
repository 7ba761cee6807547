//! The network: which function a `model.safetensors` and its `config.json` define, and which task.
//!
//! Transformers with TransformerLens's tensor names, and MLPs over two tokens; float32 weights. Every weight is a dyadic
//! rational and is read exactly. Whatever would change the function is declined, not ignored.
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

mod config;
mod dyadic;
mod matrix;
mod one_head;
mod transformer;
mod two_embeddings;

pub use crate::task::{MAX_CTX, MAX_VOCAB};
pub use config::{MAX_HEADS, MAX_LAYERS, MAX_ROWS, MAX_WIDTH, Norms, Scale, Shape};
pub use dyadic::Dyadic;
pub use matrix::Matrix;
pub use one_head::OneHead;
pub use transformer::{Head, Layer, Mlp, Norm, Transformer};
pub use two_embeddings::TwoEmbeddings;

use crate::refusal::{Decline, Refusal};
use crate::task::{self, Sizes, Task};
use config::{Architecture, unsupported};
use hmac_sha256::Hash;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The largest `model.safetensors` that is read, in bytes.
pub const MAX_WEIGHT_BYTES: u64 = 256 << 20;
/// The largest `config.json` that is read, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// A network whose accuracy can be proved: its function, the task that it is asked, and the digest of both.
#[derive(Debug, Clone)]
pub struct Network {
    /// The function, with exact weights.
    pub function: Function,
    /// What is asked.
    pub task: Arc<dyn Task>,
    /// The task as it stands in claims.
    pub task_name: Value,
    /// Input length, numbers of tokens and of outputs.
    pub sizes: Sizes,
    /// SHA-256, in hexadecimal, of everything that defines function and task: see [`Network::from_bytes`].
    pub sha256: String,
}

/// A function from inputs to logits.
#[derive(Debug, Clone)]
pub enum Function {
    /// A transformer.
    Transformer(Transformer),
    /// An MLP over two tokens.
    TwoEmbeddings(TwoEmbeddings),
}

impl Network {
    /// Reads a model folder (holding `model.safetensors` and `config.json`), or a safetensors file with `config.json`
    /// beside it. A task given by a file of labels finds it there too.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] for what cannot be read, [`Refusal::Declined`] for what is not supported.
    ///
    /// ```
    /// use gbmi::model::Network;
    ///
    /// let network = Network::load("models/max_of_4_seed123".as_ref())?;
    /// assert_eq!(network.task.size(), 64_u32.pow(4).into());
    /// assert_eq!(network.task.answer(&[3, 1, 4, 1]), Some(4));
    /// assert_eq!(network.sha256, Network::bundled()?.sha256);
    /// # Ok::<(), gbmi::refusal::Refusal>(())
    /// ```
    pub fn load(path: &Path) -> Result<Self, Refusal> {
        let weights = if path.is_dir() {
            path.join("model.safetensors")
        } else {
            path.to_path_buf()
        };
        if !weights.exists() {
            return Err(Refusal::Unreadable(format!(
                "no model at {}: there is no such file",
                weights.display()
            )));
        }
        let config = read_limited(&weights.with_file_name("config.json"), MAX_CONFIG_BYTES)?;
        let labels =
            |name: &str| read_limited(&weights.with_file_name(name), task::MAX_LABELS_BYTES);
        Self::read(&config, &read_limited(&weights, MAX_WEIGHT_BYTES)?, labels)
    }

    /// Reads a network from the contents of `config.json` and `model.safetensors`.
    ///
    /// The digest is SHA-256 over what selects the function and the task, and for every tensor in the order of names its
    /// name, shape and little-endian data: a re-saved file of the same network has the same digest.
    ///
    /// # Errors
    /// [`Refusal::Declined`] with the place, what was expected and what was found; so for a task with a file of labels.
    pub fn from_bytes(config: &[u8], weights: &[u8]) -> Result<Self, Refusal> {
        let none = |name: &str| {
            let found = "only config.json and the weights";
            let expected = format!("the file {name:?}");
            Err(unsupported("config.json, task.labels", &expected, found))
        };
        Self::read(config, weights, none)
    }

    /// The same, with a file of labels if the task asks for one.
    ///
    /// # Errors
    /// As [`Network::from_bytes`], and those of `labels`.
    pub fn read(
        config: &[u8],
        weights: &[u8],
        labels: impl FnOnce(&str) -> Result<Vec<u8>, Refusal>,
    ) -> Result<Self, Refusal> {
        let (architecture, task) = config::read(config)?;
        let sizes = architecture.sizes();
        let labels = task::labels_file(&task).map(labels).transpose()?;
        let (task_name, task) =
            task::read(&task, sizes, labels.as_deref()).map_err(Decline::Config)?;
        architecture.fits(task.as_ref())?;
        let mut hash = Hash::new();
        hash.update(header(&architecture, &task_name, labels.as_deref()));
        let mut tensors = Tensors::read(weights)?;
        let (function, n_layers, has_mlps) = match architecture {
            Architecture::Transformer(shape) => {
                let model = Transformer::new(shape, &mut tensors)?;
                let has_mlps = shape.d_mlp.is_some();
                (Function::Transformer(model), shape.n_layers, has_mlps)
            }
            Architecture::TwoEmbeddings(widths) => {
                let model = TwoEmbeddings::new(widths, &mut tensors)?;
                (Function::TwoEmbeddings(model), 0, false)
            }
        };
        tensors.finish(&mut hash, |name, data| {
            says_nothing(name, data, sizes.n_ctx, n_layers, has_mlps)
        })?;
        Ok(Self {
            function,
            task,
            task_name,
            sizes,
            sha256: hexadecimal(hash),
        })
    }
}

/// What the digest says before the tensors: the task, and what selects the function beside the weights.
fn header(architecture: &Architecture, task: &Value, labels: Option<&[u8]>) -> String {
    let labels = labels.map(|labels| {
        let mut hash = Hash::new();
        hash.update(labels);
        hexadecimal(hash)
    });
    let exact = |number: Dyadic<i64>| json!([number.mantissa, number.exponent]);
    let function = match architecture {
        Architecture::Transformer(shape) => {
            if one_head::is_max_of_n(shape, task) {
                let scale = shape.scale.name();
                return format!("gbmi network 1\ntask max_of_n\nattn_scale {scale}\n");
            }
            json!({
                "architecture": "transformer",
                "n_layers": shape.n_layers,
                "n_heads": shape.n_heads,
                "attn_only": shape.d_mlp.is_none(),
                "layer_norm": shape.norms.map(|norms| json!([norms.affine, exact(norms.eps)])),
                "attention_rate": exact(shape.attention_rate),
                "attn_scale": shape.scale.name(),
            })
        }
        Architecture::TwoEmbeddings(_) => json!({ "architecture": "two_embeddings" }),
    };
    // Objects of serde_json are in the order of their fields' names.
    format!("gbmi network 2\n{}\n", json!([function, task, labels]))
}

fn hexadecimal(hash: Hash) -> String {
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tensors of a file, and those of them that are taken, in the order of names.
struct Tensors<'a> {
    file: SafeTensors<'a>,
    taken: BTreeMap<String, TensorView<'a>>,
}

impl<'a> Tensors<'a> {
    fn read(weights: &'a [u8]) -> Result<Self, Refusal> {
        let file = SafeTensors::deserialize(weights)
            .map_err(|error| unsupported("model.safetensors", "a safetensors file", error))?;
        let taken = BTreeMap::new();
        Ok(Self { file, taken })
    }

    /// Takes the tensor of this name and shape: a table whose rows run along the last axis.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Matrix<Dyadic>, Refusal> {
        let Ok(tensor) = self.file.tensor(name) else {
            let expected = format!("tensor {name}");
            return Err(unsupported(
                "model.safetensors",
                &expected,
                "none of that name",
            ));
        };
        if (tensor.dtype(), tensor.shape()) != (Dtype::F32, shape) {
            let expected = format!("float32 data of shape {shape:?}");
            let found = format!("{:?} of shape {:?}", tensor.dtype(), tensor.shape());
            return Err(unsupported(name, &expected, found));
        }
        let (words, _) = tensor.data().as_chunks::<4>();
        let exact = |(index, word): (usize, &[u8; 4])| {
            Dyadic::from_f32_bits(u32::from_le_bytes(*word)).ok_or_else(|| {
                let found = format!("NaN or infinity at flat index {index}");
                unsupported(name, "finite numbers", found)
            })
        };
        let entries = words.iter().enumerate().map(exact);
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        self.taken.insert(name.into(), tensor);
        let cols = shape.last().copied().unwrap_or(1);
        Ok(Matrix::new(cols, entries, Dyadic::ZERO))
    }

    /// Puts all that were taken into `hash`; any other must say nothing.
    fn finish(
        self,
        hash: &mut Hash,
        says_nothing: impl Fn(&str, &[u8]) -> bool,
    ) -> Result<(), Refusal> {
        let is_extra = |(name, tensor): &(&str, TensorView<'_>)| {
            !self.taken.contains_key(*name) && !says_nothing(name, tensor.data())
        };
        let extra = self.file.iter().filter(is_extra).map(|(name, _)| name);
        if let Some(name) = extra.min() {
            let expected = "only the tensors of the model that config.json describes";
            let found = format!("unknown tensor {name:?}");
            return Err(unsupported("model.safetensors", expected, found));
        }
        for (name, tensor) in &self.taken {
            hash.update(format!("{name} {:?}\n", tensor.shape()));
            hash.update(tensor.data());
        }
        Ok(())
    }
}

/// Is this tensor what TransformerLens stores beside the weights: the causal mask, the score that stands for it, or the
/// zero weights of an MLP that an attention-only model does not have?
fn says_nothing(name: &str, data: &[u8], n: usize, n_layers: usize, has_mlps: bool) -> bool {
    let parts = name
        .strip_prefix("blocks.")
        .and_then(|name| name.split_once('.'));
    let Some((layer, part)) = parts else {
        return false;
    };
    // As Rust writes the number: no other spelling of it.
    if !(0..n_layers).any(|index| index.to_string() == layer) {
        return false;
    }
    let causal = (0..n).flat_map(|query| (0..n).map(move |key| u8::from(key <= query)));
    match part {
        "attn.mask" => data.is_empty() || causal.eq(data.iter().copied()),
        "attn.IGNORE" => data == f32::NEG_INFINITY.to_le_bytes(),
        mlp => !has_mlps && mlp.starts_with("mlp.") && data.iter().all(|byte| *byte == 0),
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// [`Refusal::Unreadable`] when there is no such regular file, [`Decline::TooLarge`] when it is larger.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Refusal> {
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        let (mut bytes, file) = (Vec::new(), std::fs::File::open(path)?);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((bytes, metadata.len()))
    };
    let (bytes, found) = read()
        .map_err(|error| Refusal::Unreadable(format!("cannot read {}: {error}", path.display())))?;
    if u64::try_from(bytes.len()).map_or(true, |len| len > limit) {
        let path = path.display().to_string();
        return Err(Decline::too_large(path, limit, found).into());
    }
    Ok(bytes)
}
