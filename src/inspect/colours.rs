//! Scales of colours.

use plotters::style::RGBColor;

/// The colour at `place`, from 0 to 1, between evenly spaced colours.
pub(super) fn interpolate(colours: &[[u8; 3]], place: f64) -> RGBColor {
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
pub(super) const VIRIDIS: [[u8; 3]; 11] = [
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
pub(super) const BLUE_WHITE_RED: [[u8; 3]; 11] = [
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
