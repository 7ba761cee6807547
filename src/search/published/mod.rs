//! Proofs by the published strategies: witnesses in closed form, and witnesses moved by gradients.

#[cfg(feature = "optimise")]
mod optimise;
mod witnesses;

#[cfg(feature = "optimise")]
pub(super) use optimise::improve;
pub(super) use witnesses::{closed, cubic, family};
