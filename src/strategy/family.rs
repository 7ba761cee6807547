//! The published subcubic family: 5 ways to handle the direct path, 2 attention, 10 the attention error.

use std::fmt;

/// The published ways to handle the direct path.
pub const EUPU: [&str; 5] = [
    "mean-query+max-diff",
    "svd-query+max-diff",
    "max-diff",
    "max-diff-exact",
    "global-max-diff-exact",
];
/// The published ways to handle attention.
pub const ATTENTION: [&str; 2] = [
    "mean-query+diff",
    "drop-average-query-per-output-logit-reasoning",
];
/// The published ways to handle the error of low-rank attention.
pub const ATTENTION_ERROR: [&str; 10] = [
    "svd",
    "max-diff",
    "mean+max-diff",
    "max-diff-subproduct",
    "mean+max-diff-subproduct",
    "max-diff-subproduct-recursive",
    "mean+max-diff-subproduct-recursive",
    "mean-recursive+max-diff-subproduct-recursive",
    "max-diff-exact",
    "exact-EQKE+max-diff-exact",
];

/// A strategy of the subcubic family: how it handles the direct path, attention, and the attention error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// One of [`EUPU`].
    pub eupu: &'static str,
    /// One of [`ATTENTION`].
    pub attention: &'static str,
    /// One of [`ATTENTION_ERROR`].
    pub error: &'static str,
}

impl fmt::Display for Family {
    /// The published short description.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "EUPU-{}--attn-{}--attn-err-{}",
            self.eupu, self.attention, self.error
        )
    }
}

impl Family {
    /// All 100.
    pub fn all() -> impl Iterator<Item = Self> {
        EUPU.into_iter().flat_map(|eupu| {
            ATTENTION.into_iter().flat_map(move |attention| {
                ATTENTION_ERROR.into_iter().map(move |error| Self {
                    eupu,
                    attention,
                    error,
                })
            })
        })
    }

    /// The class of the published tables.
    pub fn class(self) -> &'static str {
        let eu = self.low_rank_eu();
        let recursive = self.error.ends_with("recursive");
        let exact = self.error.ends_with("exact");
        match (exact, recursive, eu) {
            (true, _, false) => "subcubic",
            (true, _, true) => "low-rank-eu",
            (_, true, false) => "quadratic-qk",
            (_, true, true) => "quadratic-qk-eu",
            (_, _, false) => "low-rank-qk",
            (_, _, true) => "low-rank-qk-eu",
        }
    }

    /// One line about it: what its parts cost beyond the logits' v²·(n + d).
    pub fn description(self) -> String {
        let (eu, qk) = (self.low_rank_eu(), self.error.ends_with("recursive"));
        let direct = if eu {
            "direct path v·d"
        } else {
            "direct path v²·d"
        };
        let scores = match (self.error.ends_with("exact"), qk) {
            (true, _) => "scores v²·d",
            (_, true) => "scores v·d",
            _ => "scores v·d²",
        };
        format!("published: gaps below the maximum; {scores}, {direct}")
    }

    fn low_rank_eu(self) -> bool {
        !self.eupu.ends_with("exact")
    }
}
