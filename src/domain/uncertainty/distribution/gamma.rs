//! The gamma function and the regularised incomplete gamma function.

use std::f64::consts::PI;

use super::{MAX_TERMS, Tails, UNKNOWN, continued_fraction, known};

/// Coefficients of 1/z, 1/z^3, ... in Stirling's series (DLMF 5.11.1): B_2k / (2k (2k - 1)).
const STIRLING: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
];

/// From where Stirling's series with these terms is exact to double precision.
const STIRLING_FROM: f64 = 10.0;

/// ln Gamma(z) for z > 0, to 1e-14 of itself or absolutely, whichever is larger.
/// NaN for other z.
pub fn ln_gamma(z: f64) -> f64 {
    if z.is_nan() || z <= 0.0 {
        return f64::NAN;
    }
    (z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln() + stirling_error(z)
}

/// What Stirling's formula lacks: ln Gamma(z) - (z - 1/2) ln z + z - ln(2 pi)/2, for z > 0.
///
/// Small arguments are raised by Gamma(z + 1) = z Gamma(z).
pub(super) fn stirling_error(z: f64) -> f64 {
    let (mut z, mut sum) = (z, 0.0);
    while z < STIRLING_FROM {
        sum += (z + 0.5) * (1.0 / z).ln_1p() - 1.0;
        z += 1.0;
    }
    let square = 1.0 / (z * z);
    sum + STIRLING.iter().rev().fold(0.0, |series, c| series * square + c) / z
}

/// x ln(x/m) + m - x, where x - m is `over`, without cancellation where x is near m (Loader 2000,
/// "Fast and accurate computation of binomial probabilities").
pub(super) fn deviance(x: f64, m: f64, over: f64) -> f64 {
    if over.abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() - over;
    }
    // ln(x/m) = 2 artanh(v); the first term takes in m - x
    let v = over / (x + m);
    let (mut sum, mut power) = (over * v, 2.0 * x * v);
    for k in 1..40 {
        power *= v * v;
        let next = sum + power / f64::from(2 * k + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// P(a, x) and Q(a, x) and dP/d(ln x) = x^a e^-x / Gamma(a). Below 0 is as 0; NaN for NaN
/// and for an a outside its range.
///
/// The series (DLMF 8.7.1) below a + 1, the continued fraction (DLMF 8.9.2) above.
pub(super) fn regularized(a: f64, x: f64) -> (Tails, f64) {
    if x.is_nan() || !known(a) {
        return UNKNOWN;
    }
    if x <= 0.0 {
        return (Tails { lower: 0.0, upper: 1.0 }, 0.0);
    }
    if x == f64::INFINITY {
        return (Tails { lower: 1.0, upper: 0.0 }, 0.0);
    }
    let slope = (a / (2.0 * PI)).sqrt() * (-stirling_error(a) - deviance(a, x, a - x)).exp();
    if x < a + 1.0 {
        return (Tails::from_lower(slope * series(a, x)), slope);
    }
    let fraction = continued_fraction(x + 1.0 - a, |n| (n * (a - n), x + 2.0 * n + 1.0 - a));
    (Tails::from_upper(slope / fraction), slope)
}

/// 1/a + x/(a (a+1)) + x^2/(a (a+1) (a+2)) + ...
fn series(a: f64, x: f64) -> f64 {
    let (mut sum, mut term) = (1.0 / a, 1.0 / a);
    for n in 1..=MAX_TERMS {
        term *= x / (a + n as f64);
        sum += term;
        if term <= sum * (f64::EPSILON / 4.0) {
            break;
        }
    }
    sum
}
