//! Other formats in: a PyTorch `state_dict` becomes `model.safetensors`.
//!
//! Untrusted: whatever is written here is read back by [`Network::from_bytes`], and what that declines is not written.

mod pickle;
mod state_dict;

use crate::model::{self, Network};
use crate::refusal::{Decline, Refusal};
use state_dict::StateDict;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The network's digest: see [`Network::from_bytes`].
    pub sha256: String,
    /// How many tensors were written.
    pub tensors: usize,
    /// Buffers that were left out because they do not belong to the function, in order of names.
    pub ignored: Vec<String>,
}

/// Reads a TransformerLens `state_dict` that PyTorch saved as `file`, and writes `model.safetensors` and `config.json`
/// (the contents of `config`, unchanged) into the folder `out`, which is created if there is none.
///
/// Of the `state_dict` only the causal mask's buffers, `blocks.0.attn.mask` and `blocks.0.attn.IGNORE`, are left out;
/// data is copied, never converted. On an error nothing is written.
///
/// # Errors
/// [`Refusal::Unreadable`] for what cannot be read or written, [`Refusal::Declined`] for anything but the `state_dict`
/// of a supported network.
pub fn import(file: &Path, config: &Path, out: &Path) -> Result<Imported, Refusal> {
    let config = model::read_limited(config, model::MAX_CONFIG_BYTES)?;
    let StateDict { tensors, ignored } = StateDict::read(&model::read_limited(file, model::MAX_WEIGHT_BYTES)?)?;
    let count = tensors.len();
    let weights = safetensors::serialize(tensors, None)
        .map_err(|error| declined("state_dict", "tensors that fit a safetensors file", error.to_string()))?;
    if u64::try_from(weights.len()).map_or(true, |len| len > model::MAX_WEIGHT_BYTES) {
        let limit = usize::try_from(model::MAX_WEIGHT_BYTES).unwrap_or(usize::MAX);
        return Err(Decline::too_large("state_dict", limit, weights.len()).into());
    }
    let network = Network::from_bytes(&config, &weights).map_err(name_the_source)?;
    write(out, &[("model.safetensors", &weights), ("config.json", &config)])?;
    Ok(Imported { sha256: network.sha256, tensors: count, ignored })
}

/// A refusal of the intermediate `model.safetensors`, which the user never saw, is one of the `state_dict`.
fn name_the_source(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Declined(Decline::Model { at, expected, found }) if at == "model.safetensors" => {
            declined("state_dict", &expected, found)
        }
        other => other,
    }
}

/// Writes all files in full under temporary names first: a failure on the way leaves no file behind.
fn write(out: &Path, files: &[(&str, &[u8])]) -> Result<(), Refusal> {
    let unwritable =
        |path: &Path, reason: String| Refusal::Unreadable(format!("cannot write {}: {reason}", path.display()));
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, error.to_string()))?;
    let mut written = Vec::new();
    for (name, contents) in files {
        let path = out.join(name);
        if path.is_dir() {
            return Err(unwritable(&path, "a folder has that name".into()));
        }
        let file = temporary(out)
            .and_then(|mut file| {
                file.write_all(contents)?;
                file.as_file().sync_all()?;
                Ok(file)
            })
            .map_err(|error| unwritable(&path, error.to_string()))?;
        written.push((file, path));
    }
    for (file, path) in written {
        file.persist(&path).map_err(|error| unwritable(&path, error.error.to_string()))?;
    }
    Ok(())
}

/// A temporary file in `out` with the permissions of an ordinary new file (tempfile's own are for its owner alone).
fn temporary(out: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".gbmi-")
        .make_in(out, |path| std::fs::OpenOptions::new().write(true).create_new(true).open(path))
}

fn declined(at: &str, expected: &str, found: String) -> Refusal {
    Decline::Model { at: at.into(), expected: expected.into(), found }.into()
}
