//! `group`: the product of two elements, by its table. Nothing asks that it is a group's.

use super::fields::whole;
use super::{Parameters, Reading, Task, Tokens, Values};
use num_bigint::BigUint;
use std::sync::Arc;

/// Two elements x and y; `table[x][y]` at the last position.
#[derive(Debug)]
struct Group {
    table: Vec<Vec<usize>>,
    values: Values,
}

pub(super) fn read(parameters: &mut Parameters<'_>) -> Reading {
    let values = Values::read(parameters, 0, 0)?;
    parameters.fit(values.n == 2, "n_ctx 2, or 3 with eos")?;
    let (g, answers) = (values.v, parameters.sizes.d_vocab_out);
    let row = |row: &serde_json::Value| -> Option<Vec<usize>> {
        let row: Vec<usize> = row.as_array()?.iter().map(whole).collect::<Option<_>>()?;
        (row.len() == g && row.iter().all(|answer| *answer < answers)).then_some(row)
    };
    let expected =
        format!("{g} rows of {g} whole numbers below {answers}: one for each pair of value tokens");
    let table = parameters.fields.take("table", expected, |table| {
        let table: Vec<Vec<usize>> = table?.as_array()?.iter().map(row).collect::<Option<_>>()?;
        (table.len() == g).then_some(table)
    })?;
    Some(Arc::new(Group { table, values }))
}

impl Task for Group {
    fn n_ctx(&self) -> usize {
        self.values.positions()
    }

    fn next(&self, prefix: &[usize]) -> Tokens {
        self.values.next(prefix.len())
    }

    fn answer(&self, prefix: &[usize]) -> Option<usize> {
        match self.values.of(prefix)? {
            [x, y] => self.table.get(*x)?.get(*y).copied(),
            _ => None,
        }
    }

    fn read_outs(&self) -> Vec<(usize, Tokens)> {
        self.values.last(0)
    }

    fn size(&self) -> BigUint {
        self.values.count()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::task::tests::{Example, at_the_end, values, with_and_without_eos};
    use serde_json::json;

    pub(in crate::task) fn examples() -> Vec<Example> {
        // The trivial group, Z/3, the symmetries of a triangle, and a table that is no Latin square.
        let tables: [&'static [&'static [usize]]; 4] = [
            &[&[0]],
            &[&[0, 1, 2], &[1, 2, 0], &[2, 0, 1]],
            &[
                &[0, 1, 2, 3, 4, 5],
                &[1, 2, 0, 4, 5, 3],
                &[2, 0, 1, 5, 3, 4],
                &[3, 5, 4, 0, 2, 1],
                &[4, 3, 5, 1, 0, 2],
                &[5, 4, 3, 2, 1, 0],
            ],
            &[&[6, 6], &[0, 6]],
        ];
        let mut examples = vec![];
        for table in tables {
            let g = table.len();
            let answers = table.iter().flat_map(|row| row.iter()).max().unwrap() + 1;
            for (eos, sizes) in with_and_without_eos(2, g, answers) {
                let task = json!({"name": "group", "table": table, "eos": eos});
                examples.push(Example::new(task, sizes, move |input| {
                    let pair = values(input, g, eos)?;
                    at_the_end(input, table[pair[0]][pair[1]])
                }));
            }
        }
        examples
    }
}
