//! The regularised incomplete beta function.

use std::f64::consts::PI;

use super::gamma::{deviance, stirling_error};
use super::{Tails, UNKNOWN, continued_fraction, known};

/// I_x(a, b) and its complement for a, b > 0, with y = 1 - x given apart so that neither loses
/// digits; and x^a y^b / B(a, b), the derivative by ln(x/y). NaN for NaN and for an a or b outside its
/// range.
pub(super) fn regularized(a: f64, b: f64, x: f64, y: f64) -> (Tails, f64) {
    if x.is_nan() || y.is_nan() || !known(a) || !known(b) {
        return UNKNOWN;
    }
    if x <= 0.0 {
        return (Tails { lower: 0.0, upper: 1.0 }, 0.0);
    }
    if y <= 0.0 {
        return (Tails { lower: 1.0, upper: 0.0 }, 0.0);
    }
    // how far x is below the mean, times a + b: a - n x = n y - b, taken from the smaller one, since the
    // error of a product with the larger one would count
    let below = if a < b { a - (a + b) * x } else { (a + b) * y - b };
    let slope = slope(a, b, x, y, below);
    if below >= 0.0 {
        (Tails::from_lower(slope / fraction(a, b, x, y, below)), slope)
    } else {
        (Tails::from_upper(slope / fraction(b, a, y, x, -below)), slope)
    }
}

/// x^a y^b / B(a, b) as a binomial probability of real arguments (Loader 2000): no large logarithms
/// cancel.
fn slope(a: f64, b: f64, x: f64, y: f64, below: f64) -> f64 {
    let n = a + b;
    let stirling = stirling_error(n) - stirling_error(a) - stirling_error(b);
    let exponent = stirling - deviance(a, n * x, below) - deviance(b, n * y, -below);
    (a / n * b / (2.0 * PI)).sqrt() * exponent.exp()
}

/// What x^a y^b / B(a, b) is divided by to give I_x(a, b), for x up to the mean (Didonato and Morris
/// 1992, "Algorithm 708", formula 9): the even part of DLMF 8.17.22, in which nothing cancels.
fn fraction(a: f64, b: f64, x: f64, y: f64, below: f64) -> f64 {
    let partial = |n: f64| {
        let bend = if n > 0.0 { n * (b - n) * x / (a + 2.0 * n - 1.0) } else { 0.0 };
        n + bend + (a + n) / (a + 2.0 * n + 1.0) * (below + 1.0 + n * (1.0 + y))
    };
    continued_fraction(partial(0.0), |n| {
        let scale = x / (a + 2.0 * n - 1.0);
        ((a + n - 1.0) * (a + b + n - 1.0) * n * (b - n) * scale * scale, partial(n))
    })
}
