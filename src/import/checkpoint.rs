//! Where in a checkpoint the `state_dict` is, what its names begin with, and what an object is that holds none.

use super::declined;
use super::pickle::short;
use crate::refusal::Refusal;
use candle_core::pickle::Object;

/// Where trainers keep the `state_dict` among other things.
const KEYS: [&str; 3] = ["state_dict", "model", "model_state_dict"];
/// What is put before the names of a model that is part of another: by trainers, by parallel training, by torch.compile.
const PREFIXES: [&str; 3] = ["model.", "module.", "_orig_mod."];
/// The tensor by which a `state_dict` of TransformerLens is known.
const MARK: &str = "embed.W_E";
/// The most entries that are looked at; a supported network has 12 tensors and two ignored buffers.
const MAX_ENTRIES: usize = 64;
const STATE_DICT: &str = "the state_dict of a one-layer model, saved by torch.save(model.state_dict(), PATH), or a \
                          checkpoint that has it under state_dict, model or model_state_dict";

type Entries = Vec<(Object, Object)>;

/// A `state_dict`, and how it was found.
pub(super) struct Checkpoint {
    /// Names, without the prefix, and what describes their tensors.
    pub(super) entries: Vec<(String, Object)>,
    /// Under which key it stood, if it was not the whole file.
    pub(super) key: Option<String>,
    /// What was before every name.
    pub(super) prefix: String,
}

impl Checkpoint {
    /// Finds the one `state_dict` of TransformerLens in an object.
    pub(super) fn find(object: Object) -> Result<Self, Refusal> {
        let Object::Dict(all) = object else {
            return Err(declined("data.pkl", STATE_DICT, whole(&object)));
        };
        let whole_file = is_state_dict(&all);
        let is_nested = |(key, value): &(Object, Object)| match (key, value) {
            (Object::Unicode(key), Object::Dict(inner)) => {
                KEYS.contains(&key.as_str()) && is_state_dict(inner)
            }
            _ => false,
        };
        let (mut nested, others): (Entries, Entries) = all.into_iter().partition(is_nested);
        let (key, entries) = match (nested.pop(), nested.is_empty(), whole_file) {
            (None, _, true) => (None, others),
            (Some((Object::Unicode(key), Object::Dict(inner))), true, false) => (Some(key), inner),
            (None, ..) => return Err(declined("data.pkl", STATE_DICT, describe(&others))),
            (Some(_), ..) => {
                return Err(declined(
                    "data.pkl",
                    "one state_dict",
                    "several; save the right one alone".into(),
                ));
            }
        };
        let mut named = Vec::new();
        for (name, value) in entries {
            let Object::Unicode(name) = name else {
                return Err(declined(
                    "state_dict",
                    "names of tensors",
                    format!("{} as a name", kind(&name)),
                ));
            };
            // Versions of the modules, which PyTorch keeps as an attribute of the dictionary.
            if name != "_metadata" {
                named.push((name, value));
            }
        }
        if named.len() > MAX_ENTRIES {
            let found = format!("{} entries", named.len());
            return Err(declined(
                "state_dict",
                "the 12 tensors of a one-layer model",
                found,
            ));
        }
        let prefix = prefix(&named)?;
        let entries = named
            .into_iter()
            .map(|(mut name, value)| (name.split_off(prefix.len()), value))
            .collect();
        Ok(Self {
            entries,
            key,
            prefix,
        })
    }
}

/// Is this a `state_dict` of TransformerLens, whatever is before its names?
fn is_state_dict(entries: &[(Object, Object)]) -> bool {
    entries.iter().any(|(name, _)| {
        let Object::Unicode(name) = name else {
            return false;
        };
        let mut name = name.as_str();
        while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
            name = rest;
        }
        name == MARK
    })
}

/// The names of a dictionary's tensors.
fn names(entries: &[(Object, Object)]) -> impl Iterator<Item = &str> {
    entries.iter().filter_map(|(name, value)| match name {
        Object::Unicode(name) if layout(value).is_some() => Some(name.as_str()),
        _ => None,
    })
}

/// The prefixes that are before every name, one after the other.
fn prefix(entries: &[(String, Object)]) -> Result<String, Refusal> {
    let mut prefix = String::new();
    let mut names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    while let Some(next) = PREFIXES
        .into_iter()
        .find(|next| names.iter().any(|name| name.starts_with(next)))
    {
        for name in &mut names {
            let expected = || format!("{next} before every name, or before none");
            *name = name.strip_prefix(next).ok_or_else(|| {
                declined(
                    "state_dict",
                    &expected(),
                    format!("{:?} beside such names", short(name)),
                )
            })?;
        }
        prefix += next;
    }
    Ok(prefix)
}

/// What a dictionary holds in which there is no `state_dict` of TransformerLens.
fn describe(entries: &[(Object, Object)]) -> String {
    let nested = || {
        entries
            .iter()
            .filter_map(|(key, value)| match (key, value) {
                (Object::Unicode(key), Object::Dict(inner)) => Some((key, inner.as_slice())),
                _ => None,
            })
    };
    if let Some((key, _)) = nested().find(|(_, inner)| is_state_dict(inner)) {
        return format!(
            "a checkpoint that has it under {:?}; save that alone",
            short(key)
        );
    }
    let all = || names(entries).chain(nested().flat_map(|(_, inner)| names(inner)));
    if let Some(name) = all().find(|name| name.ends_with("wte.weight")) {
        let name = short(name);
        return format!(
            "a GPT-2 under the names of nanoGPT or Hugging Face, such as {name:?}, not TransformerLens's"
        );
    }
    if let Some(name) = all().next() {
        return format!("tensors such as {:?}, and no {MARK}", short(name));
    }
    match entries.iter().find(|(_, value)| class(value).is_some()) {
        Some((Object::Unicode(key), value)) => {
            format!("a checkpoint with {} under {:?}", whole(value), short(key))
        }
        _ => "a dictionary without tensors".into(),
    }
}

/// What an object is that is no dictionary.
fn whole(object: &Object) -> String {
    let Some(class) = class(object) else {
        return kind(object).into();
    };
    match layers(object) {
        Some(layers) if layers != 1 => format!("a whole pickled {class} with {layers} layers"),
        _ => format!("a whole pickled {class}"),
    }
}

/// The class of which an object is an instance.
pub(super) fn class(object: &Object) -> Option<String> {
    match object {
        Object::Build { callable, .. } => class(callable),
        Object::Reduce { callable, .. } => class(callable),
        Object::Class {
            module_name,
            class_name,
        } => Some(short(&format!("{module_name}.{class_name}"))),
        _ => None,
    }
}

/// The number of layers in the first configuration inside an object.
fn layers(object: &Object) -> Option<i32> {
    match object {
        Object::Dict(entries) => entries.iter().find_map(|(key, value)| match (key, value) {
            (Object::Unicode(key), Object::Int(layers)) if key == "n_layers" => Some(*layers),
            _ => layers(value),
        }),
        Object::Tuple(parts) | Object::List(parts) => parts.iter().find_map(layers),
        Object::Build { callable, args } | Object::Reduce { callable, args } => {
            layers(callable).or_else(|| layers(args))
        }
        _ => None,
    }
}

/// What an object is, in a word.
pub(super) fn kind(object: &Object) -> &'static str {
    match object {
        Object::Class { .. } => "a class",
        Object::Int(_) | Object::Long(_) | Object::Float(_) => "a number",
        Object::Unicode(_) => "a text",
        Object::Bool(_) => "a truth value",
        Object::None | Object::Mark => "nothing",
        Object::Tuple(_) => "a tuple",
        Object::List(_) => "a list",
        Object::Dict(_) => "a dictionary",
        Object::Reduce { .. } | Object::Build { .. } | Object::PersistentLoad(_) => "an object",
    }
}

/// The arguments of `torch._utils._rebuild_tensor_v2`, which a `Parameter` wraps once more.
pub(super) fn layout(value: &Object) -> Option<&[Object]> {
    let Object::Reduce { callable, args } = value else {
        return None;
    };
    let (
        Object::Class {
            module_name,
            class_name,
        },
        Object::Tuple(args),
    ) = (&**callable, &**args)
    else {
        return None;
    };
    match (module_name.as_str(), class_name.as_str()) {
        ("torch._utils", "_rebuild_tensor_v2") => Some(args),
        ("torch._utils", "_rebuild_parameter") => layout(args.first()?),
        _ => None,
    }
}
