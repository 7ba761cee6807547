//! Rule `exhaustive`, one layer: query by query, with running sums over the other positions.
//!
//! **Statement** (theorems `logits_by_columns`, `exhaustive_counts_by_query`). For a query q at position P let
//! `w_h(t,p) > 0` be any multiple, the same for all t and p, of the exponential of head h's score, and `c_h(t,p)` what the
//! head adds to the columns (`tail.rs`). Then the columns are `direct(q,P) + Σ_h N_h / Z_h` with
//! `N_h = Σ_p w_h(x_p,p) c_h(x_p,p)` and `Z_h = Σ_p w_h(x_p,p)`. Sums of a prefix are those of all inputs that begin with it.
//! **Why.** Softmax's definition. An attention rate α is one head more: of weight 1 everywhere, so that Z is the input's
//! length, which adds α times what the heads add to the columns; the others add 1 − α times that.
//! `direct` joins the first head's columns, `Σ w/Z` being 1: where logits are only compared, that head's division is
//! multiplied away.
//! **Cost.** An addition for every head and column at each node of the trie; at an input two operations more for each
//! column of every head whose division is done.
//!
//! Weights have units by *class*, powers of two apart: sums of tokens that are hardly attended to stay exact.

use super::heads::{HeadTables, Tables};
use super::tail::{Tail, plus};
use super::{Found, inputs_below};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::run::{Run, in_order};
use crate::model::{Dyadic, Matrix, Transformer};
use crate::refusal::Refusal;
use crate::task::Task;
use std::cell::OnceCell;
use std::sync::OnceLock;

/// Bits from one class to the next.
const CLASS_BITS: i32 = 16;
/// The number of classes; the last holds all weaker tokens.
const CLASSES: usize = 8;

/// The whole walk.
///
/// # Errors
/// [`crate::refusal::Decline::Work`]; [`crate::refusal::Decline::TooLarge`].
pub(super) fn walk<R: Enclosure>(
    model: &Transformer,
    task: &dyn Task,
    tail: &Tail<R>,
    run: &Run<'_, R>,
) -> Result<Found, Refusal> {
    let meter = run.meter;
    let mut tables = Tables::new(model, &tail.columns, meter)?;
    mix(model, &mut tables, meter)?;
    let mut found = Found::default();
    for (position, queries) in task.read_outs() {
        for query in queries.iter() {
            let query = Query::new(&tables, tail, task, (query, position), meter)?;
            let first = match position {
                0 => vec![None],
                _ => task.next(&[]).iter().map(Some).collect(),
            };
            let below = |first, meter: &Meter| query.walk(first, meter);
            for part in in_order(first, meter, run.options, below)? {
                found.add(part);
            }
        }
    }
    Ok(found)
}

/// The attention rate: one head more.
fn mix<R: Enclosure>(
    model: &Transformer,
    tables: &mut Tables<R>,
    meter: &Meter,
) -> Result<(), Refusal> {
    let rate = model.shape.attention_rate;
    let (alpha, one) = (R::dyadic(rate.mantissa, rate.exponent), R::dyadic(1, 0));
    if rate.mantissa == 0 {
        return Ok(());
    }
    let size = |table: &Matrix<R>| table.rows() * table.cols();
    let times = |table: &Matrix<R>, by: &R| {
        let entries = table.iter_rows().flatten().map(|entry| entry.mul(by));
        Matrix::new(table.cols(), entries.collect(), R::everything())
    };
    let values = tables.heads.iter().map(|head| head.values.clone());
    let sum = values.reduce(|a, b| {
        let rows = a.iter_rows().zip(b.iter_rows());
        let rows = rows.flat_map(|(a, b)| plus(a, b));
        Matrix::new(a.cols(), rows.collect(), R::everything())
    });
    let sum = sum.unwrap_or_else(|| Matrix::new(1, vec![], R::everything()));
    let rest = one.sub(&alpha);
    meter.spend(Kind::Logits, 2 * size(&sum) * tables.heads.len() + 1)?;
    for head in &mut tables.heads {
        head.values = times(&head.values, &rest);
    }
    // With α = 1 nothing of the others is left.
    if rate == Dyadic::ONE {
        tables.heads.clear();
    }
    let nothing = || Matrix::new(1, vec![R::dyadic(0, 0); sum.rows()], R::everything());
    tables.heads.push(HeadTables {
        queries: nothing(),
        keys: nothing(),
        values: times(&sum, &alpha),
    });
    Ok(())
}

/// Where what stands: everything about one query at one position.
struct Query<'a, R> {
    tail: &'a Tail<R>,
    task: &'a dyn Task,
    token: usize,
    position: usize,
    d_vocab: usize,
    heads: Vec<Head<R>>,
}

/// One head's weights and terms for the query.
struct Head<R> {
    /// By row of the tables, p · d_vocab + t: the class.
    classes: Vec<usize>,
    /// By row: the weight, and its products with the columns, in units of the token's class.
    terms: Vec<Vec<R>>,
    /// By class less 1, then row: the same in units of a stronger class, when first asked for.
    shifted: Vec<Vec<OnceLock<Vec<R>>>>,
}

impl<R: Enclosure> Head<R> {
    /// The class of a prefix with the token of this row behind it: the stronger one.
    fn joint_class(&self, sums: &Sums<R>, row: usize) -> usize {
        self.classes.get(row).map_or(0, |own| sums.class.min(*own))
    }

    /// The terms of a row in units of a class that is at least as strong as its own.
    fn terms(&self, row: usize, class: usize) -> &[R] {
        let own = self.classes.get(row).copied().unwrap_or(0);
        let terms = || self.terms.get(row).map_or(&[] as &[R], Vec::as_slice);
        if own <= class {
            return terms();
        }
        let slot = self.shifted.get(class).and_then(|rows| rows.get(row));
        slot.map_or(&[], |slot| slot.get_or_init(|| weaker(terms(), own, class)))
    }
}

/// The same numbers in units of a stronger class.
fn weaker<R: Enclosure>(row: &[R], own: usize, class: usize) -> Vec<R> {
    let steps = i32::try_from(own.saturating_sub(class)).unwrap_or(i32::MAX);
    let (one, shift) = (R::dyadic(1, 0), -CLASS_BITS.saturating_mul(steps));
    row.iter().map(|x| x.mul_scaled(&one, shift)).collect()
}

/// The sums of a prefix, by head.
type Node<R> = Vec<Sums<R>>;

/// Sums of the weights and of the terms of one head.
struct Sums<R> {
    class: usize,
    own: Vec<R>,
    /// In units of a stronger class.
    stronger: [OnceCell<Vec<R>>; CLASSES],
}

impl<R: Enclosure> Sums<R> {
    fn new(class: usize, own: Vec<R>) -> Self {
        Self {
            class,
            own,
            stronger: Default::default(),
        }
    }

    fn at(&self, class: usize) -> &[R] {
        if self.class <= class {
            return &self.own;
        }
        let slot = self.stronger.get(class);
        slot.map_or(&[], |slot| {
            slot.get_or_init(|| weaker(&self.own, self.class, class))
        })
    }
}

impl<'a, R: Enclosure> Query<'a, R> {
    fn new(
        tables: &Tables<R>,
        tail: &'a Tail<R>,
        task: &'a dyn Task,
        (token, position): (usize, usize),
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let d_vocab = tables.direct.rows() / task.n_ctx().max(1);
        let own = position * d_vocab + token;
        let mut direct = Some(tables.direct.row(own));
        let head = |head| Head::new(head, own, position * d_vocab, direct.take(), meter);
        let heads = tables.heads.iter().map(head).collect::<Result<_, _>>()?;
        Ok(Self {
            tail,
            task,
            token,
            position,
            d_vocab,
            heads,
        })
    }

    /// All inputs with this query at this position and, unless that is the first, this first token.
    fn walk(&self, first: Option<usize>, meter: &Meter) -> Result<Found, Refusal> {
        let own = self.position * self.d_vocab + self.token;
        let start = self.heads.iter().map(|head| {
            let class = head.classes.get(own).copied().unwrap_or(0);
            let terms = head.terms(own, class);
            match first {
                Some(_) => Sums::new(class, terms.to_vec()),
                None => Sums::new(class, vec![R::dyadic(0, 0); terms.len()]),
            }
        });
        let mut walk = Walk {
            query: self,
            meter,
            prefix: Vec::with_capacity(self.position + 1),
            columns: Vec::new(),
            found: Found::default(),
        };
        let start: Node<R> = start.collect();
        match first {
            Some(first) => walk.child(&start, first)?,
            None => walk.leaf(&start, own)?,
        }
        Ok(walk.found)
    }
}

/// A walk through the inputs of one query.
struct Walk<'a, R> {
    query: &'a Query<'a, R>,
    meter: &'a Meter,
    prefix: Vec<usize>,
    /// Those of one read-out after the other.
    columns: Vec<R>,
    found: Found,
}

impl<R: Enclosure> Walk<'_, R> {
    /// All inputs that go on with this token.
    fn child(&mut self, node: &Node<R>, token: usize) -> Result<(), Refusal> {
        let query = self.query;
        let row = self.prefix.len() * query.d_vocab + token;
        self.prefix.push(token);
        if self.prefix.len() == query.position {
            self.leaf(node, row)?;
        } else {
            let next = query.task.next(&self.prefix);
            if !next.is_empty() {
                let sums = query.heads.iter().zip(node).map(|(head, sums)| {
                    let class = head.joint_class(sums, row);
                    self.meter.add(Kind::Tree, sums.own.len());
                    Sums::new(class, plus(sums.at(class), head.terms(row, class)))
                });
                let sums: Node<R> = sums.collect();
                self.meter.spend(Kind::Integer, 1)?;
                for token in next.iter() {
                    self.child(&sums, token)?;
                }
            }
        }
        self.prefix.pop();
        Ok(())
    }

    /// The read-out with the query behind the prefix, whose last token's row is not yet among the sums, if it is one.
    fn leaf(&mut self, node: &Node<R>, row: usize) -> Result<(), Refusal> {
        let Query { task, token, .. } = *self.query;
        self.meter.add(Kind::Integer, 1);
        if !task.next(&self.prefix).contains(token) {
            return Ok(());
        }
        self.prefix.push(token);
        if let Some(right) = task.answer(&self.prefix) {
            let inputs = inputs_below(task, &mut self.prefix, self.meter)?;
            if inputs > 0 {
                let scale = self.columns(node, row);
                let (tail, columns) = (self.query.tail, &self.columns);
                let answer = tail.answer(columns, scale.as_ref(), right, self.meter)?;
                self.found.count(answer, inputs);
            }
        }
        self.prefix.pop();
        Ok(())
    }

    /// The columns behind attention; times a positive number where that is given back.
    fn columns(&mut self, node: &Node<R>, row: usize) -> Option<R> {
        let mut scale: Option<R> = None;
        self.columns.clear();
        for (index, (head, sums)) in self.query.heads.iter().zip(node).enumerate() {
            let class = head.joint_class(sums, row);
            let both = sums.at(class).iter().zip(head.terms(row, class));
            let mut totals = both.map(|(sum, term)| sum.add(term));
            let weight = totals.next().unwrap_or_else(R::everything);
            let columns = totals.len();
            self.meter.add(Kind::Tree, columns + 1);
            // The first head's columns as they are, if all may be multiplied by its Z; the others over theirs.
            if index == 0 && self.query.tail.is_homogeneous() {
                self.columns.extend(totals);
                scale = Some(weight);
                continue;
            }
            self.meter
                .add(Kind::Weights, 1 + usize::from(scale.is_some()));
            let share = weight.inverse();
            let share = scale
                .as_ref()
                .map_or(share.clone(), |scale| scale.mul(&share));
            if index == 0 {
                self.meter.add(Kind::Tree, columns);
                self.columns.extend(totals.map(|total| total.mul(&share)));
            } else {
                self.meter.add(Kind::Tree, 2 * columns);
                for (column, total) in self.columns.iter_mut().zip(totals) {
                    *column = column.add(&total.mul(&share));
                }
            }
        }
        scale
    }
}

impl<R: Enclosure> Head<R> {
    /// The weights and terms of the rows before `behind`, and of the query's own.
    fn new(
        tables: &HeadTables<R>,
        own: usize,
        behind: usize,
        direct: Option<&[R]>,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let (query, width) = (tables.queries.row(own), tables.keys.cols());
        let rows = || (0..behind).chain([own]);
        meter.spend(Kind::Attention, (behind + 1) * (2 * width - 1))?;
        meter.spend(Kind::Weights, behind + 1)?;
        let weight = |row: usize| R::dot(query.iter().zip(tables.keys.row(row))).exp();
        let weights: Vec<(usize, (R, i32))> = rows().map(|row| (row, weight(row))).collect();
        let most = weights.iter().map(|(_, (_, k))| *k).max().unwrap_or(0);
        let mut classes = vec![0; own + 1];
        let mut terms = vec![vec![]; own + 1];
        let columns = tables.values.cols();
        let each = 1 + usize::from(direct.is_some());
        meter.spend(Kind::Terms, (behind + 1).saturating_mul(columns * each))?;
        for (row, (weight, exponent)) in weights {
            let below = most.saturating_sub(exponent);
            let class = usize::try_from(below / CLASS_BITS).unwrap_or(0);
            let class = class.min(CLASSES - 1);
            let unit = CLASS_BITS.saturating_mul(i32::try_from(class).unwrap_or(0));
            // A power of two: a change of unit, not an operation.
            let shift = unit.saturating_sub(below);
            let weight = weight.mul_scaled(&R::dyadic(1, 0), shift);
            let values = tables.values.row(row);
            let term = |(column, value): (usize, &R)| match direct.and_then(|d| d.get(column)) {
                Some(direct) => weight.mul(&value.add(direct)),
                None => weight.mul(value),
            };
            let products: Vec<R> = values.iter().enumerate().map(term).collect();
            let all = std::iter::once(weight.clone()).chain(products).collect();
            if let (Some(slot), Some(known)) = (terms.get_mut(row), classes.get_mut(row)) {
                (*slot, *known) = (all, class);
            }
        }
        let strongest = classes.iter().max().copied().unwrap_or(0);
        let row = || (0..=own).map(|_| OnceLock::new()).collect();
        Ok(Self {
            shifted: (0..strongest).map(|_| row()).collect(),
            classes,
            terms,
        })
    }
}
