//! Exact dyadic numbers, and the exponential to any number of bits: arithmetic of the oracle's own.

use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use num_traits::{One, Signed, Zero, float::FloatCore};
use std::ops::{Add, Mul, Sub};

/// `mantissa · 2^exponent`, the mantissa odd or zero: equal numbers are equal structures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exact {
    mantissa: BigInt,
    exponent: i64,
}

impl Exact {
    pub(crate) fn new(mantissa: BigInt, exponent: i64) -> Self {
        let zeros = mantissa.trailing_zeros().unwrap_or(0);
        let exponent = if mantissa.is_zero() {
            0
        } else {
            exponent + i64::try_from(zeros).unwrap()
        };
        Self {
            mantissa: mantissa >> zeros,
            exponent,
        }
    }

    pub(crate) fn zero() -> Self {
        Self::new(BigInt::zero(), 0)
    }

    pub(crate) fn sign(&self) -> Sign {
        self.mantissa.sign()
    }

    pub(crate) fn rational(&self) -> BigRational {
        BigRational::from(self.mantissa.clone()) * power_of_two(self.exponent)
    }

    /// The mantissa for an exponent that is at most its own.
    fn aligned(&self, exponent: i64) -> BigInt {
        &self.mantissa << (self.exponent - exponent)
    }

    /// Floor and ceiling in units of 2^-bits.
    pub(crate) fn units(&self, bits: u32) -> (BigInt, BigInt) {
        let left = self.exponent + i64::from(bits);
        if left >= 0 {
            let units = &self.mantissa << left;
            return (units.clone(), units);
        }
        // The mantissa is odd: bits are lost. (`>>` rounds down.)
        let floor = &self.mantissa >> -left;
        (floor.clone(), floor + 1)
    }
}

impl From<f32> for Exact {
    fn from(value: f32) -> Self {
        let (mantissa, exponent, sign) = value.integer_decode();
        Self::new(BigInt::from(mantissa) * sign, exponent.into())
    }
}

impl Add for &Exact {
    type Output = Exact;
    fn add(self, other: Self) -> Exact {
        if self.mantissa.is_zero() {
            return other.clone();
        }
        if other.mantissa.is_zero() {
            return self.clone();
        }
        let exponent = self.exponent.min(other.exponent);
        Exact::new(self.aligned(exponent) + other.aligned(exponent), exponent)
    }
}

impl Sub for &Exact {
    type Output = Exact;
    fn sub(self, other: Self) -> Exact {
        self + &Exact {
            mantissa: -&other.mantissa,
            exponent: other.exponent,
        }
    }
}

impl Mul for &Exact {
    type Output = Exact;
    fn mul(self, other: Self) -> Exact {
        Exact::new(
            &self.mantissa * &other.mantissa,
            self.exponent + other.exponent,
        )
    }
}

/// `2^exponent`.
pub(crate) fn power_of_two(exponent: i64) -> BigRational {
    let power = BigRational::from(BigInt::one() << exponent.unsigned_abs());
    if exponent < 0 { power.recip() } else { power }
}

/// Bits computed beyond those asked for.
const GUARD: u32 = 64;

/// Bounds of `exp(−x/√h)` in units of 2^-bits, for x ≥ 0: e^-k by repeated multiplication, the rest by its
/// alternating series.
pub(crate) fn exp_of_minus(x: &Exact, h: usize, bits: u32) -> (BigInt, BigInt) {
    assert_ne!(x.sign(), Sign::Minus);
    let work = bits + GUARD;
    let unit = BigInt::one() << work;
    // √h lies in [root, root + 1] units, and so does every perfect square's.
    let root = (BigInt::from(h) << (2 * work)).sqrt();
    let (low, high) = x.units(work);
    let (low, high) = ((low << work) / (&root + 1), (high << work) / root + 1);
    let whole = &low >> work;
    if whole > bits.into() {
        return (BigInt::zero(), BigInt::one()); // e^-x < 2^-bits
    }
    let rest = |x: BigInt| x - (&whole << work);
    let mut bounds = (series(&rest(high), work).0, series(&rest(low), work).1);
    let step = series(&unit, work);
    let mut left = whole.clone();
    while left.is_positive() {
        bounds = (
            (bounds.0 * &step.0) >> work,
            ((bounds.1 * &step.1) >> work) + 1,
        );
        left -= 1;
    }
    (
        bounds.0.max(BigInt::zero()) >> GUARD,
        (bounds.1 >> GUARD) + 1,
    )
}

/// Bounds of e^-y in units of 2^-work for y in [0, 2]: Σ (−y)^i / i!.
fn series(y: &BigInt, work: u32) -> (BigInt, BigInt) {
    let (mut sum, mut term, mut terms) = (BigInt::zero(), BigInt::one() << work, 0_u32);
    while !term.is_zero() {
        sum += if terms % 2 == 0 { term.clone() } else { -&term };
        terms += 1;
        term = ((term * y) >> work) / terms;
    }
    // A term's error e_i ≤ e_{i−1}·2/i + 2 units stays below 8; so does the first term left out, which bounds the rest.
    let error = 8 * (terms + 2);
    (&sum - error, sum + error)
}

#[test]
fn the_series_is_the_exponential() {
    for (x, h) in [
        (0.0_f32, 1),
        (0.5, 1),
        (1.0, 1),
        (3.25, 2),
        (19.0, 3),
        (7.0, 9),
    ] {
        let (low, high) = exp_of_minus(&Exact::from(x), h, 60);
        let expected = (-f64::from(x) / f64::from(u32::try_from(h).unwrap()).sqrt()).exp();
        let near = |bound: &BigInt| {
            let value = num_traits::ToPrimitive::to_f64(bound).unwrap() / 2_f64.powi(60);
            (value - expected).abs() < 1e-14
        };
        assert!(
            near(&low) && near(&high) && &high - &low <= BigInt::from(3),
            "{x} {h}"
        );
    }
}
