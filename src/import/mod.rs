//! Other formats in: a PyTorch `state_dict`, or the one in a checkpoint, becomes `model.safetensors`.
//!
//! Untrusted: whatever is written here is read back by [`Network::from_bytes`], and what that declines is not written.

mod checkpoint;
mod pickle;
mod state_dict;

use crate::kind::Role;
use crate::model::{self, Network};
use crate::output::{Pending, unwritable};
use crate::refusal::{Decline, Mismatch, Refusal};
use crate::task::MAX_LABELS_BYTES;
use safetensors::SafeTensorError;
use serde::Serialize;
use state_dict::{IGNORED, StateDict, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The network's digest: see [`Network::from_bytes`].
    #[serde(rename = "network_sha256")]
    pub sha256: String,
    /// How many tensors were written.
    pub tensors: usize,
    /// Buffers that were left out because they do not belong to the function, in order of names.
    pub ignored: Vec<String>,
    /// The key of the checkpoint under which the `state_dict` stood, beside what was passed over.
    pub key: Option<String>,
    /// What was taken off the beginning of every name.
    pub prefix: String,
    /// How many tensors were widened to float32, by the type that they had.
    pub widened: BTreeMap<&'static str, usize>,
    /// Biases that were absent, and are zeros.
    pub zeros: Vec<String>,
}

/// Reads a TransformerLens `state_dict` that PyTorch saved as `file`, and writes `model.safetensors` and `config.json`
/// (the contents of `config_path`, unchanged) into the folder `out`, which is created if there is none.
///
/// A checkpoint may have the `state_dict` under the key `state_dict`, `model` or `model_state_dict`, and every name of it
/// may begin with `model.`, `module.` or `_orig_mod.`. Of the `state_dict` only the causal mask's buffers,
/// `blocks.*.attn.mask` and `blocks.*.attn.IGNORE`, are left out. A task's file of labels, beside the configuration, is
/// copied. float32 is copied; float16 and bfloat16 are widened,
/// which is exact; nothing is rounded. Biases that are absent are zeros if `zero_biases`. On an error nothing is written.
///
/// # Errors
/// [`Refusal::Unreadable`] for what cannot be read or written, [`Refusal::Declined`] for anything but the `state_dict`
/// of a supported network.
pub fn import(
    file: &Path,
    config_path: &Path,
    out: &Path,
    zero_biases: bool,
) -> Result<Imported, Refusal> {
    let config = model::read_limited(config_path, model::MAX_CONFIG_BYTES)?;
    let bytes = model::read_limited(file, model::MAX_WEIGHT_BYTES)?;
    Role::Import.refusal(file, &bytes).map_or(Ok(()), Err)?;
    let mut state_dict = StateDict::read(&bytes)?;
    let zeros = state_dict.zero_biases(zero_biases)?;
    let StateDict {
        mut tensors,
        key,
        prefix,
        widened,
    } = state_dict;
    let serialized = |tensors: &BTreeMap<String, Tensor>| {
        let fits = |error: SafeTensorError| {
            declined(
                "state_dict",
                "tensors that fit a safetensors file",
                error.to_string(),
            )
        };
        safetensors::serialize(tensors, None).map_err(fits)
    };
    // Another mask is another function: what is left out is looked at first.
    let mut labels = None;
    let read_labels = |name: &str| {
        let bytes = model::read_limited(&config_path.with_file_name(name), MAX_LABELS_BYTES)?;
        labels = Some((name.to_string(), bytes.clone()));
        Ok(bytes)
    };
    let network =
        Network::read(&config, &serialized(&tensors)?, read_labels).map_err(|refusal| {
            Role::Config
                .refusal(config_path, &config)
                .unwrap_or_else(|| name_the_source(refusal))
        })?;
    let is_ignored = |name: &String| IGNORED.iter().any(|ignored| name.ends_with(ignored));
    let ignored: Vec<String> = tensors
        .keys()
        .filter(|name| is_ignored(name))
        .cloned()
        .collect();
    tensors.retain(|name, _| !is_ignored(name));
    let count = tensors.len();
    let weights = serialized(&tensors)?;
    if u64::try_from(weights.len()).map_or(true, |len| len > model::MAX_WEIGHT_BYTES) {
        let limit = usize::try_from(model::MAX_WEIGHT_BYTES).unwrap_or(usize::MAX);
        return Err(Decline::too_large("state_dict", limit, weights.len()).into());
    }
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    // All are whole before one has its name.
    let files = labels.into_iter().chain([
        ("model.safetensors".into(), weights),
        ("config.json".into(), config),
    ]);
    let pending = files.map(|(name, contents)| Pending::with_contents(&out.join(name), &contents));
    Pending::keep_all(pending.collect::<Result<_, _>>()?)?;
    Ok(Imported {
        sha256: network.sha256,
        tensors: count,
        ignored,
        key,
        prefix,
        widened,
        zeros,
    })
}

/// A refusal of the intermediate `model.safetensors`, which the user never saw, is one of the `state_dict`.
fn name_the_source(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Declined(Decline::Model(mut reason)) if reason.field == "model.safetensors" => {
            reason.field = "state_dict".into();
            Decline::Model(reason).into()
        }
        other => other,
    }
}

fn declined(at: &str, expected: &str, found: String) -> Refusal {
    Decline::Model(Mismatch::new(at, expected, found)).into()
}
