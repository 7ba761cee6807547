//! The inputs with one right answer, and the terms φ of groups of wrong answers: token by token, position by position.
//!
//! φ_G(t, p) is the weight `w(q,t,p)` times an upper bound y of the margins of G's answers, in the units of q and a level:
//! an input with `Σ_p φ_G(x_p, p) < 0` has no right answer's rival in G (`docs/theory.md`, T1, T2).

use super::margins::{Margin, Margins};
use super::tables::Tables;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::task::{Tokens, Words};

/// Integer operations for a move of a level: it is followed for each class of the last token, with large numbers.
pub(super) const MOVE: usize = 64;

/// All inputs with one right answer, level by level.
#[derive(Debug)]
pub struct Answer<'a, R> {
    pub(super) tables: &'a Tables<R>,
    pub(super) margins: Margins<'a, R>,
    pub(super) right: usize,
    pub(super) meter: &'a Meter,
}

/// The inputs of one level with one query: what no rule has to find twice.
#[derive(Debug)]
pub struct View<'w> {
    /// The inputs.
    pub words: &'w Words<'w>,
    /// The query.
    pub query: usize,
    /// The query's row in the tables.
    pub(super) row: usize,
    /// Of the weights, as an exponent: that of the first token that is a class by itself, or the largest.
    pub(super) unit: i32,
    /// By token before the last position: its class.
    class_of: Vec<Option<usize>>,
    /// By class: how many of its tokens may stand there.
    pub(super) sizes: Vec<usize>,
    /// A token that every input holds before the last position.
    pub(super) held: Option<usize>,
    /// The number of the set of others, by which margins know it.
    pub(super) set: usize,
    /// The tokens that are a class by themselves, and all others, ascending.
    pub(super) singles: Vec<usize>,
    pub(super) others: Vec<usize>,
}

impl View<'_> {
    /// How many tokens may stand before the last position.
    pub fn tokens(&self) -> usize {
        self.singles.len() + self.others.len()
    }

    /// May it stand there, in a class with others?
    pub(super) fn is_other(&self, token: usize) -> bool {
        let class = self.class_of(token).and_then(|class| self.sizes.get(class));
        class.is_some_and(|size| *size > 1)
    }

    /// The class of a token that may stand before the last position.
    pub(super) fn class_of(&self, token: usize) -> Option<usize> {
        self.class_of.get(token).copied().flatten()
    }
}

impl<'a, R: Enclosure> Answer<'a, R> {
    /// The inputs whose right answer this is.
    pub fn new(tables: &'a Tables<R>, right: usize, meter: &'a Meter) -> Self {
        Self {
            tables,
            margins: tables.direct_path.margins(right, meter),
            right,
            meter,
        }
    }

    /// Those of a level with this token at the last position.
    pub fn view<'w>(&mut self, words: &'w Words<'w>, query: usize) -> View<'w> {
        let level = words.level;
        let (mut singles, mut others) = (vec![], vec![]);
        let mut class_of = vec![None; self.tables.d_vocab];
        let mut sizes = vec![0; level.classes.len()];
        for position in 0..self.tables.n_ctx - 1 {
            let here = words.classes_at(position);
            self.meter.add(Kind::Integer, here.len());
            for ((size, tokens), is_here) in sizes.iter_mut().zip(&level.classes).zip(here) {
                *size = if is_here { tokens.len() } else { *size };
            }
        }
        let free = |(class, _): &(usize, &Tokens)| sizes.get(*class).is_some_and(|size| *size > 0);
        for (class, tokens) in level.classes.iter().enumerate().filter(free) {
            for token in tokens.iter() {
                class_of
                    .get_mut(token)
                    .into_iter()
                    .for_each(|slot| *slot = Some(class));
            }
            let list = if tokens.len() == 1 {
                &mut singles
            } else {
                &mut others
            };
            list.extend(tokens.iter());
        }
        others.sort_unstable();
        // Through all moves once, for each such class.
        self.meter
            .add(Kind::Integer, 4 * singles.len() * level.moves());
        let holds = |token: &&usize| {
            let class = class_of.get(**token).copied().flatten();
            class.is_some_and(|class| words.hold(class))
        };
        let held = singles.iter().find(holds).copied();
        // To put every token into its class, and to look for the largest weight.
        self.meter.add(Kind::Integer, 2 * self.tables.d_vocab);
        let attention = &self.tables.attention;
        let row = attention.row(query);
        let exponent = |token: &usize| attention.exponent(row, *token);
        let largest = || others.iter().chain([&query]).map(exponent).max();
        let unit = singles.first().map(exponent).or_else(largest);
        View {
            words,
            query,
            row,
            unit: unit.unwrap_or(0),
            class_of,
            sizes,
            held,
            set: self.margins.set(&others),
            singles,
            others,
        }
    }

    /// From the units of a token's weight to those of the view.
    pub(super) fn shift(&self, view: &View<'_>, token: usize) -> i32 {
        let exponent = self.tables.attention.exponent(view.row, token);
        exponent.saturating_sub(view.unit)
    }

    /// φ of each group at token t and position p < n − 1.
    pub(super) fn terms<'s>(
        &'s mut self,
        groups: &'s [Margin<'_, R>],
        view: &View<'_>,
        t: usize,
        p: usize,
    ) -> impl Iterator<Item = R> + 's {
        let attention = &self.tables.attention;
        let weight = attention.weight(view.row, t, p, self.meter).clone();
        let shift = self.shift(view, t);
        self.meter.add(Kind::Terms, groups.len());
        self.margins
            .at(groups, t, p)
            .map(move |margin| weight.mul_scaled(&margin, shift))
    }

    /// φ of a group at the last position.
    pub(super) fn last_term(&mut self, margin: &Margin<'_, R>, view: &View<'_>) -> R {
        let (query, shift) = (view.query, self.shift(view, view.query));
        let margin = self.margins.last(margin);
        self.meter.add(Kind::Terms, 1);
        let attention = &self.tables.attention;
        let weight = attention.weight(view.row, query, self.tables.n_ctx - 1, self.meter);
        weight.mul_scaled(&margin, shift)
    }
}
