//! Rigorous arithmetic: what a number type must provide for the proof rules to be sound over the real numbers.
//!
//! A value of an [`Enclosure`] type stands for a set of reals that contains the true value. Every operation returns a
//! set that contains the result for every choice of the operands. That is all the rules rely on: a coarse enclosure
//! makes a proof fail, never succeed wrongly.

mod fixed;
#[cfg(feature = "mpfr")]
mod mpfr;
mod rational;

pub use fixed::Fixed;
#[cfg(feature = "mpfr")]
pub use mpfr::Mpfr;
pub use rational::Rational;

use std::fmt::Debug;

/// An enclosure of one real number: an interval with a lower and an upper end.
pub trait Enclosure: Clone + Debug + Send + Sync {
    /// The name on the command line.
    const NAME: &'static str;

    /// The enclosure of every real number: it proves nothing.
    fn everything() -> Self;
    /// Encloses `mantissa · 2^exponent`.
    fn dyadic(mantissa: i64, exponent: i32) -> Self;
    /// Encloses the inverses `1/x`; everything unless all x > 0.
    fn inverse(&self) -> Self;
    /// Encloses the inverse square roots `1/√x`; everything unless all x > 0.
    fn inverse_sqrt(&self) -> Self;
    /// Encloses the sum.
    fn add(&self, other: &Self) -> Self;
    /// Encloses the difference.
    fn sub(&self, other: &Self) -> Self;
    /// Encloses `self · other · 2^shift`: one multiplication, at the scale its user needs.
    fn mul_scaled(&self, other: &Self, shift: i32) -> Self;
    /// Encloses the larger of the two numbers.
    fn max(&self, other: &Self) -> Self;
    /// Encloses the smaller of the two numbers.
    fn min(&self, other: &Self) -> Self;
    /// Encloses all that either encloses.
    fn hull(&self, other: &Self) -> Self;
    /// The upper end: a number that is at least every enclosed one.
    fn upper(&self) -> Self;
    /// A pair `(y, k)` with `y · 2^k` enclosing the exponential, y near 1.
    fn exp(&self) -> (Self, i32);
    /// Is every enclosed number below zero?
    fn is_negative(&self) -> bool;
    /// Is every enclosed number at least zero?
    fn is_nonnegative(&self) -> bool;
    /// Is the upper end at most the other's upper end?
    fn upper_at_most(&self, other: &Self) -> bool;
    /// Is the lower end at most the other's lower end?
    fn lower_at_most(&self, other: &Self) -> bool;
    /// `⌈upper end · 2^bits⌉`; `None` when it is not below `limit`. Anything below `-limit` is raised to it.
    fn ceil_to_grid(&self, bits: u32, limit: i64) -> Option<i64>;

    /// `⌊lower end · 2^bits⌋`; `None` when it is not above `-limit`, or an end is infinite. Anything above `limit` is
    /// lowered to it.
    fn floor_to_grid(&self, bits: u32, limit: i64) -> Option<i64> {
        Self::dyadic(0, 0)
            .sub(self)
            .ceil_to_grid(bits, limit)
            .map(|bin| -bin)
    }

    /// Encloses the inner product of two equally long rows (the shorter length counts).
    fn dot<'a>(pairs: impl Iterator<Item = (&'a Self, &'a Self)>) -> Self
    where
        Self: 'a,
    {
        pairs.fold(Self::dyadic(0, 0), |sum, (left, right)| {
            sum.add(&left.mul_scaled(right, 0))
        })
    }

    /// Encloses the product.
    fn mul(&self, other: &Self) -> Self {
        self.mul_scaled(other, 0)
    }
}
