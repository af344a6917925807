//! The two kinds of numbers that a factorisation is made in.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::twofold::Twofold;
use crate::domain::fit::sums;

/// A double, or twice one.
pub trait Real:
    Copy
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// a - b, as well as the kind can.
    fn difference(a: f64, b: f64) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The double nearest to it.
    fn value(self) -> f64;
    /// The same in twice the precision.
    fn widen(self) -> Twofold;
    /// The nearest of this kind.
    fn narrow(value: Twofold) -> Self;
    /// sum a_i b_i.
    fn dot(a: &[Self], b: &[Self]) -> Self;
    /// Adds `factor` times `x` to `y`.
    fn add_multiple(y: &mut [Self], factor: Self, x: &[Self]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = *y + factor * *x);
    }
}

impl Real for Twofold {
    fn difference(a: f64, b: f64) -> Twofold {
        Twofold::difference(a, b)
    }
    fn sqrt(self) -> Twofold {
        Twofold::sqrt(self)
    }
    fn value(self) -> f64 {
        Twofold::value(self)
    }
    fn widen(self) -> Twofold {
        self
    }
    fn narrow(value: Twofold) -> Twofold {
        value
    }
    fn dot(a: &[Twofold], b: &[Twofold]) -> Twofold {
        Twofold::dot(a, b)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn difference(a: f64, b: f64) -> f64 {
        a - b
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn value(self) -> f64 {
        self
    }
    fn widen(self) -> Twofold {
        Twofold::from(self)
    }
    fn narrow(value: Twofold) -> f64 {
        value.value()
    }
    #[inline]
    fn dot(a: &[f64], b: &[f64]) -> f64 {
        sums::dot(a, b)
    }
    fn add_multiple(y: &mut [f64], factor: f64, x: &[f64]) {
        sums::add_multiple(y, factor, x);
    }
}
