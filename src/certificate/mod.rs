//! The format of a proof: certificate version 1, specified in `docs/certificate.md`.
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
pub mod levels;
mod numbers;
pub mod published;

pub use numbers::Rows;

use crate::model::{Config, Network};
use crate::refusal::{Decline, Refusal, Rejection};
use levels::{ExactAttention, Partition, Split};
use num_bigint::BigUint;
use numbers::text;
use published::{Gaps, LowRank, MaxDiff, NoHints};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_path_to_error::Track;
use std::fmt;
use std::marker::PhantomData;

/// The certificate version that this build reads and writes.
pub const VERSION: &str = "1";
/// The largest certificate that is read, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;
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
    /// The attention rule.
    pub attention: Attention,
    /// The direct-path rule.
    pub direct_path: DirectPath,
    /// The criterion.
    pub criterion: Criterion,
}

/// What is claimed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// [`Config::TASK`].
    pub task: String,
    /// Number of tokens.
    #[serde(with = "text")]
    pub d_vocab: usize,
    /// Input length.
    #[serde(with = "text")]
    pub n_ctx: usize,
    /// At least this many inputs are answered correctly.
    #[serde(with = "text")]
    pub correct: BigUint,
    /// At most this many inputs are answered correctly, if claimed.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub upper: Option<BigUint>,
}

/// The attention rule.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Attention {
    /// Scores answered for one by one.
    Exact(ExactAttention),
    /// Published: a low-rank part, and a bound on the rest.
    LowRank(LowRank),
}

ruled!(Attention: "exact" => Exact(ExactAttention), "low_rank" => LowRank(LowRank));

/// The direct-path rule.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum DirectPath {
    /// Margins answer by answer.
    Split(Split),
    /// Published: dimension by dimension.
    MaxDiff(MaxDiff),
    /// Published: the range of every query's row.
    MaxDiffExact(NoHints),
    /// Published: the range of all rows together.
    GlobalMaxDiffExact(NoHints),
}

ruled!(DirectPath: "split" => Split(Split), "max_diff" => MaxDiff(MaxDiff), "max_diff_exact" => MaxDiffExact(NoHints),
    "global_max_diff_exact" => GlobalMaxDiffExact(NoHints));

/// The criterion.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Criterion {
    /// Partition of the wrong answers, window, whole-level test, count.
    Partition(Partition),
    /// Published: a gap below the maximum.
    Gaps(Gaps),
    /// Published.
    Convexity(NoHints),
}

ruled!(Criterion: "partition" => Partition(Partition), "gaps" => Gaps(Gaps), "convexity" => Convexity(NoHints));

/// The version alone, whatever else the file holds.
#[derive(Deserialize)]
struct Version {
    gbmi: String,
}

impl Certificate {
    /// Reads a certificate's text.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] with the path; [`Decline::Version`]; [`Decline::TooLarge`] above [`MAX_BYTES`].
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let found = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if found > MAX_BYTES {
            return Err(Decline::TooLarge {
                what: "the certificate".into(),
                limit: MAX_BYTES,
                found,
            }
            .into());
        }
        if !text
            .iter()
            .filter(|byte| !byte.is_ascii_whitespace())
            .take(7)
            .eq(br#"{"gbmi""#)
        {
            return Err(malformed(".", "the first field must be the version, \"gbmi\"").into());
        }
        let Version { gbmi } = deserialize(PhantomData, text)?;
        if gbmi != VERSION {
            let found = format!("{:?}", gbmi.chars().take(40).collect::<String>());
            return Err(Decline::Version {
                found,
                supported: VERSION,
            }
            .into());
        }
        let certificate = deserialize(PhantomData, text)?;
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
            let expected = self.network.chars().take(64).collect();
            return Err(Rejection::WrongNetwork {
                expected,
                found: network.sha256.clone(),
            });
        }
        self.claim.fits(&network.config)
    }
}

impl Claim {
    fn fits(&self, config: &Config) -> Result<(), Rejection> {
        let fits = |path, fits: bool, expected: String, found: &dyn ToString| {
            if fits {
                Ok(())
            } else {
                Err(Rejection::WrongClaim {
                    path,
                    expected,
                    found: found.to_string(),
                })
            }
        };
        let Config { d_vocab, n_ctx, .. } = config;
        fits(
            "claim.task",
            self.task == Config::TASK,
            Config::TASK.into(),
            &self.task,
        )?;
        fits(
            "claim.d_vocab",
            self.d_vocab == *d_vocab,
            d_vocab.to_string(),
            &self.d_vocab,
        )?;
        fits(
            "claim.n_ctx",
            self.n_ctx == *n_ctx,
            n_ctx.to_string(),
            &self.n_ctx,
        )?;
        let (total, upper) = (config.inputs(), self.upper.clone().unwrap_or_default());
        let most = || format!("at most d_vocab^n_ctx = {total}");
        fits(
            "claim.correct",
            self.correct <= total,
            most(),
            &self.correct,
        )?;
        fits("claim.upper", upper <= total, most(), &upper)
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
    let value = seed.deserialize(serde_path_to_error::Deserializer::new(
        &mut json, &mut track,
    ));
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

impl Config {
    /// The number of inputs, `d_vocab^n_ctx`.
    pub fn inputs(&self) -> BigUint {
        u32::try_from(self.n_ctx).map_or_else(
            |_| BigUint::default(),
            |n| BigUint::from(self.d_vocab).pow(n),
        )
    }
}
