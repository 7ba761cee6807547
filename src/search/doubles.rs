//! Enclosures as doubles, in which the search reckons.

use crate::checker::arithmetic::Fixed;
use crate::model::Matrix;

pub(super) fn doubles(table: &Matrix<Fixed>) -> Matrix<f64> {
    Matrix::from_fn(table.rows(), table.cols(), f64::NAN, |row, col| {
        double(table.at(row, col))
    })
}

/// The middle of an enclosure; zero where nothing is known.
pub(super) fn double(entry: &Fixed) -> f64 {
    let middle =
        |(lo, hi): (i128, i128)| (lo as f64 + hi as f64) / 2.0 * f64::from(-Fixed::FRACTION).exp2();
    entry.ends().map_or(0.0, middle)
}
