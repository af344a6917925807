//! Roots of functions whose derivative is known.

/// Steps that are enough to halve any range of doubles down to neighbours.
const STEPS: usize = 2100;

/// Where `f`, which gives a value and its derivative, is 0 between `low` and `high`.
///
/// Newton's steps, replaced by halving the range wherever one would leave it or is more than half of
/// the step before. `None` if the signs at the ends are equal or a value is not a number.
pub(super) fn solve(low: f64, high: f64, f: impl Fn(f64) -> (f64, f64)) -> Option<f64> {
    solve_from(middle(low, high), low, high, f)
}

/// [`solve`], with a guess to start from.
pub(super) fn solve_from(start: f64, low: f64, high: f64, f: impl Fn(f64) -> (f64, f64)) -> Option<f64> {
    let (at_low, at_high) = (f(low).0, f(high).0);
    if at_low == 0.0 {
        return Some(low);
    }
    if at_high == 0.0 {
        return Some(high);
    }
    if at_low.is_nan() || at_high.is_nan() || (at_low < 0.0) == (at_high < 0.0) {
        return None;
    }
    // below: where f has the sign that it has at `low`
    let (mut below, mut above) = (low, high);
    let mut x = if low < start && start < high { start } else { middle(low, high) };
    let mut step = high - low;
    for _ in 0..STEPS {
        let (value, slope) = f(x);
        if value.is_nan() {
            return None;
        }
        if value == 0.0 {
            return Some(x);
        }
        if (value < 0.0) == (at_low < 0.0) {
            below = x;
        } else {
            above = x;
        }
        let newton = x - value / slope;
        let safe = below < newton && newton < above && (newton - x).abs() <= step / 2.0;
        let next = if safe { newton } else { middle(below, above) };
        step = (next - x).abs();
        if step <= f64::EPSILON * x.abs() / 2.0 || next <= below || next >= above {
            return Some(next);
        }
        x = next;
    }
    Some(x)
}

fn middle(low: f64, high: f64) -> f64 {
    low / 2.0 + high / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_guess_is_only_a_guess() {
        for start in [-7.0, 0.1, 1.9, f64::NAN] {
            let found = solve_from(start, 0.0, 3.0, |x| (x * x - 2.0, 2.0 * x)).unwrap();
            assert!((found - 2.0f64.sqrt()).abs() < 1e-15, "{start}: {found}");
        }
    }

    #[test]
    fn finds_roots_where_newton_alone_would_run_away() {
        let close = |x: Option<f64>, y: f64| x.is_some_and(|x| (x - y).abs() < 1e-13 * y.abs().max(1.0));
        assert!(close(solve(-50.0, 80.0, |x| (x.atan() - 0.5, 1.0 / (1.0 + x * x))), 0.5f64.tan()));
        assert!(close(solve(-1.0, 3.0, |x| (x.powi(3) - 8.0, 3.0 * x * x)), 2.0));
        assert!(close(solve(-1.0, 4.0, |x| (if x < 1.3 { -1.0 } else { 1.0 }, 0.0)), 1.3), "a jump");
        assert_eq!(solve(0.0, 1.0, |x| (x, 1.0)), Some(0.0));
        assert_eq!(solve(-1.0, 0.0, |x| (x, 1.0)), Some(0.0));
        assert_eq!(solve(1.0, 2.0, |x| (x, 1.0)), None);
        assert_eq!(solve(-1.0, 2.0, |_| (f64::NAN, 1.0)), None);
        assert_eq!(solve(-1.0, 1.0, |x| (if x.abs() < 0.9 { f64::NAN } else { x }, 1.0)), None);
    }

    proptest! {
        #[test]
        fn stays_within_the_range_whatever_the_derivative_says(
            low in -1e3..0.0f64, high in 0.1..1e3f64, at in 0.0..1.0f64, slope in any::<f64>()
        ) {
            let root = low + at * (high - low);
            let found = solve(low, high, |x| (x - root, slope)).unwrap();
            prop_assert!((found - root).abs() <= 1e-12 * root.abs().max(1e-300), "{found} {root}");
        }
    }
}
