use serde_json::json;

use super::super::testing::{compiled, refused};
use super::*;
use crate::domain::transform::Input;

/// Those of IEC 60751 for Pt100.
const STANDARD: CallendarVanDusenSpec =
    CallendarVanDusenSpec { r0: 100.0, a: 3.9083e-3, b: -5.775e-7, c: -4.183e-12, covariance: None };

fn standard() -> CallendarVanDusen {
    compile(&STANDARD, "").unwrap()
}

#[test]
fn meets_the_table_of_the_standard() {
    // resistances with all the digits that the formula gives; the standard prints two
    let table = [
        (-200.0, 18.520_08, 18.52),
        (-150.0, 39.723_184, 39.72),
        (-100.0, 60.255_84, 60.26),
        (-50.0, 80.306_282, 80.31),
        (0.0, 100.0, 100.0),
        (50.0, 119.397_125, 119.40),
        (100.0, 138.505_5, 138.51),
        (200.0, 175.856, 175.86),
        (400.0, 247.092, 247.09),
        (850.0, 390.481_125, 390.48),
    ];
    let it = standard();
    for (t, r, printed) in table {
        assert!((it.resistance(t) - r).abs() < 1e-6, "{t}: {}", it.resistance(t));
        assert!((it.resistance(t) - printed).abs() < 5.1e-3);
        assert!((it.at(r, false).value - t).abs() < 1e-5, "{t}");
        assert!((it.at(it.resistance(t), false).value - t).abs() < 1e-11, "{t}");
    }
    assert!((it.at(138.5055, false).value - 100.0).abs() < 1e-10, "{}", it.at(138.5055, false).value);
}

#[test]
fn beyond_the_standard_it_is_marked_held_or_without_value() {
    let it = standard();
    let (flagged, held) = (it.at(400.0, false), it.at(400.0, true));
    assert!(flagged.value > 850.0 && flagged.excess > 0.0);
    assert_eq!(held.value, 850.0);
    assert!((held.variance - (flagged.value - 850.0).powi(2)).abs() < 1e-9);
    assert!(it.at(10.0, false).excess > 0.0);
    for r in [-60.0, 1e5, f64::NAN, f64::INFINITY] {
        assert!(it.at(r, false).value.is_nan() && it.at(r, true).value.is_nan(), "{r}");
    }
    assert_eq!(it.at(0.0, false).excess, (it.ends[0] / (it.ends[1] - it.ends[0])).powi(2));
}

#[test]
fn parameters_propagate_on_both_sides_of_zero() {
    let deviations = [0.01, 1e-6, 1e-9, 1e-14];
    let covariance: Vec<Vec<f64>> = (0..4)
        .map(|i| (0..4).map(|j| if i == j { f64::powi(deviations[i], 2) } else { 0.0 }).collect())
        .collect();
    let it = compile(&CallendarVanDusenSpec { covariance: Some(covariance), ..STANDARD }, "").unwrap();
    for r in [20.0, 60.0, 99.0, 101.0, 300.0] {
        let by_differences: f64 = (0..4)
            .map(|at| {
                let shifted = |sign: f64| {
                    let mut spec = STANDARD;
                    let h = sign * deviations[at] * 0.01;
                    *[&mut spec.r0, &mut spec.a, &mut spec.b, &mut spec.c][at] += h;
                    compile(&spec, "").unwrap().at(r, false).value
                };
                ((shifted(1.0) - shifted(-1.0)) / 0.02).powi(2)
            })
            .sum();
        let found = it.at(r, false).variance;
        assert!((found / by_differences - 1.0).abs() < 1e-5, "{r}: {found} {by_differences}");
    }
}

#[test]
fn goes_from_ohm_to_celsius_and_refuses_what_does_not_rise() {
    let stage =
        json!({"kind": "callendar_van_dusen", "r0": 100, "a": 3.9083e-3, "b": -5.775e-7, "c": -4.183e-12});
    let it = compiled(json!({"pipeline": [stage], "input_unit": "Ohm", "output_unit": "Cel"}));
    let out = it.apply(&Input { raw: 138.5055, u_raw: Some(0.0379), covariates: &[], age_days: 0.0 });
    assert!((out.u.unwrap() - 0.1).abs() < 1e-4, "0.379 Ohm per Cel at 100 Cel");
    assert_eq!(
        refused(json!({"pipeline": [stage], "input_unit": "Ohm", "output_unit": "K"})).path,
        "output_unit"
    );
    for (field, value, path) in [("a", -1.0, "a"), ("b", -3e-6, "a"), ("c", 1e-9, "a"), ("r0", 0.0, "r0")] {
        let mut stage = stage.clone();
        stage[field] = json!(value);
        let error = refused(json!({"pipeline": [stage], "input_unit": "Ohm", "output_unit": "Cel"}));
        assert_eq!(error.path, format!("pipeline[0].{path}"));
    }
}
