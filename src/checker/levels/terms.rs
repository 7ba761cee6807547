//! The inputs of one maximum, and the terms φ of groups of wrong answers: token by token, position by position.
//!
//! φ_G(t, p) is the weight `w(q,t,p)` times an upper bound y of the margins of G's answers, in the units of (q, m): an input
//! with `Σ_p φ_G(x_p, p) < 0` has no right answer's rival in G (`docs/theory.md`, T1, T2).

use super::margins::{Margin, Margins};
use super::tables::Tables;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use num_bigint::BigUint;

/// All inputs with one maximum m, query by query.
#[derive(Debug)]
pub struct Level<'a, R> {
    pub(super) tables: &'a Tables<R>,
    pub(super) margins: Margins<'a, R>,
    pub(super) m: usize,
    pub(super) meter: &'a Meter,
}

impl<'a, R: Enclosure> Level<'a, R> {
    /// The inputs whose maximum is m.
    pub fn new(tables: &'a Tables<R>, m: usize, meter: &'a Meter) -> Self {
        Self {
            tables,
            margins: tables.direct_path.margins(m, meter),
            m,
            meter,
        }
    }

    /// The number of inputs with query q: `(m+1)^(n−1)`, less `m^(n−1)` without the maximum when q < m.
    pub fn inputs(&self, q: usize) -> BigUint {
        let free = u32::try_from(self.tables.n_ctx - 1).unwrap_or(0);
        let upto = BigUint::from(self.m + 1).pow(free);
        if q == self.m {
            upto
        } else {
            upto - BigUint::from(self.m).pow(free)
        }
    }

    /// φ of each group at token t and position p < n − 1, in the units of (q, m).
    pub(super) fn terms<'s>(
        &'s mut self,
        groups: &'s [Margin<'_, R>],
        q: usize,
        t: usize,
        p: usize,
    ) -> impl Iterator<Item = R> + 's {
        let attention = &self.tables.attention;
        let (weight, shift) = (
            attention.weight(q, t, p, self.meter).clone(),
            attention.shift(q, self.m, t),
        );
        self.meter.add(Kind::Terms, groups.len());
        self.margins
            .at(groups, t, p)
            .map(move |margin| weight.mul_scaled(&margin, shift))
    }

    /// φ of one group.
    pub(super) fn term(&mut self, group: &Margin<'_, R>, q: usize, t: usize, p: usize) -> R {
        self.terms(std::slice::from_ref(group), q, t, p)
            .next()
            .unwrap_or_else(R::everything)
    }

    /// φ of a group at the last position.
    pub(super) fn last_term(&mut self, margin: &Margin<'_, R>, q: usize) -> R {
        let margin = self.margins.last(margin);
        self.meter.add(Kind::Terms, 1);
        let attention = &self.tables.attention;
        let weight = attention.weight(q, q, self.tables.n_ctx - 1, self.meter);
        weight.mul_scaled(&margin, attention.shift(q, self.m, q))
    }
}
