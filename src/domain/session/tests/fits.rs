//! What the transforms of sessions say of their uncertainty.

use super::*;
use crate::domain::transform::stage::StageSpec;

impl Bench {
    /// A sensor whose readings are steady, and off by these amounts at these references.
    fn steady(plan: Plan, fault: fn(f64) -> f64) -> Bench {
        let mut bench = Bench::with(plan, Some(factory()));
        (bench.fault, bench.noise) = (fault, 0.0);
        bench
    }

    fn fitted(&mut self, references: &[f64], method: &str) -> (Candidate, Transform) {
        self.points(references);
        let candidate = self.fit(method).unwrap().clone();
        let transform = Transform::parse(candidate.payload.as_bytes()).unwrap();
        (candidate, transform)
    }
}

#[test]
fn how_points_are_spaced_does_not_refuse_a_fit() {
    // What is left out of a line through three such points is far away, however well they lie on it.
    for method in ["affine", "pchip", "piecewise:1"] {
        let mut bench = Bench::steady(plan(Mode::Adjust), |x| x + 1.0 + 0.008 * (x - 1.0).signum());
        let (candidate, _) = bench.fitted(&[0.0, 2.0, 20.0], method);
        assert!(candidate.guards.is_empty(), "{method}: {:?}", candidate.guards);
        assert!(candidate.rows.iter().all(|row| row.after.unwrap().abs() < 0.1), "{:?}", candidate.rows);
    }
}

#[test]
fn a_steady_display_is_as_uncertain_as_its_step() {
    let plan = Plan { resolution: Some(0.5), ..plan(Mode::Adjust) };
    let mut bench = Bench::steady(plan, |x| 1.1 * x + 0.4);
    let (candidate, transform) = bench.fitted(&[0.0, 20.0], "affine");
    let step = 0.5 / 12.0_f64.sqrt();
    assert!((transform.uncertainty.residual_std.unwrap() / step - 1.0).abs() < 1e-6);
    assert_eq!(transform.uncertainty.degrees_of_freedom, None, "a step's uncertainty is known");
    // Of the reference 0.01 or 0.2; the curve itself is not better known than the points.
    for (row, reference) in candidate.rows.iter().zip([0.01, 0.2f64]) {
        let least = reference.hypot(step).hypot(step);
        assert!((row.u_after.unwrap() / least - 1.0).abs() < 0.02, "{row:?} {least}");
    }
}

#[test]
fn a_curve_through_the_points_has_the_uncertainty_of_their_references() {
    for method in ["piecewise:2", "pchip"] {
        let plan = Plan { resolution: None, ..plan(Mode::Adjust) };
        let mut bench = Bench::steady(plan, |x| x + 1.0);
        let (candidate, _) = bench.fitted(&[1.0, 10.0, 20.0], method);
        for (row, reference) in candidate.rows.iter().zip([0.01, 0.1, 0.2]) {
            // What is behind the curve, the line in force, has 0.01 to 0.015 of its own.
            let most = 0.015f64.hypot(reference);
            assert!((reference..=most).contains(&row.u_after.unwrap()), "{method}: {row:?} {reference}");
        }
    }
}

#[test]
fn points_that_disagree_with_their_uncertainties_widen_the_curve_and_are_told() {
    let plan = Plan { resolution: None, ..plan(Mode::Adjust) };
    let mut bench = Bench::steady(plan, |x| if x == 8.0 { x + 0.9 } else { x + 0.4 });
    let (candidate, transform) = bench.fitted(&[0.0, 8.0, 20.0], "affine");
    assert!(candidate.notes.iter().any(|note| note.starts_with("chi^2")), "{:?}", candidate.notes);
    assert!(candidate.notes.iter().any(|note| note.contains("times as large")), "{:?}", candidate.notes);
    let Some(StageSpec::Affine(line)) = transform.pipeline.first() else { panic!() };
    let of_offset = line.covariance.as_ref().unwrap()[0][0].sqrt();
    // The reference at 0 has 0.01 and would be all that counts there.
    assert!(of_offset > 0.03, "{of_offset}");
    // One residual too many is one degree of freedom, however many readings the points have.
    let freedom = transform.uncertainty.degrees_of_freedom.unwrap();
    assert!((1.0..1.2).contains(&freedom), "{freedom}");
}

#[test]
fn noise_is_not_taken_for_movement() {
    let mut bench = Bench::new(Mode::SpotCheck);
    bench.noise = 0.2;
    let (mut stated, mut sum) = (0.0, [0.0, 0.0]);
    let count = 40;
    for _ in 0..count {
        bench.point(Role::Span, 10.0);
        let point = bench.session.as_found.last().unwrap().clone();
        stated += point.budget.u.powi(2) - point.offered.u.powi(2) - 0.01f64.powi(2) / 12.0;
        let error = point.error.unwrap();
        sum = [sum[0] + error, sum[1] + error * error];
        bench.tell(Event::Undo).unwrap();
    }
    let n = f64::from(count);
    let variance = (sum[1] - sum[0] * sum[0] / n) / (n - 1.0);
    // Twice the variance would be noise that counts as repeatability and as stability.
    let ratio = stated / n / variance;
    assert!((0.6..1.5).contains(&ratio), "{ratio}");
}
