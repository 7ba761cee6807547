//! Heat maps: of the two circuits, and for whoever else has a table to show.

use super::picture::{
    BELOW, CENTRED, Format, INK, LABEL, LEFTWARDS, MARGIN, Picture, RIGHTWARDS, Sheet, TICK, TITLE,
    TOP, round_numbers,
};
use super::tables::{Tables, rows_centred};
use crate::model::OneHead;
use crate::refusal::Refusal;
use nalgebra::DMatrix;
use plotters::prelude::*;
use std::path::{Path, PathBuf};

/// Draws the QK circuit A(q, t) as `qk.svg` and the OV circuit EV(t, j) as `ov.svg` (or `.png`) into the folder `out`,
/// which is created if there is none, and returns their paths. Both are drawn after the free centring, less the mean
/// of every row: only differences within a row change what the network does.
///
/// # Errors
/// [`Refusal::Unreadable`] when a file cannot be written; no half-written file is left.
pub fn draw(network: &OneHead<'_>, out: &Path, format: Format) -> Result<Vec<PathBuf>, Refusal> {
    let tables = Tables::new(network);
    let scores = HeatMap {
        title: "QK circuit: attention score A(q, t), row mean removed",
        columns: "key token t",
        rows: "query token q",
        unit: "softmax exponent",
        colours: &VIRIDIS,
        ends: Ends::Table,
        table: rows_centred(tables.a()),
        bars: None,
    };
    let logits = HeatMap {
        title: "OV circuit: logit EV(t, j), row mean removed",
        columns: "output logit j",
        rows: "input token t",
        unit: "logit",
        colours: &BLUE_WHITE_RED,
        ends: Ends::Symmetric,
        table: rows_centred(tables.ev()),
        bars: None,
    };
    [("qk", scores), ("ov", logits)]
        .into_iter()
        .map(|(name, map)| map.draw(out, name, format))
        .collect()
}

/// Distances, in pixels.
const LEFT: i32 = 84;
const BAR_GAP: i32 = 28;
const BAR: i32 = 24;
const BAR_LABELS: i32 = 112;
/// The side of the map, to which cells of whole pixels come as near as they can.
const SIDE: i32 = 640;

/// The height of a bar below the map, and the width of its two texts.
const BAR_BELOW: i32 = 26;
const BAR_NAME: i32 = 330;
const BAR_VALUE: i32 = 130;

/// A table, and how to show it. Entries that are not numbers are left grey.
pub(crate) struct HeatMap<'a> {
    pub(crate) title: &'a str,
    pub(crate) columns: &'a str,
    pub(crate) rows: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) colours: &'a [[u8; 3]],
    pub(crate) ends: Ends,
    pub(crate) table: DMatrix<f64>,
    pub(crate) bars: Option<Bars>,
}

/// The values at the two ends of the colours.
#[derive(Clone, Copy)]
pub(crate) enum Ends {
    /// The smallest entry and the largest.
    Table,
    /// As far below zero as above.
    Symmetric,
    /// These, whatever the entries.
    Fixed(f64, f64),
}

/// Bars below a map.
pub(crate) struct Bars {
    pub(crate) title: String,
    /// By bar: its name, its length from 0 to 1, and what is said of it.
    pub(crate) bars: Vec<(String, f64, String)>,
}

struct Layout {
    cell: i32,
    /// Width and height of the map itself.
    map: (i32, i32),
}

impl HeatMap<'_> {
    /// Draws the map into the folder `out`, which is created if there is none, as `name.svg` or `name.png`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when it cannot be written; no half-written file is left.
    pub(crate) fn save(&self, out: &Path, name: &str, format: Format) -> Result<PathBuf, Refusal> {
        self.draw(out, name, format)
    }

    fn layout(&self) -> Layout {
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let (rows, cols) = (count(self.table.nrows()), count(self.table.ncols()));
        // Whole pixels: no seams between cells, and all of one size.
        let cell = (SIDE / rows.max(cols).max(1)).max(1);
        let map = (cols.saturating_mul(cell), rows.saturating_mul(cell));
        Layout { cell, map }
    }

    /// The values at the two ends of the colours.
    fn range(&self) -> (f64, f64) {
        let low = self.table.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.table.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match self.ends {
            Ends::Table => (low, high),
            Ends::Symmetric => (-high.max(-low), high.max(-low)),
            Ends::Fixed(low, high) => (low, high),
        };
        if low < high {
            (low, high)
        } else {
            (low - 1.0, high + 1.0)
        }
    }
}

impl Picture for HeatMap<'_> {
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.layout().map;
        let bars = |bars: &Bars| {
            let count = i32::try_from(bars.bars.len()).unwrap_or(0);
            LABEL + MARGIN + count * BAR_BELOW + MARGIN
        };
        let below = BELOW + self.bars.as_ref().map_or(0, bars);
        let size = (
            LEFT + width + BAR_GAP + BAR + BAR_LABELS,
            TOP + height + below,
        );
        (size.0.unsigned_abs(), size.1.unsigned_abs())
    }

    fn paint<B: DrawingBackend>(
        &self,
        sheet: &Sheet<'_, B>,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let Layout {
            cell,
            map: (width, height),
        } = self.layout();
        sheet.text(self.title, (LEFT + width / 2, TOP / 2), TITLE, CENTRED)?;

        let (low, high) = self.range();
        let colour = |value: f64| {
            if value.is_nan() {
                GREY
            } else {
                interpolate(self.colours, (value - low) / (high - low))
            }
        };
        for (row, y) in (TOP..)
            .step_by(step(cell))
            .enumerate()
            .take(self.table.nrows())
        {
            let colours: Vec<RGBColor> = self
                .table
                .row(row)
                .iter()
                .map(|entry| colour(*entry))
                .collect();
            let mut x = LEFT;
            for run in colours.chunk_by(PartialEq::eq) {
                let right = x + cell * i32::try_from(run.len()).unwrap_or(i32::MAX);
                if let Some(colour) = run.first() {
                    sheet.rectangle((x, y), (right, y + cell), colour.filled())?;
                }
                x = right;
            }
        }
        sheet.rectangle((LEFT, TOP), (LEFT + width, TOP + height), INK)?;

        // Token numbers, at the middle of their cells.
        for token in ticks(self.table.ncols()) {
            let x = LEFT + cell * token + cell / 2;
            sheet.line((x, TOP + height), (x, TOP + height + 5), INK)?;
            sheet.text(&token.to_string(), (x, TOP + height + 16), TICK, CENTRED)?;
        }
        for token in ticks(self.table.nrows()) {
            let y = TOP + cell * token + cell / 2;
            sheet.line((LEFT - 5, y), (LEFT, y), INK)?;
            sheet.text(&token.to_string(), (LEFT - 9, y), TICK, LEFTWARDS)?;
        }
        let below = TOP + height + BELOW - MARGIN - LABEL / 2;
        sheet.text(self.columns, (LEFT + width / 2, below), LABEL, CENTRED)?;
        sheet.text_upwards(self.rows, (MARGIN + LABEL / 2, TOP + height / 2), LABEL)?;

        // The colour bar: its lower end is the smallest value.
        let left = LEFT + width + BAR_GAP;
        for y in 0..height {
            let value = high - (high - low) * (f64::from(y) + 0.5) / f64::from(height);
            sheet.rectangle(
                (left, TOP + y),
                (left + BAR, TOP + y + 1),
                colour(value).filled(),
            )?;
        }
        sheet.rectangle((left, TOP), (left + BAR, TOP + height), INK)?;
        for (value, label) in round_numbers(low, high) {
            let y = TOP + ((high - value) / (high - low) * f64::from(height)).round() as i32;
            sheet.line((left + BAR, y), (left + BAR + 5, y), INK)?;
            sheet.text(&label, (left + BAR + 9, y), TICK, RIGHTWARDS)?;
        }
        let x = left + BAR + BAR_LABELS - MARGIN - LABEL / 2;
        sheet.text_upwards(self.unit, (x, TOP + height / 2), LABEL)?;

        let Some(bars) = &self.bars else {
            return Ok(());
        };
        let top = TOP + height + BELOW;
        let left = MARGIN + BAR_NAME;
        let most = LEFT + width + BAR_GAP + BAR + BAR_LABELS - left - BAR_VALUE;
        sheet.text(&bars.title, (MARGIN, top + LABEL / 2), LABEL, RIGHTWARDS)?;
        let last = self.colours.len().saturating_sub(3) as f64 / self.colours.len().max(2) as f64;
        let fill = interpolate(self.colours, last).filled();
        for ((name, length, said), y) in bars
            .bars
            .iter()
            .zip((top + LABEL + MARGIN..).step_by(step(BAR_BELOW)))
        {
            let right = left + (length.clamp(0.0, 1.0) * f64::from(most)).round() as i32;
            sheet.text(name, (left - 9, y + BAR_BELOW / 2), TICK, LEFTWARDS)?;
            sheet.rectangle((left, y + 4), (right, y + BAR_BELOW - 4), fill)?;
            sheet.text(said, (right + 9, y + BAR_BELOW / 2), TICK, RIGHTWARDS)?;
        }
        let bottom = top + LABEL + MARGIN + BAR_BELOW * i32::try_from(bars.bars.len()).unwrap_or(0);
        sheet.line((left, top + LABEL + MARGIN), (left, bottom), INK)
    }
}

/// Where there is no entry.
const GREY: RGBColor = RGBColor(235, 235, 235);

fn step(size: i32) -> usize {
    usize::try_from(size).unwrap_or(1)
}

/// The tokens to number: at most ten, a round number apart.
fn ticks(count: usize) -> impl Iterator<Item = i32> {
    let apart = [1, 2, 5, 10, 20, 50, 100]
        .into_iter()
        .find(|apart| count <= 10 * apart)
        .unwrap_or(200);
    (0..count)
        .step_by(apart)
        .filter_map(|token| i32::try_from(token).ok())
}

/// The colour at `place`, from 0 to 1, between evenly spaced colours.
fn interpolate(colours: &[[u8; 3]], place: f64) -> RGBColor {
    let place = place.clamp(0.0, 1.0) * colours.len().saturating_sub(1) as f64;
    let index = place.floor();
    let at = |index: usize| {
        colours
            .get(index)
            .or(colours.last())
            .copied()
            .unwrap_or_default()
    };
    let (low, high) = (at(index as usize), at(index as usize + 1));
    let mix = |low: u8, high: u8| {
        (f64::from(low) + (f64::from(high) - f64::from(low)) * (place - index)).round() as u8
    };
    RGBColor(
        mix(low[0], high[0]),
        mix(low[1], high[1]),
        mix(low[2], high[2]),
    )
}

/// Dark to light, evenly to the eye (after matplotlib's viridis).
const VIRIDIS: [[u8; 3]; 11] = [
    [68, 1, 84],
    [72, 36, 117],
    [65, 68, 135],
    [53, 95, 141],
    [42, 120, 142],
    [33, 145, 140],
    [34, 168, 132],
    [68, 191, 112],
    [122, 209, 81],
    [189, 223, 38],
    [253, 231, 37],
];

/// White to red (after ColorBrewer's Reds).
pub(crate) const REDS: [[u8; 3]; 9] = [
    [255, 255, 255],
    [254, 224, 210],
    [252, 187, 161],
    [252, 146, 114],
    [251, 106, 74],
    [239, 59, 44],
    [203, 24, 29],
    [165, 15, 21],
    [103, 0, 13],
];

/// Blue below zero, white at zero, red above (after ColorBrewer's RdBu), safe for the colour-blind.
const BLUE_WHITE_RED: [[u8; 3]; 11] = [
    [5, 48, 97],
    [33, 102, 172],
    [67, 147, 195],
    [146, 197, 222],
    [209, 229, 240],
    [255, 255, 255],
    [253, 219, 199],
    [244, 165, 130],
    [214, 96, 77],
    [178, 24, 43],
    [103, 0, 31],
];
