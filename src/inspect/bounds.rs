//! Bounds against proof lengths.

use super::picture::{
    BELOW, CENTRED, Format, INK, LABEL, LEFTWARDS, MARGIN, Picture, RIGHTWARDS, Sheet, TICK, TITLE, TOP, round_numbers,
};
use crate::refusal::Refusal;
use plotters::prelude::*;
use std::path::{Path, PathBuf};

/// Proofs of lower bounds on one network's accuracy.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// What stands above.
    pub title: String,
    /// The frontier: a line through its points, from the shortest proof to the longest.
    pub frontier: Series,
    /// Proofs beside it, each series in a colour of its own.
    pub others: Vec<Series>,
}

/// Proofs of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// FLOPs and the bound, from 0 to 1.
    pub points: Vec<(u64, f64)>,
}

/// Draws bounds against FLOPs, on a logarithmic axis, into the folder `out`, which is created if there is none, as
/// `frontier.svg` (or `.png`), and returns the path.
///
/// # Errors
/// [`Refusal::Unreadable`] when the file cannot be written; no half-written file is left.
pub fn draw_bounds(bounds: &Bounds, out: &Path, format: Format) -> Result<PathBuf, Refusal> {
    bounds.draw(out, "frontier", format)
}

/// Distances, in pixels.
const LEFT: i32 = 96;
const WIDTH: i32 = 760;
const HEIGHT: i32 = 480;
const LEGEND: i32 = 190;
const LEGEND_LINE: i32 = 26;
const RADIUS: i32 = 4;

const GRID: ShapeStyle = ShapeStyle { color: RGBAColor(225, 225, 225, 1.0), filled: false, stroke_width: 1 };

/// Safe for the colour-blind (after Okabe and Ito); black is the frontier's.
const COLOURS: [RGBColor; 8] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(150, 150, 150),
    RGBColor(200, 180, 30),
];

/// The values at the ends of the axes.
struct Axes {
    /// Powers of ten.
    flops: (f64, f64),
    bound: (f64, f64),
}

impl Axes {
    /// Around all points, with some room.
    fn around<'a>(points: impl Iterator<Item = &'a (u64, f64)>) -> Self {
        let around = |(low, high): (f64, f64), least: f64| {
            let room = ((high - low) * 0.06).max(least);
            if low <= high { (low - room, high + room) } else { (0.0, 1.0) }
        };
        let join = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        let (flops, bound) =
            points.fold((none, none), |(flops, bound), point| (join(flops, power(point.0)), join(bound, point.1)));
        Self { flops: around(flops, 0.02), bound: around(bound, 0.005) }
    }

    /// Where a point is drawn.
    fn place(&self, (flops, bound): (f64, f64)) -> (i32, i32) {
        let part = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
        let right = part(flops, self.flops) * f64::from(WIDTH);
        let up = part(bound, self.bound) * f64::from(HEIGHT);
        (LEFT + right.round() as i32, TOP + HEIGHT - up.round() as i32)
    }

    /// Round numbers of FLOPs: powers of ten, or also 2 and 5 times them; evenly spaced ones where those are few.
    fn flops_ticks(&self) -> Vec<u64> {
        let ticks = |digits: &[u64]| -> Vec<u64> {
            let all = (0..19).flat_map(|exponent| digits.iter().map(move |digit| digit * 10_u64.pow(exponent)));
            all.filter(|tick| (self.flops.0..=self.flops.1).contains(&power(*tick))).collect()
        };
        let (few, some) = (ticks(&[1]), ticks(&[1, 2, 5]));
        match (few.len(), some.len()) {
            (6.., _) => few,
            (_, 5..) => some,
            _ => {
                let even = round_numbers(10_f64.powf(self.flops.0), 10_f64.powf(self.flops.1));
                even.into_iter().map(|(flops, _)| flops.round() as u64).collect()
            }
        }
    }
}

fn power(flops: u64) -> f64 {
    (flops.max(1) as f64).log10()
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
        ((LEFT + WIDTH + LEGEND).unsigned_abs(), (TOP + HEIGHT + BELOW).unsigned_abs())
    }

    fn paint<B: DrawingBackend>(&self, sheet: &Sheet<'_, B>) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let all = std::iter::once(&self.frontier).chain(&self.others).flat_map(|series| &series.points);
        let axes = Axes::around(all);
        let place = |(flops, bound): &(u64, f64)| axes.place((power(*flops), *bound));
        let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
        sheet.text(&self.title, (LEFT + WIDTH / 2, TOP / 2), TITLE, CENTRED)?;

        for tick in axes.flops_ticks() {
            let (x, _) = place(&(tick, 0.0));
            sheet.line((x, TOP), (x, bottom), GRID)?;
            sheet.text(&short(tick), (x, bottom + 16), TICK, CENTRED)?;
        }
        for (value, label) in round_numbers(axes.bound.0, axes.bound.1) {
            let (_, y) = axes.place((axes.flops.0, value));
            sheet.line((LEFT, y), (right, y), GRID)?;
            sheet.text(&label, (LEFT - 9, y), TICK, LEFTWARDS)?;
        }
        sheet.rectangle((LEFT, TOP), (right, bottom), INK)?;
        sheet.text("FLOPs of the proof", (LEFT + WIDTH / 2, bottom + BELOW - MARGIN - LABEL / 2), LABEL, CENTRED)?;
        sheet.text_upwards("accuracy proved, at least", (MARGIN + LABEL / 2, TOP + HEIGHT / 2), LABEL)?;

        // The frontier last, above all others.
        let mut y = TOP + LEGEND_LINE / 2;
        let legend = |name: &str, y: i32| sheet.text(name, (right + 44, y), TICK, RIGHTWARDS);
        let line = BLACK.stroke_width(2);
        legend(&self.frontier.name, y)?;
        sheet.line((right + 14, y), (right + 36, y), line)?;
        sheet.0.draw(&Circle::new((right + 25, y), RADIUS, BLACK.filled()))?;
        for (series, colour) in self.others.iter().zip(COLOURS.iter().cycle()) {
            y += LEGEND_LINE;
            legend(&series.name, y)?;
            let places = series.points.iter().map(place).chain([(right + 25, y)]);
            for place in places {
                sheet.0.draw(&Circle::new(place, RADIUS, colour.mix(0.7).filled()))?;
            }
        }
        let places: Vec<(i32, i32)> = self.frontier.points.iter().map(place).collect();
        sheet.0.draw(&PathElement::new(places.clone(), line))?;
        places.into_iter().try_for_each(|place| sheet.0.draw(&Circle::new(place, RADIUS, BLACK.filled())))
    }
}
