//! Heat maps, for whoever has a table to show, and several of them side by side.

use super::colours::{VIRIDIS, interpolate};
use super::picture::{
    BELOW, CENTRED, Format, INK, LABEL, LEFTWARDS, MARGIN, Picture, RIGHTWARDS, Sheet, TICK, TITLE,
    TOP, round_numbers,
};
use crate::refusal::Refusal;
use nalgebra::DMatrix;
use plotters::prelude::*;
use std::path::{Path, PathBuf};

/// Distances, in pixels.
const LEFT: i32 = 84;
const BAR_GAP: i32 = 28;
const BAR: i32 = 24;
const BAR_LABELS: i32 = 112;
/// The longer side of a map that stands alone.
pub(super) const SIDE: i32 = 640;

/// The height of a bar below the map, and the width of its two texts.
const BAR_BELOW: i32 = 26;
const BAR_NAME: i32 = 330;
const BAR_VALUE: i32 = 130;

/// A table, and how to show it. Entries that are not numbers are left grey.
pub(crate) struct HeatMap<'a> {
    pub(crate) title: String,
    pub(crate) columns: &'a str,
    pub(crate) rows: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) colours: &'a [[u8; 3]],
    pub(crate) ends: Ends,
    pub(crate) table: DMatrix<f64>,
    /// The names of rows and of columns: without one, the number from 0.
    pub(crate) names: [Vec<String>; 2],
    /// The longer side of the map, in pixels: cells of whole pixels come as near as they can.
    pub(crate) side: i32,
    /// The least length of the shorter one: cells are squares unless it takes longer ones.
    pub(crate) least_side: i32,
    pub(crate) bars: Option<Bars>,
}

impl HeatMap<'_> {
    /// A table in square cells, dark to light from its smallest entry to its largest, with nothing said of it.
    pub(crate) fn of(table: DMatrix<f64>) -> Self {
        Self {
            title: String::new(),
            columns: "",
            rows: "",
            unit: "",
            colours: &VIRIDIS,
            ends: Ends::Table,
            table,
            names: [vec![], vec![]],
            side: SIDE,
            least_side: 0,
            bars: None,
        }
    }
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
    /// Width and height of a cell.
    cell: (i32, i32),
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
        let square = (self.side / rows.max(cols).max(1)).max(1);
        let cell = (
            square.max(self.least_side / cols.max(1)),
            square.max(self.least_side / rows.max(1)),
        );
        let map = (cols.saturating_mul(cell.0), rows.saturating_mul(cell.1));
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
            cell: (cell_width, cell_height),
            map: (width, height),
        } = self.layout();
        sheet.text(&self.title, (LEFT + width / 2, TOP / 2), TITLE, CENTRED)?;

        let (low, high) = self.range();
        let colour = |value: f64| {
            if value.is_nan() {
                GREY
            } else {
                interpolate(self.colours, (value - low) / (high - low))
            }
        };
        for (row, y) in (TOP..)
            .step_by(step(cell_height))
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
                let right = x + cell_width * i32::try_from(run.len()).unwrap_or(i32::MAX);
                if let Some(colour) = run.first() {
                    sheet.rectangle((x, y), (right, y + cell_height), colour.filled())?;
                }
                x = right;
            }
        }
        sheet.rectangle((LEFT, TOP), (LEFT + width, TOP + height), INK)?;

        // At the middle of their cells.
        let name = |names: &[String], index: usize| {
            let name = names.get(index).cloned();
            name.unwrap_or_else(|| index.to_string())
        };
        let [rows, columns] = &self.names;
        for (index, place) in ticks(self.table.ncols()) {
            let x = LEFT + cell_width * place + cell_width / 2;
            sheet.line((x, TOP + height), (x, TOP + height + 5), INK)?;
            sheet.text(&name(columns, index), (x, TOP + height + 16), TICK, CENTRED)?;
        }
        for (index, place) in ticks(self.table.nrows()) {
            let y = TOP + cell_height * place + cell_height / 2;
            sheet.line((LEFT - 5, y), (LEFT, y), INK)?;
            sheet.text(&name(rows, index), (LEFT - 9, y), TICK, LEFTWARDS)?;
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

/// The rows or columns to name, in both types: at most ten, a round number apart.
fn ticks(count: usize) -> impl Iterator<Item = (usize, i32)> {
    let apart = [1, 2, 5, 10, 20, 50, 100]
        .into_iter()
        .find(|apart| count <= 10 * apart)
        .unwrap_or(200);
    (0..count)
        .step_by(apart)
        .filter_map(|index| Some((index, i32::try_from(index).ok()?)))
}
