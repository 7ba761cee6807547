//! The fields of a JSON object as they are taken out: each is what it must be, or is named with what was expected and found.

use crate::refusal::{Mismatch, cut};
use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::ops::RangeInclusive;

/// Fields that are left, and what is wrong with those that were taken.
#[derive(Debug)]
pub struct Fields {
    /// What stands before their names in a refusal.
    place: &'static str,
    left: Map<String, Value>,
    /// What is wrong.
    pub wrong: Vec<Mismatch>,
}

impl Fields {
    /// The fields of an object, which stands at this place.
    pub fn new(place: &'static str, left: Map<String, Value>) -> Self {
        let wrong = vec![];
        Self { place, left, wrong }
    }

    /// Reads the text of an object that names each of its fields once.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &[u8]) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let fields = json.deserialize_map(Once)?;
        json.end()?;
        Ok(Self::new("", fields))
    }

    /// What a field that is left says.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.left.get(field)
    }

    /// Takes a field of which `read` makes sense; notes what is wrong if it does not.
    pub fn take<T>(
        &mut self,
        field: &str,
        expected: impl Into<String>,
        read: impl FnOnce(Option<&Value>) -> Option<T>,
    ) -> Option<T> {
        let value = self.left.remove(field);
        let read = read(value.as_ref());
        if read.is_none() {
            let found = value.map_or("no such field".into(), cut);
            let field = cut(format!("{}{field}", self.place));
            self.wrong.push(Mismatch::new(field, expected, found));
        }
        read
    }

    /// A whole number within a range.
    pub fn whole(&mut self, field: &str, range: RangeInclusive<usize>) -> Option<usize> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.take(field, expected, |value| {
            whole(value?).filter(|number| range.contains(number))
        })
    }

    /// What stands beside the one of these values that the field has; `absent` if there is no such field.
    pub fn choice<V: Into<Value>, T>(
        &mut self,
        field: &str,
        absent: Option<T>,
        choices: impl IntoIterator<Item = (V, T)>,
    ) -> Option<T> {
        let choices = choices
            .into_iter()
            .map(|(value, meant)| (value.into(), meant));
        let mut choices: Vec<(Value, T)> = choices.collect();
        let names: Vec<String> = choices.iter().map(|(value, _)| value.to_string()).collect();
        self.take(field, names.join(" or "), |value| {
            let Some(value) = value else { return absent };
            let place = choices.iter().position(|(choice, _)| choice == value)?;
            Some(choices.swap_remove(place).1)
        })
    }

    /// A field that has one of these values, or is absent.
    pub fn one_of<V: Into<Value>>(&mut self, field: &str, values: impl IntoIterator<Item = V>) {
        let choices = values.into_iter().map(|value| (value, ()));
        self.choice(field, Some(()), choices);
    }

    /// What was read of the fields, if nothing is wrong with any.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn done<T>(self, read: Option<T>) -> Result<T, Vec<Mismatch>> {
        let read = read.filter(|_| self.wrong.is_empty());
        read.ok_or(self.wrong)
    }

    /// Notes every field that is left and is not free.
    pub fn nothing_else(&mut self, expected: &str, is_free: impl Fn(&str, &Value) -> bool) {
        let mut left = self.left.clone();
        left.retain(|field, value| !is_free(field, value));
        for field in left.keys() {
            self.take::<()>(field, expected, |_| None);
        }
    }
}

/// A whole number, written as one.
pub fn whole(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

/// Reads an object's fields, each named once.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format_args!("field {name:?} twice")));
            }
        }
        Ok(fields)
    }
}
