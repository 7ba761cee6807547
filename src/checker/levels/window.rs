//! Rule `window`: a few tokens one by one, all others as a far class.
//!
//! **Statement** (theorem `far_class`; `docs/theory.md`, T4). Let the tokens t < m outside the window have weights
//! w(t,p) ≤ w(s,p). Then `φ_j(t,p) ≤ max(0, w(s,p)·Y(p))` for every wrong j, where Y(p) bounds every wrong answer's
//! margin at every t < m.
//! **Why.** 0 ≤ w(t,p) ≤ w(s,p), and w·y ≤ w(s,p)·max(0, y).
//! **Cost.** Three operations a position, and the order of the query's attention; to look it up, an integer operation a
//! token.

use super::order::Order;
use super::terms::Level;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::Kind;

/// The tokens up to m, split into those treated one by one and the others.
#[derive(Debug)]
pub(super) struct Window {
    /// Tokens treated one by one; m first.
    pub(super) tokens: Vec<usize>,
    /// The number of tokens in the far class.
    pub(super) far: usize,
    /// A token with at least the attention of every token in the far class, if the hints show one.
    pub(super) strongest_far: Option<usize>,
}

impl<R: Enclosure> Level<'_, R> {
    /// The window of `size` tokens: m and the tokens below it with the most attention from q.
    pub(super) fn window(&self, q: usize, size: usize) -> Window {
        let m = self.m;
        if size > m {
            return Window {
                tokens: std::iter::once(m).chain(0..m).collect(),
                far: 0,
                strongest_far: None,
            };
        }
        let leading = |order: &Order| order.leading(size.saturating_sub(1), |t| t < m, self.meter);
        let (near, strongest_far) = self
            .tables
            .attention
            .order(q)
            .map(leading)
            .unwrap_or_default();
        let tokens: Vec<usize> = std::iter::once(m).chain(near).collect();
        Window {
            far: m + 1 - tokens.len(),
            tokens,
            strongest_far,
        }
    }

    /// An upper bound of φ of every group at every token of the far class, at position p < n − 1.
    pub(super) fn far_term(&mut self, window: &Window, q: usize, p: usize) -> R {
        let margin = self.margins.far(q, p);
        let Some(strongest) = window.strongest_far else {
            return R::everything();
        };
        self.meter.add(Kind::Far, 2);
        let attention = &self.tables.attention;
        let weight = attention.weight(q, strongest, p, self.meter);
        weight
            .mul_scaled(&margin, attention.shift(q, self.m, strongest))
            .max(&R::dyadic(0, 0))
    }

    /// A lower bound of φ of every group at every token of the far class, at position p.
    pub(super) fn far_below(&self, window: &Window, q: usize, p: usize) -> R {
        let Some(strongest) = window.strongest_far else {
            return R::everything();
        };
        self.meter.add(Kind::Far, 2);
        let (attention, widest) = (
            &self.tables.attention,
            self.tables.direct_path.widest(self.meter),
        );
        let weight = attention.weight(q, strongest, p, self.meter);
        R::dyadic(0, 0).sub(&weight.mul_scaled(widest, attention.shift(q, self.m, strongest)))
    }
}
