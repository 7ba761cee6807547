//! `config.json`: the sizes, the attention scale, and an allow-list of everything else.

use super::unsupported;
use crate::refusal::{Decline, Mismatch, Refusal};
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

/// Fields that cannot change the function of an attention-only model with standard position embeddings, whatever they say:
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
    fn scale(&mut self, d_head: Option<usize>) -> Option<Scale> {
        let native = Value::from("TransformerLensNative");
        let is_native = self.fields.get("architecture") == Some(&native);
        self.one_of("architecture", &[Value::Null, native], true);
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

    /// Reads a configuration: an allow-list. A field is free, or it has the value that the network here has, or it is
    /// declined; all reasons at once.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let expected = "a JSON object, the configuration of a TransformerLens model";
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let fields = json
            .deserialize_map(Once)
            .and_then(|fields| json.end().map(|()| fields));
        let fields =
            fields.map_err(|error| unsupported("config.json", expected, error.to_string()))?;
        let mut reader = Reader {
            fields,
            reasons: vec![],
        };
        let off = [
            Value::Null,
            0.into(),
            0.0.into(),
            (-1).into(),
            (-1.0).into(),
        ];
        // Where TransformerLens's own value of an absent field is another, the field must be there. Only null does not clip.
        let values: [(_, &[Value], _); 12] = [
            ("task", &[Self::TASK.into()], false),
            ("n_layers", &[1.into()], false),
            ("n_heads", &[1.into()], false),
            ("attn_only", &[true.into()], false),
            ("normalization_type", &[Value::Null], false),
            ("attention_dir", &["causal".into()], true),
            ("positional_embedding_type", &["standard".into()], true),
            ("dtype", &["float32".into(), "torch.float32".into()], true),
            ("n_key_value_heads", &[Value::Null, 1.into()], true),
            ("clip_qkv", &[Value::Null], true),
            ("attn_scores_soft_cap", &off, true),
            ("output_logits_soft_cap", &off, true),
        ];
        values.iter().for_each(|(field, values, may_be_absent)| {
            reader.one_of(field, values, *may_be_absent)
        });
        let d_vocab = reader.size("d_vocab", 2, Self::MAX_VOCAB);
        match d_vocab {
            Some(d_vocab) => reader.one_of(
                "d_vocab_out",
                &[Value::Null, (-1).into(), d_vocab.into()],
                true,
            ),
            None => drop(reader.fields.remove("d_vocab_out")),
        }
        let n_ctx = reader.size("n_ctx", 2, Self::MAX_CTX);
        let d_model = reader.size("d_model", 1, Self::MAX_WIDTH);
        let d_head = reader.size("d_head", 1, Self::MAX_WIDTH);
        let scale = reader.scale(d_head);
        reader.others_are_off();
        match (d_vocab, n_ctx, d_model, d_head, scale) {
            (Some(d_vocab), Some(n_ctx), Some(d_model), Some(d_head), Some(scale))
                if reader.reasons.is_empty() =>
            {
                let rows = d_vocab.saturating_mul(d_vocab).saturating_mul(n_ctx);
                if rows > Self::MAX_ROWS {
                    return Err(Decline::too_large(
                        "config.json, d_vocab² · n_ctx",
                        Self::MAX_ROWS,
                        rows,
                    )
                    .into());
                }
                Ok(Self {
                    d_vocab,
                    n_ctx,
                    d_model,
                    d_head,
                    scale,
                })
            }
            _ => Err(Decline::Config(reader.reasons).into()),
        }
    }
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
