//! Weights and constants as they stand in the files, exactly.

/// A finite floating-point number as the exact rational `mantissa · 2^exponent`: a float32 weight, or with an `i64`
/// mantissa a double of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dyadic<M = i32> {
    /// Signed mantissa, below 2²⁴ in size for a float32, below 2⁵³ for a double.
    pub mantissa: M,
    /// Power of two, from −149 to 104 for a float32, from −1074 to 971 for a double.
    pub exponent: i32,
}

impl Dyadic {
    /// The number zero.
    pub const ZERO: Self = Self {
        mantissa: 0,
        exponent: 0,
    };

    /// The exact value of a float32 given by its bits; `None` for NaN and infinities.
    pub fn from_f32_bits(bits: u32) -> Option<Self> {
        let biased = (bits >> 23) & 0xff;
        let fraction = bits & 0x007f_ffff;
        let (magnitude, exponent) = match biased {
            0xff => return None,
            0 => (fraction, -149),
            _ => (fraction | 0x0080_0000, i32::try_from(biased).ok()? - 150),
        };
        let sign = if bits >> 31 == 1 { -1 } else { 1 };
        let mantissa = sign * i32::try_from(magnitude).ok()?;
        Some(Self { mantissa, exponent })
    }
}

impl Dyadic<i64> {
    /// The number zero.
    pub const NONE: Self = Self {
        mantissa: 0,
        exponent: 0,
    };

    /// The number one, as it is read from a double.
    pub const ONE: Self = Self {
        mantissa: 1 << 52,
        exponent: -52,
    };

    /// The exact value of a double that is at least zero, given by its bits; `None` for NaN, infinities and the rest. Zero
    /// is [`Dyadic::NONE`], whatever its sign.
    pub fn from_f64_bits(bits: u64) -> Option<Self> {
        if bits << 1 == 0 {
            return Some(Self::NONE);
        }
        let fraction = bits & 0x000f_ffff_ffff_ffff;
        let (magnitude, exponent) = match bits >> 52 {
            0 => (fraction, -1074),
            biased @ 1..0x7ff => (
                fraction | 0x0010_0000_0000_0000,
                i32::try_from(biased).ok()? - 1075,
            ),
            _ => return None,
        };
        let mantissa = i64::try_from(magnitude).ok()?;
        Some(Self { mantissa, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use num_rational::BigRational;

    #[test]
    fn doubles_are_read_exactly() {
        for value in [0.0, 5e-324, 1e-310, 1e-5, 0.5, 1.0, 1e300] {
            let exact = Dyadic::from_f64_bits(f64::to_bits(value)).unwrap();
            let power = BigRational::from_integer(BigInt::from(2)).pow(exact.exponent);
            let read = BigRational::from_integer(exact.mantissa.into()) * power;
            assert_eq!(Some(read), BigRational::from_float(value));
        }
        for bad in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Dyadic::from_f64_bits(f64::to_bits(bad)), None);
        }
        let read = |value: f64| Dyadic::from_f64_bits(value.to_bits());
        assert_eq!([read(0.0), read(-0.0)], [Some(Dyadic::NONE); 2]);
        assert_eq!(read(1.0), Some(Dyadic::ONE));
    }
}
