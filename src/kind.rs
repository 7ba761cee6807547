//! What a file is, by its first bytes: for refusals that name what stands where a model's file should be.
//!
//! Untrusted: it is asked only about files that are refused, and changes nothing but the refusal's words.

use crate::model::Network;
use crate::refusal::{Decline, Mismatch, Refusal};
use serde_json::{Map, Value};
use std::fmt;
use std::io::Read;
use std::path::Path;

/// Loads a model as [`Network::load`] does.
///
/// # Errors
/// Those of [`Network::load`]; where one of the model's files is of another kind, [`Decline::Model`] names it.
pub fn load(path: &Path) -> Result<Network, Refusal> {
    Network::load(path).map_err(|refusal| {
        let weights = if path.is_dir() {
            path.join("model.safetensors")
        } else {
            path.to_path_buf()
        };
        let config = weights.with_file_name("config.json");
        let files = [(weights, Role::Weights), (config, Role::Config)];
        files
            .iter()
            .find_map(|(path, role)| role.refusal(path, &start_of(path)?))
            .unwrap_or(refusal)
    })
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `model.safetensors`.
    Weights,
    /// `config.json`.
    Config,
    /// What `gbmi import` reads.
    Import,
}

impl Role {
    /// The refusal of a file that begins with these bytes, if they show it to be of a kind that is not for this.
    pub fn refusal(self, path: &Path, start: &[u8]) -> Option<Refusal> {
        let kind = Kind::of(start)?;
        let (expected, fits) = match self {
            Self::Weights => ("a safetensors file", kind == Kind::Safetensors),
            Self::Config => ("a TransformerLens configuration", kind == Kind::Json),
            Self::Import => (
                "a state_dict saved by torch.save",
                matches!(kind, Kind::PyTorch | Kind::Zip),
            ),
        };
        let at = path.display().to_string();
        (!fits).then(|| Decline::Model(Mismatch::new(at, expected, kind.to_string())).into())
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is nothing in it.
    Empty,
    /// Tensors in the safetensors format.
    Safetensors,
    /// A JSON object.
    Json,
    /// The configuration of a GPT-2 by Hugging Face.
    Gpt2Config,
    /// The configuration of another model by Hugging Face.
    HuggingFaceConfig,
    /// What a Git repository holds in place of a large file.
    GitLfs,
    /// A zip archive by `torch.save`.
    PyTorch,
    /// What `torch.save` wrote before version 1.6.
    OldPyTorch,
    /// Another pickle.
    Pickle,
    /// NumPy's `.npy` or `.npz`.
    Numpy,
    /// Another zip archive.
    Zip,
    /// Compressed by gzip.
    Gzip,
    /// Text that begins with a byte-order mark.
    ByteOrderMark,
    /// Text in UTF-16.
    Utf16,
    /// HTML or XML.
    WebPage,
}

/// What files begin with; the first that fits is the kind.
const BEGINNINGS: [(&[u8], Kind); 15] = [
    (b"version https://git-lfs.github.com/spec/", Kind::GitLfs),
    // The pickle of the magic number 0x1950a86a20f9469cfc6c.
    (
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
        Kind::OldPyTorch,
    ),
    (b"\x80\x02", Kind::Pickle),
    (b"\x80\x03", Kind::Pickle),
    (b"\x80\x04", Kind::Pickle),
    (b"\x80\x05", Kind::Pickle),
    (b"\x93NUMPY", Kind::Numpy),
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"\x1f\x8b", Kind::Gzip),
    (b"\xef\xbb\xbf", Kind::ByteOrderMark),
    (b"\xff\xfe", Kind::Utf16),
    (b"\xfe\xff", Kind::Utf16),
    (b"<", Kind::WebPage),
    (b"{", Kind::Json),
];

/// How many bytes are looked at: as many as a configuration may have, whose fields tell whose it is.
const START: u32 = 1 << 20;

impl Kind {
    /// The kind of the file that begins with these bytes; `None` if they do not tell.
    pub fn of(start: &[u8]) -> Option<Self> {
        let start = start.get(..START as usize).unwrap_or(start);
        if start.is_empty() {
            return Some(Self::Empty);
        }
        if is_safetensors(start) {
            return Some(Self::Safetensors);
        }
        let known = |start: &[u8]| {
            BEGINNINGS
                .iter()
                .find(|(beginning, _)| start.starts_with(beginning))
        };
        let (_, kind) = known(start).or_else(|| known(start.trim_ascii_start()))?;
        Some(match kind {
            Self::Zip => Self::of_archive(start),
            Self::Json => Self::of_object(start),
            kind => *kind,
        })
    }

    /// The kind of a zip archive, by the name of its first entry.
    fn of_archive(zip: &[u8]) -> Self {
        let len = zip
            .get(26..)
            .and_then(|rest| rest.first_chunk())
            .map_or(0, |len| u16::from_le_bytes(*len));
        match zip.get(30..30 + usize::from(len)) {
            Some(name) if name.ends_with(b"data.pkl") => Self::PyTorch,
            Some(name) if name.ends_with(b".npy") => Self::Numpy,
            _ => Self::Zip,
        }
    }

    /// The kind of a JSON object, by its fields. TransformerLens knows `d_vocab`, Hugging Face does not.
    fn of_object(text: &[u8]) -> Self {
        let fields: Map<String, Value> = serde_json::from_slice(text).unwrap_or_default();
        let has = |name: &&str| fields.contains_key(*name);
        if has(&"d_vocab") || !["model_type", "architectures", "n_embd"].iter().any(has) {
            return Self::Json;
        }
        match fields.get("model_type") {
            Some(model) if model == "gpt2" => Self::Gpt2Config,
            None if has(&"n_embd") => Self::Gpt2Config,
            _ => Self::HuggingFaceConfig,
        }
    }
}

impl fmt::Display for Kind {
    /// What it is, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file; fetch or write it again",
            Self::Safetensors => {
                "a safetensors file; such weights need no import: put them into a folder as model.safetensors, beside \
                 config.json"
            }
            Self::Json => "a JSON file",
            Self::Gpt2Config => {
                "a Hugging Face GPT-2 configuration; a GPT-2 has layer norms and MLPs, which are not supported, and a \
                 TransformerLens model has its configuration in model.cfg (docs/transformerlens.md)"
            }
            Self::HuggingFaceConfig => {
                "a Hugging Face configuration; a TransformerLens model has its own in model.cfg \
                 (docs/transformerlens.md)"
            }
            Self::GitLfs => "a Git LFS pointer in place of the file; run `git lfs pull`",
            Self::PyTorch => "a PyTorch archive; `gbmi import` makes a model's folder of it",
            Self::OldPyTorch => {
                "a file in PyTorch's format from before version 1.6; load it, save model.state_dict() with a newer \
                 PyTorch, then use `gbmi import`"
            }
            Self::Pickle => {
                "a Python pickle that torch.save did not write; save model.state_dict() with torch.save, then use \
                 `gbmi import`"
            }
            Self::Numpy => "a NumPy file; save its arrays as a safetensors file (docs/transformerlens.md)",
            Self::Zip => "a zip archive; if PyTorch wrote it use `gbmi import`, else unpack it",
            Self::Gzip => "a file compressed by gzip; decompress it with gunzip",
            Self::ByteOrderMark => "a byte-order mark before the text; save it as UTF-8 without one",
            Self::Utf16 => "text in UTF-16; save it as UTF-8 without a byte-order mark",
            Self::WebPage => "a web page (HTML or XML), perhaps in place of a download; fetch the file itself",
        })
    }
}

/// A header's length, and the header, which is an object: only the second tells it from files of other kinds.
fn is_safetensors(start: &[u8]) -> bool {
    start
        .split_first_chunk()
        .is_some_and(|(len, header)| u64::from_le_bytes(*len) < 1 << 32 && header.starts_with(b"{"))
}

/// The first bytes of a regular file.
fn start_of(path: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    let file = path.is_file().then(|| std::fs::File::open(path))?.ok()?;
    file.take(START.into()).read_to_end(&mut start).ok()?;
    Some(start)
}
