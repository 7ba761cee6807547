//! The tensors of a `state_dict` in PyTorch's zip format: a pickle of names and layouts, and one entry per storage.
//!
//! candle's own reader of this format prints what it cannot read and goes on, and finds nothing in a nested checkpoint.
//! Here every entry is a tensor, is one of the two ignored buffers, or is declined.

use super::declined;
use super::pickle::{self, short};
use crate::model::MAX_WEIGHT_BYTES;
use crate::refusal::{Decline, Refusal};
use candle_core::pickle::Object;
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// The causal mask and the score it stands for: constants that TransformerLens saves with the weights.
const IGNORED: [&str; 2] = ["blocks.0.attn.IGNORE", "blocks.0.attn.mask"];
/// The most entries that are looked at; a supported network has 12 tensors and two ignored buffers.
const MAX_ENTRIES: usize = 64;
/// The most dimensions of a tensor.
const MAX_RANK: usize = 8;
const STATE_DICT: &str = "the state_dict of a one-layer model, saved by torch.save(model.state_dict(), PATH)";

/// The tensors of a `state_dict`, by name, and the names of the buffers left out.
#[derive(Debug)]
pub(super) struct StateDict {
    pub(super) tensors: BTreeMap<String, Tensor>,
    pub(super) ignored: Vec<String>,
}

/// A tensor's data in row-major order.
#[derive(Debug)]
pub(super) struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

impl StateDict {
    /// Reads the contents of a `.pth` or `.pt` file.
    pub(super) fn read(file: &[u8]) -> Result<Self, Refusal> {
        let mut archive = Archive::open(file)?;
        let pickle = archive.entry("data.pkl", pickle::MAX_BYTES)?;
        let entries = entries(pickle::read(&pickle)?)?;
        let mut tensors = BTreeMap::new();
        let mut ignored = Vec::new();
        let mut left = usize::try_from(MAX_WEIGHT_BYTES).unwrap_or(usize::MAX);
        for (name, value) in entries {
            if IGNORED.contains(&name.as_str()) {
                ignored.push(name);
                continue;
            }
            let tensor = archive.tensor(&name, &value, left)?;
            left = left.saturating_sub(tensor.data.len());
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(declined(&short(&name), "one tensor of that name", "another".into()));
            }
        }
        ignored.sort_unstable();
        Ok(Self { tensors, ignored })
    }
}

/// The names and values of a `state_dict`, or why the object is none.
fn entries(object: Object) -> Result<Vec<(String, Object)>, Refusal> {
    let entries = match object {
        Object::Dict(entries) => entries,
        other => {
            let class = class(&other).map_or_else(|| kind(&other).into(), |class| format!("a whole pickled {class}"));
            let layers = layers(&other).filter(|layers| *layers != 1).map(|layers| format!(" with {layers} layers"));
            return Err(declined("data.pkl", STATE_DICT, class + &layers.unwrap_or_default()));
        }
    };
    let mut found = Vec::new();
    for (name, value) in entries {
        let Object::Unicode(name) = name else {
            return Err(declined("state_dict", "names of tensors", format!("{} as a name", kind(&name))));
        };
        match value {
            // Versions of the modules, which PyTorch keeps as an attribute of the dictionary.
            Object::Dict(_) if name == "_metadata" => {}
            Object::Dict(_) => {
                let found = format!("a checkpoint with a dictionary {:?} inside", short(&name));
                return Err(declined("data.pkl", STATE_DICT, found));
            }
            _ => found.push((name, value)),
        }
    }
    match found.len() {
        0 => Err(declined("data.pkl", STATE_DICT, "a dictionary without tensors".into())),
        1..=MAX_ENTRIES => Ok(found),
        more => Err(declined("state_dict", "the 12 tensors of a one-layer model", format!("{more} entries"))),
    }
}

/// The class of which an object is an instance.
fn class(object: &Object) -> Option<String> {
    match object {
        Object::Build { callable, .. } => class(callable),
        Object::Reduce { callable, .. } => class(callable),
        Object::Class { module_name, class_name } => Some(short(&format!("{module_name}.{class_name}"))),
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

fn kind(object: &Object) -> &'static str {
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
fn layout(value: &Object) -> Option<&[Object]> {
    let Object::Reduce { callable, args } = value else { return None };
    let (Object::Class { module_name, class_name }, Object::Tuple(args)) = (&**callable, &**args) else { return None };
    match (module_name.as_str(), class_name.as_str()) {
        ("torch._utils", "_rebuild_tensor_v2") => Some(args),
        ("torch._utils", "_rebuild_parameter") => layout(args.first()?),
        _ => None,
    }
}

/// A list of sizes or strides.
fn sizes(object: &Object) -> Option<Vec<usize>> {
    let Object::Tuple(sizes) = object else { return None };
    (sizes.len() <= MAX_RANK).then(|| sizes.iter().map(size).collect())?
}

fn size(object: &Object) -> Option<usize> {
    match object {
        Object::Int(size) => usize::try_from(*size).ok(),
        Object::Long(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}

/// The data type of a class of storages, and its size in bytes.
fn dtype(storage: &str) -> Option<(Dtype, usize)> {
    Some(match storage {
        "FloatStorage" => (Dtype::F32, 4),
        "DoubleStorage" => (Dtype::F64, 8),
        "HalfStorage" => (Dtype::F16, 2),
        "BFloat16Storage" => (Dtype::BF16, 2),
        "LongStorage" => (Dtype::I64, 8),
        "IntStorage" => (Dtype::I32, 4),
        "ShortStorage" => (Dtype::I16, 2),
        "CharStorage" => (Dtype::I8, 1),
        "ByteStorage" => (Dtype::U8, 1),
        "BoolStorage" => (Dtype::BOOL, 1),
        _ => return None,
    })
}

/// The zip archive, whose entries share one folder.
struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    folder: String,
}

impl<'a> Archive<'a> {
    fn open(file: &'a [u8]) -> Result<Self, Refusal> {
        let unusable = |found: String| declined("state_dict", "a zip archive, as torch.save writes it", found);
        let zip = ZipArchive::new(Cursor::new(file)).map_err(|error| unusable(short(&error.to_string())))?;
        let folders: Vec<String> = (0..zip.len())
            .filter_map(|index| zip.name_for_index(index)?.ok())
            .filter_map(|name| folder_of(&name).map(str::to_owned))
            .collect();
        let [folder] = folders.as_slice() else {
            return Err(unusable(format!("{} entries called data.pkl", folders.len())));
        };
        let folder = folder.clone();
        let mut archive = Self { zip, folder };
        // Only recent versions of PyTorch write this entry; before, data was in the order of the machine.
        if archive.zip.index_for_name(&format!("{}byteorder", archive.folder)).is_some() {
            let order = archive.entry("byteorder", 16)?;
            if order != b"little" {
                return Err(declined("byteorder", "little", short(&String::from_utf8_lossy(&order))));
            }
        }
        Ok(archive)
    }

    /// The contents of an entry of at most `limit` bytes.
    fn entry(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Refusal> {
        let unusable = |found: String| declined(&short(name), "an uncompressed entry of the archive", short(&found));
        let entry = self.zip.by_name(&format!("{}{name}", self.folder)).map_err(|error| unusable(error.to_string()))?;
        let mut contents = Vec::new();
        // The entry's header is not to be trusted either: what is limited is the data.
        entry.take(limit.saturating_add(1)).read_to_end(&mut contents).map_err(|error| unusable(error.to_string()))?;
        if u64::try_from(contents.len()).map_or(true, |len| len > limit) {
            let found = u64::try_from(contents.len()).unwrap_or(u64::MAX);
            return Err(Decline::TooLarge { what: short(name), limit, found }.into());
        }
        Ok(contents)
    }

    /// The tensor that a value of the `state_dict` describes, of at most `limit` bytes.
    fn tensor(&mut self, name: &str, value: &Object, limit: usize) -> Result<Tensor, Refusal> {
        let name = short(name);
        let strange = |found: &str| declined(&name, "a dense tensor", found.into());
        let Some([Object::PersistentLoad(storage), offset, shape, strides, ..]) = layout(value) else {
            let found = class(value).unwrap_or_else(|| kind(value).into());
            return Err(strange(&found));
        };
        let (Object::Tuple(storage), Some(offset), Some(shape), Some(strides)) =
            (&**storage, size(offset), sizes(shape), sizes(strides))
        else {
            return Err(strange("a layout that PyTorch does not write"));
        };
        let [_, Object::Class { class_name, .. }, Object::Unicode(key), ..] = storage.as_slice() else {
            return Err(strange("a storage that PyTorch does not write"));
        };
        let (dtype, width) = dtype(class_name).ok_or_else(|| declined(&name, "float32 data", short(class_name)))?;
        let storage = self.entry(&format!("data/{key}"), MAX_WEIGHT_BYTES)?;
        let data = gather(&storage, width, offset, &shape, &strides, limit)
            .ok_or_else(|| strange("a shape that does not fit its data, or is too large"))?;
        Ok(Tensor { dtype, shape, data })
    }
}

/// The folder of an archive's `data.pkl`, with its slash; `None` for other entries.
fn folder_of(name: &str) -> Option<&str> {
    name.strip_suffix("data.pkl").filter(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// The elements of a strided view of a storage, in row-major order; `None` if one lies outside, or there are too many.
fn gather(
    storage: &[u8],
    width: usize,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
    limit: usize,
) -> Option<Vec<u8>> {
    if shape.len() != strides.len() {
        return None;
    }
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size))?;
    let len = count.checked_mul(width).filter(|len| *len <= limit)?;
    if count == 0 {
        return Some(Vec::new());
    }
    // The last element is the farthest: if it lies inside, every index below is in range.
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |at, (size, stride)| (size - 1).checked_mul(*stride)?.checked_add(at))?;
    storage.get(..last.checked_add(1)?.checked_mul(width)?)?;
    let mut data = Vec::with_capacity(len);
    for flat in 0..count {
        let (mut rest, mut at) = (flat, offset);
        for (size, stride) in shape.iter().zip(strides).rev() {
            at += rest % size * stride;
            rest /= size;
        }
        data.extend_from_slice(storage.get(at * width..(at + 1) * width)?);
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::gather;

    #[test]
    fn strided_views_are_gathered_row_by_row() {
        let storage: Vec<u8> = (0..12).collect();
        // Elements of two bytes, 0 to 5; from element 1, a 2×2 view of which rows are one apart, columns three.
        assert_eq!(gather(&storage, 2, 1, &[2, 2], &[1, 3], 99).unwrap(), [2, 3, 8, 9, 4, 5, 10, 11]);
        assert_eq!(gather(&storage, 2, 2, &[2, 2], &[1, 3], 99), None, "the last element lies outside");
        assert_eq!(gather(&storage, 2, 0, &[2, 2], &[1, 3], 7), None, "over the limit");
        assert_eq!(gather(&storage, 2, 0, &[usize::MAX, 2], &[0, 0], usize::MAX), None);
        assert_eq!(gather(&storage, 2, 0, &[2], &[usize::MAX], 99), None);
        assert!(gather(&storage, 2, 9, &[0, 7], &[1, 1], 99).unwrap().is_empty());
    }
}
