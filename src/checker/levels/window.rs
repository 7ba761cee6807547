//! Rule `window`: a few tokens one by one, all others of their classes as far classes.
//!
//! **Statement** (theorem `far_class`; `docs/theory.md`, T4). Let the tokens t outside the window have weights
//! w(t,p) ≤ w(s,p). Then `φ_j(t,p) ≤ max(0, w(s,p)·Y(p))` for every wrong j, where Y(p) bounds every wrong answer's
//! margin at every token that is no class by itself: such tokens are always in the window.
//! **Why.** 0 ≤ w(t,p) ≤ w(s,p), and w·y ≤ w(s,p)·max(0, y).
//! **Cost.** Three operations a position, and the order of the query's attention; to look it up, an integer operation a
//! token.

use super::order::Order;
use super::terms::{Answer, View};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::Kind;

/// The tokens that may stand before the last position, split into those treated one by one and the others.
#[derive(Debug)]
pub(super) struct Window {
    /// By class: tokens treated one by one, from the most attended on where the hints show an order.
    pub(super) near: Vec<Vec<usize>>,
    /// By class: the number of its other tokens.
    pub(super) far: Vec<usize>,
    /// A token with at least the attention of every one of these, if the hints show one.
    pub(super) strongest_far: Option<usize>,
}

impl Window {
    /// Are there tokens outside?
    pub(super) fn has_far(&self) -> bool {
        self.far.iter().any(|far| *far > 0)
    }
}

impl<R: Enclosure> Answer<'_, R> {
    /// The window of `size` tokens: those that are a class by themselves, and of the others those with the most attention.
    pub(super) fn window(&self, view: &View<'_>, size: usize) -> Window {
        let View {
            singles, others, ..
        } = view;
        let all = size >= view.tokens();
        let count = if all {
            others.len()
        } else {
            size.saturating_sub(singles.len())
        };
        let order = self.tables.attention.order(view.row);
        let leading =
            |order: &Order| order.leading(count, |token| view.is_other(token), self.meter);
        let (mut near, strongest_far) = order.map(leading).unwrap_or_default();
        if all {
            self.meter.add(Kind::Integer, 2 * self.tables.d_vocab);
            let mut listed = vec![false; self.tables.d_vocab];
            for token in &near {
                listed
                    .get_mut(*token)
                    .into_iter()
                    .for_each(|mark| *mark = true);
            }
            let others = others.iter();
            near.extend(others.filter(|token| listed.get(**token) == Some(&false)));
        }
        self.meter.add(Kind::Integer, singles.len() + near.len());
        let mut by_class = vec![vec![]; view.sizes.len()];
        for token in singles.iter().chain(&near) {
            let class = view
                .class_of(*token)
                .and_then(|class| by_class.get_mut(class));
            class.into_iter().for_each(|class| class.push(*token));
        }
        let far = by_class.iter().zip(&view.sizes);
        Window {
            far: far
                .map(|(near, size)| size.saturating_sub(near.len()))
                .collect(),
            near: by_class,
            strongest_far: strongest_far.filter(|_| !all),
        }
    }

    /// An upper bound of φ of every group at every token of a far class, at position p < n − 1.
    pub(super) fn far_term(&mut self, window: &Window, view: &View<'_>, p: usize) -> R {
        let margin = self.margins.far(view.row, view.set, p);
        let Some(strongest) = window.strongest_far else {
            return R::everything();
        };
        self.meter.add(Kind::Far, 2);
        let weight = self
            .tables
            .attention
            .weight(view.row, strongest, p, self.meter);
        weight
            .mul_scaled(&margin, self.shift(view, strongest))
            .max(&R::dyadic(0, 0))
    }

    /// A lower bound of φ of every group at every token of a far class, at position p.
    pub(super) fn far_below(&self, window: &Window, view: &View<'_>, p: usize) -> R {
        let Some(strongest) = window.strongest_far else {
            return R::everything();
        };
        self.meter.add(Kind::Far, 2);
        let widest = self.tables.direct_path.widest(self.meter);
        let weight = self
            .tables
            .attention
            .weight(view.row, strongest, p, self.meter);
        R::dyadic(0, 0).sub(&weight.mul_scaled(widest, self.shift(view, strongest)))
    }
}
