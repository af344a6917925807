//! Probabilities and quantiles of the normal, Student's, chi-squared and F distributions.
//!
//! Degrees of freedom are real numbers, as Welch-Satterthwaite gives them. All four rest on two
//! functions: the regularised incomplete gamma and beta functions, with both tails computed, so that
//! a small tail keeps its digits.

mod beta;
mod gamma;
mod quantile;
#[cfg(test)]
mod tests;

pub use gamma::ln_gamma;
pub use quantile::{chi_squared_quantile, f_quantile, normal_quantile, student_quantile};

/// Degrees of freedom from which Student's distribution counts as normal: k differs by less than
/// 2e-8 of itself.
pub const INFINITE: f64 = 1e8;

/// Fewer degrees of freedom are none: even the median may be beyond all numbers.
pub const LEAST: f64 = 1e-2;

/// Most terms of a series or a continued fraction; 1e8 degrees of freedom need less.
const MAX_TERMS: usize = 100_000;

/// What is returned where nothing can be.
const UNKNOWN: (Tails, f64) = (Tails { lower: f64::NAN, upper: f64::NAN }, f64::NAN);

/// Probabilities on both sides of a value, each with its own digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tails {
    /// P(X <= x).
    pub lower: f64,
    /// P(X > x).
    pub upper: f64,
}

impl Tails {
    fn from_lower(lower: f64) -> Tails {
        let lower = lower.clamp(0.0, 1.0);
        Tails { lower, upper: 1.0 - lower }
    }

    fn from_upper(upper: f64) -> Tails {
        Tails::from_lower(upper).swapped()
    }

    fn swapped(self) -> Tails {
        Tails { lower: self.upper, upper: self.lower }
    }
}

/// The chi-squared distribution at x.
pub fn chi_squared(x: f64, dof: f64) -> Tails {
    gamma::regularized(dof / 2.0, x / 2.0).0
}

/// The F distribution at x.
pub fn f_distribution(x: f64, numerator: f64, denominator: f64) -> Tails {
    fisher(x, numerator, denominator).0
}

/// The normal distribution at z: z^2 is chi-squared with one degree of freedom.
pub fn normal(z: f64) -> Tails {
    two_sided(z, gamma::regularized(0.5, z * z / 2.0).0)
}

/// Student's distribution at t: t^2 is F with (1, dof) degrees of freedom.
pub fn student(t: f64, dof: f64) -> Tails {
    if dof >= INFINITE { normal(t) } else { two_sided(t, f_distribution(t * t, 1.0, dof)) }
}

/// The tails of a symmetric variable from those of its square.
fn two_sided(at: f64, square: Tails) -> Tails {
    let half = square.upper / 2.0;
    let tails = Tails { lower: 0.5 + square.lower / 2.0, upper: half };
    if at < 0.0 { tails.swapped() } else { tails }
}

/// The tails of the F distribution and dP/d(ln x).
fn fisher(x: f64, numerator: f64, denominator: f64) -> (Tails, f64) {
    let ratio = x * (numerator / denominator);
    let (u, v) = (1.0 / (1.0 + 1.0 / ratio), 1.0 / (1.0 + ratio));
    beta::regularized(numerator / 2.0, denominator / 2.0, u, v)
}

/// Whether a parameter is in the range for which the series and fractions end.
fn known(parameter: f64) -> bool {
    (LEAST / 2.0..=INFINITE).contains(&parameter)
}

/// first + a1/(b1 + a2/(b2 + ...)) by the method of Lentz, where `term(n)` is (a_n, b_n).
fn continued_fraction(first: f64, term: impl Fn(f64) -> (f64, f64)) -> f64 {
    let away = |value: f64| if value == 0.0 { f64::MIN_POSITIVE } else { value };
    let mut value = away(first);
    let (mut above, mut below) = (value, 0.0);
    for n in 1..=MAX_TERMS {
        let (a, b) = term(n as f64);
        below = 1.0 / away(b + a * below);
        above = away(b + a / above);
        value *= above * below;
        if (above * below - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    value
}
