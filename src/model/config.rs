//! `config.json`: sizes, and whatever else selects the function; an allow-list of everything else.

use super::dyadic::Dyadic;
use crate::refusal::{Decline, Mismatch, Refusal};
use crate::task::{Sizes, Task};
use num_rational::BigRational;
use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

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

/// Sizes and scale of a network of one layer and one head.
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

/// Sizes of an MLP over two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairShape {
    /// Number of tokens, and of outputs.
    pub d_vocab: usize,
    /// Width of the embeddings.
    pub d_embed: usize,
    /// Number of neurons.
    pub d_mlp: usize,
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
    TwoEmbeddings(PairShape),
}

impl Architecture {
    pub(super) fn sizes(self) -> Sizes {
        match self {
            Self::Transformer(shape) => Sizes {
                n_ctx: shape.n_ctx,
                d_vocab: shape.d_vocab,
                d_vocab_out: shape.d_vocab_out,
            },
            Self::TwoEmbeddings(shape) => Sizes {
                n_ctx: 2,
                d_vocab: shape.d_vocab,
                d_vocab_out: shape.d_vocab,
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
        let reason = Mismatch {
            field: "attention_rate".into(),
            expected: "0, for a task that is read before the last position".into(),
            found: "another rate".into(),
        };
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

/// Reads an object's fields, each named once.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format_args!("field {name:?} twice")));
            }
        }
        Ok(fields)
    }
}

/// Fields as they are taken out, and what is wrong with them.
struct Reader {
    fields: BTreeMap<String, Value>,
    reasons: Vec<Mismatch>,
}

impl Reader {
    /// The field's value, if it is what is expected.
    fn take<T>(
        &mut self,
        field: &str,
        expected: &str,
        read: impl FnOnce(Option<&Value>) -> Option<T>,
    ) -> Option<T> {
        let value = self.fields.remove(field);
        let read = read(value.as_ref());
        if read.is_none() {
            let found: String = value
                .map_or("no such field".into(), |value| value.to_string())
                .chars()
                .take(80)
                .collect();
            self.reasons.push(Mismatch {
                field: field.into(),
                expected: expected.into(),
                found,
            });
        }
        read
    }

    /// A field that has one of these values, or may be absent.
    fn one_of(&mut self, field: &str, values: &[Value], may_be_absent: bool) {
        let list: Vec<String> = values.iter().map(Value::to_string).collect();
        let allowed = |value: Option<&Value>| {
            value
                .map_or(may_be_absent, |value| values.contains(value))
                .then_some(())
        };
        self.take(field, &list.join(" or "), allowed);
    }

    /// A size from `least` to `most`.
    fn size(&mut self, field: &str, least: usize, most: usize) -> Option<usize> {
        let whole = |value: Option<&Value>| usize::try_from(value?.as_u64()?).ok();
        let fits =
            |value: Option<&Value>| whole(value).filter(|size| (least..=most).contains(size));
        self.take(
            field,
            &format!("a whole number from {least} to {most}"),
            fits,
        )
    }

    /// What scores are divided by.
    fn scale(&mut self, d_head: Option<usize>, is_native: bool) -> Option<Scale> {
        // TransformerLens's native models divide by √d_head whatever this says.
        let expected = if is_native {
            "true, for a native model"
        } else {
            "true or false"
        };
        let flag = |value: Option<&Value>| {
            value
                .map_or(Some(true), Value::as_bool)
                .filter(|scaled| *scaled || !is_native)
        };
        let scaled = self.take("use_attn_scale", expected, flag);
        let root = |scale: f64| {
            scale == -1.0 || d_head.is_none_or(|d_head| nearest_to_sqrt(scale, d_head))
        };
        // Not read when scores are not scaled.
        let fits = |value: &Value| scaled != Some(true) || value.as_f64().is_some_and(root);
        let expected = format!(
            "-1, or the double nearest to the square root of d_head = {}",
            d_head.unwrap_or(0)
        );
        self.take("attn_scale", &expected, |value| {
            value.is_none_or(fits).then_some(())
        });
        scaled.map(|scaled| if scaled { Scale::SqrtDHead } else { Scale::One })
    }

    /// What no field that is left may be: on.
    fn others_are_off(&mut self) {
        let expected = "no such field, or null, false, 0 or \"\": this field is not known to leave the function as it is \
            (a trainer's own notes go into the object \"training\")";
        let on = |(name, value): &(&String, &Value)| {
            !is_off(value) && FREE.split(' ').all(|free| free != *name)
        };
        let on: Vec<String> = self
            .fields
            .iter()
            .filter(on)
            .map(|(name, _)| name.clone())
            .collect();
        for field in on {
            self.take::<()>(&field, expected, |_| None);
        }
    }
}

/// The largest supported `d_vocab`.
pub const MAX_VOCAB: usize = 1024;
/// The largest supported `n_ctx`.
pub const MAX_CTX: usize = 32;
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
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let fields = json
        .deserialize_map(Once)
        .and_then(|fields| json.end().map(|()| fields));
    let fields = fields.map_err(|error| unsupported("config.json", expected, error.to_string()))?;
    let mut reader = Reader {
        fields,
        reasons: vec![],
    };
    let task = reader.take(
        "task",
        "the name of a task, or an object with its name",
        |task| {
            task.filter(|task| task.is_string() || task.is_object())
                .cloned()
        },
    );
    let dtypes = ["float32".into(), "torch.float32".into()];
    reader.one_of("dtype", &dtypes, true);
    let architecture = if reader.fields.contains_key("arch") {
        reader.two_embeddings().map(Architecture::TwoEmbeddings)
    } else {
        reader.transformer().map(Architecture::Transformer)
    };
    reader.others_are_off();
    let (Some(task), Some(architecture), true) = (task, architecture, reader.reasons.is_empty())
    else {
        return Err(Decline::Config(reader.reasons).into());
    };
    let Sizes { n_ctx, d_vocab, .. } = architecture.sizes();
    let rows = d_vocab.saturating_mul(d_vocab).saturating_mul(n_ctx);
    if rows > MAX_ROWS {
        let what = "config.json, d_vocab² · n_ctx";
        return Err(Decline::too_large(what, MAX_ROWS, rows).into());
    }
    Ok((architecture, task))
}

impl Reader {
    fn transformer(&mut self) -> Option<Shape> {
        // Native models were compared with TransformerLens in this shape alone.
        let native = Value::from(NATIVE);
        let is_native = self.fields.get("architecture") == Some(&native);
        self.one_of("architecture", &[Value::Null, native], true);
        let n_layers = self.size("n_layers", 1, if is_native { 1 } else { MAX_LAYERS });
        let n_heads = self.size("n_heads", 1, if is_native { 1 } else { MAX_HEADS });
        let off = [
            Value::Null,
            0.into(),
            0.0.into(),
            (-1).into(),
            (-1.0).into(),
        ];
        let groups = [Value::Null, n_heads.into()];
        // Where TransformerLens's own value of an absent field is another, the field must be there. Only null does not clip.
        let values: [(_, &[Value]); 6] = [
            ("attention_dir", &["causal".into()]),
            ("positional_embedding_type", &["standard".into()]),
            ("n_key_value_heads", &groups),
            ("clip_qkv", &[Value::Null]),
            ("attn_scores_soft_cap", &off),
            ("output_logits_soft_cap", &off),
        ];
        for (field, values) in values {
            self.one_of(field, values, true);
        }
        let d_vocab = self.size("d_vocab", 2, MAX_VOCAB);
        let d_vocab_out = self.outputs(d_vocab);
        let n_ctx = self.size("n_ctx", 2, MAX_CTX);
        let d_model = self.size("d_model", 1, MAX_WIDTH);
        let d_head = self.size("d_head", 1, MAX_WIDTH);
        let scale = self.scale(d_head, is_native);
        let expected = if is_native {
            "true, for a native model"
        } else {
            "true or false"
        };
        let attn_only = self.take("attn_only", expected, |value| {
            value?
                .as_bool()
                .filter(|attn_only| *attn_only || !is_native)
        });
        let d_mlp = match attn_only {
            Some(false) => {
                self.one_of("act_fn", &["relu".into()], false);
                self.size("d_mlp", 1, MAX_WIDTH)
            }
            _ => None,
        };
        let norms = self.norms(is_native);
        let attention_rate = self.rate(n_layers);
        Some(Shape {
            d_vocab: d_vocab?,
            d_vocab_out: d_vocab_out?,
            n_ctx: n_ctx?,
            d_model: d_model?,
            d_head: d_head?,
            n_layers: n_layers?,
            n_heads: n_heads?,
            d_mlp: if attn_only? { None } else { Some(d_mlp?) },
            norms: norms?,
            attention_rate: attention_rate?,
            scale: scale?,
        })
    }

    fn two_embeddings(&mut self) -> Option<PairShape> {
        self.one_of("arch", &["group_mlp".into()], false);
        self.one_of("act_fn", &["relu".into()], false);
        let d_vocab = self.size("d_vocab", 2, MAX_VOCAB);
        let d_embed = self.size("d_embed", 1, MAX_WIDTH);
        let d_mlp = self.size("d_mlp", 1, MAX_WIDTH);
        Some(PairShape {
            d_vocab: d_vocab?,
            d_embed: d_embed?,
            d_mlp: d_mlp?,
        })
    }

    /// The number of outputs: that of tokens where it is not said.
    fn outputs(&mut self, d_vocab: Option<usize>) -> Option<usize> {
        let expected = format!("null, -1, or a whole number from 1 to {MAX_VOCAB}");
        self.take("d_vocab_out", &expected, |value| match value {
            None | Some(Value::Null) => Some(d_vocab),
            Some(value) if value.as_i64() == Some(-1) => Some(d_vocab),
            Some(value) => {
                let size = usize::try_from(value.as_u64()?).ok();
                size.filter(|size| (1..=MAX_VOCAB).contains(size)).map(Some)
            }
        })?
    }

    /// The layer norms, and that inside their roots: 1e-5 where it is not said.
    fn norms(&mut self, is_native: bool) -> Option<Option<Norms>> {
        let name = |value: Option<&Value>| match value? {
            Value::Null => Some(None),
            _ if is_native => None,
            name if name == "LN" => Some(Some(true)),
            name if name == "LNPre" => Some(Some(false)),
            _ => None,
        };
        let expected = if is_native {
            "null, for a native model"
        } else {
            "null, \"LN\" or \"LNPre\""
        };
        let Some(affine) = self.take("normalization_type", expected, name)? else {
            return Some(None);
        };
        let eps = self.take("eps", "a number, at least 0", |value| number(value, 1e-5))?;
        Some(Some(Norms { affine, eps }))
    }

    /// The attention rate: 0 where it is not said.
    fn rate(&mut self, n_layers: Option<usize>) -> Option<Dyadic<i64>> {
        let in_range = |value: &Value| {
            value
                .as_f64()
                .is_some_and(|rate| (0.0..=1.0).contains(&rate))
        };
        // Before the last position it reaches masked, later keys: with another layer on top, that is another function.
        let fits = |value: &Value| is_off(value) || n_layers.is_none_or(|layers| layers == 1);
        self.take(
            "attention_rate",
            "a number from 0 to 1; other than 0 only with one layer",
            |value| {
                let given = value.filter(|value| !value.is_null());
                given
                    .is_none_or(|value| in_range(value) && fits(value))
                    .then(|| number(given, 0.0))?
            },
        )
    }
}

/// The exact value of a finite double that is at least zero, or of the default.
fn number(value: Option<&Value>, default: f64) -> Option<Dyadic<i64>> {
    let value = value.map_or(Some(default), Value::as_f64)?;
    Dyadic::from_f64_bits(value.to_bits())
}

/// The refusal of a part of a model.
pub(super) fn unsupported(at: &str, expected: &str, found: String) -> Refusal {
    Decline::Model {
        at: at.into(),
        expected: expected.into(),
        found,
    }
    .into()
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
fn nearest_to_sqrt(value: f64, n: usize) -> bool {
    let bits = value.to_bits();
    let exact = |bits: u64| BigRational::from_float(f64::from_bits(bits));
    let (Some(here), Some(below), Some(above)) = (
        exact(bits),
        exact(bits.saturating_sub(1)),
        exact(bits.saturating_add(1)),
    ) else {
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
