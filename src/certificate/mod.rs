//! The format of a proof: certificate version 3, specified in `docs/certificate.md`.
//!
//! A certificate is a claim and hints, and stands in the file as it stands here. Reading it checks its form only: fields
//! and canonical numbers. Nothing in it is believed; the checker derives everything it uses from the weights, and a hint
//! that is missing, out of range or of the wrong length proves nothing.
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

#[macro_use]
mod rule;
pub mod exhaustive;
mod json;
pub mod levels;
mod numbers;
pub mod published;

pub use numbers::Rows;

use crate::model::Network;
use crate::refusal::{Decline, Mismatch, Refusal, Rejection, cut};
use exhaustive::Exhaustive;
use levels::Levels;
use num_bigint::BigUint;
use num_traits::Zero;
use numbers::{margin, text};
use published::Published;
use rule::First;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_path_to_error::{Deserializer as Tracked, Track};
use std::fmt;
use std::marker::PhantomData;

/// The certificate version that this build reads and writes.
pub const VERSION: &str = "3";
/// The largest certificate that is read, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;
/// Margins are claimed in units of 2^-48, the finest step of the checker's arithmetic.
pub const MARGIN_BITS: i32 = 48;

/// A certificate: a claim, and hints for the rules that prove it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The version; the first field.
    pub gbmi: String,
    /// SHA-256 of the network, in hexadecimal.
    pub network: String,
    /// Where the prover found the model, relative to the certificate: a suggestion only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The strategy's name: a label only.
    pub strategy: String,
    /// What is claimed.
    pub claim: Claim,
    /// What makes it cheap to check.
    pub hints: Hints,
}

/// What is claimed: so many inputs are answered correctly.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The network's task.
    #[serde(deserialize_with = "json::bounded")]
    pub task: Value,
    /// At least this many inputs are answered correctly.
    #[serde(with = "text")]
    pub correct: BigUint,
    /// At most this many inputs are answered correctly, if claimed.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub upper: Option<BigUint>,
    /// Of this many.
    #[serde(with = "text")]
    pub total: BigUint,
    /// An input is answered correctly if its logit exceeds every other by more than this, in units of `2^-MARGIN_BITS`.
    #[serde(default, with = "margin", skip_serializing_if = "Zero::is_zero")]
    pub margin: BigUint,
    /// Reserved: is float32 evaluation claimed about?
    #[serde(default, deserialize_with = "present", skip_serializing)]
    pub float32: bool,
    /// Reserved: is an answer claimed about only if all answers of its input are?
    #[serde(default, deserialize_with = "present", skip_serializing)]
    pub all_read_outs: bool,
}

/// A field that is reserved: whatever it holds.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The hints of one family of rules.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "family", rename_all = "snake_case")]
pub enum Hints {
    /// Every input, evaluated.
    Exhaustive(Exhaustive),
    /// Max-of-n level by level of the maximum: our own proofs.
    Levels(Box<Levels>),
    /// The proofs of the published strategies.
    Published(Published),
}

named!("family", Hints: "exhaustive" => Exhaustive(Exhaustive), "levels" => Levels(Levels), "published" => Published(Published));

/// The families that this build has, as a refusal names them.
const FAMILIES: &str = "exhaustive, levels, published";

/// The family alone, whatever else the file holds.
#[derive(Deserialize)]
struct Named {
    #[serde(deserialize_with = "family")]
    hints: String,
}

fn family<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    First("family").deserialize(deserializer)
}

impl Certificate {
    /// Reads a certificate's text.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] with the path; [`Decline::Version`]; [`Decline::TooLarge`] above [`MAX_BYTES`].
    ///
    /// ```
    /// use gbmi::certificate::Certificate;
    ///
    /// let text = std::fs::read("tests/certificates/accept/brute_force.json").unwrap();
    /// let certificate = Certificate::read(&text)?;
    /// assert_eq!(certificate.claim.total, 125_u32.into());
    ///
    /// let refusal = Certificate::read(br#"{"gbmi":"9"}"#).unwrap_err();
    /// assert!(refusal.to_string().starts_with("unsupported certificate version"));
    /// # Ok::<(), gbmi::refusal::Refusal>(())
    /// ```
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let found = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if found > MAX_BYTES {
            return Err(Decline::too_large("the certificate", MAX_BYTES, found).into());
        }
        let gbmi = deserialize(First("gbmi"), text)?;
        if gbmi != VERSION {
            let (found, supported) = (format!("{:?}", cut(gbmi)), VERSION);
            return Err(Decline::Version { found, supported }.into());
        }
        let certificate: Self = deserialize(PhantomData, text).map_err(|malformed| {
            // Hints of another family may be of any shape.
            match deserialize(PhantomData, text) {
                Ok(Named { hints: found })
                    if !FAMILIES.split(", ").any(|family| family == found) =>
                {
                    let (found, supported) = (cut(found), FAMILIES);
                    Decline::Family { found, supported }.into()
                }
                _ => malformed,
            }
        })?;
        let claim = &certificate.claim;
        let reserved = [
            ("float32", claim.float32),
            ("all_read_outs", claim.all_read_outs),
        ];
        if let Some((field, _)) = reserved.into_iter().find(|(_, is_there)| *is_there) {
            let reason = "such claims are not built yet";
            return Err(Decline::Claim { field, reason }.into());
        }
        deserialize(Shape { list: false }, text)?;
        Ok(certificate)
    }

    /// Checks that this certificate is about this network.
    ///
    /// # Errors
    /// [`Rejection::WrongNetwork`]; [`Rejection::WrongClaim`].
    pub fn is_about(&self, network: &Network) -> Result<(), Rejection> {
        // The digest first: sizes that do not fit another network are no news.
        if self.network != network.sha256 {
            let (expected, found) = (cut(&self.network), network.sha256.clone());
            return Err(Rejection::WrongNetwork { expected, found });
        }
        self.claim.fits(network)
    }
}

impl Claim {
    fn fits(&self, network: &Network) -> Result<(), Rejection> {
        let fits = |path: &str, fits: bool, expected: &dyn ToString, found: &dyn ToString| {
            let (expected, found) = (cut(expected.to_string()), cut(found.to_string()));
            let wrong = Rejection::WrongClaim(Mismatch::new(path, expected, found));
            if fits { Ok(()) } else { Err(wrong) }
        };
        let (task, total) = (&network.task_name, &network.task.size());
        let (correct, upper) = (&self.correct, self.upper.as_ref().unwrap_or(total));
        let most = format!("at most claim.total = {total}");
        fits("claim.task", self.task == *task, task, &self.task)?;
        fits("claim.total", self.total == *total, total, &self.total)?;
        fits("claim.correct", correct <= total, &most, correct)?;
        fits("claim.upper", upper <= total, &most, upper)
    }
}

fn malformed(path: impl ToString, found: impl ToString) -> Rejection {
    Rejection::Malformed {
        path: path.to_string(),
        found: found.to_string(),
    }
}

fn deserialize<'a, S: DeserializeSeed<'a>>(seed: S, text: &'a [u8]) -> Result<S::Value, Refusal> {
    let (mut json, mut track) = (serde_json::Deserializer::from_slice(text), Track::new());
    let value = seed.deserialize(Tracked::new(&mut json, &mut track));
    let value = value.map_err(|error| malformed(track.path(), error))?;
    json.end().map_err(|error| malformed(".", error))?;
    Ok(value)
}

/// The fields that are arrays.
const ARRAYS: &str = "orders basis peel left right means token_orders query_orders last_orders plans assignment groups \
    without upper lower references slopes gaps";

/// Strings and objects, and arrays of them where lists stand: serde alone would take an array for an object, and null for
/// what may be left out.
struct Shape {
    list: bool,
}

impl<'de> DeserializeSeed<'de> for Shape {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            if name == "task" {
                // Any JSON: it has been read already.
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            fields.next_value_seed(Self {
                list: ARRAYS.split(' ').any(|array| array == name),
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if !self.list {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        while items.next_element_seed(Self { list: false })?.is_some() {}
        Ok(())
    }
}
