//! Canonical numbers: every integer has one spelling, every list one separator.

use crate::refusal::Rejection;
use num_bigint::BigUint;

/// The most digits of a number in a certificate.
const MAX_DIGITS: usize = 100;

/// The rejection for a value outside its range.
pub(super) fn out_of_range(path: &str, expected: String, found: impl ToString) -> Rejection {
    Rejection::OutOfRange { path: path.into(), expected, found: found.to_string() }
}

fn not_canonical(path: &str, expected: &'static str, found: &str) -> Rejection {
    let found = format!("{:?}", found.chars().take(40).collect::<String>());
    Rejection::NotCanonical { path: path.into(), expected, found }
}

/// Is this the decimal spelling of a natural number without sign or leading zero?
fn is_natural(text: &str) -> bool {
    text == "0"
        || !text.is_empty()
            && text.len() <= MAX_DIGITS
            && !text.starts_with('0')
            && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a natural number.
pub(super) fn natural(path: &str, text: &str) -> Result<BigUint, Rejection> {
    let digits = if is_natural(text) { BigUint::parse_bytes(text.as_bytes(), 10) } else { None };
    digits.ok_or_else(|| not_canonical(path, "a decimal natural number without leading zeros", text))
}

/// Reads a natural number from `least` to `most`.
pub(super) fn small(path: &str, text: &str, least: usize, most: usize) -> Result<usize, Rejection> {
    let range = || out_of_range(path, format!("a number from {least} to {most}"), text);
    let value = usize::try_from(natural(path, text)?).map_err(|_| range())?;
    if (least..=most).contains(&value) { Ok(value) } else { Err(range()) }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(move |_| !text.is_empty())
}

/// Reads natural numbers below `bound`, separated by single spaces.
pub(super) fn naturals(path: &str, text: &str, bound: usize) -> Result<Vec<usize>, Rejection> {
    let entry = |entry: &str| {
        if !is_natural(entry) {
            return Err(not_canonical(path, "natural numbers separated by single spaces", entry));
        }
        let value = entry.parse::<usize>().ok().filter(|value| *value < bound);
        value.ok_or_else(|| out_of_range(path, format!("numbers below {bound}"), entry))
    };
    list(text).map(entry).collect()
}

/// Reads integers of size below `bound`, separated by single spaces.
pub(super) fn integers(path: &str, text: &str, bound: i64) -> Result<Vec<i64>, Rejection> {
    let entry = |entry: &str| {
        let digits = entry.strip_prefix('-').unwrap_or(entry);
        if !is_natural(digits) || entry == "-0" {
            return Err(not_canonical(path, "integers separated by single spaces", entry));
        }
        let value = entry.parse::<i64>().ok().filter(|value| (-bound..bound).contains(value));
        value.ok_or_else(|| out_of_range(path, format!("integers of size below {bound}"), entry))
    };
    list(text).map(entry).collect()
}

/// Lists as text, in serde's fields.
macro_rules! as_text {
    ($name:ident, $type:ty, $read:expr, $write:expr) => {
        pub(super) mod $name {
            use super::*;
            pub(in super::super) fn serialize<S: serde::Serializer>(value: &$type, to: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type) -> _ = $write;
                serde::Serialize::serialize(&write(value), to)
            }
            pub(in super::super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                let read: fn(_) -> Result<$type, Rejection> = $read;
                read(serde::Deserialize::deserialize(from)?)
                    .map_err(|error| serde::de::Error::custom(crate::refusal::Refusal::from(error)))
            }
        }
    };
}
fn text<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
as_text!(naturals_as_text, Vec<usize>, |list: String| naturals("", &list, 1 << 30), |list| text(list));
as_text!(integers_as_text, Vec<i64>, |list: String| integers("", &list, 1 << 40), |list| text(list));
as_text!(
    rows_as_text,
    Vec<Vec<i64>>,
    |rows: Vec<String>| rows.iter().take(64).map(|list| integers("", list, 1 << 40)).collect(),
    |rows| rows.iter().map(|row| text(row)).collect::<Vec<_>>()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(natural("p", "120").unwrap(), BigUint::from(120_u8));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "١", "0x1", &"9".repeat(101)] {
            assert!(matches!(natural("p", bad), Err(Rejection::NotCanonical { .. })), "{bad:?}");
        }
        assert!(naturals("p", "", 3).unwrap().is_empty());
        assert_eq!(naturals("p", "2 0", 3).unwrap(), [2, 0]);
        assert!(matches!(naturals("p", "2  0", 3), Err(Rejection::NotCanonical { .. })));
        assert!(matches!(naturals("p", "3", 3), Err(Rejection::OutOfRange { .. })));
        assert_eq!(integers("p", "-2 0", 3).unwrap(), [-2, 0]);
        assert!(matches!(integers("p", "-0", 3), Err(Rejection::NotCanonical { .. })));
        assert!(matches!(integers("p", "--1", 3), Err(Rejection::NotCanonical { .. })));
        assert!(matches!(small("p", "9", 1, 8), Err(Rejection::OutOfRange { .. })));
    }
}
