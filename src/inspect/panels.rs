//! Several heat maps in one picture.

use super::heat_map::HeatMap;
use super::picture::{Picture, Sheet};
use plotters::prelude::*;

/// Heat maps in rows of so many, each in room for the largest.
pub(super) struct Panels<'a> {
    pub(super) maps: Vec<HeatMap<'a>>,
    pub(super) columns: usize,
}

impl Panels<'_> {
    /// Width and height of the room for one.
    fn room(&self) -> (u32, u32) {
        let sizes = self.maps.iter().map(Picture::size);
        sizes.fold((1, 1), |room, size| {
            (room.0.max(size.0), room.1.max(size.1))
        })
    }
}

impl Picture for Panels<'_> {
    fn size(&self) -> (u32, u32) {
        let count = |count: usize| u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let (width, height) = self.room();
        let columns = self.columns.min(self.maps.len());
        (
            width.saturating_mul(count(columns)),
            height.saturating_mul(count(self.maps.len().div_ceil(columns.max(1)))),
        )
    }

    fn paint<B: DrawingBackend>(
        &self,
        sheet: &Sheet<'_, B>,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let room = self.room();
        let mut left_upper = (0, 0);
        for row in self.maps.chunks(self.columns.max(1)) {
            left_upper.0 = 0;
            for map in row {
                let area = sheet.0.clone().shrink(left_upper, room);
                map.paint(&Sheet(&area))?;
                left_upper.0 += room.0;
            }
            left_upper.1 += room.1;
        }
        Ok(())
    }
}
