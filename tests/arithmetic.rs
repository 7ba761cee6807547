//! Every operation of every arithmetic contains the exact result, and little else.
//!
//! Enclosures are drawn together with points known to lie in them; an operation is applied to the enclosures, and its
//! exact result on the points must lie in the outcome. Trivial enclosures would pass, so tightness is asserted apart.

use crate::common::{Exact, exp_of_minus, power_of_two};
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use proptest::prelude::*;

/// What the tests must see of an enclosure.
trait Probe: Enclosure {
    /// Can the enclosure be shown not to contain this number?
    fn excludes(&self, x: &BigRational) -> bool {
        let (floor, ceiling) = neighbours::<Self>(x);
        self.sub(&floor).is_negative() || ceiling.sub(self).is_negative()
    }

    /// Points of the enclosure, besides those that it was made from.
    fn points(&self) -> Vec<BigRational> {
        vec![]
    }

    /// Can the upper end be shown to be below this number?
    fn is_below(&self, x: &BigRational) -> bool {
        self.sub(&neighbours(x).0).is_negative()
    }
}

fn inside(ends: Option<(BigRational, BigRational)>) -> Vec<BigRational> {
    let Some((low, high)) = ends else {
        return vec![];
    };
    let third = (&low + &low + &high) / BigRational::from_integer(3.into());
    vec![third, low, high]
}

fn fixed_ends(x: &Fixed) -> Option<(BigRational, BigRational)> {
    let exact =
        |end: i128| BigRational::from_integer(end.into()) * power_of_two((-Fixed::FRACTION).into());
    x.ends().map(|(low, high)| (exact(low), exact(high)))
}

impl Probe for Fixed {
    fn excludes(&self, x: &BigRational) -> bool {
        fixed_ends(self).is_some_and(|(low, high)| *x < low || high < *x)
    }
    fn points(&self) -> Vec<BigRational> {
        inside(fixed_ends(self))
    }
    fn is_below(&self, x: &BigRational) -> bool {
        fixed_ends(self).is_some_and(|(_, high)| high < *x)
    }
}

impl Probe for Rational {
    fn excludes(&self, x: &BigRational) -> bool {
        self.ends().is_some_and(|(low, high)| *x < low || high < *x)
    }
    fn points(&self) -> Vec<BigRational> {
        inside(self.ends())
    }
    fn is_below(&self, x: &BigRational) -> bool {
        self.ends().is_some_and(|(_, high)| high < *x)
    }
}

// Its ends are not to be seen: comparisons go through its own operations.
#[cfg(feature = "mpfr")]
impl Probe for gbmi::checker::arithmetic::Mpfr {}

/// The multiples of 2^-150 next to a number.
fn neighbours<R: Enclosure>(x: &BigRational) -> (R, R) {
    let unit = power_of_two(-150);
    let scaled = x / &unit;
    (
        enclose(&(scaled.floor() * &unit)),
        enclose(&(scaled.ceil() * unit)),
    )
}

/// Encloses a multiple of 2^-150.
fn enclose<R: Enclosure>(x: &BigRational) -> R {
    let units = x * power_of_two(150);
    assert!(units.is_integer(), "{x}");
    let digits = units.to_integer().magnitude().to_u32_digits();
    digits
        .iter()
        .zip((-150..).step_by(32))
        .fold(R::dyadic(0, 0), |sum, (digit, exponent)| {
            sum.add(&R::dyadic(
                if x.is_negative() {
                    -i64::from(*digit)
                } else {
                    (*digit).into()
                },
                exponent,
            ))
        })
}

/// An enclosure of zero, of about the width 2^exponent.
fn around<R: Enclosure>(exponent: i32) -> R {
    // The exponential of one is irrational: every arithmetic needs an interval, and less itself it surrounds zero.
    let (e, _) = R::dyadic(1, 0).exp();
    let narrow = e.sub(&e);
    // At most 2^-46 wide in fixed point: a shift makes it as wide as asked there, and wider than nothing elsewhere.
    narrow.mul_scaled(&R::dyadic(1, 0), exponent.saturating_add(46))
}

fn rational(mantissa: i64, exponent: i32) -> BigRational {
    BigRational::from_integer(mantissa.into()) * power_of_two(exponent.into())
}

/// An enclosure, and points in it.
type Operand<R> = (R, Vec<BigRational>);

/// How an operand is made.
#[derive(Debug, Clone, Copy)]
enum Draw {
    /// A dyadic number.
    Point(i64, i32),
    /// A dyadic number, widened by about 2^w.
    Wide(i64, i32, i32),
    /// Every number; the point is arbitrary.
    Everything(i64, i32),
}

impl Draw {
    /// The enclosure, and points in it.
    fn operand<R: Probe>(self) -> Operand<R> {
        let (x, m, e) = match self {
            Self::Point(m, e) => (R::dyadic(m, e), m, e),
            Self::Wide(m, e, width) => (R::dyadic(m, e).add(&around(width)), m, e),
            Self::Everything(m, e) => (R::everything(), m, e),
        };
        let mut points = x.points();
        points.push(rational(m, e));
        (x, points)
    }
}

fn mantissas() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => -100_i64..100,
        3 => any::<i32>().prop_map(i64::from),
        2 => any::<i64>(),
        1 => prop::sample::select(vec![0, 1, -1, i64::MAX, i64::MIN, 1 << 40]),
    ]
}

fn draws() -> impl Strategy<Value = Draw> {
    let exponents = || prop_oneof![4 => -60_i32..20, 1 => -150_i32..140];
    prop_oneof![
        6 => (mantissas(), exponents()).prop_map(|(m, e)| Draw::Point(m, e)),
        6 => (mantissas(), exponents(), -48_i32..40).prop_map(|(m, e, w)| Draw::Wide(m, e, w)),
        1 => (mantissas(), exponents()).prop_map(|(m, e)| Draw::Everything(m, e)),
    ]
}

/// Numbers with few bits, below 2^14: any arithmetic here holds sums of their products (fixed point, up to 2^31).
fn small() -> impl Strategy<Value = (i64, i32)> {
    (-(1_i64 << 20)..1 << 20, -20_i32..-6)
}

fn contains<R: Probe>(result: &R, exact: &BigRational, what: &str) {
    assert!(
        !result.excludes(exact),
        "{what} = {exact} is not in {result:?}"
    );
}

/// The result contains the exact number, and none that is `within` away.
fn is_near<R: Probe>(result: &R, exact: &BigRational, within: &BigRational, what: &str) {
    contains(result, exact, what);
    let far = [exact + within, exact - within];
    assert!(
        far.iter().all(|far| result.excludes(far)),
        "{what} = {exact}: {result:?} is wider than {within}"
    );
}

fn operations_contain<R: Probe>(a: Draw, b: Draw, shift: i32) {
    let ((x, xs), (y, ys)) = (a.operand::<R>(), b.operand::<R>());
    let scale = power_of_two(shift.into());
    for (p, q) in xs.iter().flat_map(|p| ys.iter().map(move |q| (p, q))) {
        contains(&x.add(&y), &(p + q), "sum");
        contains(&x.sub(&y), &(p - q), "difference");
        contains(&x.mul(&y), &(p * q), "product");
        contains(
            &x.mul_scaled(&y, shift),
            &(p * q * &scale),
            "scaled product",
        );
        contains(&x.max(&y), p.max(q), "maximum");
        contains(&x.min(&y), p.min(q), "minimum");
        // A maximum or minimum with an unbounded operand is bounded on one side: what follows must not forget.
        contains(
            &x.max(&y).min(&x).sub(&y),
            &(p.max(q).min(p) - q),
            "compound",
        );
        contains(
            &x.max(&y).mul(&x.min(&y)),
            &(p * q),
            "product of maximum and minimum",
        );
        assert!(!x.is_negative() || p.is_negative(), "{x:?} holds {p}");
        assert!(
            !x.max(&y).is_negative() || p.max(q).is_negative(),
            "{x:?} and {y:?} hold {p} and {q}"
        );
    }
    assert!(
        x.upper_at_most(&x) && (x.upper_at_most(&y) || y.upper_at_most(&x)),
        "{x:?} and {y:?} are not ordered"
    );
    let upper_below = |x: &R, y: &R| {
        ys.iter()
            .chain(&xs)
            .find(|z| x.is_below(z) && !y.is_below(z))
            .is_some()
    };
    assert!(!x.upper_at_most(&y) || !upper_below(&y, &x), "{x:?} {y:?}");
    assert!(!y.upper_at_most(&x) || !upper_below(&x, &y), "{y:?} {x:?}");
}

fn dots_contain<R: Probe>(pairs: &[(Draw, Draw)]) {
    let operands: Vec<_> = pairs
        .iter()
        .map(|(a, b)| (a.operand::<R>(), b.operand::<R>()))
        .collect();
    let dot = R::dot(operands.iter().map(|(a, b)| (&a.0, &b.0)));
    let product = |pick: fn(&[BigRational]) -> &BigRational| {
        operands
            .iter()
            .map(|(a, b)| pick(&a.1) * pick(&b.1))
            .fold(BigRational::zero(), |sum, x| sum + x)
    };
    contains(
        &dot,
        &product(|points| points.last().unwrap()),
        "inner product",
    );
    contains(
        &dot,
        &product(|points| points.first().unwrap()),
        "inner product",
    );
    let low_high = |(a, b): &(Operand<R>, Operand<R>)| {
        products(&a.1, &b.1).into_iter().fold(
            None,
            |ends: Option<(BigRational, BigRational)>, x| match ends {
                None => Some((x.clone(), x)),
                Some((low, high)) => Some((low.min(x.clone()), high.max(x))),
            },
        )
    };
    let ends = operands.iter().filter_map(low_high);
    let ends = ends.fold((BigRational::zero(), BigRational::zero()), |sum, ends| {
        (sum.0 + ends.0, sum.1 + ends.1)
    });
    contains(&dot, &ends.0, "least inner product");
    contains(&dot, &ends.1, "greatest inner product");
}

/// Long sums, of numbers and of products, look negative or non-negative only if they are.
fn signs_of_sums_are_true<R: Probe>(draws: &[(Draw, Draw)], shift: i32) {
    let scale = power_of_two(shift.into());
    let operands: Vec<_> = draws
        .iter()
        .map(|(a, b)| (a.operand::<R>(), b.operand::<R>()))
        .collect();
    let check = |terms: Vec<(R, Vec<BigRational>)>| {
        let sum = terms
            .iter()
            .fold(R::dyadic(0, 0), |sum, (term, _)| sum.add(term));
        let end = |pick: fn(&[BigRational]) -> &BigRational| {
            terms
                .iter()
                .fold(BigRational::zero(), |sum, (_, points)| sum + pick(points))
        };
        let (least, most) = (
            end(|points| points.iter().min().unwrap()),
            end(|points| points.iter().max().unwrap()),
        );
        assert!(
            !sum.is_negative() || most.is_negative(),
            "{most} looks negative"
        );
        assert!(
            !sum.is_nonnegative() || !least.is_negative(),
            "{least} looks non-negative"
        );
    };
    check(operands.iter().map(|(a, _)| a.clone()).collect());
    let products = operands.iter().map(|(a, b)| {
        let points = products(&a.1, &b.1)
            .iter()
            .map(|point| point * &scale)
            .collect();
        (a.0.mul_scaled(&b.0, shift), points)
    });
    check(products.collect());
}

/// The hull of two encloses both, and ends are compared as they are.
fn hulls_and_ends<R: Probe>(a: Draw, b: Draw) {
    let ((x, p), (y, q)) = (a.operand::<R>(), b.operand::<R>());
    let hull = x.hull(&y);
    p.iter()
        .chain(&q)
        .for_each(|point| contains(&hull, point, "hull"));
    assert!(
        hull.lower_at_most(&x)
            && hull.lower_at_most(&y)
            && x.upper_at_most(&hull)
            && y.upper_at_most(&hull)
    );
    assert!(x.lower_at_most(&y) || y.lower_at_most(&x));
    if x.is_nonnegative() && y.is_nonnegative() {
        assert!(hull.is_nonnegative() && !hull.is_negative());
    }
}

fn products(xs: &[BigRational], ys: &[BigRational]) -> Vec<BigRational> {
    xs.iter()
        .flat_map(|x| ys.iter().map(move |y| x * y))
        .collect()
}

fn the_grid_is_above<R: Probe>(draw: Draw, bits: u32, limit: i64) {
    let (x, points) = draw.operand::<R>();
    let Some(bin) = x.ceil_to_grid(bits, limit) else {
        return;
    };
    assert!((-limit..limit).contains(&bin), "{bin} of {limit}");
    let above = rational(bin, -i32::try_from(bits).unwrap());
    assert!(
        points.iter().all(|point| *point <= above),
        "{x:?} has {bin}"
    );
}

fn nice_results_are_tight<R: Probe>(a: (i64, i32), b: (i64, i32), shift: i32) {
    let ((x, p), (y, q)) = (
        (R::dyadic(a.0, a.1), rational(a.0, a.1)),
        (R::dyadic(b.0, b.1), rational(b.0, b.1)),
    );
    let unit = power_of_two(-44);
    is_near(&x, &p, &unit, "number");
    is_near(&x.add(&y), &(&p + &q), &unit, "sum");
    is_near(&x.sub(&y), &(&p - &q), &unit, "difference");
    is_near(&x.mul(&y), &(&p * &q), &unit, "product");
    is_near(
        &x.mul_scaled(&y, shift),
        &(&p * &q * power_of_two(shift.into())),
        &unit,
        "scaled product",
    );
    is_near(&x.max(&y), (&p).max(&q), &unit, "maximum");
    is_near(&x.min(&y), (&p).min(&q), &unit, "minimum");
    is_near(
        &R::dot([(&x, &y), (&y, &x), (&x, &x)].into_iter()),
        &(&p * &q * (BigRational::one() + BigRational::one()) + &p * &p),
        &unit,
        "inner product",
    );
    assert_eq!(x.is_negative(), p.is_negative());
    assert_eq!(x.upper_at_most(&y), p <= q);
    assert_eq!(x.sub(&y).is_negative(), p < q);
    assert_eq!(x.is_nonnegative(), !p.is_negative());
    assert_eq!(x.lower_at_most(&y), p <= q);
    assert!(
        !x.sub(&x).is_negative() && x.sub(&x).is_nonnegative(),
        "zero is not negative"
    );
    for bits in [0, 7, 16] {
        let exact = (&p * power_of_two(bits.into()))
            .ceil()
            .to_integer()
            .to_i64()
            .unwrap();
        let expected = (exact < 1 << 16).then_some(exact.max(-(1 << 16)));
        assert_eq!(
            x.ceil_to_grid(bits, 1 << 16),
            expected,
            "{p} on a grid of {bits} bits"
        );
    }
}

/// Bounds of exp(x), to 2^-300 of its size.
fn exponential(x: &BigRational) -> (BigRational, BigRational) {
    let bits = 320 + 3 * x.abs().ceil().to_integer().to_u32().unwrap();
    let exact = Exact::new(
        x.abs().numer().clone(),
        1 - i64::try_from(x.denom().bits()).unwrap(),
    );
    assert_eq!(exact.rational(), x.abs(), "only dyadic numbers are exact");
    let (low, high) = exp_of_minus(&exact, 1, bits);
    let unit = |bound: BigInt| BigRational::from_integer(bound) * power_of_two(-i64::from(bits));
    let (low, high) = (unit(low), unit(high));
    if x.is_positive() {
        (high.recip(), low.recip())
    } else {
        (low, high)
    }
}

/// exp of an enclosure contains the exponential of its points; if narrow, it is tight.
fn exponentials_contain<R: Probe>(mantissa: i64, fraction: i32, width: Option<i32>) {
    let draw = width.map_or(Draw::Point(mantissa, fraction), |width| {
        Draw::Wide(mantissa, fraction, width)
    });
    let (x, points) = draw.operand::<R>();
    let (y, k) = x.exp();
    let dyadic = |point: &&BigRational| point.denom().magnitude().count_ones() == 1;
    for point in points.iter().filter(dyadic) {
        let (low, high) = exponential(point);
        let (low, high) = (
            low * power_of_two((-k).into()),
            high * power_of_two((-k).into()),
        );
        // The exponential is between these bounds: the enclosure must not lie to one side of both.
        let negated = R::dyadic(0, 0).sub(&y);
        assert!(
            !y.is_below(&low) && !negated.is_below(&-&high),
            "exp({point}) is not in {y:?}·2^{k}"
        );
        if width.is_none() {
            is_near(
                &y,
                &((&low + &high) / BigRational::from_integer(2.into())),
                &power_of_two(-43),
                "exponential",
            );
            assert!(
                power_of_two(-2) < low && high < power_of_two(2),
                "{y:?} is not near one"
            );
        }
    }
}

/// Bounds of 1/√x, for x > 0, to 200 bits or more.
fn inverse_root(x: &BigRational) -> (BigRational, BigRational) {
    let bits = 200 + x.numer().bits();
    let square = (BigUint::one() << (2 * bits)) * x.denom().magnitude() / x.numer().magnitude();
    let bound = square.sqrt();
    let unit = power_of_two(-i64::try_from(bits).unwrap());
    let (low, high) = (
        BigRational::from(BigInt::from(bound.clone())) * &unit,
        BigRational::from(BigInt::from(bound + 1_u8)) * unit,
    );
    assert!(&low * &low * x <= BigRational::one() && BigRational::one() < &high * &high * x);
    (low, high)
}

/// The enclosure does not lie to one side of both bounds.
fn between<R: Probe>(y: &R, (low, high): &(BigRational, BigRational), what: &str) {
    assert!(
        !y.is_below(low) && !R::dyadic(0, 0).sub(y).is_below(&-high),
        "{what} from {low} to {high} is not in {y:?}"
    );
}

/// Nothing is known of a number.
fn is_anything<R: Probe>(y: &R) -> bool {
    let far = power_of_two(999);
    !y.excludes(&far) && !y.excludes(&-far) && !y.is_negative() && !y.is_nonnegative()
}

/// 1/x and 1/√x of an enclosure contain those of its points; if one of these is not above zero, they are everything.
fn inverses_contain<R: Probe>(draw: Draw) {
    let (x, points) = draw.operand::<R>();
    let (inverse, root) = (x.inverse(), x.inverse_sqrt());
    if !points.iter().all(BigRational::is_positive) {
        assert!(
            is_anything(&inverse) && is_anything(&root),
            "of {x:?}: {inverse:?}, {root:?}"
        );
        return;
    }
    for point in &points {
        contains(&inverse, &point.recip(), "inverse");
        between(&root, &inverse_root(point), "inverse root");
    }
    // Half an interval: the numbers from this one on.
    let above = R::everything().max(&x);
    let far = &points[0] + power_of_two(80);
    contains(
        &above.inverse(),
        &far.recip(),
        "inverse of half an interval",
    );
    between(
        &above.inverse_sqrt(),
        &inverse_root(&far),
        "inverse root of half an interval",
    );
    // From zero on there is no least inverse.
    let from_zero = R::dyadic(0, 0).hull(&x);
    assert!(is_anything(&from_zero.inverse()) && is_anything(&from_zero.inverse_sqrt()));
    let both = R::dyadic(0, 0).sub(&x).hull(&x);
    assert!(is_anything(&both.inverse()) && is_anything(&both.inverse_sqrt()));
}

fn nice_inverses_are_tight<R: Probe>((mantissa, exponent): (i64, i32)) {
    let (x, point) = (R::dyadic(mantissa, exponent), rational(mantissa, exponent));
    let unit = power_of_two(-46);
    is_near(&x.inverse(), &point.recip(), &unit, "inverse");
    let (low, high) = inverse_root(&point);
    let root = x.inverse_sqrt();
    between(&root, &(low.clone(), high.clone()), "inverse root");
    assert!(
        root.excludes(&(high + &unit)) && root.excludes(&(low - unit)),
        "1/√{point}: {root:?} is wide"
    );
}

macro_rules! encloses {
    ($name:ident, $arithmetic:ty, $cases:expr) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig { cases: $cases, failure_persistence: None, ..ProptestConfig::default() })]

                #[test]
                fn operations(a in draws(), b in draws(), shift in -80_i32..=80) {
                    operations_contain::<$arithmetic>(a, b, shift);
                }

                #[test]
                fn dots(pairs in prop::collection::vec((draws(), draws()), 0..7)) {
                    dots_contain::<$arithmetic>(&pairs);
                }

                #[test]
                fn hulls(a in draws(), b in draws()) {
                    hulls_and_ends::<$arithmetic>(a, b);
                }

                #[test]
                fn terms(pairs in prop::collection::vec((draws(), draws()), 2..21), shift in -80_i32..=80) {
                    signs_of_sums_are_true::<$arithmetic>(&pairs, shift);
                }

                #[test]
                fn balanced_terms(
                    pairs in prop::collection::vec((mantissas(), -40_i32..-10), 1..10), shift in -80_i32..=80,
                ) {
                    // Each number and its negative: the exact sum is zero.
                    let one = Draw::Point(1, -shift);
                    let both = pairs.iter().filter(|(m, _)| *m != i64::MIN).flat_map(|(m, e)| [(*m, *e), (-m, *e)]);
                    let draws: Vec<_> = both.map(|(m, e)| (Draw::Point(m, e), one)).collect();
                    prop_assume!(draws.len() >= 2);
                    signs_of_sums_are_true::<$arithmetic>(&draws, shift);
                }

                #[test]
                fn grids(draw in draws(), bits in 0_u32..=16, limit in prop::sample::select(vec![1_i64, 16, 1 << 16])) {
                    the_grid_is_above::<$arithmetic>(draw, bits, limit);
                }

                #[test]
                fn tightness(a in small(), b in small(), shift in -20_i32..=0) {
                    nice_results_are_tight::<$arithmetic>(a, b, shift);
                }

                #[test]
                fn exponentials(mantissa in -(70_i64 << 30)..70 << 30, width in prop::option::of(-46_i32..-1)) {
                    exponentials_contain::<$arithmetic>(mantissa, -30, width);
                }

                #[test]
                fn small_exponentials(mantissa in any::<i32>(), exponent in -80_i32..-31) {
                    exponentials_contain::<$arithmetic>(mantissa.into(), exponent, None);
                }

                #[test]
                fn inverses(draw in draws()) {
                    inverses_contain::<$arithmetic>(draw);
                }

                #[test]
                fn inverses_of_any_size(mantissa in 1_i64.., exponent in -150_i32..80, width in prop::option::of(-48_i32..80)) {
                    let wide = |width: i32| Draw::Wide(mantissa, exponent, width);
                    inverses_contain::<$arithmetic>(width.map_or(Draw::Point(mantissa, exponent), wide));
                }

                #[test]
                fn tight_inverses((mantissa, exponent) in small()) {
                    nice_inverses_are_tight::<$arithmetic>((mantissa.abs() + 1, exponent));
                }
            }

            #[test]
            fn large_exponentials() {
                for (mantissa, exponent) in [(1, 9), (-1, 9), (1601, -1), (-1601, -1), (0, 0)] {
                    exponentials_contain::<$arithmetic>(mantissa, exponent, None);
                }
                for (mantissa, exponent) in [(1, 40), (-1, 40), (1, 120), (-1, 120)] {
                    // Far out of range: everything, or beyond a power of two of the right sign.
                    let (y, k) = <$arithmetic>::dyadic(mantissa, exponent).exp();
                    let nothing_known = !y.excludes(&power_of_two(999)) && !y.excludes(&-power_of_two(999));
                    assert!(!y.is_negative() && (nothing_known || i64::from(k.signum()) == mantissa), "{y:?} {k}");
                }
                assert!(!<$arithmetic>::everything().exp().0.excludes(&power_of_two(9999)));
            }

            #[test]
            fn roots_and_inverses_of_whole_numbers() {
                for n in (1..300).chain([4095, 4096, 1 << 20]) {
                    nice_inverses_are_tight::<$arithmetic>((n, 0));
                }
            }

            #[test]
            fn extreme_inverses() {
                // Zero, the least and the greatest number of any format here, and what is next to them; powers of two and of
                // four, which have exact inverses and roots.
                for exponent in (-1100..=-150).step_by(190).chain(-150..=130).chain([300, 971, 1023]) {
                    for mantissa in [0, 1, 2, 3, 5, (1 << 24) - 1, (1 << 53) - 1, 1 << 62, i64::MAX, -1, i64::MIN] {
                        inverses_contain::<$arithmetic>(Draw::Point(mantissa, exponent));
                    }
                }
                for exponent in [-150, -48, 0, 48, 100] {
                    inverses_contain::<$arithmetic>(Draw::Everything(1, exponent));
                }
                let everything = <$arithmetic>::everything();
                assert!(is_anything(&everything.inverse()) && is_anything(&everything.inverse_sqrt()));
            }

            #[test]
            fn enclosures_may_be_wide() {
                // The generator's own: a centre is inside, and so are points to either side.
                let wide: $arithmetic = around(20);
                assert!(!wide.excludes(&BigRational::zero()) && !wide.is_negative());
                assert_eq!(inside(None), vec![]);
                let everything = <$arithmetic>::everything();
                assert!(!everything.is_negative() && !everything.excludes(&power_of_two(999)));
                assert!(!everything.excludes(&-power_of_two(999)) && everything.ceil_to_grid(0, i64::MAX).is_none());
                assert!(!<$arithmetic>::dyadic(1, 0).sub(&everything).is_negative());
            }
        }
    };
}

encloses!(fixed, Fixed, 1000);
encloses!(rational_oracle, Rational, 1000);
#[cfg(feature = "mpfr")]
encloses!(mpfr, gbmi::checker::arithmetic::Mpfr, 500);
