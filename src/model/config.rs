//! `config.json`: the sizes, the attention scale, and everything that must be off.

use super::unsupported;
use crate::refusal::{Decline, Refusal};
use num_rational::BigRational;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What attention scores are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// √d_head: `attn_scale` is absent or the double nearest to it.
    SqrtDHead,
    /// 1: `use_attn_scale` is false.
    One,
}

impl Scale {
    /// The name that enters the network's digest.
    pub fn name(self) -> &'static str {
        match self {
            Self::SqrtDHead => "sqrt_d_head",
            Self::One => "one",
        }
    }
}

/// Sizes and scale of a supported network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Number of tokens, v.
    pub d_vocab: usize,
    /// Input length, n.
    pub n_ctx: usize,
    /// Width of the residual stream, d.
    pub d_model: usize,
    /// Width of the head, h.
    pub d_head: usize,
    /// Divisor of the attention scores.
    pub scale: Scale,
}

/// The fields that are read; all others are those of a trainer, or must be off (see [`OFF`]).
#[derive(Deserialize)]
struct File {
    task: Option<String>,
    d_vocab: i64,
    n_ctx: i64,
    d_model: i64,
    d_head: i64,
    n_heads: i64,
    n_layers: i64,
    attn_only: bool,
    d_vocab_out: Option<i64>,
    attn_scale: Option<f64>,
    #[serde(default = "yes")]
    use_attn_scale: bool,
    normalization_type: Option<String>,
    attention_dir: Option<String>,
    positional_embedding_type: Option<String>,
    dtype: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

fn yes() -> bool {
    true
}

/// TransformerLens fields that change the function when they are on.
const OFF: &str = "attn_scores_soft_cap output_logits_soft_cap use_local_attn window_size attn_types \
    scale_attn_by_inverse_layer_idx parallel_attn_mlp gated_mlp post_embedding_ln \
    use_normalization_before_and_after use_qk_norm final_rms num_experts experts_per_token prepend_bos \
    default_prepend_bos rotary_dim relative_attention_num_buckets";

impl Config {
    /// The one supported task: the answer is the largest token of the input.
    pub const TASK: &'static str = "max_of_n";
    /// The largest supported `d_vocab`.
    pub const MAX_VOCAB: usize = 1024;
    /// The largest supported `n_ctx`.
    pub const MAX_CTX: usize = 20;
    /// The largest supported `d_vocab² · n_ctx`: the entries of the checker's largest table.
    pub const MAX_ROWS: usize = 1 << 22;
    /// The largest supported `d_model` and `d_head`.
    pub const MAX_WIDTH: usize = 4096;

    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let file: File = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = format!("config.json, {}", error.path());
            unsupported(&place, "a TransformerLens configuration", error.inner().to_string())
        })?;
        json.end().map_err(|error| unsupported("config.json", "one JSON object", error.to_string()))?;
        let require = |at: &str, expected: &str, found: String| {
            if found == expected { Ok(()) } else { Err(unsupported(&format!("config.json, {at}"), expected, found)) }
        };
        let text = |value: &Option<String>, absent: &str| value.clone().unwrap_or_else(|| absent.into());
        require("task", Self::TASK, text(&file.task, "no task (add \"task\": \"max_of_n\")"))?;
        require("n_layers", "1", file.n_layers.to_string())?;
        require("n_heads", "1", file.n_heads.to_string())?;
        require("attn_only", "true", file.attn_only.to_string())?;
        require("normalization_type", "null", text(&file.normalization_type, "null"))?;
        require("attention_dir", "causal", text(&file.attention_dir, "causal"))?;
        require("positional_embedding_type", "standard", text(&file.positional_embedding_type, "standard"))?;
        require("dtype", "float32", text(&file.dtype, "float32").trim_start_matches("torch.").into())?;
        require("d_vocab_out", &file.d_vocab.to_string(), file.d_vocab_out.unwrap_or(file.d_vocab).to_string())?;
        for key in OFF.split(' ') {
            let (off, on) = ("off (absent, null, false)", file.others.get(key).filter(|value| !is_off(value)));
            require(key, off, on.map_or(off.into(), Value::to_string))?;
        }
        let kv_heads = file.others.get("n_key_value_heads").filter(|value| !value.is_null());
        require("n_key_value_heads", "1", kv_heads.map_or("1".into(), Value::to_string))?;
        let size = |at: &str, value: i64, least: usize, most: usize| {
            let found = usize::try_from(value).ok().filter(|size| *size >= least);
            let found = found.ok_or_else(|| {
                unsupported(&format!("config.json, {at}"), &format!("a size of at least {least}"), value.to_string())
            })?;
            if found > most {
                return Err(Refusal::from(Decline::too_large(format!("config.json, {at}"), most, found)));
            }
            Ok(found)
        };
        let d_head = size("d_head", file.d_head, 1, Self::MAX_WIDTH)?;
        let scale = match file.attn_scale {
            _ if !file.use_attn_scale => Scale::One,
            None => Scale::SqrtDHead,
            Some(scale) if nearest_to_sqrt(scale, d_head) => Scale::SqrtDHead,
            Some(scale) => {
                let expected = format!("the double nearest to the square root of d_head = {d_head}");
                return Err(unsupported("config.json, attn_scale", &expected, scale.to_string()));
            }
        };
        let d_vocab = size("d_vocab", file.d_vocab, 2, Self::MAX_VOCAB)?;
        let n_ctx = size("n_ctx", file.n_ctx, 2, Self::MAX_CTX)?;
        let rows = d_vocab.saturating_mul(d_vocab).saturating_mul(n_ctx);
        if rows > Self::MAX_ROWS {
            return Err(Decline::too_large("config.json, d_vocab² · n_ctx", Self::MAX_ROWS, rows).into());
        }
        Ok(Self { d_vocab, n_ctx, d_model: size("d_model", file.d_model, 1, Self::MAX_WIDTH)?, d_head, scale })
    }
}

/// Absent values: null, false, and the numbers −1 and 0 with which TransformerLens says "none".
fn is_off(value: &Value) -> bool {
    value.is_null() || *value == Value::Bool(false) || ["0", "0.0", "-1", "-1.0"].contains(&value.to_string().as_str())
}

/// Is `value` the double nearest to √n? Decided exactly: √n lies between the midpoints to its two neighbours.
fn nearest_to_sqrt(value: f64, n: usize) -> bool {
    let bits = value.to_bits();
    let exact = |bits: u64| BigRational::from_float(f64::from_bits(bits));
    let (Some(here), Some(below), Some(above)) =
        (exact(bits), exact(bits.saturating_sub(1)), exact(bits.saturating_add(1)))
    else {
        return false;
    };
    let n = BigRational::from_integer(n.into()) * BigRational::from_integer(4.into());
    let (low, high) = (&here + below, here + above);
    low > BigRational::from_integer(0.into()) && &low * &low <= n && n <= &high * &high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_double_is_the_square_root() {
        for n in 1..200 {
            let root = f64::from(n).sqrt();
            let n = usize::try_from(n).unwrap();
            assert!(nearest_to_sqrt(root, n));
            assert!(!nearest_to_sqrt(root.next_up(), n) && !nearest_to_sqrt(root.next_down(), n));
        }
        for bad in [0.0, -2.0, f64::NAN, f64::INFINITY, f64::MAX, 4.0] {
            assert!(!nearest_to_sqrt(bad, 4));
        }
    }
}
