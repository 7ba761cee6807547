//! The tensors of a `state_dict` in PyTorch's zip format: a pickle of names and layouts, and one entry per storage.
//!
//! candle's own reader of this format prints what it cannot read and goes on. Here every entry of the `state_dict` is a
//! tensor, is one of the two ignored buffers, or is declined.

use super::checkpoint::{Checkpoint, class, kind, layout};
use super::declined;
use super::pickle::{self, short};
use crate::model::{MAX_LAYERS, MAX_WEIGHT_BYTES};
use crate::refusal::{Decline, Refusal};
use candle_core::pickle::Object;
use half::{bf16, f16};
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// The causal mask and the score it stands for, in every layer: constants that TransformerLens saves with the weights.
pub(super) const IGNORED: [&str; 2] = [".attn.IGNORE", ".attn.mask"];
/// What each layer has a bias of: the weights, the bias, and how many of the weights' first axes the bias has.
const BIASES: [(&str, &str, usize); 6] = [
    ("attn.W_Q", "attn.b_Q", 1),
    ("attn.W_K", "attn.b_K", 1),
    ("attn.W_V", "attn.b_V", 1),
    ("attn.W_O", "attn.b_O", 0),
    ("mlp.W_in", "mlp.b_in", 0),
    ("mlp.W_out", "mlp.b_out", 0),
];
/// The most dimensions of a tensor.
const MAX_RANK: usize = 8;
/// The size of a float32 in bytes.
const FLOAT: usize = 4;

/// The tensors of a `state_dict`, by name, and what was done to read them.
#[derive(Debug)]
pub(super) struct StateDict {
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// The key of a checkpoint under which it stood.
    pub(super) key: Option<String>,
    /// What was before every name.
    pub(super) prefix: String,
    /// How many tensors were widened, by the name of their type.
    pub(super) widened: BTreeMap<&'static str, usize>,
}

/// A tensor's data in row-major order.
#[derive(Debug)]
pub(super) struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for &Tensor {
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

impl Tensor {
    /// Makes float32 of the types whose every number it holds; the name of such a type.
    fn widen(&mut self) -> Option<&'static str> {
        let (name, number): (_, fn([u8; 2]) -> f32) = match self.dtype {
            Dtype::F16 => ("float16", |half| f16::from_le_bytes(half).to_f32()),
            Dtype::BF16 => ("bfloat16", |half| bf16::from_le_bytes(half).to_f32()),
            _ => return None,
        };
        let (halves, _) = self.data.as_chunks();
        self.data = halves
            .iter()
            .flat_map(|half| number(*half).to_le_bytes())
            .collect();
        self.dtype = Dtype::F32;
        Some(name)
    }
}

impl StateDict {
    /// Reads the contents of a `.pth`, `.pt` or `.ckpt` file.
    pub(super) fn read(file: &[u8]) -> Result<Self, Refusal> {
        let mut archive = Archive::open(file)?;
        let pickle = archive.entry("data.pkl", pickle::MAX_BYTES)?;
        let Checkpoint {
            entries,
            key,
            prefix,
        } = Checkpoint::find(pickle::read(&pickle)?)?;
        let mut tensors = BTreeMap::new();
        let mut widened = BTreeMap::new();
        let mut left = usize::try_from(MAX_WEIGHT_BYTES).unwrap_or(usize::MAX);
        for (name, value) in entries {
            let mut tensor = archive.tensor(&name, &value, left)?;
            if let Some(narrow) = tensor.widen() {
                *widened.entry(narrow).or_default() += 1;
            }
            left = left.saturating_sub(tensor.data.len());
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(declined(
                    &short(&name),
                    "one tensor of that name",
                    "another".into(),
                ));
            }
        }
        Ok(Self {
            tensors,
            key,
            prefix: short(&prefix),
            widened,
        })
    }

    /// Makes zeros of the biases that are absent, if that is asked for; their names.
    pub(super) fn zero_biases(&mut self, asked: bool) -> Result<Vec<String>, Refusal> {
        let absent = self.absent_biases();
        let names: Vec<String> = absent.iter().map(|(name, _)| name.clone()).collect();
        if !asked && !names.is_empty() {
            let expected =
                "every bias, or --zero-biases if the model has none where the file has none";
            return Err(declined(
                "state_dict",
                expected,
                format!("no {}", names.join(", ")),
            ));
        }
        self.tensors.extend(absent.into_iter().map(|(name, shape)| {
            let data = vec![0; shape.iter().product::<usize>() * FLOAT];
            let dtype = Dtype::F32;
            (name, Tensor { dtype, shape, data })
        }));
        Ok(names)
    }

    /// The biases that are absent beside their weights, and their shapes.
    fn absent_biases(&self) -> Vec<(String, Vec<usize>)> {
        let of_layer = |layer: usize| {
            BIASES.map(|(weights, bias, axes)| {
                let block = format!("blocks.{layer}");
                (
                    format!("{block}.{weights}"),
                    format!("{block}.{bias}"),
                    axes,
                )
            })
        };
        let layers = (0..MAX_LAYERS).flat_map(of_layer);
        let unembed = ("unembed.W_U".into(), "unembed.b_U".into(), 0);
        layers
            .chain([unembed])
            .filter(|(_, bias, _)| !self.tensors.contains_key(bias))
            .filter_map(|(weights, bias, axes)| {
                let weights = self.tensors.get(&weights)?;
                let shape = &weights.shape;
                let shape = [shape.get(..axes)?, &[*shape.get(axes..)?.last()?]].concat();
                // No more than the weights have, which are there.
                let len = shape
                    .iter()
                    .try_fold(FLOAT, |len, size| len.checked_mul(*size))?;
                (len <= weights.data.len()).then_some((bias, shape))
            })
            .collect()
    }
}

/// A list of sizes or strides.
fn sizes(object: &Object) -> Option<Vec<usize>> {
    let Object::Tuple(sizes) = object else {
        return None;
    };
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
        "FloatStorage" => (Dtype::F32, FLOAT),
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
        let unusable = |found: String| {
            declined(
                "state_dict",
                "a zip archive, as torch.save writes it",
                found,
            )
        };
        let zip = ZipArchive::new(Cursor::new(file))
            .map_err(|error| unusable(short(&error.to_string())))?;
        let folders: Vec<String> = (0..zip.len())
            .filter_map(|index| zip.name_for_index(index)?.ok())
            .filter_map(|name| folder_of(&name).map(str::to_owned))
            .collect();
        let [folder] = folders.as_slice() else {
            return Err(unusable(format!(
                "one with {} entries called data.pkl",
                folders.len()
            )));
        };
        if zip
            .index_for_name(&format!("{folder}constants.pkl"))
            .is_some()
        {
            let advice = "load it with torch.jit.load, and save its state_dict()";
            return Err(unusable(format!(
                "a TorchScript archive, as torch.jit.save writes it; {advice}"
            )));
        }
        let folder = folder.clone();
        let mut archive = Self { zip, folder };
        // Only recent versions of PyTorch write this entry; before, data was in the order of the machine.
        if archive
            .zip
            .index_for_name(&format!("{}byteorder", archive.folder))
            .is_some()
        {
            let order = archive.entry("byteorder", 16)?;
            if order != b"little" {
                return Err(declined(
                    "byteorder",
                    "little",
                    short(&String::from_utf8_lossy(&order)),
                ));
            }
        }
        Ok(archive)
    }

    /// The contents of an entry of at most `limit` bytes.
    fn entry(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Refusal> {
        let unusable = |found: String| {
            declined(
                &short(name),
                "an uncompressed entry of the archive",
                short(&found),
            )
        };
        let entry = self
            .zip
            .by_name(&format!("{}{name}", self.folder))
            .map_err(|error| unusable(error.to_string()))?;
        let mut contents = Vec::new();
        // The entry's header is not to be trusted either: what is limited is the data.
        entry
            .take(limit.saturating_add(1))
            .read_to_end(&mut contents)
            .map_err(|error| unusable(error.to_string()))?;
        if u64::try_from(contents.len()).map_or(true, |len| len > limit) {
            let found = u64::try_from(contents.len()).unwrap_or(u64::MAX);
            return Err(Decline::TooLarge {
                what: short(name),
                limit,
                found,
            }
            .into());
        }
        Ok(contents)
    }

    /// The tensor that a value of the `state_dict` describes, of at most `limit` bytes also when it is widened.
    fn tensor(&mut self, name: &str, value: &Object, limit: usize) -> Result<Tensor, Refusal> {
        let name = short(name);
        let strange = |found: &str| declined(&name, "a dense tensor", found.into());
        let Some([Object::PersistentLoad(storage), offset, shape, strides, ..]) = layout(value)
        else {
            let found = class(value).unwrap_or_else(|| kind(value).into());
            return Err(strange(&found));
        };
        let (Object::Tuple(storage), Some(offset), Some(shape), Some(strides)) =
            (&**storage, size(offset), sizes(shape), sizes(strides))
        else {
            return Err(strange("a layout that PyTorch does not write"));
        };
        let [
            _,
            Object::Class { class_name, .. },
            Object::Unicode(key),
            ..,
        ] = storage.as_slice()
        else {
            return Err(strange("a storage that PyTorch does not write"));
        };
        let (dtype, width) = dtype(class_name).ok_or_else(|| {
            let found = match class_name.as_str() {
                "DoubleStorage" => {
                    "float64, which float32 does not hold exactly; round it yourself with model.float(), \
                                    and keep the result as the model"
                        .into()
                }
                other => short(other),
            };
            declined(&name, "float32 data, or float16 or bfloat16", found)
        })?;
        let storage = self.entry(&format!("data/{key}"), MAX_WEIGHT_BYTES)?;
        let data = gather(
            &storage,
            width,
            offset,
            &shape,
            &strides,
            limit / width.max(FLOAT),
        )
        .ok_or_else(|| strange("a shape that does not fit its data, or is too large"))?;
        Ok(Tensor { dtype, shape, data })
    }
}

/// The folder of an archive's `data.pkl`, with its slash; `None` for other entries.
fn folder_of(name: &str) -> Option<&str> {
    name.strip_suffix("data.pkl")
        .filter(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// The elements of a strided view of a storage, in row-major order; `None` if one lies outside, or there are more than
/// `limit`.
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
    let count = shape
        .iter()
        .try_fold(1_usize, |count, size| count.checked_mul(*size))?;
    let len = count.checked_mul(width).filter(|_| count <= limit)?;
    if count == 0 {
        return Some(Vec::new());
    }
    // The last element is the farthest: if it lies inside, every index below is in range.
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |at, (size, stride)| {
            (size - 1).checked_mul(*stride)?.checked_add(at)
        })?;
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
        assert_eq!(
            gather(&storage, 2, 1, &[2, 2], &[1, 3], 99).unwrap(),
            [2, 3, 8, 9, 4, 5, 10, 11]
        );
        assert_eq!(
            gather(&storage, 2, 2, &[2, 2], &[1, 3], 99),
            None,
            "the last element lies outside"
        );
        assert_eq!(
            gather(&storage, 2, 0, &[2, 2], &[1, 3], 3),
            None,
            "over the limit"
        );
        assert_eq!(
            gather(&storage, 2, 0, &[usize::MAX, 2], &[0, 0], usize::MAX),
            None
        );
        assert_eq!(gather(&storage, 2, 0, &[2], &[usize::MAX], 99), None);
        assert!(
            gather(&storage, 2, 9, &[0, 7], &[1, 1], 99)
                .unwrap()
                .is_empty()
        );
    }
}
