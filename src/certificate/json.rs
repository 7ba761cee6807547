//! JSON of any shape, as a task may be: of bounded length, without numbers that a reader may round, and in its one spelling, so
//! that every field of an object stands there once.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;
use serde_json::value::RawValue;

/// The most bytes of text.
const MOST: usize = 1 << 20;

/// Reads a value that stands in the file as it is written here: no spaces, fields in order.
pub(super) fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?.get();
    if text.len() > MOST {
        let found = text.len();
        let expected = format!("expected at most {MOST} bytes of text, found {found}");
        return Err(D::Error::custom(expected));
    }
    let value: Value = serde_json::from_str(text).map_err(D::Error::custom)?;
    let spelling = value.to_string();
    if !is_exact(&value) || spelling != text {
        let expected = "expected JSON whose numbers are integers below 2^64, without spaces, fields in order and each once";
        return Err(D::Error::custom(expected));
    }
    Ok(value)
}

/// Are all its numbers integers?
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        _ => true,
    }
}
