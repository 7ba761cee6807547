//! Rule `whole`: one test for all inputs of a (query, maximum) at once.
//!
//! **Statement** (theorems `whole_pooled`, `whole_unpooled`). If q < m, some position p₀ < n − 1 holds m.
//! Pooled: with M bounding `α(t)·max_p y(t,p)` for every t ≤ m, F the bound at t = m, F ≤ M:
//! `Σ_p φ ≤ (Σ_p β)·M + β_min·(F − M) + φ(q, n−1)`. Unpooled: with M_p bounding φ(t,p) for every t ≤ m and F_p at t = m:
//! `Σ_p φ ≤ Σ_p M_p + max_p (F_p − M_p) + φ(q, n−1)`. If q = m, both without the middle term.
//! **Why.** Position p₀ contributes at most its F, every other at most its M; β(p) > 0.
//! **Cost.** About 3g + 6 operations pooled, 3(n−1)g unpooled, for g tokens in the window.

use super::margins::{Margin, largest};
use super::terms::Level;
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::Kind;

impl<R: Enclosure> Level<'_, R> {
    /// Does the pooled test certify every input with query q?
    pub(super) fn pooled_holds(&mut self, margin: &Margin<'_, R>, q: usize, window: usize) -> bool {
        self.meter.goes_by("whole");
        let (window, tables, m) = (self.window(q, window), self.tables, self.m);
        let attention = &tables.attention;
        let mut bounds = Vec::new();
        for t in &window.tokens {
            let pooled = self.margins.pooled(margin, *t);
            self.meter.add(Kind::Whole, 1);
            bounds.push(
                attention
                    .alpha(q, *t)
                    .mul_scaled(&pooled, attention.shift(q, m, *t)),
            );
        }
        let at_m = bounds.first().cloned().unwrap_or(R::everything());
        if window.far > 0 {
            let Some(strongest) = window.strongest_far else {
                return false;
            };
            let far = self.margins.far(q, tables.n_ctx - 1);
            self.meter.add(Kind::Far, 2);
            let far = attention
                .alpha(q, strongest)
                .mul_scaled(&far, attention.shift(q, m, strongest));
            bounds.push(far.max(&R::dyadic(0, 0)));
        }
        // Any number that bounds them all is an M.
        let most = largest(bounds, Kind::Whole, self.meter).upper();
        let (beta_sum, beta_min) = attention.beta_sum_min(q, self.meter);
        self.meter.add(Kind::Whole, 3);
        let mut sum = beta_sum.mul(&most);
        if q < m {
            self.meter.add(Kind::Whole, 3);
            sum = sum.add(&beta_min.mul(&at_m.sub(&most)));
        }
        sum.add(&self.last_term(margin, q)).is_negative()
    }

    /// Does the test position by position certify every input with query q?
    pub(super) fn unpooled_holds(
        &mut self,
        margin: &Margin<'_, R>,
        q: usize,
        window: usize,
    ) -> bool {
        self.meter.goes_by("whole");
        let window = self.window(q, window);
        let mut sum = self.last_term(margin, q);
        let mut gains = Vec::new();
        for p in 0..self.tables.n_ctx - 1 {
            let mut bounds: Vec<R> = window
                .tokens
                .iter()
                .map(|t| self.term(margin, q, *t, p))
                .collect();
            let at_m = bounds.first().cloned().unwrap_or(R::everything());
            if window.far > 0 {
                bounds.push(self.far_term(&window, q, p));
            }
            let most = largest(bounds, Kind::Whole, self.meter).upper();
            self.meter.add(Kind::Whole, 1);
            sum = sum.add(&most);
            gains.push((at_m, most));
        }
        self.meter.add(Kind::Whole, 1);
        let holds = sum.is_negative();
        if holds || q == self.m {
            return holds;
        }
        self.meter.add(Kind::Whole, gains.len() + 2);
        let gain = largest(
            gains.iter().map(|(at_m, most)| at_m.sub(most)).collect(),
            Kind::Whole,
            self.meter,
        );
        sum.add(&gain).is_negative()
    }
}
