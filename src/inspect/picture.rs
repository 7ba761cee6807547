//! What pictures share: file formats, text, lines, round numbers.

use crate::output::{Pending, unwritable};
use crate::refusal::Refusal;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, register_font};
use std::path::{Path, PathBuf};

/// The file format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Scalable. Of a heat map one rectangle for every run of cells of one colour: 90 bytes each, so 0.4 MB for 64
    /// tokens, 90 MB for 1,024.
    Svg,
    /// A bitmap.
    Png,
}

impl Format {
    /// The ending of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

const FONT: &str = "sans-serif";
/// Sizes of text and distances, in pixels.
pub(super) const TITLE: i32 = 22;
pub(super) const LABEL: i32 = 18;
pub(super) const TICK: i32 = 15;
pub(super) const MARGIN: i32 = 16;
/// Room above and below what is drawn: the title, and the labels of the axis.
pub(super) const TOP: i32 = 56;
pub(super) const BELOW: i32 = 76;

pub(super) const INK: ShapeStyle = ShapeStyle {
    color: RGBAColor(0, 0, 0, 1.0),
    filled: false,
    stroke_width: 1,
};
pub(super) const CENTRED: Pos = Pos {
    h_pos: HPos::Center,
    v_pos: VPos::Center,
};
pub(super) const LEFTWARDS: Pos = Pos {
    h_pos: HPos::Right,
    v_pos: VPos::Center,
};
pub(super) const RIGHTWARDS: Pos = Pos {
    h_pos: HPos::Left,
    v_pos: VPos::Center,
};

type Painted<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// The sheet that a picture is painted on.
pub(super) struct Sheet<'a, B: DrawingBackend>(pub(super) &'a DrawingArea<B, Shift>);

impl<B: DrawingBackend> Sheet<'_, B> {
    pub(super) fn text(&self, content: &str, at: (i32, i32), size: i32, anchor: Pos) -> Painted<B> {
        self.write(content, at, size, anchor, FontTransform::None)
    }

    /// Centred text that reads upwards.
    pub(super) fn text_upwards(&self, content: &str, at: (i32, i32), size: i32) -> Painted<B> {
        self.write(content, at, size, CENTRED, FontTransform::Rotate270)
    }

    fn write(
        &self,
        content: &str,
        at: (i32, i32),
        size: i32,
        anchor: Pos,
        turn: FontTransform,
    ) -> Painted<B> {
        let style = (FONT, size)
            .into_font()
            .transform(turn)
            .color(&BLACK)
            .pos(anchor);
        self.0.draw(&Text::new(content.to_owned(), at, style))
    }

    pub(super) fn line(&self, from: (i32, i32), to: (i32, i32), style: ShapeStyle) -> Painted<B> {
        self.0.draw(&PathElement::new([from, to], style))
    }

    pub(super) fn rectangle(
        &self,
        from: (i32, i32),
        to: (i32, i32),
        style: ShapeStyle,
    ) -> Painted<B> {
        self.0.draw(&Rectangle::new([from, to], style))
    }
}

/// Something to draw into a file.
pub(super) trait Picture {
    /// Width and height, in pixels.
    fn size(&self) -> (u32, u32);

    /// Paints it on a white sheet of that size.
    fn paint<B: DrawingBackend>(&self, sheet: &Sheet<'_, B>) -> Painted<B>;

    /// Draws it into the folder `out`, which is created if there is none, as `name.svg` or `name.png`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when the file cannot be written; no half-written file is left.
    fn draw(&self, out: &Path, name: &str, format: Format) -> Result<PathBuf, Refusal> {
        self.drawn(out, name, format)?.keep()
    }

    /// The same, before the file has its name.
    fn drawn(&self, out: &Path, name: &str, format: Format) -> Result<Pending, Refusal> {
        // The SVG says "sans-serif" too; the bitmap is drawn with this font, which needs no system library.
        register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
            .map_err(|_| Refusal::Unreadable("cannot read the built-in font".into()))?;
        std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
        let path = out.join(format!("{name}.{}", format.extension()));
        // plotters tells the bitmap's format from the name.
        let file = Pending::create(&path)?;
        match format {
            Format::Svg => self.onto(SVGBackend::new(file.temporary(), self.size())),
            Format::Png => self.onto(BitMapBackend::new(file.temporary(), self.size())),
        }
        .map_err(|reason| unwritable(&path, reason))?;
        Ok(file)
    }

    fn onto<B: DrawingBackend>(&self, backend: B) -> Result<(), String> {
        let area = backend.into_drawing_area();
        let painted = area.fill(&WHITE).and_then(|()| self.paint(&Sheet(&area)));
        painted
            .and_then(|()| area.present())
            .map_err(|error| error.to_string())
    }
}

/// Pictures that get their names together, in one folder.
pub(super) struct Album<'a> {
    out: &'a Path,
    format: Format,
    paths: Vec<PathBuf>,
    files: Vec<Pending>,
}

impl<'a> Album<'a> {
    /// For pictures in the folder `out`, which the first of them creates if there is none.
    pub(super) fn new(out: &'a Path, format: Format) -> Self {
        let (paths, files) = (vec![], vec![]);
        Self {
            out,
            format,
            paths,
            files,
        }
    }

    /// Draws a picture that will be `name.svg` or `name.png`.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] when the file cannot be written.
    pub(super) fn add(&mut self, name: &str, picture: &impl Picture) -> Result<(), Refusal> {
        self.files.push(picture.drawn(self.out, name, self.format)?);
        self.paths
            .push(self.out.join(format!("{name}.{}", self.format.extension())));
        Ok(())
    }

    /// Gives all of them their names, and returns their paths in order.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`] for the first that cannot have its name.
    pub(super) fn keep(self) -> Result<Vec<PathBuf>, Refusal> {
        Pending::keep_all(self.files)?;
        Ok(self.paths)
    }
}

/// Round numbers from `low` to `high`, about five to ten of them, with their text.
pub(super) fn round_numbers(low: f64, high: f64) -> Vec<(f64, String)> {
    let power = ((high - low) / 5.0).log10().floor();
    let apart = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * 10_f64.powf(power))
        .find(|apart| (high - low) / apart <= 10.0)
        .unwrap_or(high - low);
    let (first, last) = ((low / apart).ceil() as i64, (high / apart).floor() as i64);
    let decimals = -apart.log10().floor();
    let label = |value: f64| {
        // Longer labels than these would not fit beside the bar.
        let text = if value == 0.0 {
            "0".into()
        } else if (-6.0..=4.0).contains(&decimals) {
            format!("{value:.*}", decimals.max(0.0) as usize)
        } else {
            format!("{value:.1e}")
        };
        text.replace('-', "−")
    };
    (first..=last)
        .map(|count| count as f64 * apart)
        .map(|value| (value, label(value)))
        .collect()
}
