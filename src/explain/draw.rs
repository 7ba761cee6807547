//! A picture: undecided shares by query and maximum, and what each rule loses; of a proof that leaves nothing undecided,
//! wrong shares.

use super::{Explanation, Outcome};
use crate::inspect::{Bars, Ends, Format, HeatMap, REDS};
use crate::refusal::Refusal;
use nalgebra::DMatrix;
use num_bigint::BigUint;
use num_traits::ToPrimitive;
use std::path::{Path, PathBuf};

/// The logarithm of the least share that is shown.
const LEAST: f64 = -6.0;

/// Draws an explanation into the folder `out`, as `explain.svg` or `explain.png`.
///
/// # Errors
/// [`Refusal::Unreadable`] when it cannot be written; no half-written file is left.
pub fn draw(explanation: &Explanation, out: &Path, format: Format) -> Result<PathBuf, Refusal> {
    let rows = &explanation.rows;
    let maxima = rows.iter().map(|row| row.maximum + 1).max().unwrap_or(0);
    let queries = rows
        .iter()
        .filter_map(|row| Some(row.query? + 1))
        .max()
        .unwrap_or(1);
    let decided = explanation.undecided() == BigUint::default();
    let mut table = DMatrix::from_element(queries, maxima, f64::NAN);
    for row in rows {
        if let Some(cell) = table.get_mut((row.query.unwrap_or(0), row.maximum)) {
            // A few in a million may be most of what is lost: white is no share, or less than this.
            let shown = if decided {
                row.wrong.clone()
            } else {
                row.undecided()
            };
            *cell = share(&shown, &row.inputs).log10().max(LEAST);
        }
    }
    let told_apart = rows.iter().any(|row| row.query.is_some());
    let loss = explanation.loss();
    let bar = |replacement: &super::Replacement| {
        let name = format!("{} → {}", replacement.rule, replacement.by);
        match &replacement.outcome {
            Outcome::Unused => (name, 0.0, "not used".into()),
            Outcome::TooLong(_) => (name, 0.0, "too long".into()),
            Outcome::Done {
                certified, wrong, ..
            } => {
                let gained = super::less(&loss, &explanation.loss_with(certified, wrong));
                let share = share(&gained, &loss);
                (name, share, format!("{:.1} %", 100.0 * share))
            }
        }
    };
    let what = if explanation.unknown.is_none() {
        "right inputs not certified"
    } else {
        "undecided inputs"
    };
    let map = HeatMap {
        title: if decided {
            "Wrong inputs, by query and maximum".into()
        } else {
            "Undecided inputs, by query and maximum".into()
        },
        columns: "maximum m",
        rows: if told_apart { "query q" } else { "all q" },
        unit: if decided {
            "log10 of the share wrong"
        } else {
            "log10 of the share undecided"
        },
        colours: &REDS,
        ends: Ends::Fixed(LEAST, 0.0),
        bars: Some(Bars {
            title: format!("Share of {what} gained by one replacement"),
            bars: explanation.replacements.iter().map(bar).collect(),
        }),
        ..HeatMap::of(table)
    };
    map.save(out, "explain", format)
}

fn share(part: &BigUint, whole: &BigUint) -> f64 {
    let (part, whole) = (
        part.to_f64().unwrap_or(0.0),
        whole.to_f64().unwrap_or(f64::INFINITY),
    );
    if whole > 0.0 { part / whole } else { 0.0 }
}
