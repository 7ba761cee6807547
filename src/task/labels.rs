//! The file of the task `table`: its name, and the answers in it.

use super::parameters::Parameters;
use super::sizes::Sizes;
use super::values::power;
use crate::refusal::{Mismatch, cut};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// The largest number of labels, one for each sequence.
const MAX_LABELS: usize = 1 << 27;

/// The largest file of labels that need be read, in bytes: four for each label, and the header.
pub const MAX_LABELS_BYTES: u64 = (4 << 27) + (1 << 20);

/// The name of the file that a task needs beside the model, if it needs one and the name is plain: of letters, digits,
/// `.`, `_` and `-`, with no dot in front.
pub fn labels_file(task: &Value) -> Option<&str> {
    let is_table = task.get("name").is_some_and(|name| name == "table");
    task.get("labels").filter(|_| is_table).and_then(plain)
}

fn plain(name: &Value) -> Option<&str> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let name = name.as_str()?;
    let fits = !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain);
    fits.then_some(name)
}

/// A label for each of the v^n sequences: an answer, or −1 where there is none. First those of the sequences that begin
/// with token 0, of these first those that go on with token 0, and so on.
pub(super) fn read(parameters: &mut Parameters<'_>) -> Option<Vec<i32>> {
    let (n, v) = (parameters.sizes.n_ctx, parameters.sizes.d_vocab);
    let fits = n > 0 && v > 0 && power(v, n) <= MAX_LABELS.into();
    parameters.fit(fits, &format!("from 1 to {MAX_LABELS} sequences"))?;
    let beside = "the name of a file beside the model: letters, digits, '.', '_' and '-'";
    let fields = &mut parameters.fields;
    fields.take("labels", beside, |name| plain(name?).map(|_| ()))?;
    let labels = in_the_file(parameters).map_err(|found| {
        let expected = format!("a safetensors file of one tensor: I32 labels, {n} axes of {v}");
        let wrong = &mut parameters.fields.wrong;
        wrong.push(Mismatch::new("task.labels", expected, cut(found)));
    });
    labels.ok()
}

/// The labels in the file, or what is there instead.
fn in_the_file(parameters: &Parameters<'_>) -> Result<Vec<i32>, String> {
    let Sizes {
        n_ctx,
        d_vocab,
        d_vocab_out,
    } = parameters.sizes;
    let file = parameters.labels.ok_or("no such file")?;
    let file = SafeTensors::deserialize(file).map_err(|error| error.to_string())?;
    let tensor = file.tensor("labels").map_err(|error| error.to_string())?;
    let (tensors, dtype, shape) = (file.len(), tensor.dtype(), tensor.shape());
    if tensors > 1 || dtype != Dtype::I32 || shape != vec![d_vocab; n_ctx] {
        return Err(format!(
            "{tensors} tensors, labels {dtype} of shape {shape:?}"
        ));
    }
    let (numbers, _) = tensor.data().as_chunks();
    let labels: Vec<i32> = numbers
        .iter()
        .map(|bytes| i32::from_le_bytes(*bytes))
        .collect();
    let is_answer = |label: &i32| usize::try_from(*label).is_ok_and(|answer| answer < d_vocab_out);
    match labels
        .iter()
        .find(|label| **label != -1 && !is_answer(label))
    {
        Some(label) => Err(format!("label {label}")),
        None if labels.iter().all(|label| *label == -1) => Err("no answer at all".into()),
        None => Ok(labels),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use safetensors::serialize;
    use safetensors::tensor::TensorView;
    use serde_json::json;

    /// A name, a type, a shape, and data as I32.
    type Tensor<'a> = (&'a str, Dtype, &'a [usize], &'a [i32]);

    /// A safetensors file.
    pub(in crate::task) fn file(tensors: &[Tensor<'_>]) -> Vec<u8> {
        let bytes = |labels: &[i32]| -> Vec<u8> {
            labels
                .iter()
                .flat_map(|label| label.to_le_bytes())
                .collect()
        };
        let all: Vec<Vec<u8>> = tensors.iter().map(|(.., labels)| bytes(labels)).collect();
        let views = tensors
            .iter()
            .zip(&all)
            .map(|((name, dtype, shape, _), bytes)| {
                (
                    *name,
                    TensorView::new(*dtype, shape.to_vec(), bytes).unwrap(),
                )
            });
        serialize(views, None).unwrap()
    }

    #[test]
    fn a_file_that_is_no_table_of_labels_is_refused() {
        let sizes = Sizes {
            n_ctx: 2,
            d_vocab: 2,
            d_vocab_out: 3,
        };
        let task = json!({"name": "table", "labels": "labels.safetensors"});
        let refused = |labels: Option<&[u8]>| {
            let why = crate::task::tests::refused(&task, sizes, labels);
            assert_eq!(why.field, "task.labels");
            assert!(why.found.chars().count() <= 80);
            why.found
        };
        let good: Tensor<'_> = ("labels", Dtype::I32, &[2, 2], &[0, 1, 2, -1]);
        assert!(crate::task::read(&task, sizes, Some(&file(&[good]))).is_ok());
        assert_eq!(refused(None), "no such file");
        let whole = file(&[good]);
        for length in 0..whole.len() {
            refused(whole.get(..length));
        }
        let more = [good, ("more", Dtype::I32, &[1], &[0])];
        assert_eq!(
            refused(Some(&file(&more))),
            "2 tensors, labels I32 of shape [2, 2]"
        );
        let alone = |tensor: Tensor<'_>| refused(Some(&file(&[tensor])));
        assert_eq!(
            alone(("label", Dtype::I32, &[2, 2], &[0; 4])),
            "tensor `labels` not found"
        );
        alone(("labels", Dtype::F32, &[2, 2], &[0; 4]));
        alone(("labels", Dtype::U32, &[2, 2], &[0; 4]));
        alone(("labels", Dtype::I64, &[2, 2], &[0; 8]));
        for shape in [
            &[4][..],
            &[2, 2, 1],
            &[4, 1],
            &[1, 4],
            &[3, 3],
            &[0],
            &[1; 100],
        ] {
            alone((
                "labels",
                Dtype::I32,
                shape,
                &vec![0; shape.iter().product()],
            ));
        }
        for (label, at) in [(3, 0), (-2, 3), (i32::MAX, 1), (i32::MIN, 2)] {
            let mut labels = [0, 1, 2, -1];
            labels[at] = label;
            assert_eq!(
                alone(("labels", Dtype::I32, &[2, 2], &labels)),
                format!("label {label}")
            );
        }
        assert_eq!(
            alone(("labels", Dtype::I32, &[2, 2], &[-1; 4])),
            "no answer at all"
        );
    }

    #[test]
    fn only_a_plain_name_names_a_file_of_labels() {
        let sizes = Sizes {
            n_ctx: 1,
            d_vocab: 1,
            d_vocab_out: 1,
        };
        let bytes = file(&[("labels", Dtype::I32, &[1], &[0])]);
        for name in ["labels.safetensors", "l", "L-2_b.x..y"] {
            let task = json!({"name": "table", "labels": name});
            assert_eq!(labels_file(&task), Some(name));
            assert_eq!(
                crate::task::read(&task, sizes, Some(&bytes)).unwrap().0,
                task
            );
        }
        let hostile = [
            "",
            ".",
            "..",
            "../labels",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "C:labels",
            ".labels",
            "a b",
            "a\0",
            "a\n",
            "ä",
        ];
        for name in hostile {
            let task = json!({"name": "table", "labels": name});
            assert_eq!(labels_file(&task), None, "{name:?}");
            assert_eq!(
                crate::task::tests::refused(&task, sizes, Some(&bytes)).field,
                "task.labels"
            );
        }
        let others = [
            json!({"name": "table"}),
            json!({"name": "table", "labels": null}),
            json!({"name": "table", "labels": ["labels"]}),
            json!({"name": "group", "labels": "labels"}),
            json!({"labels": "labels"}),
            json!("table"),
            json!(null),
        ];
        for task in others {
            assert_eq!(labels_file(&task), None, "{task}");
        }
    }

    #[test]
    fn sequences_may_be_no_more_than_labels_are_allowed() {
        let task = json!({"name": "table", "labels": "labels.safetensors"});
        let refused = |n_ctx, d_vocab| {
            let sizes = Sizes {
                n_ctx,
                d_vocab,
                d_vocab_out: 1,
            };
            crate::task::tests::refused(&task, sizes, None).field
        };
        for (n_ctx, d_vocab) in [(28, 2), (32, 1024), (3, 513), (0, 2), (2, 0)] {
            assert_eq!(refused(n_ctx, d_vocab), "task");
        }
        // So many are allowed, but the file is missing.
        for (n_ctx, d_vocab) in [(27, 2), (9, 8), (3, 512)] {
            assert_eq!(refused(n_ctx, d_vocab), "task.labels");
        }
    }
}
