//! The logistic function, which three stages end with.

/// 1 / (1 + e^-t) and its derivative p (1 - p), both to the last digits at either end; NaN where t
/// is not finite, so that an overflow before it does not pass for certainty.
#[inline(always)]
pub(super) fn sigmoid(t: f64) -> (f64, f64) {
    if !t.is_finite() {
        return (f64::NAN, f64::NAN);
    }
    let e = (-t.abs()).exp();
    let d = 1.0 / (1.0 + e);
    (if t < 0.0 { e * d } else { d }, e * d * d)
}

/// The inverse of the logistic function: ln(p / (1 - p)); not finite for what is no probability, and
/// for 0 and 1.
pub(super) fn logit(p: f64) -> f64 {
    p.ln() - (-p).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_the_inverse() {
        for t in [-300.0, -1.0, 0.0, 0.5, 20.0] {
            assert!((logit(sigmoid(t).0) - t).abs() < 1e-7, "{t}");
        }
        assert!(!logit(1.0).is_finite() && !logit(-0.1).is_finite());
    }

    #[test]
    fn is_right_at_both_ends() {
        assert_eq!(sigmoid(0.0), (0.5, 0.25));
        let (p, w) = sigmoid(-40.0);
        assert!((p / 4.248_354_255_291_589e-18 - 1.0).abs() < 1e-15, "{p:e}");
        assert_eq!(p, w);
        assert_eq!(sigmoid(800.0), (1.0, 0.0));
        assert_eq!(sigmoid(-800.0), (0.0, 0.0));
        assert!(sigmoid(f64::INFINITY).0.is_nan() && sigmoid(f64::NAN).0.is_nan());
    }
}
