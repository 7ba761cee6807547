//! Numbers and lists, which stand in the file as strings: every number has one spelling, every list one separator.

use num_bigint::BigUint;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most digits of a number in a certificate.
const MAX_DIGITS: usize = 100;

/// What stands in the file as one string.
pub(super) trait Text: Sized {
    /// Reads it; what was expected and what was found, if that differs.
    fn read(text: &str) -> Result<Self, String>;
    /// Writes it.
    fn write(&self) -> String;
}

macro_rules! number {
    ($number:ty, $expected:literal) => {
        impl Text for $number {
            fn read(text: &str) -> Result<Self, String> {
                let value = if text.len() > MAX_DIGITS {
                    None
                } else {
                    text.parse::<Self>().ok()
                };
                // The one spelling is that in which it is written.
                value.filter(|value| value.write() == text).ok_or_else(|| {
                    let found: String = text.chars().take(40).collect();
                    format!(
                        "expected {}, in the one spelling, found {found:?}",
                        $expected
                    )
                })
            }

            fn write(&self) -> String {
                self.to_string()
            }
        }
    };
}

number!(BigUint, "a natural number of at most 100 digits");
number!(usize, "a natural number below 2^64");
number!(u32, "a natural number below 2^32");
number!(i64, "an integer from -2^63 to 2^63 - 1");

/// A list, with single spaces between its items.
impl<T: Text> Text for Vec<T> {
    fn read(text: &str) -> Result<Self, String> {
        text.split(' ')
            .filter(|_| !text.is_empty())
            .map(T::read)
            .collect()
    }

    fn write(&self) -> String {
        self.iter().map(T::write).collect::<Vec<_>>().join(" ")
    }
}

/// What may be left out, but not be null.
impl<T: Text> Text for Option<T> {
    fn read(text: &str) -> Result<Self, String> {
        T::read(text).map(Some)
    }

    fn write(&self) -> String {
        self.as_ref().map(T::write).unwrap_or_default()
    }
}

/// For `serde(with = …)`: a [`Text`] as one string.
pub(super) mod text {
    use super::{Deserialize, Deserializer, Error, Serializer, Text};

    pub(crate) fn serialize<T: Text, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.write())
    }

    pub(crate) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::read(<&str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// For `serde(with = …)`: a natural that is not given when it is zero.
pub(super) mod margin {
    use super::{BigUint, Deserializer, Error, text};
    use num_traits::Zero;

    pub(crate) use super::text::serialize;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BigUint, D::Error> {
        let number: BigUint = text::deserialize(deserializer)?;
        if number.is_zero() {
            return Err(D::Error::custom("expected a number above 0, found \"0\""));
        }
        Ok(number)
    }
}

/// Lists of numbers, one after the other: a file of short lists takes no more memory than one of long ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rows<T> {
    numbers: Vec<T>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl<T> Rows<T> {
    /// No rows.
    pub const EMPTY: Self = Self {
        numbers: Vec::new(),
        ends: Vec::new(),
    };

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The row with this index.
    pub fn get(&self, row: usize) -> Option<&[T]> {
        let before = row.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or(0);
        self.numbers.get(start..*self.ends.get(row)?)
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = T>) {
        self.numbers.extend(row);
        self.ends.push(self.numbers.len());
    }
}

impl<T, R: IntoIterator<Item = T>> FromIterator<R> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let mut all = Self::EMPTY;
        for row in rows {
            all.push(row);
        }
        all
    }
}

impl<T> From<Vec<Vec<T>>> for Rows<T> {
    fn from(rows: Vec<Vec<T>>) -> Self {
        rows.into_iter().collect()
    }
}

impl<T: Text + Clone> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|row| row.to_vec().write()))
    }
}

impl<'de, T: Text> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Self::EMPTY;
        for row in Vec::<&str>::deserialize(deserializer)? {
            all.push(Vec::read(row).map_err(D::Error::custom)?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: Text>(text: &str) -> bool {
        T::read(text).is_err()
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(BigUint::read("120").unwrap(), BigUint::from(120_u8));
        let nines = "9".repeat(101);
        assert_eq!(BigUint::read(&nines[1..]).unwrap().to_string(), nines[1..]);
        for bad in [
            "", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "1_0", "١", "0x1", &nines,
        ] {
            assert!(
                refused::<BigUint>(bad) && refused::<usize>(bad) && refused::<u32>(bad),
                "{bad:?}"
            );
        }
        assert_eq!(usize::read("18446744073709551615"), Ok(usize::MAX));
        assert!(refused::<usize>("18446744073709551616") && refused::<u32>("4294967296"));
        assert_eq!(i64::read("-9223372036854775808"), Ok(i64::MIN));
        for bad in ["", "-0", "--1", "+1", "-01", "-", "9223372036854775808"] {
            assert!(refused::<i64>(bad), "{bad:?}");
        }
    }

    #[test]
    fn rows_are_read_and_written_as_they_stand() {
        for text in ["[]", r#"[""]"#, r#"["","2 0","","7"]"#] {
            let rows: Rows<usize> = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&rows).unwrap(), text);
            assert_eq!(rows, rows.iter().map(<[usize]>::to_vec).collect());
            assert_eq!((rows.get(rows.len()), rows.get(usize::MAX)), (None, None));
        }
        let rows: Rows<usize> = serde_json::from_str(r#"["","2 0","","7"]"#).unwrap();
        assert_eq!(
            [rows.get(0), rows.get(1), rows.get(3)],
            [Some(&[][..]), Some(&[2, 0]), Some(&[7])]
        );
        for bad in [r#"["2  0"]"#, r#""2 0""#, "[2]", "[null]", "{}"] {
            assert!(serde_json::from_str::<Rows<usize>>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_have_single_spaces() {
        assert_eq!(Vec::<usize>::read(""), Ok(vec![]));
        assert_eq!(Vec::read("2 0"), Ok(vec![2_usize, 0]));
        assert_eq!(Vec::read("-2 0"), Ok(vec![-2_i64, 0]));
        assert_eq!(vec![-2_i64, 0].write(), "-2 0");
        for bad in ["2  0", " ", "2 ", " 2", "2 -0 1", "2,0", "2\t0"] {
            assert!(refused::<Vec<i64>>(bad), "{bad:?}");
        }
        let message = Vec::<i64>::read("2 -0 1").unwrap_err();
        assert_eq!(
            message,
            "expected an integer from -2^63 to 2^63 - 1, in the one spelling, found \"-0\""
        );
    }
}
