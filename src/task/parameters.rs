//! A task's parameters as `config.json` has them: each is what it must be, or is named with what was expected and found.

use super::sizes::{MAX_CTX, MAX_VOCAB, Sizes};
use crate::refusal::Mismatch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What the field `task` says, and of what network.
pub(super) struct Parameters<'a> {
    /// The task's name.
    pub(super) name: &'a str,
    /// The network's sizes.
    pub(super) sizes: Sizes,
    /// The contents of the file of labels, if there is one.
    pub(super) labels: Option<&'a [u8]>,
    /// Every field that is not null, the name included.
    fields: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Parameters<'a> {
    /// Reads a bare name, or an object with a name.
    pub(super) fn new(
        task: &'a Value,
        sizes: Sizes,
        labels: Option<&'a [u8]>,
    ) -> Result<Self, Mismatch> {
        let fields = match task {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect(),
            name => BTreeMap::from([("name", name)]),
        };
        let mut parameters = Self {
            name: "",
            sizes,
            labels,
            fields,
        };
        parameters.fields.retain(|_, value| !value.is_null());
        parameters.name = parameters.read("name", "the name of a task", Value::as_str)?;
        let within = sizes.n_ctx <= MAX_CTX && sizes.d_vocab <= MAX_VOCAB;
        parameters.fit(
            within,
            &format!("n_ctx up to {MAX_CTX} and d_vocab up to {MAX_VOCAB}"),
        )?;
        Ok(parameters)
    }

    /// Refuses a field that is neither the name nor one of these.
    pub(super) fn are_among(&self, known: &[&str]) -> Result<(), Mismatch> {
        let is_unknown = |field: &&&str| **field != "name" && !known.contains(*field);
        let Some(unknown) = self.fields.keys().find(is_unknown) else {
            return Ok(());
        };
        let expected = format!("no such field, but {}", known.join(", "));
        Err(self.mismatch(unknown, &expected))
    }

    /// The bare name if nothing else is said, otherwise an object.
    pub(super) fn canonical(&self) -> Value {
        if self.fields.len() == 1 {
            return self.name.into();
        }
        let fields = self.fields.iter();
        fields
            .map(|(name, value)| (*name, (*value).clone()))
            .collect()
    }

    /// Is anything said of it?
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// A field of which `read` makes sense.
    pub(super) fn read<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, Mismatch> {
        let value = self.fields.get(field).and_then(|value| read(value));
        value.ok_or_else(|| self.mismatch(field, expected))
    }

    /// A whole number within a range.
    pub(super) fn whole(
        &self,
        field: &str,
        range: RangeInclusive<usize>,
    ) -> Result<usize, Mismatch> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let within = |value| whole(value).filter(|number| range.contains(number));
        self.read(field, &expected, within)
    }

    /// One of these names, for what stands beside it.
    pub(super) fn choice<T: Copy>(
        &self,
        field: &str,
        choices: &[(&str, T)],
    ) -> Result<T, Mismatch> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.read(field, &names.join(", "), |value| {
            let (_, meant) = choices.iter().find(|(name, _)| value == name)?;
            Some(*meant)
        })
    }

    /// Refuses sizes that do not fit.
    pub(super) fn fit(&self, fits: bool, expected: &str) -> Result<(), Mismatch> {
        let Sizes {
            n_ctx,
            d_vocab,
            d_vocab_out,
        } = self.sizes;
        let found = format!("n_ctx = {n_ctx}, d_vocab = {d_vocab}, d_vocab_out = {d_vocab_out}");
        if fits {
            return Ok(());
        }
        Err(Mismatch {
            field: "task".into(),
            expected: format!("for {}: {expected}", self.name),
            found,
        })
    }

    /// Refuses a network with fewer outputs than there may be answers.
    pub(super) fn answers(&self, answers: usize) -> Result<(), Mismatch> {
        let expected = format!("d_vocab_out at least {answers}, so that every answer is an output");
        self.fit(answers <= self.sizes.d_vocab_out, &expected)
    }

    /// What is wrong with a field.
    pub(super) fn mismatch(&self, field: &str, expected: &str) -> Mismatch {
        let value = self.fields.get(field);
        let found = value.map_or("no such field".into(), |value| value.to_string());
        Mismatch {
            field: cut(&format!("task.{field}")),
            expected: expected.into(),
            found: cut(&found),
        }
    }
}

/// The beginning of a text that may be long.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A whole number, written as one.
pub(super) fn whole(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}
