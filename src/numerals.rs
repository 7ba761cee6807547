//! Exact numbers as text.

use num_bigint::BigUint;
use num_traits::Zero;

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
}
