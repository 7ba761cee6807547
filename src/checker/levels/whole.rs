//! Rule `whole`: one test for all inputs of a (query, level) at once.
//!
//! **Statement** (theorems `whole_pooled`, `whole_unpooled`, `whole_wrong`). Pooled: with M bounding `α(t)·max_p y(t,p)` for
//! every token t, and F ≤ M the bound at one that every input holds before the last position, if there is one:
//! `Σ_p φ ≤ (Σ_p β)·M + β_min·(F − M) + φ(q, n−1)`; without one, no middle term. Unpooled: `Σ_p φ` is at most what the
//! best input has, position by position (rule `tree`, at its root). Where the least input of one answer's own sum has
//! `Σ_p φ ≥ 0`, every input is wrong.
//! **Why.** The position of that token contributes at most its F, every other at most its M; β(p) > 0.
//! **Cost.** About 3g + 6 operations pooled, 3(n−1)g unpooled, for g tokens in the window.

use super::margins::{Margin, Set, largest};
use super::terms::{Answer, View};
use super::tree::{End, Tree};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::Kind;

impl<R: Enclosure> Answer<'_, R> {
    /// Does the pooled test certify every input?
    pub(super) fn pooled_holds(
        &mut self,
        margin: &Margin<'_, R>,
        view: &View<'_>,
        window: usize,
    ) -> bool {
        self.meter.goes_by("whole");
        let (window, attention) = (self.window(view, window), &self.tables.attention);
        let mut bounds = Vec::new();
        let mut held = None;
        for tokens in &window.near {
            for t in tokens {
                let pooled = self.margins.pooled(margin, *t);
                self.meter.add(Kind::Whole, 1);
                let bound = attention
                    .alpha(view.row, *t)
                    .mul_scaled(&pooled, self.shift(view, *t));
                if view.held == Some(*t) {
                    held = Some(bound.clone());
                }
                bounds.push(bound);
            }
        }
        if window.has_far() {
            let Some(strongest) = window.strongest_far else {
                return false;
            };
            let far = self.margins.far(view.row, view.set, self.tables.n_ctx - 1);
            self.meter.add(Kind::Far, 2);
            let far = attention
                .alpha(view.row, strongest)
                .mul_scaled(&far, self.shift(view, strongest));
            bounds.push(far.max(&R::dyadic(0, 0)));
        }
        // Any number that bounds them all is an M.
        let most = largest(bounds, Kind::Whole, self.meter).upper();
        let (beta_sum, beta_min) = attention.beta_sum_min(view.row, self.meter);
        self.meter.add(Kind::Whole, 3);
        let mut sum = beta_sum.mul(&most);
        if let Some(held) = held {
            self.meter.add(Kind::Whole, 3);
            sum = sum.add(&beta_min.mul(&held.sub(&most)));
        }
        sum.add(&self.last_term(margin, view)).is_negative()
    }

    /// Does the test position by position certify every input?
    pub(super) fn unpooled_holds(
        &mut self,
        margin: &Margin<'_, R>,
        view: &View<'_>,
        window: usize,
    ) -> bool {
        self.meter.goes_by("whole");
        let window = self.window(view, window);
        let groups = std::slice::from_ref(margin);
        let tree = Tree::new(self, view, (groups, &window, &[]), false, Some(End::Most));
        tree.settles_all(End::Most)
    }

    /// Does it show every input to be wrong?
    pub(super) fn wrong_holds(
        &mut self,
        margin: &Margin<'_, R>,
        view: &View<'_>,
        window: usize,
    ) -> bool {
        self.meter.goes_by("whole");
        if !matches!(margin.set, Set::One(_)) {
            return false;
        }
        let window = self.window(view, window);
        let groups = std::slice::from_ref(margin);
        let tree = Tree::new(self, view, (groups, &window, &[]), true, Some(End::Least));
        tree.settles_all(End::Least)
    }
}
