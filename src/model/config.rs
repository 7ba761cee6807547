//! `config.json`: sizes, and whatever else selects the function; an allow-list of everything else.

use super::dyadic::Dyadic;
use crate::refusal::{Decline, Mismatch, Refusal};
use crate::task::{Fields, MAX_CTX, MAX_VOCAB, Sizes, Task, whole};
use num_rational::BigRational;
use serde_json::Value;

/// What attention scores are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// √d_head: `attn_scale` is absent, −1, or the double nearest to it.
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

/// Sizes of a transformer, and all else that selects its function beside task and weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of tokens.
    pub d_vocab: usize,
    /// Number of outputs.
    pub d_vocab_out: usize,
    /// Input length.
    pub n_ctx: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Number of layers.
    pub n_layers: usize,
    /// Number of heads of each layer.
    pub n_heads: usize,
    /// Number of neurons of each MLP; none when attention-only.
    pub d_mlp: Option<usize>,
    /// The layer norms, if there are any.
    pub norms: Option<Norms>,
    /// α: attention is α times uniform and 1 − α times softmax. In [0, 1]; only with one layer.
    pub attention_rate: Dyadic<i64>,
    /// Divisor of the attention scores.
    pub scale: Scale,
}

/// Layer norms before every attention, every MLP and the unembedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Norms {
    /// Do they have a gain and a bias ("LN"), or none ("LNPre")?
    pub affine: bool,
    /// The number inside their roots.
    pub eps: Dyadic<i64>,
}

/// What a configuration says of the function, and the task as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    Transformer(Shape),
    /// An MLP over two tokens: the number of tokens and of outputs, the width of the embeddings, the number of neurons.
    TwoEmbeddings([usize; 3]),
}

impl Architecture {
    pub(super) fn sizes(self) -> Sizes {
        match self {
            Self::Transformer(shape) => Sizes {
                n_ctx: shape.n_ctx,
                d_vocab: shape.d_vocab,
                d_vocab_out: shape.d_vocab_out,
            },
            Self::TwoEmbeddings([d_vocab, ..]) => Sizes {
                n_ctx: 2,
                d_vocab,
                d_vocab_out: d_vocab,
            },
        }
    }

    /// Refuses an attention rate other than 0 if an answer is read before the last position: there it reaches masked keys.
    pub(super) fn fits(self, task: &dyn Task) -> Result<(), Refusal> {
        let Self::Transformer(shape) = self else {
            return Ok(());
        };
        let is_early = |(position, _): (usize, _)| position + 1 < shape.n_ctx;
        if shape.attention_rate == Dyadic::NONE || !task.read_outs().into_iter().any(is_early) {
            return Ok(());
        }
        let expected = "0, for a task that is read before the last position";
        let reason = Mismatch::new("attention_rate", expected, "another rate");
        Err(Decline::Config(vec![reason]).into())
    }
}

/// Fields that cannot change the function where they are not asked for (`act_fn`, `d_mlp`, `eps` are with MLPs and layer
/// norms; position embeddings are the standard ones), whatever they say:
/// a trainer's notes, TransformerLens's bookkeeping, initialisation, hooks, tokenizers, rotary embeddings, MLPs.
/// docs/transformerlens.md says of each what it is.
const FREE: &str = "name training shapes accuracy source model_seed dataset_seed model_name seed device \
    n_devices n_params init_mode initializer_range init_weights from_checkpoint checkpoint_index \
    checkpoint_label_type checkpoint_value tokenizer_name tokenizer_prepends_bos tokenizer_appends_eos \
    default_prepend_bos trust_remote_code use_attn_result use_split_qkv_input use_attn_in use_hook_mlp_in \
    use_hook_tokens ungroup_grouped_query_attention split_attention_weights decoder_start_token_id act_fn d_mlp \
    eps train_seq_length rotary_dim rotary_base rotary_base_local rotary_scaling_factor rotary_adjacent_pairs \
    use_dynamic_ntk_rope use_NTK_by_parts_rope NTK_by_parts_low_freq_factor NTK_by_parts_high_freq_factor \
    NTK_by_parts_factor NTK_original_ctx_len use_yarn_rope yarn_factor yarn_attention_factor yarn_beta_fast \
    yarn_beta_slow yarn_original_max_position_embeddings yarn_truncate yarn_global_attn_only";

/// TransformerLens's own models since its version 4, as `architecture` names them.
const NATIVE: &str = "TransformerLensNative";

/// The largest supported `d_vocab² · n_ctx`: the entries of the checker's largest table.
pub const MAX_ROWS: usize = 1 << 22;
/// The largest supported `d_model`, `d_head`, `d_mlp` and `d_embed`.
pub const MAX_WIDTH: usize = 4096;
/// The most layers.
pub const MAX_LAYERS: usize = 4;
/// The most heads of a layer.
pub const MAX_HEADS: usize = 16;

/// Reads a configuration: an allow-list. A field is free, or it has a value that a network here can have, or it is
/// declined; all reasons at once. Gives the architecture and the field `task`.
pub(super) fn read(bytes: &[u8]) -> Result<(Architecture, Value), Refusal> {
    let expected = "a JSON object, the configuration of a TransformerLens model";
    let fields = Fields::parse(bytes);
    let mut fields = fields.map_err(|error| unsupported("config.json", expected, error))?;
    let expected = "the name of a task, or an object with its name";
    let task = fields.take("task", expected, |task| {
        let task = task.filter(|task| task.is_string() || task.is_object());
        task.cloned()
    });
    fields.one_of("dtype", ["float32", "torch.float32"]);
    let architecture = if fields.get("arch").is_some() {
        two_embeddings(&mut fields)
    } else {
        transformer(&mut fields).map(Architecture::Transformer)
    };
    let expected = "no such field, or null, false, 0 or \"\": this field is not known to leave the function as it is \
        (a trainer's own notes go into the object \"training\")";
    fields.nothing_else(expected, |field, value| {
        is_off(value) || FREE.split(' ').any(|free| free == field)
    });
    let read = architecture.zip(task);
    let (architecture, task) = fields.done(read).map_err(Decline::Config)?;
    let Sizes { n_ctx, d_vocab, .. } = architecture.sizes();
    let rows = d_vocab.saturating_mul(d_vocab).saturating_mul(n_ctx);
    if rows > MAX_ROWS {
        let what = "config.json, d_vocab² · n_ctx";
        return Err(Decline::too_large(what, MAX_ROWS, rows).into());
    }
    Ok((architecture, task))
}

fn transformer(fields: &mut Fields) -> Option<Shape> {
    let native = Value::from(NATIVE);
    let is_native = fields.get("architecture") == Some(&native);
    fields.one_of("architecture", [Value::Null, native]);
    // Native models were compared with TransformerLens in one shape alone, and divide scores by √d_head whatever is said:
    // of each choice they have the first.
    let choices = if is_native { 1 } else { usize::MAX };
    let n_layers = fields.whole("n_layers", 1..=choices.min(MAX_LAYERS));
    let n_heads = fields.whole("n_heads", 1..=choices.min(MAX_HEADS));
    // Where TransformerLens's own value of an absent field is another, the field must be there. Only null does not clip.
    fields.one_of("attention_dir", ["causal"]);
    fields.one_of("positional_embedding_type", ["standard"]);
    fields.one_of("n_key_value_heads", [Value::Null, n_heads.into()]);
    fields.one_of("clip_qkv", [Value::Null]);
    let off = [
        0.into(),
        (-1).into(),
        0.0.into(),
        (-1.0).into(),
        Value::Null,
    ];
    fields.one_of("attn_scores_soft_cap", off.clone());
    fields.one_of("output_logits_soft_cap", off);
    let d_vocab = fields.whole("d_vocab", 2..=MAX_VOCAB);
    let expected = format!("null, -1, or a whole number from 1 to {MAX_VOCAB}");
    let d_vocab_out = fields.take("d_vocab_out", expected, |value| match value {
        Some(value) if !value.is_null() && value != -1 => {
            let outputs = whole(value).filter(|outputs| (1..=MAX_VOCAB).contains(outputs));
            outputs.map(Some)
        }
        _ => Some(d_vocab),
    });
    let n_ctx = fields.whole("n_ctx", 2..=MAX_CTX);
    let d_model = fields.whole("d_model", 1..=MAX_WIDTH);
    let d_head = fields.whole("d_head", 1..=MAX_WIDTH);
    let scale = scale(fields, d_head, choices);
    let attn_only = [(true, true), (false, false)].into_iter().take(choices);
    let attn_only = fields.choice("attn_only", None, attn_only);
    let d_mlp = if attn_only == Some(false) {
        fields.choice("act_fn", None, [("relu", ())]);
        fields.whole("d_mlp", 1..=MAX_WIDTH).map(Some)
    } else {
        attn_only.map(|_| None)
    };
    let kinds = [
        (Value::Null, None),
        ("LN".into(), Some(true)),
        ("LNPre".into(), Some(false)),
    ];
    let kinds = kinds.into_iter().take(choices);
    let norms = match fields.choice("normalization_type", None, kinds) {
        Some(Some(affine)) => {
            let eps = |value: Option<&Value>| number(value, 1e-5, f64::MAX);
            let eps = fields.take("eps", "a number, at least 0", eps);
            eps.map(|eps| Some(Norms { affine, eps }))
        }
        none => none.map(|_| None),
    };
    // Before the last position it reaches masked, later keys: with another layer on top, that is another function.
    let is_one_layer = n_layers.is_none_or(|layers| layers == 1);
    let most = if is_one_layer { 1.0 } else { 0.0 };
    let expected = "a number from 0 to 1; other than 0 only with one layer";
    let attention_rate = fields.take("attention_rate", expected, |value| {
        number(value.filter(|value| !value.is_null()), 0.0, most)
    });
    Some(Shape {
        d_vocab: d_vocab?,
        d_vocab_out: d_vocab_out??,
        n_ctx: n_ctx?,
        d_model: d_model?,
        d_head: d_head?,
        n_layers: n_layers?,
        n_heads: n_heads?,
        d_mlp: d_mlp?,
        norms: norms?,
        attention_rate: attention_rate?,
        scale: scale?,
    })
}

/// What scores are divided by: one of the first so many choices.
fn scale(fields: &mut Fields, d_head: Option<usize>, choices: usize) -> Option<Scale> {
    let scales = [(true, Scale::SqrtDHead), (false, Scale::One)];
    let scales = scales.into_iter().take(choices);
    let scale = fields.choice("use_attn_scale", Some(Scale::SqrtDHead), scales);
    let root = |scale: f64| {
        scale == -1.0 || d_head.is_none_or(|d_head| nearest_to_sqrt(scale, d_head) == Some(true))
    };
    // Not read when scores are not scaled.
    let fits = |value: &Value| scale != Some(Scale::SqrtDHead) || value.as_f64().is_some_and(root);
    let d_head = d_head.unwrap_or(0);
    let expected = format!("-1, or the double nearest to the square root of d_head = {d_head}");
    fields.take("attn_scale", expected, |value| {
        value.is_none_or(fits).then_some(())
    });
    scale
}

fn two_embeddings(fields: &mut Fields) -> Option<Architecture> {
    fields.one_of("arch", ["group_mlp"]);
    fields.choice("act_fn", None, [("relu", ())]);
    let d_vocab = fields.whole("d_vocab", 2..=MAX_VOCAB);
    let d_embed = fields.whole("d_embed", 1..=MAX_WIDTH);
    let d_mlp = fields.whole("d_mlp", 1..=MAX_WIDTH);
    Some(Architecture::TwoEmbeddings([d_vocab?, d_embed?, d_mlp?]))
}

/// The exact value of a double from 0 to `most`, or of the default.
fn number(value: Option<&Value>, default: f64, most: f64) -> Option<Dyadic<i64>> {
    let value = value.map_or(Some(default), Value::as_f64)?;
    let fits = (0.0..=most).contains(&value);
    Dyadic::from_f64_bits(value.to_bits()).filter(|_| fits)
}

/// The refusal of a part of a model.
pub(super) fn unsupported(at: &str, expected: &str, found: impl ToString) -> Refusal {
    Decline::Model(Mismatch::new(at, expected, found.to_string())).into()
}

/// What is no value: null, false, zero, an empty string.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => ["0", "0.0", "-0.0"].contains(&number.to_string().as_str()),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Is `value` the double nearest to √n? Decided exactly: √n lies between the midpoints to its two neighbours.
fn nearest_to_sqrt(value: f64, n: usize) -> Option<bool> {
    let exact = |bits: u64| BigRational::from_float(f64::from_bits(bits));
    let whole = |number: usize| BigRational::from_integer(number.into());
    let bits = value.to_bits();
    let here = exact(bits)?;
    let low = &here + exact(bits.saturating_sub(1))?;
    let high = &here + exact(bits.saturating_add(1))?;
    let n = whole(n) * whole(4);
    Some(low > whole(0) && &low * &low <= n && n <= &high * &high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_double_is_the_square_root() {
        let nearest_to_sqrt = |value, n| nearest_to_sqrt(value, n) == Some(true);
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
