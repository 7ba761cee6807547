//! Which entries of the tables to compute: those that plans for exact counts need, the others only bounded.

use super::orders::{Ends, Orders};
use super::places::Place;
use super::plan::LONGEST;
use super::terms::{Case, Fars};
use crate::certificate::levels::{Answers, Block, ENTRY_BITS, Entries, Group, Plan, Test};
use crate::checker::Options;
use crate::checker::arithmetic::Fixed;
use crate::checker::factors::Factors;
use crate::checker::levels::sides;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::cost;
use crate::model::OneHead;
use crate::parallel::parallel;
use crate::refusal::Refusal;
use crate::search::proof::Request;
use nalgebra::DMatrix;
use num_traits::ToPrimitive;

/// FLOPs more than with full tables that a (query, maximum) may take; charged where it cannot be settled.
const ROOM: usize = 1_000;
/// FLOPs of an entry.
const ENTRY: f64 = 63.0;
/// An entry is computed once it would save so many times its own cost: the clearest cases first.
const THRESHOLDS: [f64; 7] = [8.0, 4.0, 2.0, 1.5, 1.0, 1.0, 1.0];

/// Hints for the tables of A beside B, EV above PV, and D; none for a table that is computed in full.
#[derive(Debug, Default)]
pub(super) struct TableHints {
    pub(super) scores: Option<Entries>,
    pub(super) logits: Option<Entries>,
    pub(super) direct: Option<Entries>,
}

impl TableHints {
    pub(super) fn each_ref(&self) -> [Option<&Entries>; 3] {
        [&self.scores, &self.logits, &self.direct].map(Option::as_ref)
    }
}

/// A table's entries that are needed, by row and column of tokens.
pub(super) type Needed = Vec<Vec<bool>>;

/// The two factors of a table, in double precision, and what bounds its entries.
struct Table {
    left: DMatrix<f64>,
    right: DMatrix<f64>,
    centre: Vec<i64>,
    basis: Vec<Vec<i64>>,
    /// Bounds for every row of each side.
    bounds: [Vec<i64>; 2],
}

fn block(rows: (usize, usize), columns: (usize, usize)) -> Block {
    Block {
        rows: rows.0..rows.1,
        columns: columns.0..columns.1,
    }
}

fn unit() -> f64 {
    f64::from(ENTRY_BITS).exp2()
}

impl Table {
    fn new(
        left: DMatrix<f64>,
        mut right: DMatrix<f64>,
        (rows, cols): (usize, usize),
        rank: usize,
    ) -> Self {
        let d = right.ncols();
        let mean = |k: usize| (0..cols).map(|row| right[(row, k)]).sum::<f64>() / cols as f64;
        let centre: Vec<i64> = (0..d).map(|k| (-mean(k) * unit()).round() as i64).collect();
        for (k, entry) in centre.iter().enumerate() {
            right.column_mut(k).add_scalar_mut(*entry as f64 / unit());
        }
        let (x, y) = (
            left.rows(0, rows).into_owned(),
            right.rows(0, cols).into_owned(),
        );
        // Directions that carry most of both sides; what is left of each side weighs alike.
        let mut weights = (x.norm_squared(), y.norm_squared());
        let mut basis = DMatrix::zeros(0, d);
        for _ in 0..6 {
            let gram = x.transpose() * &x / weights.0 + y.transpose() * &y / weights.1;
            let eigen = gram.symmetric_eigen();
            let mut order: Vec<usize> = (0..d).collect();
            order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
            basis = DMatrix::from_fn(rank.min(d), d, |i, k| eigen.eigenvectors[(k, order[i])]);
            let rest = |side: &DMatrix<f64>| {
                (side - side * basis.transpose() * &basis)
                    .norm_squared()
                    .max(1e-12)
            };
            weights = (rest(&x), rest(&y));
        }
        // Rows a little shorter than 1, for the checker to see that they are at most 1.
        let shrink = 1.0 - 3e-8 * rank as f64;
        let basis: Vec<Vec<i64>> = basis
            .row_iter()
            .map(|row| {
                row.iter()
                    .map(|entry| (entry * shrink * unit()).round() as i64)
                    .collect()
            })
            .collect();
        let matrix = DMatrix::from_fn(basis.len(), d, |i, k| basis[i][k] as f64 / unit());
        let bounds = [&left, &right].map(|side| {
            let row = |row: usize| {
                let (row, seen) = (side.row(row), side.row(row) * matrix.transpose());
                let rest = (row.norm_squared() - seen.norm_squared()).max(0.0);
                ((rest + 1e-7).sqrt() * unit() * (1.0 + 1e-6)).ceil() as i64
            };
            (0..side.nrows()).map(row).collect()
        });
        Self {
            left,
            right,
            centre,
            basis,
            bounds,
        }
    }

    /// Hints for these entries, and whatever stands beyond the tokens.
    fn hints(&self, needed: &Needed) -> Entries {
        let (rows, cols) = (self.left.nrows(), self.right.nrows());
        let (of_tokens, to_tokens) = (needed.len(), needed[0].len());
        let wide = |row: usize, col: usize| row < of_tokens && col < to_tokens && !needed[row][col];
        let mut blocks = vec![];
        self.cover(needed, (0, of_tokens), (0, to_tokens), &mut blocks);
        if rows > of_tokens {
            blocks.push(block((of_tokens, rows), (0, cols)));
        }
        if cols > to_tokens {
            blocks.push(block((0, of_tokens), (to_tokens, cols)));
        }
        let mut exact = vec![vec![false; cols]; rows];
        for Block { rows, columns } in &blocks {
            rows.clone()
                .for_each(|row| exact[row][columns.clone()].fill(true));
        }
        let left = (0..rows).map(|row| {
            if (0..cols).any(|col| wide(row, col) && !exact[row][col]) {
                self.bounds[0][row]
            } else {
                0
            }
        });
        let right = (0..cols).map(|col| {
            if (0..rows).any(|row| wide(row, col) && !exact[row][col]) {
                self.bounds[1][col]
            } else {
                0
            }
        });
        Entries {
            blocks,
            centre: self.centre.clone(),
            basis: self.basis.iter().cloned().collect(),
            left: left.collect(),
            right: right.collect(),
        }
    }

    /// The cheapest blocks that hold the needed entries of a part; returns their FLOPs.
    fn cover(
        &self,
        needed: &Needed,
        rows: (usize, usize),
        cols: (usize, usize),
        blocks: &mut Vec<Block>,
    ) -> usize {
        let (height, width, d) = (rows.1 - rows.0, cols.1 - cols.0, self.left.ncols());
        let here = (rows.0..rows.1).map(|row| {
            needed[row][cols.0..cols.1]
                .iter()
                .filter(|needed| **needed)
                .count()
        });
        let here: usize = here.sum();
        if here == 0 {
            return 0;
        }
        let bound = 2 * self.basis.len() + 1;
        let whole = cost(height, d, width);
        let start = blocks.len();
        let mut parts = 0;
        if height > 4 && width > 4 {
            let halves = |(from, to): (usize, usize)| {
                [(from, from + (to - from) / 2), (from + (to - from) / 2, to)]
            };
            for rows in halves(rows) {
                for cols in halves(cols) {
                    parts += self.cover(needed, rows, cols, blocks);
                }
            }
        } else {
            for (row, needed) in needed.iter().enumerate().take(rows.1).skip(rows.0) {
                let mut col = cols.0;
                while col < cols.1 {
                    let end = (col..cols.1).find(|col| !needed[*col]).unwrap_or(cols.1);
                    if end > col {
                        parts += cost(1, d, end - col);
                        blocks.push(block((row, row + 1), (col, end)));
                    }
                    col = end + 1;
                }
            }
        }
        if whole <= parts + bound * (height * width - here) {
            blocks.truncate(start);
            blocks.push(block(rows, cols));
            return whole;
        }
        parts
    }
}

fn doubles(table: &crate::model::Matrix<Fixed>) -> DMatrix<f64> {
    let table = Ends::new(table).upper;
    DMatrix::from_fn(table.rows(), table.cols(), |row, col| *table.at(row, col))
}

/// What one (query, level) takes with full tables.
struct Base<'a> {
    place: Place<'a>,
    /// Where its plan stands.
    at: (usize, usize),
    /// Its share of all inputs.
    value: f64,
    cost: usize,
    plan: Plan,
}

/// How a search for entries starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// For A, EV and D: the rank of the bound of other entries, and whether those that most plans need are computed
    /// from the start; all entries for none.
    pub(super) tables: [Option<(usize, bool)>; 3],
}

/// The two factors of A beside B, EV above PV, and D.
type Sides = [(DMatrix<f64>, DMatrix<f64>); 3];

fn factors(network: &OneHead<'_>) -> Result<Sides, Refusal> {
    let free = Meter::new(u64::MAX);
    let [scores, logits, direct] = Factors::<Fixed>::new(network, &free)?.chains();
    let factors = |chain| {
        let [left, right] = sides(chain, &free, Kind::Logits)?;
        Ok::<_, Refusal>((doubles(&left), doubles(&right)))
    };
    Ok([factors(scores)?, factors(logits)?, factors(direct)?])
}

/// The tables that are not computed in full.
fn started(factors: &Sides, start: &Start, sizes: &[(usize, usize); 3]) -> [Option<Table>; 3] {
    std::array::from_fn(|table| {
        let (left, right) = &factors[table];
        start.tables[table]
            .map(|(rank, _)| Table::new(left.clone(), right.clone(), sizes[table], rank))
    })
}

/// Of A, EV and D: rows and columns.
fn sizes(network: &OneHead<'_>) -> [(usize, usize); 3] {
    let (queries, tokens) = (network.queries.len(), network.config.d_vocab);
    let answers = network.config.d_vocab_out;
    [(queries, tokens), (tokens, answers), (queries, answers)]
}

fn none_needed(sizes: &[(usize, usize); 3]) -> [Needed; 3] {
    sizes.map(|(rows, cols)| vec![vec![false; cols]; rows])
}

fn hints(tables: &[Option<Table>; 3], needed: &[Needed; 3]) -> TableHints {
    let hint = |table: usize| Some(tables[table].as_ref()?.hints(&needed[table]));
    TableHints {
        scores: hint(0),
        logits: hint(1),
        direct: hint(2),
    }
}

/// Hints that bound every entry of the tables, one for each start.
pub(super) fn bounds(request: &Request<'_>, starts: &[Start]) -> Result<Vec<TableHints>, Refusal> {
    let network = request.network.one_head()?;
    let (factors, sizes) = (factors(&network)?, sizes(&network));
    let bounds = |start| hints(&started(&factors, start, &sizes), &none_needed(&sizes));
    Ok(starts.iter().map(bounds).collect())
}

/// Everything computed in full, where proofs begin.
pub(super) struct Search<'a> {
    network: OneHead<'a>,
    pub(super) full: Orders,
    fars: Fars,
    factors: Sides,
    base: Vec<Base<'a>>,
    two_sided: bool,
    bounded: bool,
    options: Options<'a>,
}

impl<'a> Search<'a> {
    /// Plans with full tables. The far class may be bounded from below.
    pub(super) fn new(
        request: &'a Request<'a>,
        rows: &[Vec<Place<'a>>],
        (two_sided, bounded): (bool, bool),
    ) -> Result<Self, Refusal> {
        // Whole orders: groups may be of any answers.
        let Request {
            network, options, ..
        } = *request;
        let network = network.one_head()?;
        let full = Orders::new(request, network.config.d_vocab_out)?;
        let factors = factors(&network)?;
        let rows = rows.iter().enumerate();
        let places: Vec<((usize, usize), Place<'a>)> = rows
            .flat_map(|(answer, row)| {
                let row = row.iter().copied().enumerate();
                row.map(move |(number, place)| ((answer, number), place))
            })
            .collect();
        let fars = Fars::new(&full, places.iter().map(|(_, place)| *place));
        let widest = bounded.then(|| full.widest());
        let plans = parallel(places.clone(), options.threads, |_, (_, place)| {
            Case::new(&full, place, &fars, two_sided, widest).plan(LONGEST)
        });
        let total = network.network.task.size().to_f64().unwrap_or(f64::MAX);
        type Found<'a> = (((usize, usize), Place<'a>), Option<(usize, Plan)>);
        let base = |((at, place), plan): Found<'a>| {
            let inputs = place.words.inputs();
            let value = inputs.to_f64().unwrap_or(f64::MAX) / total;
            plan.map(|(cost, plan)| Base {
                place,
                at,
                value,
                cost,
                plan,
            })
        };
        let base = places.into_iter().zip(plans).filter_map(base).collect();
        Ok(Self {
            network,
            full,
            fars,
            factors,
            base,
            two_sided,
            bounded,
            options,
        })
    }

    /// FLOPs that are worth spending on a share of all inputs; as many as it takes for an infinite price.
    fn room(price: f64, base: &Base<'_>) -> usize {
        if price.is_infinite() {
            base.cost + ROOM
        } else {
            (price * base.value) as usize
        }
    }

    /// Entries to compute, at a price in FLOPs for all inputs.
    pub(super) fn tables(&self, price: f64, start: &Start) -> Result<TableHints, Refusal> {
        let answers = self.full.answers;
        if start.tables.iter().all(Option::is_none) {
            return Ok(TableHints::default());
        }
        let sizes = sizes(&self.network);
        let tables = started(&self.factors, start, &sizes);
        let mut needed = none_needed(&sizes);
        let mut open: Vec<&Base<'_>> = self
            .base
            .iter()
            .filter(|base| base.cost < Self::room(price, base))
            .collect();
        for Base { place, .. } in &open {
            let (right, query) = (place.right(), place.query);
            let row = self.full.row(query);
            let of_classes = place.tokens().singles.into_iter();
            let of_classes = of_classes.flat_map(|token| [(0, row, token), (1, token, right)]);
            let of_query = [(0, row, query), (1, query, right), (2, row, right)];
            for (table, row, col) in of_classes.chain(of_query) {
                needed[table][row][col] |= start.tables[table].is_some_and(|(_, begun)| begun);
            }
        }
        let mut thresholds = THRESHOLDS.into_iter().peekable();
        loop {
            let hints = hints(&tables, &needed);
            let mixed = self.full.with(&self.network, &hints, answers)?;
            let fars = Fars::new(&mixed, open.iter().map(|base| base.place));
            let widest = self.bounded.then(|| mixed.widest());
            let found = parallel(open.clone(), self.options.threads, |_, base: &Base<'_>| {
                let room = Self::room(price, base);
                let case = Case::new(&mixed, base.place, &fars, self.two_sided, widest);
                let cost = case.plan(room).map_or(room, |(cost, _)| cost);
                let excess = cost.saturating_sub(base.cost);
                let culprits = if excess > 0 {
                    culprits(base, &self.full, &mixed, (&self.fars, &fars))
                } else {
                    vec![]
                };
                (excess, culprits, cost == room)
            });
            let blame = |last: bool| {
                let mut blame = sizes.map(|(rows, cols)| vec![vec![0.0; cols]; rows]);
                for (excess, culprits, unsettled) in &found {
                    let share = if last && *unsettled {
                        f64::INFINITY
                    } else {
                        *excess as f64 / culprits.len() as f64
                    };
                    culprits
                        .iter()
                        .for_each(|(table, row, col)| blame[*table][*row][*col] += share);
                }
                blame
            };
            let mut added = false;
            while let (false, Some(threshold)) = (added, thresholds.next()) {
                let blame = blame(thresholds.peek().is_none() && price.is_infinite());
                for (needed, blame) in needed
                    .iter_mut()
                    .flatten()
                    .flatten()
                    .zip(blame.iter().flatten().flatten())
                {
                    added |= !*needed && *blame > threshold * ENTRY;
                    *needed |= *blame > threshold * ENTRY;
                }
            }
            if !added {
                return Ok(hints);
            }
            open = open
                .into_iter()
                .zip(found)
                .filter(|(_, found)| found.0 > 0)
                .map(|(base, _)| base)
                .collect();
        }
    }

    /// A plan for every (query, level), by answer, with these tables.
    pub(super) fn plans(&self, price: f64, mixed: &Orders, plans: &mut [Vec<Option<Plan>>]) {
        let all = self.base.iter();
        let bases: Vec<&Base<'_>> = all
            .filter(|base| base.cost < Self::room(price, base))
            .collect();
        let fars = Fars::new(mixed, bases.iter().map(|base| base.place));
        let widest = self.bounded.then(|| mixed.widest());
        let found = parallel(bases.clone(), self.options.threads, |_, base: &Base<'_>| {
            let room = if price.is_infinite() {
                LONGEST
            } else {
                Self::room(price, base)
            };
            Case::new(mixed, base.place, &fars, self.two_sided, widest).plan(room)
        });
        for (base, plan) in bases.into_iter().zip(found) {
            plans[base.at.0][base.at.1] = plan.map(|(_, plan)| plan);
        }
    }
}

/// Wide entries that stand in the way of the plan that full tables allow.
fn culprits(
    base: &Base<'_>,
    full: &Orders,
    mixed: &Orders,
    fars: (&Fars, &Fars),
) -> Vec<(usize, usize, usize)> {
    const CLOSE: f64 = 1e-6;
    let Base { place, plan, .. } = base;
    let (query, right, answers, n) = (place.query, place.right(), full.answers, full.n);
    let q = full.row(query);
    let of_place = place.tokens();
    let mut culprits = vec![];
    let size = |group: &Group| {
        let window = if group.test == Test::Count {
            plan.window
        } else {
            group.window
        };
        window.unwrap_or(usize::MAX)
    };
    let singles = of_place.singles.iter();
    let by_attention = full.attention[q].iter();
    let others = by_attention.filter(|t| of_place.others.binary_search(t).is_ok());
    let tokens: Vec<usize> = singles.chain(others).copied().collect();
    let window = plan.groups.iter().map(size).max().unwrap_or(1);
    let window = window.max(of_place.singles.len()).min(tokens.len());
    let wide = |ends: &Ends, row: usize, col: usize| {
        ends.upper.at(row, col) - ends.lower.at(row, col) > CLOSE
    };
    let level = tokens
        .get(window)
        .map_or(f64::MIN, |t| *full.scores.upper.at(q, *t));
    for (place, t) in tokens.iter().enumerate() {
        let near = place < window || *mixed.scores.upper.at(q, *t) > level + CLOSE;
        if near && wide(&mixed.scores, q, *t) {
            culprits.push((0, q, *t));
        }
    }
    let named: Vec<usize> = plan
        .groups
        .iter()
        .flat_map(|group| match &group.answers {
            Answers::These(answers) => answers.clone(),
            _ => vec![],
        })
        .collect();
    let mut sets: Vec<Vec<usize>> = plan
        .groups
        .iter()
        .map(|group| match &group.answers {
            Answers::These(answers) => answers.clone(),
            _ => (0..answers)
                .filter(|j| *j != right && !named.contains(j))
                .collect(),
        })
        .collect();
    sets.push((0..answers).filter(|j| *j != right).collect());
    for (index, set) in sets.iter().enumerate() {
        let top =
            |entry: &dyn Fn(usize) -> f64| set.iter().map(|j| entry(*j)).fold(f64::MIN, f64::max);
        let of_query = top(&|j| full.query_row(q, j));
        for j in set {
            if wide(&mixed.direct, q, *j) && mixed.query_row(q, *j) > of_query + CLOSE {
                culprits.push((2, q, *j));
            }
        }
        if index + 1 == sets.len() {
            break;
        }
        let last = top(&|j| full.last_row(q, j));
        for j in set {
            if mixed.last_row(q, *j) > last + CLOSE {
                if wide(&mixed.direct, q, *j) {
                    culprits.push((2, q, *j));
                }
                if wide(&mixed.logits, query, *j) {
                    culprits.push((1, query, *j));
                }
            }
        }
        for t in &tokens[..window] {
            let row = top(&|j| full.token_row(*t, 0, j));
            for j in set {
                if wide(&mixed.logits, *t, *j) && mixed.token_row(*t, 0, *j) > row + CLOSE {
                    culprits.push((1, *t, *j));
                }
            }
        }
    }
    for t in tokens[..window].iter().chain([&query]) {
        if wide(&mixed.logits, *t, right) {
            culprits.push((1, *t, right));
        }
    }
    let fars = [fars.0, fars.1].map(|fars| fars.of(right, &of_place.others));
    let is_higher = |p: usize| fars[1][p] > fars[0][p] + CLOSE;
    if window < tokens.len() && (0..n - 1).any(is_higher) {
        for t in of_place.others {
            let low = mixed.token_row_low(t, 0, right);
            let far: Vec<usize> = (0..answers)
                .filter(|j| *j != right && mixed.token_row(t, 0, *j) - low > fars[0][0] + CLOSE)
                .collect();
            culprits.extend(
                far.iter()
                    .filter(|j| wide(&mixed.logits, t, **j))
                    .map(|j| (1, t, *j)),
            );
            if !far.is_empty() && wide(&mixed.logits, t, right) {
                culprits.push((1, t, right));
            }
        }
    }
    culprits.sort_unstable();
    culprits.dedup();
    culprits
}
