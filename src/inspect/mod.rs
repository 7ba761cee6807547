//! What a network looks like inside: singular values and sizes of its circuits, and pictures of them.
//!
//! Untrusted and in double precision: for looking, not for proving.

mod anatomy;
mod attention;
mod bounds;
mod colours;
mod composition;
mod draw;
mod heads;
mod heat_map;
mod maps;
mod neurons;
mod panels;
mod picture;
mod tables;
mod text;

pub use anatomy::Anatomy;
pub use bounds::{Bounds, Point, Series, draw_bounds};
pub(crate) use colours::REDS;
pub use composition::{Composition, Compositions};
pub use draw::draw;
pub use heads::{Circuits, Heads, parts};
pub(crate) use heat_map::{Bars, Ends, HeatMap};
pub use neurons::{Frequency, Neuron, NeuronLayer};
pub use picture::Format;

use crate::model::OneHead;
use nalgebra::DMatrix;
use serde::Serialize;
use std::fmt;
pub use tables::Tables;

/// Sizes, singular values and path sizes of a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Number of tokens, v.
    pub d_vocab: usize,
    /// Input length, n.
    pub n_ctx: usize,
    /// Width of the residual stream, d.
    pub d_model: usize,
    /// Width of the head, h.
    pub d_head: usize,
    /// What attention scores are divided by: `sqrt_d_head` or `one`.
    pub scale: &'static str,
    /// The network's digest: see [`Network::from_bytes`](crate::model::Network::from_bytes).
    #[serde(rename = "network_sha256")]
    pub sha256: String,
    /// The QK circuit: the `v × v` table A(q, t) of scores, in units of softmax exponents.
    pub qk: Spectrum,
    /// The OV circuit: the `v × v` table EV(t, j), in units of logits.
    pub ov: Spectrum,
    /// How large the five paths are.
    pub paths: Paths,
}

/// Singular values of a circuit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spectrum {
    /// The `min(d_head, d_vocab)` singular values that need not be zero, largest first.
    pub singular_values: Vec<f64>,
    /// σ₁/σ₂: how nearly the circuit is of rank one; `null` when σ₂ is zero or there is none.
    pub ratio: Option<f64>,
}

/// The size of each path after the free centring: what every key adds alike to a query's scores, and what every row
/// adds alike to all logits, changes nothing and is removed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paths {
    /// A(q, t): score of the key token t, less its mean over t. In units of softmax exponents.
    pub a: Size,
    /// B(q, p): score of the key position p, less its mean over p. In units of softmax exponents.
    pub b: Size,
    /// EV(t, j): logit j from attending to token t, less its mean over j.
    pub ev: Size,
    /// PV(p, j): logit j from attending to position p, less its mean over j.
    pub pv: Size,
    /// D(q, j): logit j from the query token directly, with all biases, less its mean over j.
    pub d: Size,
}

/// The extent of a table's entries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Size {
    /// The smallest entry.
    pub min: f64,
    /// The largest entry.
    pub max: f64,
    /// The mean of the absolute values.
    pub mean_abs: f64,
}

/// Computes what [`Inspection`] lists, in double precision.
pub fn inspect(network: &OneHead<'_>) -> Inspection {
    let config = &network.config;
    let tables = Tables::new(network);
    Inspection {
        d_vocab: config.d_vocab,
        n_ctx: config.n_ctx,
        d_model: config.d_model,
        d_head: config.d_head,
        scale: config.scale.name(),
        sha256: network.network.sha256.clone(),
        qk: Spectrum::of_product(&tables.queries, &tables.keys.transpose()),
        ov: Spectrum::of_product(&tables.values, &tables.outputs),
        paths: Paths {
            a: Size::of(tables.a()),
            b: Size::of(tables.b()),
            ev: Size::of(tables.ev()),
            pv: Size::of(tables.pv()),
            d: Size::of(tables.d),
        },
    }
}

impl Spectrum {
    /// The singular values of `left · right`, of sizes `v × h` and `h × v`. With `left = Q R` and `rightᵀ = Q′ R′` they
    /// are those of `R R′ᵀ`, which is no larger than `h × h`: no `v × v` matrix has to be decomposed.
    fn of_product(left: &DMatrix<f64>, right: &DMatrix<f64>) -> Self {
        let (left, right) = (left.clone().qr().r(), right.transpose().qr().r());
        let mut singular_values: Vec<f64> = (left * right.transpose())
            .singular_values()
            .iter()
            .copied()
            .collect();
        singular_values.sort_by(|one, other| other.total_cmp(one));
        let ratio = match singular_values.as_slice() {
            [first, second, ..] if *second > 0.0 => Some(first / second),
            _ => None,
        };
        Self {
            singular_values,
            ratio,
        }
    }

    /// σ₁/σ₂ and the leading singular values, as they are printed.
    fn leading(&self) -> String {
        let ratio = self.ratio.map_or("-".into(), number);
        let shown = self.singular_values.iter().take(SHOWN);
        let shown: Vec<String> = shown.copied().map(number).collect();
        let more = if self.singular_values.len() > SHOWN {
            " …"
        } else {
            ""
        };
        format!("{ratio:>6}   {}{more}", shown.join(" "))
    }
}

impl Size {
    /// The size of a table's entries after the mean of every row is removed.
    fn of(table: DMatrix<f64>) -> Self {
        let table = tables::rows_centred(table);
        let count = table.len().max(1) as f64;
        let mean_abs = table.iter().map(|entry| entry.abs()).sum::<f64>() / count;
        let min = table.iter().copied().fold(f64::INFINITY, f64::min);
        let max = table.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { min, max, mean_abs }
    }
}

/// How many singular values are printed.
const SHOWN: usize = 6;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = if self.scale == "one" {
            "1"
        } else {
            "√d_head"
        };
        writeln!(f, "network  {}", self.sha256)?;
        writeln!(
            f,
            "sizes    d_vocab {}, n_ctx {}, d_model {}, d_head {}; scores divided by {scale}",
            self.d_vocab, self.n_ctx, self.d_model, self.d_head
        )?;
        writeln!(f, "\ncircuit   σ1/σ2   leading singular values")?;
        for (name, spectrum) in [("QK", &self.qk), ("OV", &self.ov)] {
            writeln!(f, "{name:<7}  {}", spectrum.leading())?;
        }
        writeln!(
            f,
            "\n{:<39} {:>8} {:>8}   {:>8}",
            "path, centred", "min", "max", "mean |·|"
        )?;
        let paths = &self.paths;
        for (name, size) in [
            ("A   token scores      (query, key)", paths.a),
            ("B   position scores   (query, position)", paths.b),
            ("EV  token logits      (key, logit)", paths.ev),
            ("PV  position logits   (position, logit)", paths.pv),
            ("D   direct logits     (query, logit)", paths.d),
        ] {
            let (min, max, mean_abs) = (number(size.min), number(size.max), number(size.mean_abs));
            writeln!(f, "{name:<39} {min:>8} {max:>8}   {mean_abs:>8}")?;
        }
        Ok(())
    }
}

/// A number with three or four significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        size if size < 10.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        size if size < 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
