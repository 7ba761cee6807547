//! Intervals on MPFR: a second oracle, with the directed rounding of a well-known C library.

use super::Enclosure;
use rug::Float;
use rug::float::Round;

/// Bits of an end.
const PRECISION: u32 = 192;

/// An interval with MPFR ends; `None` encloses everything.
#[derive(Debug, Clone)]
pub struct Mpfr(Option<(Float, Float)>);

impl Mpfr {
    /// The interval with these ends, everything unless both are finite.
    fn new(lo: Float, hi: Float) -> Self {
        Self((lo.is_finite() && hi.is_finite()).then_some((lo, hi)))
    }

    fn zip(&self, other: &Self, op: impl FnOnce(&(Float, Float), &(Float, Float)) -> Self) -> Self {
        self.0
            .as_ref()
            .zip(other.0.as_ref())
            .map_or(Self(None), |(a, b)| op(a, b))
    }
}

fn down<T>(value: T) -> Float
where
    Float: rug::ops::AssignRound<T, Round = Round, Ordering = std::cmp::Ordering>,
{
    Float::with_val_round(PRECISION, value, Round::Down).0
}

fn up<T>(value: T) -> Float
where
    Float: rug::ops::AssignRound<T, Round = Round, Ordering = std::cmp::Ordering>,
{
    Float::with_val_round(PRECISION, value, Round::Up).0
}

impl Enclosure for Mpfr {
    const NAME: &'static str = "mpfr";

    fn everything() -> Self {
        Self(None)
    }

    fn dyadic(mantissa: i64, exponent: i32) -> Self {
        Self::new(down(mantissa) << exponent, up(mantissa) << exponent)
    }

    fn inverse(&self) -> Self {
        let positive = self.0.as_ref().filter(|(lo, _)| *lo > 0);
        positive.map_or(Self(None), |(lo, hi)| {
            Self::new(down(hi.recip_ref()), up(lo.recip_ref()))
        })
    }

    fn inverse_sqrt(&self) -> Self {
        let positive = self.0.as_ref().filter(|(lo, _)| *lo > 0);
        let ends = |(lo, hi): &(Float, Float)| (down(hi.recip_sqrt_ref()), up(lo.recip_sqrt_ref()));
        positive
            .map(ends)
            .map_or(Self(None), |(lo, hi)| Self::new(lo, hi))
    }

    fn add(&self, other: &Self) -> Self {
        self.zip(other, |a, b| Self::new(down(&a.0 + &b.0), up(&a.1 + &b.1)))
    }

    fn sub(&self, other: &Self) -> Self {
        self.zip(other, |a, b| Self::new(down(&a.0 - &b.1), up(&a.1 - &b.0)))
    }

    fn mul_scaled(&self, other: &Self, shift: i32) -> Self {
        self.zip(other, |a, b| {
            let pairs = [(&a.0, &b.0), (&a.0, &b.1), (&a.1, &b.0), (&a.1, &b.1)];
            let low = pairs
                .iter()
                .map(|(x, y)| down(*x * *y))
                .reduce(|x, y| x.min(&y));
            let high = pairs
                .iter()
                .map(|(x, y)| up(*x * *y))
                .reduce(|x, y| x.max(&y));
            low.zip(high).map_or(Self(None), |(low, high)| {
                Self::new(low << shift, high << shift)
            })
        })
    }

    fn max(&self, other: &Self) -> Self {
        self.zip(other, |a, b| {
            Self::new(a.0.clone().max(&b.0), a.1.clone().max(&b.1))
        })
    }

    fn min(&self, other: &Self) -> Self {
        self.zip(other, |a, b| {
            Self::new(a.0.clone().min(&b.0), a.1.clone().min(&b.1))
        })
    }

    fn hull(&self, other: &Self) -> Self {
        self.zip(other, |a, b| {
            Self::new(a.0.clone().min(&b.0), a.1.clone().max(&b.1))
        })
    }

    fn upper(&self) -> Self {
        Self(
            self.0
                .as_ref()
                .map(|(_, high)| (high.clone(), high.clone())),
        )
    }

    fn exp(&self) -> (Self, i32) {
        let Some((low, high)) = &self.0 else {
            return (Self(None), 0);
        };
        // The power of two that is taken out is the same as in the other arithmetics.
        let end: Float = high.clone() / down(rug::float::Constant::Log2);
        let Some(exponent) = (end + 0.5_f64)
            .floor()
            .to_integer()
            .and_then(|k| k.to_i32())
        else {
            return (Self(None), 0);
        };
        (
            Self::new(
                down(low.exp_ref()) >> exponent,
                up(high.exp_ref()) >> exponent,
            ),
            exponent,
        )
    }

    fn is_negative(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|(_, hi)| hi.is_sign_negative() && !hi.is_zero())
    }

    fn is_nonnegative(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|(lo, _)| lo.is_sign_positive() || lo.is_zero())
    }

    fn lower_at_most(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(a), Some(b)) => a.0 <= b.0,
        }
    }

    fn upper_at_most(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a.1 <= b.1,
        }
    }

    fn ceil_to_grid(&self, bits: u32, limit: i64) -> Option<i64> {
        let scaled = (self.0.as_ref()?.1.clone() << bits).ceil();
        let raised = scaled.max(&Float::with_val(PRECISION, -limit));
        raised.to_integer()?.to_i64().filter(|bin| *bin < limit)
    }
}
