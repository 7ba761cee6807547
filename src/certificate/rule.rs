//! Objects whose first field names what they are: what follows goes straight to the type of those hints. serde's own reader
//! of such objects keeps all that it holds in memory first, at many times the file's length.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The value of an object's first field, which must have this name.
pub(super) fn first_field<'de, A: MapAccess<'de>>(
    fields: &mut A,
    name: &str,
) -> Result<String, A::Error> {
    match fields.next_key::<String>()? {
        Some(first) if first == name => fields.next_value(),
        _ => Err(A::Error::custom(format!(
            "the first field must be the {name}"
        ))),
    }
}

/// The first field of an object, which must have this name; whatever else the object holds.
pub(super) struct First(pub(super) &'static str);

impl<'de> DeserializeSeed<'de> for First {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for First {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with its {} as the first field", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<String, A::Error> {
        let first = first_field(&mut fields, self.0)?;
        while let Some((name, _)) = fields.next_entry::<String, IgnoredAny>()? {
            // Hints of another family may be of any shape, but a version that is said twice is none.
            if self.0 == "gbmi" && name == self.0 {
                return Err(A::Error::duplicate_field(self.0));
            }
        }
        Ok(first)
    }
}

/// Reads an enum of hints, each variant from one type, by the name in the first field.
macro_rules! named {
    ($field:literal, $hints:ident: $($name:literal => $variant:ident($type:ty)),+) => {
        impl<'de> serde::Deserialize<'de> for $hints {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Named;
                impl<'de> serde::de::Visitor<'de> for Named {
                    type Value = $hints;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an object with its ", $field, " as the first field"))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> Result<$hints, A::Error> {
                        use serde::de::Error;
                        let name = crate::certificate::rule::first_field(&mut fields, $field)?;
                        let hints = serde::de::value::MapAccessDeserializer::new(fields);
                        match name.as_str() {
                            $($name => Ok($hints::$variant(<$type>::deserialize(hints)?.into())),)+
                            other => Err(A::Error::unknown_variant(other, &[$($name),+])),
                        }
                    }
                }
                deserializer.deserialize_map(Named)
            }
        }
    };
}
