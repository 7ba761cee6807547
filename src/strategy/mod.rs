//! The strategies by name: their classes and costs. A name is a label; what is proved depends on a certificate's hints.

mod dimension;
mod family;

pub use dimension::unexplained_dimension;
pub use family::{ATTENTION, ATTENTION_ERROR, EUPU, Family};

use std::borrow::Cow;

/// A strategy of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Every input of any task, evaluated.
    Exhaustive,
    /// Every input, every wrong answer.
    BruteForce,
    /// The whole vocabulary, token by token.
    Cubic,
    /// A window of tokens, the others as a far class.
    Subcubic,
    /// No input left undecided, for n_ctx up to about 5.
    Exact {
        /// Also from above: which inputs are wrong.
        two_sided: bool,
    },
    /// Whatever reaches a budget or a target best.
    Auto,
    /// The cubic proof of the paper, by convexity.
    PublishedCubic,
    /// One of the paper's subcubic family.
    Published(Family),
}

impl Strategy {
    /// Our own for Max-of-n, shortest proofs last.
    pub const OWN: [Self; 6] = [
        Self::BruteForce,
        Self::Cubic,
        Self::Subcubic,
        Self::Exact { two_sided: true },
        Self::Exact { two_sided: false },
        Self::Auto,
    ];

    /// The one for any network, our own for Max-of-n, then the published ones.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = std::iter::once(Self::Exhaustive).chain(Self::OWN);
        own.chain(Self::published().skip(1))
    }

    /// The paper's 102: brute force, cubic, and the subcubic family.
    pub fn published() -> impl Iterator<Item = Self> {
        [Self::BruteForce, Self::PublishedCubic]
            .into_iter()
            .chain(Family::all().map(Self::Published))
    }

    /// The strategy of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|strategy| strategy.name() == name)
    }

    /// The strategies called `own`, `published` or `all`, or the one of this name.
    pub fn group(name: &str) -> Option<Vec<Self>> {
        match name {
            "own" => Some(Self::OWN.to_vec()),
            "published" => Some(Self::published().collect()),
            "all" => Some(Self::all().collect()),
            name => Self::named(name).map(|strategy| vec![strategy]),
        }
    }

    /// The name on the command line and in certificates.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Exhaustive => "exhaustive".into(),
            Self::BruteForce => "brute-force".into(),
            Self::Cubic => "cubic".into(),
            Self::Subcubic => "subcubic".into(),
            Self::Exact { two_sided: true } => "exact".into(),
            Self::Exact { two_sided: false } => "exact-one-sided".into(),
            Self::Auto => "auto".into(),
            Self::PublishedCubic => "published-cubic".into(),
            Self::Published(family) => family.to_string().into(),
        }
    }

    /// The asymptotic class, as in the published tables.
    pub fn class(self) -> &'static str {
        match self {
            Self::Exhaustive | Self::BruteForce => "brute-force",
            Self::Cubic | Self::PublishedCubic => "cubic",
            Self::Subcubic | Self::Exact { .. } | Self::Auto => "subcubic",
            Self::Published(family) => family.class(),
        }
    }

    /// FLOPs in terms of v = d_vocab, n = n_ctx, d = d_model, g = window.
    pub fn cost(self) -> &'static str {
        match self {
            Self::Exhaustive | Self::BruteForce => "O(v^(n+1))",
            Self::Cubic | Self::PublishedCubic => "O(v³·n)",
            Self::Subcubic | Self::Exact { .. } | Self::Auto => "O(v²·(n·g + d) + d³)",
            Self::Published(_) => "O(v²·(n + d))",
        }
    }

    /// One line about it.
    pub fn description(self) -> Cow<'static, str> {
        match self {
            Self::Exhaustive => "any network, any task: every input evaluated".into(),
            Self::BruteForce => "every input, every wrong answer".into(),
            Self::Cubic => "whole vocabulary; sums counted on a grid".into(),
            Self::Subcubic => "a window of tokens and a far class; whole-level tests, counts on a grid".into(),
            Self::Exact { two_sided: true } => {
                "packed groups; proof trees decide every input, beyond five positions grids enclose the number".into()
            }
            Self::Exact { two_sided: false } => "packed groups; the same from below only".into(),
            Self::Auto => "the best within a budget, or the shortest that reaches a target".into(),
            Self::PublishedCubic => "published: one other token, repeated, decides for all, by convexity".into(),
            Self::Published(family) => family.description().into(),
        }
    }
}

/// The classes of the published tables, longest proofs first.
pub const CLASSES: [&str; 8] = [
    "brute-force",
    "cubic",
    "subcubic",
    "low-rank-qk",
    "low-rank-eu",
    "low-rank-qk-eu",
    "quadratic-qk",
    "quadratic-qk-eu",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_strategy_has_a_name_of_its_own_and_a_class() {
        let names: BTreeSet<_> = Strategy::all().map(Strategy::name).collect();
        assert_eq!((names.len(), Strategy::published().count()), (108, 102));
        assert!(Strategy::all().all(|strategy| CLASSES.contains(&strategy.class())));
        assert!(
            Strategy::all().all(|strategy| Strategy::named(&strategy.name()) == Some(strategy))
        );
    }
}
