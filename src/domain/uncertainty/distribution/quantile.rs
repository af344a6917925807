//! Quantiles, by Newton's method on the logarithm of the smaller tail over ln x, kept inside a bracket.

use super::{INFINITE, Tails, fisher, gamma};

/// ln x is sought within this distance of 0.
const REACH: f64 = 700.0;

/// The x with P(X <= x) = p, X chi-squared. 0 for p <= 0, infinite for p >= 1.
pub fn chi_squared_quantile(p: f64, dof: f64) -> f64 {
    chi_squared_at(Tails { lower: p, upper: 1.0 - p }, dof)
}

/// The x with P(X <= x) = p, X from the F distribution. 0 for p <= 0, infinite for p >= 1.
pub fn f_quantile(p: f64, numerator: f64, denominator: f64) -> f64 {
    f_at(Tails { lower: p, upper: 1.0 - p }, numerator, denominator)
}

/// The z with P(Z <= z) = p of the normal distribution; infinite for p <= 0 and p >= 1.
pub fn normal_quantile(p: f64) -> f64 {
    symmetric(p, |square| chi_squared_at(square, 1.0))
}

/// The t with P(T <= t) = p of Student's distribution with `dof` > 0; infinite for p <= 0 and p >= 1.
pub fn student_quantile(p: f64, dof: f64) -> f64 {
    if dof >= INFINITE { normal_quantile(p) } else { symmetric(p, |square| f_at(square, 1.0, dof)) }
}

fn chi_squared_at(wanted: Tails, dof: f64) -> f64 {
    dof * solve(wanted, |x| gamma::regularized(dof / 2.0, x * dof / 2.0))
}

fn f_at(wanted: Tails, numerator: f64, denominator: f64) -> f64 {
    solve(wanted, |x| fisher(x, numerator, denominator))
}

/// The quantile of a symmetric variable from that of its square.
fn symmetric(p: f64, square_at: impl Fn(Tails) -> f64) -> f64 {
    // 1 - p is exact from one half on
    let tail = if p > 0.5 { 1.0 - p } else { p };
    let lower = if p > 0.5 { p - tail } else { 1.0 - 2.0 * p };
    square_at(Tails { lower, upper: 2.0 * tail }).sqrt().copysign(p - 0.5)
}

/// The x > 0 with these tails, where `at` gives the tails at x and dP/d(ln x).
fn solve(wanted: Tails, at: impl Fn(f64) -> (Tails, f64)) -> f64 {
    if wanted.lower.is_nan() || at(1.0).0.lower.is_nan() {
        return f64::NAN;
    }
    if wanted.lower <= 0.0 {
        return 0.0;
    }
    if wanted.upper <= 0.0 {
        return f64::INFINITY;
    }
    let by_lower = wanted.lower <= wanted.upper;
    let (mut low, mut high, mut ln_x) = (-REACH, REACH, 0.0);
    for _ in 0..200 {
        let (tails, slope) = at(f64::exp(ln_x));
        // how far the logarithm of the tail is above what is wanted, positive where x is too large
        let (excess, rate) = if by_lower {
            ((tails.lower / wanted.lower).ln(), slope / tails.lower)
        } else {
            (-(tails.upper / wanted.upper).ln(), slope / tails.upper)
        };
        if excess > 0.0 {
            high = ln_x;
        } else {
            low = ln_x;
        }
        let newton = ln_x - excess / rate;
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        if (next - ln_x).abs() <= f64::EPSILON * ln_x.abs().max(0.5) {
            return next.exp();
        }
        ln_x = next;
    }
    ln_x.exp()
}
