//! Exact numbers as text.

use crate::certificate::MARGIN_BITS;
use num_bigint::BigUint;
use num_traits::Zero;
use std::fmt;

/// `correct/total` in lowest terms.
pub fn fraction(correct: &BigUint, total: &BigUint) -> String {
    let (mut a, mut b) = (correct.clone(), total.clone());
    while !b.is_zero() {
        (a, b) = (b.clone(), a % b);
    }
    if a.is_zero() {
        "0/1".into()
    } else {
        format!("{}/{}", correct / &a, total / a)
    }
}

/// The decimals of [`decimal`].
pub const BILLION: u64 = 1_000_000_000;

/// `correct/total` to nine decimals, rounded down.
pub fn decimal(correct: &BigUint, total: &BigUint) -> String {
    if total.is_zero() {
        return "0.000000000".into();
    }
    let billionths = (correct * BILLION / total).to_string();
    let padded = format!("{billionths:0>10}");
    let (whole, part) = padded.split_at(padded.len() - 9);
    format!("{whole}.{part}")
}

/// What a margin may be, in words.
const MARGINS: &str =
    "expected a margin from 0 to 2^40, as a decimal such as 0.03 or a fraction such as 3/100";

/// Why a text is no margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadMargin {
    /// It is no decimal and no fraction, or below zero.
    NoNumber,
    /// It is above 2^40.
    TooLarge,
}

impl fmt::Display for BadMargin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match self {
            Self::NoNumber => "found no such number",
            Self::TooLarge => "found more",
        };
        write!(f, "{MARGINS}, {found}")
    }
}

impl std::error::Error for BadMargin {}

/// A margin in units of `2^-MARGIN_BITS`, rounded up: what exceeds the rounded one exceeds the one asked for.
///
/// # Errors
/// [`BadMargin`].
pub fn margin(text: &str) -> Result<BigUint, BadMargin> {
    let natural = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = BigUint::parse_bytes(digits.as_bytes(), 10);
        number
            .filter(|_| plain && text.len() <= 200)
            .ok_or(BadMargin::NoNumber)
    };
    let (above, below) = if let Some((p, q)) = text.split_once('/') {
        (natural(p)?, natural(q)?)
    } else {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let places = u32::try_from(part.len()).map_err(|_| BadMargin::NoNumber)?;
        let (whole, part) = (natural(whole)?, natural(part)?);
        let below = BigUint::from(10_u8).pow(places);
        (whole * &below + part, below)
    };
    if below.is_zero() {
        return Err(BadMargin::NoNumber);
    }
    let units = ((above << MARGIN_BITS) + &below - 1_u8) / below;
    if units > BigUint::from(1_u8) << (40 + MARGIN_BITS) {
        return Err(BadMargin::TooLarge);
    }
    Ok(units)
}

/// A margin as an exact fraction, and to nine decimals, rounded down.
pub fn margin_text(units: &BigUint) -> (String, String) {
    let unit = BigUint::from(1_u8) << MARGIN_BITS;
    (fraction(units, &unit), decimal(units, &unit))
}

/// ` by more than` a margin, where it is not zero.
pub fn by_more_than(units: &BigUint) -> String {
    if units.is_zero() {
        return String::new();
    }
    let (exact, rounded) = margin_text(units);
    format!(" by more than {rounded} ({exact})")
}

/// Digits in groups of three.
pub fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact_or_rounded_down() {
        let (two, three) = (BigUint::from(2_u8), BigUint::from(3_u8));
        assert_eq!(decimal(&two, &three), "0.666666666");
        assert_eq!(decimal(&three, &three), "1.000000000");
        assert_eq!(fraction(&BigUint::from(6_u8), &BigUint::from(4_u8)), "3/2");
        assert_eq!(fraction(&BigUint::zero(), &three), "0/1");
        assert_eq!(grouped("1234567"), "1,234,567");
    }

    #[test]
    fn margins_are_rounded_up_and_bounded() {
        let units = |text| margin(text).map(|units| units.to_string());
        let one = (1_u64 << 48).to_string();
        for (text, expected) in [
            ("0", "0"),
            ("0.0", "0"),
            ("1", &one),
            ("2/2", &one),
            ("1.000", &one),
            ("0.5", "140737488355328"),
            ("1/3", "93824992236886"),
            ("1/999999999999999999999999", "1"),
            ("1099511627776", "309485009821345068724781056"),
        ] {
            assert_eq!(units(text), Ok(expected.into()), "{text}");
        }
        for text in [
            "", "-1", "-0.1", "NaN", "inf", "1e3", "+1", ".5", "1.", "1/0", "1/-2", "1/2/3", "0x1",
            "1_0",
        ] {
            assert_eq!(margin(text), Err(BadMargin::NoNumber), "{text}");
        }
        for text in [
            "1099511627776.0000000001",
            "1099511627777",
            "9999999999999999/3",
        ] {
            assert_eq!(margin(text), Err(BadMargin::TooLarge), "{text}");
        }
        assert_eq!(
            margin_text(&margin("0.5").unwrap()),
            ("1/2".into(), "0.500000000".into())
        );
    }
}
