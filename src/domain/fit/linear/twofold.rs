//! Numbers of twice the precision of a double: 106 bits, 31 digits.
//!
//! A value is the unevaluated sum of two doubles that don't overlap. Sum: Knuth, The Art of Computer
//! Programming 2, 4.2.2; product: Dekker 1971; the rest: Hida, Li, Bailey 2001 and Joldes, Muller,
//! Popescu 2017, whose bounds on the relative error are all below 2^-101.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// hi + lo, where hi is the sum rounded to a double.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Twofold {
    hi: f64,
    lo: f64,
}

impl Twofold {
    /// a - b, exactly.
    pub fn difference(a: f64, b: f64) -> Twofold {
        two_sum(a, -b)
    }

    /// The double nearest to it.
    pub fn value(self) -> f64 {
        self.hi
    }

    /// The square root; 0 of 0, NaN of what is below 0. One step of Newton's from the double's root.
    pub fn sqrt(self) -> Twofold {
        if self.hi == 0.0 {
            return Twofold::default();
        }
        let root = self.hi.sqrt();
        let rest = self - two_product(root, root);
        quick_two_sum(root, rest.hi / (2.0 * root))
    }

    /// sum a_i b_i.
    pub fn dot(a: &[Twofold], b: &[Twofold]) -> Twofold {
        a.iter().zip(b).fold(Twofold::default(), |sum, (a, b)| sum + *a * *b)
    }
}

impl From<f64> for Twofold {
    fn from(value: f64) -> Twofold {
        Twofold { hi: value, lo: 0.0 }
    }
}

impl Neg for Twofold {
    type Output = Twofold;
    #[inline(always)]
    fn neg(self) -> Twofold {
        Twofold { hi: -self.hi, lo: -self.lo }
    }
}

impl Add for Twofold {
    type Output = Twofold;
    #[inline(always)]
    fn add(self, other: Twofold) -> Twofold {
        let high = two_sum(self.hi, other.hi);
        let low = two_sum(self.lo, other.lo);
        let sum = quick_two_sum(high.hi, high.lo + low.hi);
        quick_two_sum(sum.hi, sum.lo + low.lo)
    }
}

impl Sub for Twofold {
    type Output = Twofold;
    #[inline(always)]
    fn sub(self, other: Twofold) -> Twofold {
        self + -other
    }
}

impl Mul for Twofold {
    type Output = Twofold;
    #[inline(always)]
    fn mul(self, other: Twofold) -> Twofold {
        let high = two_product(self.hi, other.hi);
        quick_two_sum(high.hi, high.lo + (self.hi * other.lo + self.lo * other.hi))
    }
}

impl Div for Twofold {
    type Output = Twofold;
    #[inline(always)]
    fn div(self, other: Twofold) -> Twofold {
        let first = self.hi / other.hi;
        let rest = self - other * Twofold::from(first);
        let second = rest.hi / other.hi;
        let rest = rest - other * Twofold::from(second);
        quick_two_sum(first, second) + Twofold::from(rest.hi / other.hi)
    }
}

/// a + b, exactly.
#[inline(always)]
pub(super) fn two_sum(a: f64, b: f64) -> Twofold {
    let hi = a + b;
    let part = hi - a;
    Twofold { hi, lo: (a - (hi - part)) + (b - part) }
}

/// The same where |a| >= |b|.
#[inline(always)]
fn quick_two_sum(a: f64, b: f64) -> Twofold {
    let hi = a + b;
    Twofold { hi, lo: b - (hi - a) }
}

/// a b, exactly, unless it over- or underflows.
///
/// By a fused multiply-add where the processor has one for certain; a call into the C library for
/// each product would take longer than Dekker's 17 operations.
#[inline(always)]
pub(super) fn two_product(a: f64, b: f64) -> Twofold {
    let hi = a * b;
    let lo = if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, -hi)
    } else {
        let ((ah, al), (bh, bl)) = (halves(a), halves(b));
        ((ah * bh - hi) + ah * bl + al * bh) + al * bl
    };
    Twofold { hi, lo }
}

/// a = high + low, of 26 bits each (Veltkamp 1968).
#[inline(always)]
fn halves(a: f64) -> (f64, f64) {
    const SPLITTER: f64 = ((1u64 << 27) + 1) as f64;
    let scaled = SPLITTER * a;
    let high = scaled - (scaled - a);
    (high, a - high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An integer of up to 100 bits, exactly.
    fn of(integer: i128) -> Twofold {
        let high = integer as f64;
        two_sum(high, (integer - high as i128) as f64)
    }

    /// Back again; exact as long as both parts are integers.
    fn integer(value: Twofold) -> i128 {
        value.hi as i128 + value.lo as i128
    }

    /// How far `value` is from p/q, relatively, for integers below 2^53: p - value q in exact steps.
    fn error_from_ratio(value: Twofold, p: i64, q: i64) -> f64 {
        let product = two_product(value.hi, q as f64);
        let rest = ((p as f64 - product.hi) - product.lo) - value.lo * q as f64;
        (rest / p as f64).abs()
    }

    #[test]
    fn keeps_what_a_double_drops() {
        assert_eq!(two_sum(1e16, 1.0), Twofold { hi: 1e16, lo: 1.0 });
        let third = Twofold::from(1.0) / Twofold::from(3.0);
        assert!(error_from_ratio(third, 1, 3) < 1e-31);
        let two = Twofold::from(2.0).sqrt();
        assert!((two * two - Twofold::from(2.0)).hi.abs() < 1e-31);
        assert_eq!(two.hi, std::f64::consts::SQRT_2);
        assert!((two.lo + 9.667293313452913e-17).abs() < 1e-31);
        assert_eq!(Twofold::default().sqrt(), Twofold::default());
        assert!(Twofold::from(-1.0).sqrt().hi.is_nan());
        assert_eq!(Twofold::dot(&[of(3), of(-2)], &[of(5), of(7)]), of(1));
        assert_eq!(Twofold::difference(0.3, 0.1) + Twofold::from(0.1), Twofold::from(0.3));
        assert!(!(Twofold::from(f64::MAX) + Twofold::from(f64::MAX)).hi.is_finite());
    }

    proptest! {
        #[test]
        fn sums_of_integers_are_exact(a in -(1i128 << 99)..(1i128 << 99), b in -(1i128 << 99)..(1i128 << 99)) {
            prop_assert_eq!(integer(of(a) + of(b)), a + b);
            prop_assert_eq!(integer(of(a) - of(b)), a - b);
        }

        #[test]
        fn products_of_doubles_are_exact(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (a >> 11, b >> 11);
            prop_assert_eq!(integer(two_product(a as f64, b as f64)), i128::from(a) * i128::from(b));
        }

        #[test]
        fn products_are_right_to_31_digits(a in 1i128..1 << 50, b in 1i128..1 << 50, c in 1i128..1 << 25) {
            // (a 2^50 + b) c < 2^126, of which 106 bits are kept
            let exact = ((a << 50) + b) * c;
            let product = of((a << 50) + b) * of(c);
            let error = (integer(product) - exact).abs() as f64 / exact as f64;
            prop_assert!(error < 1e-31, "{}", error);
        }

        #[test]
        fn quotients_and_roots_invert(p in 1i64..1 << 53, q in 1i64..1 << 53) {
            prop_assert!(error_from_ratio(of(p.into()) / of(q.into()), p, q) < 1e-31);
            let (p, q) = (of(p.into()), of(q.into()));
            let root = (p / q).sqrt();
            prop_assert!(((root * root * q - p) / p).hi.abs() < 1e-30);
        }

        #[test]
        fn parts_never_overlap(a in -1e100..1e100f64, b in -1e-100..1e100f64) {
            for value in [two_sum(a, b), two_product(a, b), of(7) * two_sum(a, b), two_sum(a, b) / of(7)] {
                prop_assert_eq!(value.hi + value.lo, value.hi);
            }
        }
    }
}
