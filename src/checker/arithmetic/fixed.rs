//! Fixed-point dyadic enclosures on machine integers, rounded outward: the checker's own arithmetic.
//!
//! A number is `k · 2^-48`, an enclosure a pair of i128. An end beyond ±2^120 units turns the enclosure into
//! everything; nothing wraps. Each operation's result contains the exact result for every choice of the operands' values
//! (theorems `add_encloses`, `mul_scaled_encloses`, `exp_encloses` …; all of them are checked against exact rationals in
//! `tests/arithmetic.rs`).

use super::Enclosure;

/// Fractional bits of an enclosure's ends.
const FRACTION: i32 = 48;
/// Ends of finite enclosures are within ±2^120 units.
const LIMIT: i128 = 1 << 120;

/// An interval `[lo, hi] · 2^-48`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    lo: i128,
    hi: i128,
}

impl Fixed {
    /// Fractional bits of [`Fixed::ends`].
    pub const FRACTION: i32 = FRACTION;
    const EVERYTHING: Self = Self {
        lo: -4 * LIMIT,
        hi: 4 * LIMIT,
    };

    /// The interval with these ends; everything if an end is missing (it overflowed) or out of range.
    #[inline]
    fn new(lo: Option<i128>, hi: Option<i128>) -> Self {
        match (lo, hi) {
            (Some(lo), Some(hi)) if lo >= -LIMIT && hi <= LIMIT => Self { lo, hi },
            _ => Self::everything(),
        }
    }

    #[inline]
    fn is_finite(&self) -> bool {
        self.lo >= -LIMIT && self.hi <= LIMIT
    }

    /// The ends as exact integers in units of 2^-48; `None` for everything. For tests and reports.
    pub fn ends(&self) -> Option<(i128, i128)> {
        self.is_finite().then_some((self.lo, self.hi))
    }

    /// The least and the greatest product of an element of one and an element of the other, exact, in units of 2^-96.
    #[inline(always)]
    fn products(&self, other: &Self) -> Option<(i128, i128)> {
        let narrow = |x: &Self| Some((i64::try_from(x.lo).ok()?, i64::try_from(x.hi).ok()?));
        if let (Some((a @ 0.., b)), Some((c, d))) = (narrow(self), narrow(other)) {
            // [a, b]·[c, d] with a ≥ 0, as for weights. Products are at most 2^126: cannot wrap.
            let times = |x: i64, y: i64| i128::from(x).wrapping_mul(y.into());
            return Some((
                times(if c < 0 { b } else { a }, c),
                times(if d < 0 { a } else { b }, d),
            ));
        }
        self.products_of_ends(*other)
    }

    /// The same for any signs and sizes.
    #[inline(never)]
    fn products_of_ends(self, other: Self) -> Option<(i128, i128)> {
        let ends = [
            (self.lo, other.lo),
            (self.lo, other.hi),
            (self.hi, other.lo),
            (self.hi, other.hi),
        ];
        ends.into_iter()
            .try_fold((i128::MAX, i128::MIN), |(least, greatest), (a, b)| {
                let product = product(a, b)?;
                Some((least.min(product), greatest.max(product)))
            })
    }
}

/// The exact product of finite ends; `None` when it does not fit or an end is not finite.
#[inline]
fn product(a: i128, b: i128) -> Option<i128> {
    if let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) {
        return Some(i128::from(a).wrapping_mul(b.into())); // at most 2^126: cannot wrap
    }
    if a.abs() > LIMIT || b.abs() > LIMIT {
        return None;
    }
    a.checked_mul(b).filter(|product| *product != i128::MIN)
}

/// `⌊value / 2^right⌋`, exact multiplication when `right` is negative; `None` when it does not fit.
#[inline(always)]
fn shift_down(value: i128, right: i32) -> Option<i128> {
    if right >= 0 {
        Some(value >> right.min(127))
    } else {
        shift_left(value, right.unsigned_abs())
    }
}

/// `value · 2^left`; `None` when it does not fit.
#[cold]
fn shift_left(value: i128, left: u32) -> Option<i128> {
    let room = if value < 0 {
        value.leading_ones()
    } else {
        value.leading_zeros()
    };
    // Two bits of room keep the result off i128::MIN.
    if value == 0 {
        Some(0)
    } else {
        (left + 1 < room).then(|| value << left)
    }
}

/// `⌈value / 2^right⌉`, as [`shift_down`]; of i128::MIN, which is its own negative, something above.
#[inline(always)]
fn shift_up(value: i128, right: i32) -> Option<i128> {
    shift_down(value.wrapping_neg(), right).map(i128::wrapping_neg)
}

impl Enclosure for Fixed {
    const NAME: &'static str = "fixed";

    #[cold]
    #[inline(never)]
    fn everything() -> Self {
        Self::EVERYTHING
    }

    fn dyadic(mantissa: i64, exponent: i32) -> Self {
        let right = exponent.saturating_add(FRACTION).saturating_neg();
        Self::new(
            shift_down(mantissa.into(), right),
            shift_up(mantissa.into(), right),
        )
    }

    fn inverse(&self) -> Self {
        // Of a number k · 2^-48 the inverse is (2^96 / k) · 2^-48.
        let quotient = |end: i128, up: bool| {
            let one = 1_i128 << (2 * FRACTION);
            let end = Some(end).filter(|end| (1..=LIMIT).contains(end))?;
            Some(one / end + i128::from(up && one % end != 0))
        };
        Self::new(quotient(self.hi, false), quotient(self.lo, true))
    }

    fn inverse_sqrt(&self) -> Self {
        // Of a number k · 2^-48 the inverse root is √(2^144 / k) · 2^-48.
        let root = |end: i128| {
            let end = u128::try_from(end).ok();
            let end = end.filter(|end| (1 << 17..1 << 111).contains(end))?;
            // Long division in two steps: the first quotient is below 2^110, its rest below 2^111.
            let (high, rest) = ((1_u128 << 127) / end, (1_u128 << 127) % end);
            i128::try_from(((high << 17) + (rest << 17) / end).isqrt()).ok()
        };
        Self::new(root(self.hi), root(self.lo).map(|root| root + 1))
    }

    #[inline]
    fn add(&self, other: &Self) -> Self {
        // Ends are within ±2^122, infinite ones included: sums cannot wrap, and exceed the limit if one end does.
        Self::new(
            Some(self.lo.wrapping_add(other.lo)),
            Some(self.hi.wrapping_add(other.hi)),
        )
    }

    #[inline]
    fn sub(&self, other: &Self) -> Self {
        Self::new(
            Some(self.lo.wrapping_sub(other.hi)),
            Some(self.hi.wrapping_sub(other.lo)),
        )
    }

    #[inline(always)]
    fn mul_scaled(&self, other: &Self, shift: i32) -> Self {
        let right = FRACTION.saturating_sub(shift);
        let Some((lo, hi)) = self.products(other) else {
            return Self::everything();
        };
        Self::new(shift_down(lo, right), shift_up(hi, right))
    }

    fn max(&self, other: &Self) -> Self {
        Self {
            lo: self.lo.max(other.lo),
            hi: self.hi.max(other.hi),
        }
    }

    fn min(&self, other: &Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.min(other.hi),
        }
    }

    fn hull(&self, other: &Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
        }
    }

    fn upper(&self) -> Self {
        Self::new(Some(self.hi), Some(self.hi))
    }

    fn exp(&self) -> (Self, i32) {
        exponential(self.lo, self.hi).unwrap_or((Self::EVERYTHING, 0))
    }

    fn is_negative(&self) -> bool {
        self.hi < 0
    }

    fn is_nonnegative(&self) -> bool {
        self.lo >= 0
    }

    #[inline]
    fn upper_at_most(&self, other: &Self) -> bool {
        self.hi <= other.hi
    }

    fn lower_at_most(&self, other: &Self) -> bool {
        self.lo <= other.lo
    }

    fn ceil_to_grid(&self, bits: u32, limit: i64) -> Option<i64> {
        if self.hi > LIMIT {
            return None;
        }
        let bin = shift_up(self.hi, FRACTION.saturating_sub(i32::try_from(bits).ok()?))?;
        i64::try_from(bin.max(limit.checked_neg()?.into()))
            .ok()
            .filter(|bin| *bin < limit)
    }

    /// Exact products and sums, one outward rounding at the end.
    fn dot<'a>(mut pairs: impl Iterator<Item = (&'a Self, &'a Self)>) -> Self {
        let sums = pairs.try_fold((0_i128, 0_i128), |(lo, hi), (left, right)| {
            let (least, greatest) = left.products(right)?;
            Some((lo.checked_add(least)?, hi.checked_add(greatest)?))
        });
        sums.map_or(Self::EVERYTHING, |(lo, hi)| {
            Self::new(shift_down(lo, FRACTION), shift_up(hi, FRACTION))
        })
    }
}

/// Working precision of the exponential, in bits.
const WORK: u32 = 60;
/// ⌊2^90 · ln 2⌋.
const LN2: i128 = 858_074_647_932_929_271_111_585_486;
/// ⌊2^60 / i!⌋ for i = 0 to 19.
const INVERSE_FACTORIALS: [i64; 20] = {
    let mut table = [0; 20];
    let (mut i, mut value) = (0_usize, 1_i128 << WORK);
    while i < 20 {
        #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
        // evaluated by the compiler
        {
            table[i] = value as i64;
        }
        i += 1;
        value /= i as i128;
    }
    table
};

/// `exp([lo, hi]) = y · 2^k`, with y near 1 at the upper end.
fn exponential(lo: i128, hi: i128) -> Option<(Fixed, i32)> {
    let (_, high, k) = at_point(hi)?;
    // Where the lower end is out of range, the exponential is still at least 0.
    let low = at_point(lo)
        .and_then(|(low, _, below)| shift_down(low, k.checked_sub(below)?.checked_add(12)?));
    Some((Fixed::new(Some(low.unwrap_or(0)), shift_up(high, 12)), k))
}

/// Bounds of `exp(x) · 2^-k` in units of 2^-60, and k: subtract k·ln 2, sum the series.
///
/// Theorem `exp_encloses`: with r = x − k·ln 2 and |r| ≤ 1/2, exp(x) = 2^k · exp(r), and exp(r) differs from its first
/// 20 terms by at most 2·2^-20/20! < 2^-60.
fn at_point(x: i128) -> Option<(i128, i128, i32)> {
    const RANGE: i128 = 1 << (FRACTION + 20);
    if x.abs() > RANGE {
        return None;
    }
    let scaled = x << 42; // from 48 to 90 fractional bits: |x| ≤ 2^68 leaves 2^110
    let k = scaled.checked_add(LN2 / 2)?.div_euclid(LN2);
    // LN2 ≤ 2^90·ln 2 < LN2 + 1, so k·ln 2 lies between k·LN2 and k·(LN2 + 1), in this order for k ≥ 0.
    let (near, far) = (k.checked_mul(LN2)?, k.checked_mul(LN2 + 1)?);
    let low = shift_down(scaled.checked_sub(near.max(far))?, 30)?;
    let high = shift_up(scaled.checked_sub(near.min(far))?, 30)?;
    let half = 1_i128 << (WORK - 1);
    if low < -half || high > half {
        return None;
    }
    let (low, high) = (
        series(i64::try_from(low).ok()?).0,
        series(i64::try_from(high).ok()?).1,
    );
    Some((low, high, i32::try_from(k).ok()?))
}

/// A lower and an upper bound of exp(r), all in units of 2^-60, for |r| ≤ 1/2: Horner's rule with outward rounding.
fn series(r: i64) -> (i128, i128) {
    let (mut low, mut high) = (0_i128, 0_i128);
    for coefficient in INVERSE_FACTORIALS.iter().rev() {
        // |r| ≤ 2^59 and the partial sums are below 2^61: the products cannot wrap.
        let (a, b) = (low.wrapping_mul(r.into()), high.wrapping_mul(r.into()));
        low = i128::from(*coefficient) + (a.min(b) >> WORK);
        high = i128::from(*coefficient) + 1 + (a.max(b) >> WORK) + 1;
    }
    (low - 1, high + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stays_everything() {
        let (all, one) = (Fixed::everything(), Fixed::dyadic(1, 0));
        let tiny = Fixed::dyadic(1, -48);
        for wide in [
            all.add(&one),
            one.sub(&all),
            all.mul(&tiny),
            all.max(&one).add(&one),
            Fixed::dyadic(1, 100),
        ] {
            assert!(wide.ends().is_none() && !wide.is_negative());
            assert_eq!(wide.ceil_to_grid(6, 1 << 16), None);
        }
    }

    /// The smaller of everything and −5 is bounded above by −5 and by nothing less.
    #[test]
    fn half_an_interval_keeps_its_upper_end() {
        let half = Fixed::everything().min(&Fixed::dyadic(-5, 0));
        assert_eq!(half.ceil_to_grid(2, 1 << 16), Some(-20));
        assert!(half.add(&Fixed::dyadic(0, 0)).ends().is_none());
    }
}
