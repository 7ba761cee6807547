//! Exact rationals: an oracle for [`Fixed`](super::Fixed), slower and free of rounding but for exp and √.

use super::{Enclosure, Term};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// Relative precision, in bits, of the enclosures of exp and √.
const PRECISION: u64 = 160;

/// An interval with rational ends; `None` encloses everything.
#[derive(Debug, Clone)]
pub struct Rational(Option<(BigRational, BigRational)>);

impl Rational {
    /// The ends; `None` for everything. For tests and reports.
    pub fn ends(&self) -> Option<&(BigRational, BigRational)> {
        self.0.as_ref()
    }

    fn zip(
        &self,
        other: &Self,
        op: impl FnOnce(&(BigRational, BigRational), &(BigRational, BigRational)) -> (BigRational, BigRational),
    ) -> Self {
        Self(self.0.as_ref().zip(other.0.as_ref()).map(|(a, b)| op(a, b)))
    }
}

/// `2^exponent`.
fn power_of_two(exponent: i64) -> BigRational {
    let power = BigRational::from_integer(BigInt::one() << exponent.unsigned_abs());
    if exponent < 0 { power.recip() } else { power }
}

impl Enclosure for Rational {
    type Term = Option<BigRational>;
    const NAME: &'static str = "rational";

    fn everything() -> Self {
        Self(None)
    }

    fn dyadic(mantissa: i64, exponent: i32) -> Self {
        let value = BigRational::from_integer(mantissa.into()) * power_of_two(exponent.into());
        Self(Some((value.clone(), value)))
    }

    fn inverse_sqrt(n: usize) -> Self {
        if n == 0 {
            return Self(None);
        }
        let root: BigInt = ((BigInt::one() << (2 * PRECISION)) / BigInt::from(n)).sqrt();
        let unit = power_of_two(-PRECISION.cast_signed());
        Self(Some((BigRational::from(root.clone()) * &unit, BigRational::from(root + 1) * unit)))
    }

    fn add(&self, other: &Self) -> Self {
        self.zip(other, |a, b| (&a.0 + &b.0, &a.1 + &b.1))
    }

    fn sub(&self, other: &Self) -> Self {
        self.zip(other, |a, b| (&a.0 - &b.1, &a.1 - &b.0))
    }

    fn mul_scaled(&self, other: &Self, shift: i32) -> Self {
        let scale = power_of_two(shift.into());
        self.zip(other, |a, b| {
            let first = &a.0 * &b.0;
            if a.0 == a.1 && b.0 == b.1 {
                let value = first * scale;
                return (value.clone(), value);
            }
            let rest = [&a.0 * &b.1, &a.1 * &b.0, &a.1 * &b.1];
            let least = rest.iter().fold(first.clone(), |least, x| least.min(x.clone()));
            let most = rest.into_iter().fold(first, Ord::max);
            (least * &scale, most * scale)
        })
    }

    fn max(&self, other: &Self) -> Self {
        self.zip(other, |a, b| ((&a.0).max(&b.0).clone(), (&a.1).max(&b.1).clone()))
    }

    fn min(&self, other: &Self) -> Self {
        self.zip(other, |a, b| ((&a.0).min(&b.0).clone(), (&a.1).min(&b.1).clone()))
    }

    fn exp(&self) -> (Self, i32) {
        self.0.as_ref().and_then(|(lo, hi)| exponential(lo, hi)).unwrap_or((Self(None), 0))
    }

    fn is_negative(&self) -> bool {
        self.0.as_ref().is_some_and(|(_, hi)| hi.is_negative())
    }

    fn upper_at_most(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a.1 <= b.1,
        }
    }

    fn upper_term(&self, _n_ctx: usize) -> Self::Term {
        self.0.as_ref().map(|(_, hi)| hi.clone())
    }

    fn ceil_to_grid(&self, bits: u32, limit: i64) -> Option<i64> {
        let bin = (&self.0.as_ref()?.1 * power_of_two(bits.into())).ceil().to_integer();
        let bin = bin.max(BigInt::from(-limit)).to_i64()?;
        (bin < limit).then_some(bin)
    }
}

impl Term for Option<BigRational> {
    fn plus(&self, other: &Self) -> Self {
        self.as_ref().zip(other.as_ref()).map(|(a, b)| a + b)
    }

    fn all_negative(prefix: &[Self], row: &[Self]) -> bool {
        prefix.iter().zip(row).all(|(a, b)| a.plus(b).is_some_and(|sum| sum.is_negative()))
    }
}

/// The exponential by another way than the fixed-point one: exp(x) = 1/exp(−x) for x < 0, exp(x) = exp(x/2^s)^(2^s).
fn exponential(lo: &BigRational, hi: &BigRational) -> Option<(Rational, i32)> {
    let (low, high) = (bounds(lo)?.0, bounds(hi)?.1);
    let exponent = high.numer().bits().to_i64()? - high.denom().bits().to_i64()?;
    let scale = power_of_two(-exponent);
    Some((Rational(Some((low * &scale, high * scale))), i32::try_from(exponent).ok()?))
}

/// A lower and an upper bound of exp(x), `None` beyond |x| = 4096.
fn bounds(x: &BigRational) -> Option<(BigRational, BigRational)> {
    if x.is_negative() {
        let (low, high) = bounds(&-x)?;
        return Some((round(&high.recip(), false)?, round(&low.recip(), true)?));
    }
    if *x > BigRational::from_integer(4096.into()) {
        return None;
    }
    // y = x/2^20 < 2^-8: with 20 terms the remainder is below 2·y^20/20! < 2^-200.
    const SQUARINGS: u32 = 20;
    let y = x * power_of_two(-i64::from(SQUARINGS));
    let y = (round(&y, false)?, round(&y, true)?);
    let (mut low, mut high) = (BigRational::one(), BigRational::one());
    for i in (1..20).rev() {
        let i = BigRational::from_integer(i.into());
        low = round(&(BigRational::one() + low * &y.0 / &i), false)?;
        high = round(&(BigRational::one() + high * &y.1 / i), true)?;
    }
    high += power_of_two(-200);
    for _ in 0..SQUARINGS {
        low = round(&(&low * &low), false)?;
        high = round(&(&high * &high), true)?;
    }
    Some((low, high))
}

/// A dyadic number of [`PRECISION`] + 40 significant bits at or beyond `x ≥ 0`, on the side asked for.
fn round(x: &BigRational, up: bool) -> Option<BigRational> {
    if x.is_zero() {
        return Some(x.clone());
    }
    let bits = PRECISION.to_i64()? + 40 + x.denom().bits().to_i64()? - x.numer().bits().to_i64()?;
    let scaled = x * power_of_two(bits);
    Some(if up { scaled.ceil() } else { scaled.floor() } * power_of_two(-bits))
}
