//! A rectangular table whose look-up is total: outside the table stands a value that proves nothing.

/// A row-major table of `rows × cols` entries.
///
/// [`Matrix::at`] never fails: an index outside reads the `outside` value. The checker chooses it as the enclosure of
/// every real number, so that a wrong index can only make a proof fail.
#[derive(Debug, Clone)]
pub struct Matrix<T> {
    cols: usize,
    data: Vec<T>,
    outside: T,
}

impl<T> Matrix<T> {
    /// The table with the given entries, row by row; a last incomplete row is dropped.
    pub fn new(cols: usize, data: Vec<T>, outside: T) -> Self {
        Self {
            cols: cols.max(1),
            data,
            outside,
        }
    }

    /// The entry in row `row` and column `col`, or the outside value.
    pub fn at(&self, row: usize, col: usize) -> &T {
        if col >= self.cols {
            return &self.outside;
        }
        let start = row.checked_mul(self.cols);
        let index = start.and_then(|start| start.checked_add(col));
        let entry = index.and_then(|index| self.data.get(index));
        entry.unwrap_or(&self.outside)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.cols
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The rows in order.
    pub fn iter_rows(&self) -> impl Iterator<Item = &[T]> {
        self.data.chunks_exact(self.cols)
    }

    /// The row with this index; empty when there is none.
    pub fn row(&self, row: usize) -> &[T] {
        let start = row.saturating_mul(self.cols);
        self.data
            .get(start..start.saturating_add(self.cols))
            .unwrap_or(&[])
    }
}

impl<T: Clone> Matrix<T> {
    /// The table of what `by` makes of every entry.
    pub fn map<S: Clone>(&self, outside: S, by: impl Fn(&T) -> S) -> Matrix<S> {
        Matrix::new(self.cols, self.data.iter().map(by).collect(), outside)
    }

    /// The table whose entry at `(row, col)` is `entry(row, col)`.
    pub fn from_fn(
        rows: usize,
        cols: usize,
        outside: T,
        mut entry: impl FnMut(usize, usize) -> T,
    ) -> Self {
        let places = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
        let data = places.map(|(row, col)| entry(row, col)).collect();
        Self::new(cols, data, outside)
    }

    /// The entries with rows and columns in these ranges; each from the first to before the second.
    pub fn block(&self, rows: (usize, usize), cols: (usize, usize)) -> Self {
        let entry = |row: usize, col: usize| self.at(rows.0 + row, cols.0 + col).clone();
        Self::from_fn(
            rows.1.saturating_sub(rows.0),
            cols.1.saturating_sub(cols.0),
            self.outside.clone(),
            entry,
        )
    }

    /// Puts a table into this one, its first entry at this row and column; what does not fit is left out.
    pub fn paste<S: Clone + Into<T>>(
        &mut self,
        (first_row, first_col): (usize, usize),
        table: &Matrix<S>,
    ) {
        let rows = self.data.chunks_exact_mut(self.cols).skip(first_row);
        for (row, entries) in rows.zip(table.iter_rows()) {
            for (place, entry) in row.iter_mut().skip(first_col).zip(entries) {
                *place = entry.clone().into();
            }
        }
    }

    /// The four quarters of a table with even sides: above left and right, below left and right.
    pub fn quarters(&self) -> [Self; 4] {
        let halves = |whole: usize| [(0, whole / 2), (whole / 2, whole)];
        let ([above, below], [left, right]) = (halves(self.rows()), halves(self.cols()));
        [
            self.block(above, left),
            self.block(above, right),
            self.block(below, left),
            self.block(below, right),
        ]
    }

    /// The transposed table.
    pub fn transposed(&self) -> Self {
        Self::from_fn(self.cols, self.rows(), self.outside.clone(), |row, col| {
            self.at(col, row).clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_reads_the_outside_value() {
        let table = Matrix::new(2, vec![1, 2, 3, 4], -1);
        assert_eq!(
            [
                *table.at(0, 1),
                *table.at(1, 0),
                *table.at(0, 2),
                *table.at(2, 0),
                *table.at(usize::MAX, 0)
            ],
            [2, 3, -1, -1, -1]
        );
        assert_eq!(table.row(1), [3, 4]);
        assert!(table.row(2).is_empty());
        assert_eq!(*table.transposed().at(1, 0), 2);
    }
}
