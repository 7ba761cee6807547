//! Sets of tokens: a range, which costs no memory, or a list.

use std::ops::Range;

/// A set of tokens, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokens {
    /// All from the first to before the last.
    Range(Range<usize>),
    /// These, ascending and distinct.
    These(Vec<usize>),
}

impl Tokens {
    /// No token.
    pub const NONE: Self = Self::Range(0..0);

    /// One token.
    pub fn one(token: usize) -> Self {
        Self::Range(token..token.saturating_add(1))
    }

    /// Is the token among them?
    pub fn contains(&self, token: usize) -> bool {
        match self {
            Self::Range(range) => range.contains(&token),
            Self::These(tokens) => tokens.binary_search(&token).is_ok(),
        }
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::These(tokens) => tokens.len(),
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after the other, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (range, these) = match self {
            Self::Range(range) => (range.clone(), &[][..]),
            Self::These(tokens) => (0..0, tokens.as_slice()),
        };
        range.chain(these.iter().copied())
    }
}
