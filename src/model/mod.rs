//! The network: which function a `model.safetensors` and its `config.json` define (THEORY §0).
//!
//! One layer, one causal attention head, no MLP, no layer norm, TransformerLens tensor names, float32 weights. Every
//! weight is a dyadic rational and is read exactly. Whatever would change the function is declined, not ignored.
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
mod matrix;

pub use config::{Config, Scale};
pub use matrix::Matrix;

use crate::refusal::{Decline, Refusal};
use hmac_sha256::Hash;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// The largest `model.safetensors` that is read, in bytes.
pub const MAX_WEIGHT_BYTES: u64 = 256 << 20;
/// The largest `config.json` that is read, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// A float32 weight as the exact rational `mantissa · 2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dyadic {
    /// Signed mantissa, below 2²⁴ in size.
    pub mantissa: i32,
    /// Power of two, from −149 to 104.
    pub exponent: i32,
}

impl Dyadic {
    /// The number zero.
    pub const ZERO: Self = Self {
        mantissa: 0,
        exponent: 0,
    };

    /// The exact value of a float32 given by its bits; `None` for NaN and infinities.
    pub fn from_f32_bits(bits: u32) -> Option<Self> {
        let biased = (bits >> 23) & 0xff;
        let fraction = bits & 0x007f_ffff;
        let (magnitude, exponent) = match biased {
            0xff => return None,
            0 => (fraction, -149),
            _ => (fraction | 0x0080_0000, i32::try_from(biased).ok()? - 150),
        };
        let magnitude = i32::try_from(magnitude).ok()?;
        Some(Self {
            mantissa: if bits >> 31 == 1 {
                -magnitude
            } else {
                magnitude
            },
            exponent,
        })
    }
}

/// A network whose accuracy can be proved: sizes, scale, exact weights and their digest.
#[derive(Debug, Clone)]
pub struct Network {
    /// Sizes and scale.
    pub config: Config,
    /// Token embedding, `d_vocab × d_model`.
    pub w_e: Matrix<Dyadic>,
    /// Position embedding, `n_ctx × d_model`.
    pub w_pos: Matrix<Dyadic>,
    /// Query weights, `d_model × d_head`.
    pub w_q: Matrix<Dyadic>,
    /// Key weights, `d_model × d_head`.
    pub w_k: Matrix<Dyadic>,
    /// Value weights, `d_model × d_head`.
    pub w_v: Matrix<Dyadic>,
    /// Output weights, `d_head × d_model`.
    pub w_o: Matrix<Dyadic>,
    /// Unembedding, `d_model × d_vocab`.
    pub w_u: Matrix<Dyadic>,
    /// Query bias, `1 × d_head`.
    pub b_q: Matrix<Dyadic>,
    /// Key bias, `1 × d_head`: it adds a constant to every score of a query, which softmax drops.
    pub b_k: Matrix<Dyadic>,
    /// Value bias, `1 × d_head`.
    pub b_v: Matrix<Dyadic>,
    /// Output bias, `1 × d_model`.
    pub b_o: Matrix<Dyadic>,
    /// Unembedding bias, `1 × d_vocab`.
    pub b_u: Matrix<Dyadic>,
    /// SHA-256, in hexadecimal, of everything that defines the function: see [`Network::from_bytes`].
    pub sha256: String,
}

impl Network {
    /// Reads a model folder (holding `model.safetensors` and `config.json`), or a safetensors file with `config.json`
    /// beside it.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] for what cannot be read, [`Refusal::Declined`] for what is not supported.
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
        let config = weights.with_file_name("config.json");
        Self::from_bytes(
            &read_limited(&config, MAX_CONFIG_BYTES)?,
            &read_limited(&weights, MAX_WEIGHT_BYTES)?,
        )
    }

    /// Reads a network from the contents of `config.json` and `model.safetensors`.
    ///
    /// The digest is SHA-256 over `gbmi network 1`, the task, the scale choice, and for every tensor in the order of
    /// names its name, shape and little-endian data: a re-saved file of the same network has the same digest.
    ///
    /// # Errors
    /// [`Refusal::Declined`] with the place, what was expected and what was found.
    pub fn from_bytes(config: &[u8], weights: &[u8]) -> Result<Self, Refusal> {
        let config = Config::from_json(config)?;
        let (v, n, d, h) = (config.d_vocab, config.n_ctx, config.d_model, config.d_head);
        let shapes: BTreeMap<&str, Vec<usize>> = BTreeMap::from([
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
        ]);
        let file = SafeTensors::deserialize(weights).map_err(|error| {
            unsupported("model.safetensors", "a safetensors file", error.to_string())
        })?;
        let extra = file.iter().filter(|(name, _)| !shapes.contains_key(name));
        if let Some((name, _)) = extra
            .filter(|(name, tensor)| !says_nothing(name, tensor.data(), n))
            .min_by_key(|(name, _)| *name)
        {
            let expected = "only the tensors of a one-layer, one-head, attention-only model";
            return Err(unsupported(
                "model.safetensors",
                expected,
                format!("unknown tensor {name:?}"),
            ));
        }
        let mut hash = Hash::new();
        hash.update(format!(
            "gbmi network 1\ntask {}\nattn_scale {}\n",
            Config::TASK,
            config.scale.name()
        ));
        let mut read = BTreeMap::new();
        for (name, shape) in shapes {
            let tensor = file.tensor(name).map_err(|_| {
                unsupported(
                    "model.safetensors",
                    &format!("tensor {name}"),
                    "none of that name".into(),
                )
            })?;
            if tensor.dtype() != Dtype::F32 {
                return Err(unsupported(
                    name,
                    "float32 data",
                    format!("{:?}", tensor.dtype()),
                ));
            }
            if tensor.shape() != shape {
                return Err(unsupported(
                    name,
                    &format!("shape {shape:?}"),
                    format!("{:?}", tensor.shape()),
                ));
            }
            hash.update(format!("{name} {shape:?}\n"));
            hash.update(tensor.data());
            let (words, _) = tensor.data().as_chunks::<4>();
            let entries = words
                .iter()
                .enumerate()
                .map(|(index, word)| {
                    Dyadic::from_f32_bits(u32::from_le_bytes(*word)).ok_or_else(|| {
                        unsupported(
                            name,
                            "finite numbers",
                            format!("NaN or infinity at flat index {index}"),
                        )
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            read.insert(
                name,
                Matrix::new(shape.last().copied().unwrap_or(1), entries, Dyadic::ZERO),
            );
        }
        let mut take = |name: &str| {
            read.remove(name).ok_or_else(|| {
                unsupported(
                    "model.safetensors",
                    &format!("tensor {name}"),
                    "none".into(),
                )
            })
        };
        Ok(Self {
            w_e: take("embed.W_E")?,
            w_pos: take("pos_embed.W_pos")?,
            w_q: take("blocks.0.attn.W_Q")?,
            w_k: take("blocks.0.attn.W_K")?,
            w_v: take("blocks.0.attn.W_V")?,
            w_o: take("blocks.0.attn.W_O")?,
            w_u: take("unembed.W_U")?,
            b_q: take("blocks.0.attn.b_Q")?,
            b_k: take("blocks.0.attn.b_K")?,
            b_v: take("blocks.0.attn.b_V")?,
            b_o: take("blocks.0.attn.b_O")?,
            b_u: take("unembed.b_U")?,
            sha256: hash
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            config,
        })
    }
}

/// Is this tensor what TransformerLens stores beside the weights: the causal mask, the score that stands for it, or the
/// zero weights of an MLP that an attention-only model does not have?
fn says_nothing(name: &str, data: &[u8], n: usize) -> bool {
    let causal = (0..n).flat_map(|query| (0..n).map(move |key| u8::from(key <= query)));
    match name {
        "blocks.0.attn.mask" => data.is_empty() || causal.eq(data.iter().copied()),
        "blocks.0.attn.IGNORE" => data == f32::NEG_INFINITY.to_le_bytes(),
        mlp => mlp.starts_with("blocks.0.mlp.") && data.iter().all(|byte| *byte == 0),
    }
}

fn unsupported(at: &str, expected: &str, found: String) -> Refusal {
    Decline::Model {
        at: at.into(),
        expected: expected.into(),
        found,
    }
    .into()
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// [`Refusal::Unreadable`] when there is no such regular file, [`Decline::TooLarge`] when it is larger.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Refusal> {
    let unreadable =
        |reason: String| Refusal::Unreadable(format!("cannot read {}: {reason}", path.display()));
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("not a regular file".into()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if u64::try_from(bytes.len()).map_or(true, |len| len > limit) {
        return Err(Decline::TooLarge {
            what: path.display().to_string(),
            limit,
            found: metadata.len(),
        }
        .into());
    }
    Ok(bytes)
}
