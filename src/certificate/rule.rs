//! Objects whose first field names what they are: what follows goes straight to the type of those hints. serde's own reader
//! of such objects keeps all that it holds in memory first, at many times the file's length.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The value of an object's first field, which must have this name.
pub(super) fn first_field<'de, A: MapAccess<'de>>(
    fields: &mut A,
    name: &str,
) -> Result<String, A::Error> {
    if fields
        .next_key::<String>()?
        .is_none_or(|first| first != name)
    {
        return Err(A::Error::custom(format!(
            "the first field must be the {name}"
        )));
    }
    fields.next_value::<String>()
}

/// The family that an object of hints names, whatever else it holds.
pub(super) struct Family(pub(super) String);

impl<'de> Deserialize<'de> for Family {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = Family;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with its family as the first field")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Family, A::Error> {
                let family = first_field(&mut fields, "family")?;
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Family(family))
            }
        }
        deserializer.deserialize_map(First)
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
