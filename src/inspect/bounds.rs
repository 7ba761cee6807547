//! Bounds against proof lengths.

use super::picture::{
    BELOW, CENTRED, Format, INK, LABEL, LEFTWARDS, MARGIN, Picture, RIGHTWARDS, Sheet, TICK, TITLE,
    TOP, round_numbers,
};
use crate::refusal::Refusal;
use crate::strategy::CLASSES;
use plotters::prelude::*;
use std::path::{Path, PathBuf};

/// Proofs of lower bounds on accuracies, against something that they cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// What stands above.
    pub title: String,
    /// What is across, on a logarithmic axis.
    pub across: &'static str,
    /// What is upwards.
    pub upwards: &'static str,
    /// A line through its points, from left to right.
    pub line: Option<Series>,
    /// Proofs beside it: a series for a class of strategies, in its colour.
    pub others: Vec<Series>,
}

impl Bounds {
    /// Is there no proof?
    pub fn is_empty(&self) -> bool {
        let mut series = self.line.iter().chain(&self.others);
        series.all(|series| series.points.is_empty())
    }
}

/// Proofs of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// The proofs.
    pub points: Vec<Point>,
}

/// One proof, or the mean of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// What is across; positive.
    pub across: f64,
    /// The bound, from 0 to 1.
    pub bound: f64,
    /// A bar of this length above and below: a standard deviation.
    pub spread: f64,
}

/// Draws bounds into the folder `out`, which is created if there is none, as `name.svg` (or `.png`), and returns the path.
///
/// # Errors
/// [`Refusal::Unreadable`] when the file cannot be written; no half-written file is left.
pub fn draw_bounds(
    bounds: &Bounds,
    out: &Path,
    name: &str,
    format: Format,
) -> Result<PathBuf, Refusal> {
    bounds.draw(out, name, format)
}

/// Distances, in pixels.
const LEFT: i32 = 96;
const WIDTH: i32 = 760;
const HEIGHT: i32 = 480;
const LEGEND: i32 = 190;
const LEGEND_LINE: i32 = 26;
const RADIUS: i32 = 4;

const GRID: ShapeStyle = ShapeStyle {
    color: RGBAColor(225, 225, 225, 1.0),
    filled: false,
    stroke_width: 1,
};

/// The colours of the [`CLASSES`] of strategies, the same in all figures: safe for the colour-blind (after Okabe and Ito).
/// Black is the frontier's.
const COLOURS: [RGBColor; CLASSES.len()] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(150, 150, 150),
    RGBColor(200, 180, 30),
];

/// The colour of a series; black of one that is no class.
fn colour(name: &str) -> RGBColor {
    let mut classes = CLASSES.iter().zip(COLOURS);
    classes
        .find(|(class, _)| **class == name)
        .map_or(BLACK, |(_, colour)| colour)
}

/// The values at the ends of the axes.
struct Axes {
    /// Powers of ten.
    across: (f64, f64),
    bound: (f64, f64),
}

impl Axes {
    /// Around all points, with some room.
    fn around<'a>(points: impl Iterator<Item = &'a Point>) -> Self {
        let around = |(low, high): (f64, f64), least: f64| {
            let room = ((high - low) * 0.06).max(least);
            if low <= high {
                (low - room, high + room)
            } else {
                (0.0, 1.0)
            }
        };
        let join = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        let (across, bound) = points.fold((none, none), |(across, bound), point| {
            let Point {
                bound: value,
                spread,
                ..
            } = *point;
            (
                join(across, power(point.across)),
                join(join(bound, value - spread), value + spread),
            )
        });
        Self {
            across: around(across, 0.02),
            bound: around(bound, 0.005),
        }
    }

    /// Where a point is drawn, `above` its bound.
    fn place(&self, point: &Point, above: f64) -> (i32, i32) {
        let part = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
        let right = part(power(point.across), self.across) * f64::from(WIDTH);
        let up = part(point.bound + above, self.bound) * f64::from(HEIGHT);
        (
            LEFT + right.round() as i32,
            TOP + HEIGHT - up.round() as i32,
        )
    }

    /// Round numbers: powers of ten, or also 2 and 5 times them; evenly spaced ones where those are few.
    fn ticks(&self) -> Vec<u64> {
        let ticks = |digits: &[u64]| -> Vec<u64> {
            let all = (0..19)
                .flat_map(|exponent| digits.iter().map(move |digit| digit * 10_u64.pow(exponent)));
            all.filter(|tick| (self.across.0..=self.across.1).contains(&power(*tick as f64)))
                .collect()
        };
        let (few, some) = (ticks(&[1]), ticks(&[1, 2, 5]));
        match (few.len(), some.len()) {
            (6.., _) => few,
            (_, 5..) => some,
            _ => {
                let even = round_numbers(10_f64.powf(self.across.0), 10_f64.powf(self.across.1));
                even.into_iter()
                    .map(|(value, _)| value.round() as u64)
                    .collect()
            }
        }
    }
}

fn power(value: f64) -> f64 {
    value.max(1.0).log10()
}

/// 1,500,000 as 1.5M.
fn short(flops: u64) -> String {
    let (unit, suffix) = match flops {
        0..1_000 => (1, ""),
        1_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        _ => (1_000_000_000, "G"),
    };
    format!("{}{suffix}", flops as f64 / unit as f64)
}

impl Picture for Bounds {
    fn size(&self) -> (u32, u32) {
        (
            (LEFT + WIDTH + LEGEND).unsigned_abs(),
            (TOP + HEIGHT + BELOW).unsigned_abs(),
        )
    }

    fn paint<B: DrawingBackend>(
        &self,
        sheet: &Sheet<'_, B>,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let all = self
            .line
            .iter()
            .chain(&self.others)
            .flat_map(|series| &series.points);
        let axes = Axes::around(all);
        let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
        sheet.text(&self.title, (LEFT + WIDTH / 2, TOP / 2), TITLE, CENTRED)?;

        let at = |across: f64, bound: f64| {
            axes.place(
                &Point {
                    across,
                    bound,
                    spread: 0.0,
                },
                0.0,
            )
        };
        for tick in axes.ticks() {
            let (x, _) = at(tick as f64, 0.0);
            sheet.line((x, TOP), (x, bottom), GRID)?;
            sheet.text(&short(tick), (x, bottom + 16), TICK, CENTRED)?;
        }
        for (value, label) in round_numbers(axes.bound.0, axes.bound.1) {
            let (_, y) = at(1.0, value);
            sheet.line((LEFT, y), (right, y), GRID)?;
            sheet.text(&label, (LEFT - 9, y), TICK, LEFTWARDS)?;
        }
        sheet.rectangle((LEFT, TOP), (right, bottom), INK)?;
        sheet.text(
            self.across,
            (LEFT + WIDTH / 2, bottom + BELOW - MARGIN - LABEL / 2),
            LABEL,
            CENTRED,
        )?;
        sheet.text_upwards(self.upwards, (MARGIN + LABEL / 2, TOP + HEIGHT / 2), LABEL)?;

        // The line last, above all others.
        let mut y = TOP + LEGEND_LINE / 2;
        let legend = |name: &str, y: i32| sheet.text(name, (right + 44, y), TICK, RIGHTWARDS);
        let bars = |series: &Series, style: ShapeStyle| {
            let spread = series.points.iter().filter(|point| point.spread > 0.0);
            let ends = |point: &Point| {
                (
                    axes.place(point, -point.spread),
                    axes.place(point, point.spread),
                )
            };
            spread
                .map(ends)
                .try_for_each(|(low, high)| sheet.line(low, high, style))
        };
        let line = BLACK.stroke_width(2);
        if let Some(series) = &self.line {
            legend(&series.name, y)?;
            sheet.line((right + 14, y), (right + 36, y), line)?;
            sheet
                .0
                .draw(&Circle::new((right + 25, y), RADIUS, BLACK.filled()))?;
            y += LEGEND_LINE;
        }
        for series in &self.others {
            let colour = colour(&series.name);
            legend(&series.name, y)?;
            bars(series, colour.mix(0.4).stroke_width(1))?;
            let places = series
                .points
                .iter()
                .map(|point| axes.place(point, 0.0))
                .chain([(right + 25, y)]);
            for place in places {
                sheet
                    .0
                    .draw(&Circle::new(place, RADIUS, colour.mix(0.7).filled()))?;
            }
            y += LEGEND_LINE;
        }
        let Some(series) = &self.line else {
            return Ok(());
        };
        bars(series, BLACK.mix(0.4).stroke_width(1))?;
        let places: Vec<(i32, i32)> = series
            .points
            .iter()
            .map(|point| axes.place(point, 0.0))
            .collect();
        sheet.0.draw(&PathElement::new(places.clone(), line))?;
        places
            .into_iter()
            .try_for_each(|place| sheet.0.draw(&Circle::new(place, RADIUS, BLACK.filled())))
    }
}
