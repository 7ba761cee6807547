//! JSON of any shape, as a task may be: no larger than a bound, without numbers that a reader may round, and every field of
//! an object once.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;

/// The most that such a value may hold: a unit for each value, field and byte of text.
const MOST: usize = 1 << 20;

/// Reads a value within the bound.
pub(super) fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let left = Cell::new(MOST);
    Within { left: &left }.deserialize(deserializer)
}

/// What may still be read.
#[derive(Clone, Copy)]
struct Within<'a> {
    left: &'a Cell<usize>,
}

impl Within<'_> {
    /// A value that takes one unit, and so many bytes of text.
    fn take<E: Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        match left.and_then(|left| left.checked_sub(bytes)) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(E::custom(format!(
                "expected at most {MOST} values and bytes of text, found more"
            ))),
        }
    }

    fn plain<E: Error>(self, value: Value) -> Result<Value, E> {
        self.take(0).map(|()| value)
    }
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON whose numbers are integers below 2^64")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.plain(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.plain(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.plain(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.plain(value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.take(text.len()).map(|()| text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut all = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            self.take(name.len())?;
            let value = fields.next_value_seed(self)?;
            if all.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format!("field {name:?} twice")));
            }
        }
        Ok(all.into())
    }
}
