//! Rules, each an object whose first field names it: what follows goes straight to the type of that rule's hints. serde's
//! own reader of such objects keeps all that it holds in memory first, at many times the file's length.

/// Reads an enum of rules, each variant from one type of hints.
macro_rules! ruled {
    ($rules:ident: $($name:literal => $variant:ident($hints:ty)),+) => {
        impl<'de> serde::Deserialize<'de> for $rules {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Rule;
                impl<'de> serde::de::Visitor<'de> for Rule {
                    type Value = $rules;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object with its rule as the first field")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> Result<$rules, A::Error> {
                        use serde::de::Error;
                        if fields.next_key::<String>()?.is_none_or(|first| first != "rule") {
                            return Err(A::Error::custom("the first field must be the rule"));
                        }
                        let rule = fields.next_value::<String>()?;
                        let hints = serde::de::value::MapAccessDeserializer::new(fields);
                        match rule.as_str() {
                            $($name => Ok($rules::$variant(<$hints>::deserialize(hints)?.into())),)+
                            other => Err(A::Error::unknown_variant(other, &[$($name),+])),
                        }
                    }
                }
                deserializer.deserialize_map(Rule)
            }
        }
    };
}
