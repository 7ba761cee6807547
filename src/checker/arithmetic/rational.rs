//! Exact rationals: an oracle for [`Fixed`](super::Fixed), slower and free of rounding but for exp and √.
//!
//! Every number here is a dyadic rational, so that reducing fractions would be wasted: a number is `mantissa·2^exponent`
//! on `num-bigint`'s integers.

use super::Enclosure;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use std::cmp::Ordering;

/// Relative precision, in bits, of the enclosures of exp and √.
const PRECISION: u64 = 160;
/// ⌊2^90 · ln 2⌋: only to choose the power of two that exp takes out, as [`Fixed`](super::Fixed) does.
const LN2: i128 = 858_074_647_932_929_271_111_585_486;

/// The exact number `mantissa · 2^exponent`.
#[derive(Debug, Clone)]
pub(super) struct Exact {
    mantissa: BigInt,
    exponent: i64,
}

/// An interval with exact ends; `None` encloses everything.
#[derive(Debug, Clone)]
pub struct Rational(Option<(Exact, Exact)>);

impl Exact {
    fn new(mantissa: impl Into<BigInt>, exponent: i64) -> Self {
        Self {
            mantissa: mantissa.into(),
            exponent,
        }
    }

    /// Both mantissas at the smaller exponent.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i64) {
        let exponent = self.exponent.min(other.exponent);
        let at = |x: &Self| &x.mantissa << x.exponent.abs_diff(exponent);
        (at(self), at(other), exponent)
    }

    fn plus(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self::new(a + b, exponent)
    }

    fn minus(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self::new(a - b, exponent)
    }

    fn times(&self, other: &Self) -> Self {
        Self::new(
            &self.mantissa * &other.mantissa,
            self.exponent.saturating_add(other.exponent),
        )
    }

    fn scaled(self, shift: i64) -> Self {
        Self {
            exponent: self.exponent.saturating_add(shift),
            ..self
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b, _) = self.aligned(other);
        a.cmp(&b)
    }

    fn larger(&self, other: &Self) -> Self {
        if self.cmp(other) == Ordering::Less {
            other.clone()
        } else {
            self.clone()
        }
    }

    fn smaller(&self, other: &Self) -> Self {
        if self.cmp(other) == Ordering::Greater {
            other.clone()
        } else {
            self.clone()
        }
    }

    /// `⌊self · 2^bits⌋`, or `⌈self · 2^bits⌉`.
    fn integer(&self, bits: i64, up: bool) -> BigInt {
        let left = self.exponent.saturating_add(bits);
        if left >= 0 {
            return &self.mantissa << left.unsigned_abs();
        }
        // BigInt shifts round towards −∞.
        if up {
            -(-&self.mantissa >> left.unsigned_abs())
        } else {
            &self.mantissa >> left.unsigned_abs()
        }
    }

    /// The number with [`PRECISION`] + 40 significant bits at or beyond this one, on the side asked for.
    fn rounded(&self, up: bool) -> Self {
        let excess = self.mantissa.bits().saturating_sub(PRECISION + 40);
        let bits = excess.to_i64().unwrap_or(0).saturating_add(self.exponent);
        Self::new(self.integer(-bits, up), bits)
    }

    /// A bound of 1/self, for self > 0.
    fn reciprocal(&self, up: bool) -> Self {
        let bits = self.mantissa.bits().saturating_add(PRECISION + 40);
        let quotient = (BigInt::one() << bits) / &self.mantissa + BigInt::from(u8::from(up));
        Self::new(
            quotient,
            bits.to_i64()
                .unwrap_or(i64::MAX)
                .saturating_add(self.exponent)
                .saturating_neg(),
        )
    }

    /// A bound of 1/√self, for self > 0.
    fn reciprocal_root(&self, up: bool) -> Self {
        // An even exponent: its half is that of the root.
        let square = self.reciprocal(up);
        let bits = (2 * PRECISION).cast_signed();
        let exponent = (bits - square.exponent).div_euclid(2);
        let root = square.integer(exponent.saturating_mul(2), up).sqrt();
        Self::new(root + i32::from(up), -exponent)
    }

    /// The number as a fraction in lowest terms.
    pub(super) fn to_rational(&self) -> BigRational {
        let power = BigInt::one() << self.exponent.unsigned_abs();
        if self.exponent < 0 {
            BigRational::new(self.mantissa.clone(), power)
        } else {
            BigRational::from_integer(&self.mantissa * power)
        }
    }
}

impl Rational {
    /// The ends; `None` for everything. For tests and reports.
    pub fn ends(&self) -> Option<(BigRational, BigRational)> {
        self.0
            .as_ref()
            .map(|(lo, hi)| (lo.to_rational(), hi.to_rational()))
    }

    fn zip(
        &self,
        other: &Self,
        op: impl FnOnce(&(Exact, Exact), &(Exact, Exact)) -> (Exact, Exact),
    ) -> Self {
        Self(self.0.as_ref().zip(other.0.as_ref()).map(|(a, b)| op(a, b)))
    }
}

impl Enclosure for Rational {
    const NAME: &'static str = "rational";

    fn everything() -> Self {
        Self(None)
    }

    fn dyadic(mantissa: i64, exponent: i32) -> Self {
        let value = Exact::new(mantissa, exponent.into());
        Self(Some((value.clone(), value)))
    }

    fn inverse(&self) -> Self {
        let positive = self.0.as_ref().filter(|(lo, _)| lo.mantissa.is_positive());
        Self(positive.map(|(lo, hi)| (hi.reciprocal(false), lo.reciprocal(true))))
    }

    fn inverse_sqrt(&self) -> Self {
        let positive = self.0.as_ref().filter(|(lo, _)| lo.mantissa.is_positive());
        Self(positive.map(|(lo, hi)| (hi.reciprocal_root(false), lo.reciprocal_root(true))))
    }

    fn add(&self, other: &Self) -> Self {
        self.zip(other, |a, b| (a.0.plus(&b.0), a.1.plus(&b.1)))
    }

    fn sub(&self, other: &Self) -> Self {
        self.zip(other, |a, b| (a.0.minus(&b.1), a.1.minus(&b.0)))
    }

    fn mul_scaled(&self, other: &Self, shift: i32) -> Self {
        self.zip(other, |a, b| {
            let pairs = [(&a.0, &b.0), (&a.0, &b.1), (&a.1, &b.0), (&a.1, &b.1)];
            let first = a.0.times(&b.0).scaled(shift.into());
            pairs
                .iter()
                .skip(1)
                .fold((first.clone(), first), |(least, most), (x, y)| {
                    let product = x.times(y).scaled(shift.into());
                    (least.smaller(&product), most.larger(&product))
                })
        })
    }

    fn max(&self, other: &Self) -> Self {
        self.zip(other, |a, b| (a.0.larger(&b.0), a.1.larger(&b.1)))
    }

    fn min(&self, other: &Self) -> Self {
        self.zip(other, |a, b| (a.0.smaller(&b.0), a.1.smaller(&b.1)))
    }

    fn hull(&self, other: &Self) -> Self {
        self.zip(other, |a, b| (a.0.smaller(&b.0), a.1.larger(&b.1)))
    }

    fn upper(&self) -> Self {
        Self(self.0.as_ref().map(|(_, hi)| (hi.clone(), hi.clone())))
    }

    fn exp(&self) -> (Self, i32) {
        self.0
            .as_ref()
            .and_then(|(lo, hi)| exponential(lo, hi))
            .unwrap_or((Self(None), 0))
    }

    fn is_negative(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|(_, hi)| hi.mantissa.is_negative())
    }

    fn is_nonnegative(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|(lo, _)| !lo.mantissa.is_negative())
    }

    fn lower_at_most(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(a), Some(b)) => a.0.cmp(&b.0) != Ordering::Greater,
        }
    }

    fn upper_at_most(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a.1.cmp(&b.1) != Ordering::Greater,
        }
    }

    fn ceil_to_grid(&self, bits: u32, limit: i64) -> Option<i64> {
        let bin = self.0.as_ref()?.1.integer(bits.into(), true);
        bin.max(BigInt::from(limit.checked_neg()?))
            .to_i64()
            .filter(|bin| *bin < limit)
    }
}

/// The exponential by another way than the fixed-point one: exp(x) = 1/exp(−x) for x < 0, exp(x) = exp(x/2^s)^(2^s).
fn exponential(lo: &Exact, hi: &Exact) -> Option<(Rational, i32)> {
    let (low, high) = (bounds(lo)?.0, bounds(hi)?.1);
    let end = hi.integer(90, false) + BigInt::from(LN2 / 2);
    let mut exponent = &end / BigInt::from(LN2);
    if (&exponent * BigInt::from(LN2)) > end {
        exponent -= 1;
    }
    let exponent = exponent.to_i32()?;
    let shift = -i64::from(exponent);
    Some((
        Rational(Some((low.scaled(shift), high.scaled(shift)))),
        exponent,
    ))
}

/// A lower and an upper bound of exp(x), `None` beyond |x| = 4096.
fn bounds(x: &Exact) -> Option<(Exact, Exact)> {
    if x.mantissa.is_negative() {
        let (low, high) = bounds(&Exact::new(-&x.mantissa, x.exponent))?;
        return Some((high.reciprocal(false), low.reciprocal(true)));
    }
    let one = Exact::new(1, 0);
    if x.mantissa.is_zero() {
        return Some((one.clone(), one));
    }
    if x.cmp(&Exact::new(1, 12)) == Ordering::Greater {
        return None;
    }
    // y = x/2^20 ≤ 2^-8: 1 + y + … + y^19/19!, and a remainder below 2·y^20/20! < 2^-200.
    const SQUARINGS: i64 = 20;
    let y = x.clone().scaled(-SQUARINGS);
    let (y_low, y_high) = (y.rounded(false), y.rounded(true));
    let (mut low, mut high) = (one.clone(), one.clone());
    for i in (1..20).rev() {
        let inverse = |up: bool| Exact::new(i, 0).reciprocal(up);
        low = one
            .plus(&low.times(&y_low).times(&inverse(false)))
            .rounded(false);
        high = one
            .plus(&high.times(&y_high).times(&inverse(true)))
            .rounded(true);
    }
    high = high.plus(&Exact::new(1, -200));
    for _ in 0..SQUARINGS {
        low = low.times(&low).rounded(false);
        high = high.times(&high).rounded(true);
    }
    Some((low, high))
}
