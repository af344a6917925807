use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::super::testing::{compiled, refused};
use super::*;
use crate::domain::transform::Input;

const GOLDENS: &str = include_str!("../../../../tests/data/goldens/regression.json");

#[derive(Deserialize)]
struct Golden {
    x: Vec<f64>,
    y: Vec<f64>,
    slopes_at_knots: Vec<f64>,
    xq: Vec<f64>,
    yq: Vec<f64>,
    dyq: Vec<f64>,
}

fn goldens() -> BTreeMap<String, Golden> {
    let all: Value = serde_json::from_str(GOLDENS).unwrap();
    serde_json::from_value(all["pchip"].clone()).unwrap()
}

fn through(x: &[f64], y: &[f64], u: Option<Vec<f64>>) -> Pchip {
    compile(&PchipSpec { x: x.to_vec(), y: y.to_vec(), u }, "").unwrap()
}

#[test]
fn values_derivatives_and_slopes_are_those_of_scipy() {
    let goldens = goldens();
    assert!(goldens.len() >= 6);
    for (name, it) in goldens {
        let close = |found: f64, expected: f64, scale: f64| {
            assert!((found - expected).abs() <= 1e-12 * scale, "{name}: {found} for {expected}");
        };
        let height = it.y.iter().fold(0.0f64, |most, y| most.max(y.abs()));
        let steepest = it.slopes_at_knots.iter().fold(0.0f64, |most, d| most.max(d.abs()));
        for (found, expected) in slopes(&it.x, &it.y).iter().zip(&it.slopes_at_knots) {
            close(found.slope, *expected, expected.abs().max(1e-3 * steepest));
        }
        let curve = through(&it.x, &it.y, None);
        for ((x, y), dy) in it.xq.iter().zip(&it.yq).zip(&it.dyq) {
            let local = curve.at(*x, false);
            close(local.value, *y, height);
            close(local.slope, *dy, steepest.max(dy.abs()));
        }
    }
}

#[test]
fn beyond_the_ends_it_goes_on_straight_or_holds() {
    let curve = through(&[0.0, 1.0, 3.0], &[0.0, 2.0, 4.5], Some(vec![0.1, 0.2, 0.3]));
    for (end, away) in [(0.0, -0.5), (3.0, 0.7)] {
        let (there, flagged, held) =
            (curve.at(end, false), curve.at(end + away, false), curve.at(end + away, true));
        let expected = there.value + there.slope * away;
        assert!((flagged.value - expected).abs() < 1e-14 && flagged.slope == there.slope);
        assert!((flagged.excess - (away / 3.0).powi(2)).abs() < 1e-15);
        assert!(flagged.variance > there.variance, "the slope at the end is uncertain too");
        assert_eq!((held.value, held.excess), (there.value, flagged.excess));
        assert!((held.variance - there.variance - (there.slope * away).powi(2)).abs() < 1e-14);
    }
}

#[test]
fn the_points_uncertainties_propagate_through_the_slopes() {
    let (x, y, u) = ([0.0, 1.0, 2.5, 4.0, 7.0], [0.0, 1.0, 1.5, 4.0, 4.5], [0.1, 0.2, 0.15, 0.3, 0.05]);
    let curve = through(&x, &y, Some(u.to_vec()));
    for at in [-0.5, 0.0, 0.3, 1.0, 1.9, 3.0, 4.0, 5.2, 7.0, 7.5] {
        let by_differences: f64 = (0..x.len())
            .map(|point| {
                let shifted = |h: f64| {
                    let mut y = y;
                    y[point] += h;
                    through(&x, &y, None).at(at, false).value
                };
                ((shifted(1e-6) - shifted(-1e-6)) / 2e-6 * u[point]).powi(2)
            })
            .sum();
        let found = curve.at(at, false).variance;
        assert!((found / by_differences - 1.0).abs() < 1e-7, "{at}: {found} {by_differences}");
    }
    let line = through(&[0.0, 2.0], &[0.0, 2.0], Some(vec![0.3, 0.4]));
    assert!((line.at(1.0, false).variance - 0.0625).abs() < 1e-15);
    assert!((line.at(2.0, false).variance - 0.16).abs() < 1e-15);
}

#[test]
fn stated_uncertainties_of_points_count_as_stated() {
    for kind in ["table", "pchip"] {
        let make = |u: Value| {
            compiled(json!({"pipeline": [{"kind": kind, "x": [0, 10, 20], "y": [0, 10, 20], "u": u}]}))
        };
        let at = |raw: f64| Input { raw, u_raw: None, covariates: &[], age_days: 0.0 };
        let u = make(json!([0.3, 0.4, 0.1])).apply(&at(10.0)).u.unwrap();
        assert!((u - 0.4).abs() < 1e-15, "{kind}: {u}");
        assert_eq!(make(Value::Null).apply(&at(10.0)).u, None);
    }
    let between =
        compiled(json!({"pipeline": [{"kind": "table", "x": [0, 10], "y": [0, 10], "u": [0.3, 0.4]}]}));
    let u = between.apply(&Input { raw: 5.0, u_raw: None, covariates: &[], age_days: 0.0 }).u.unwrap();
    assert!((u - 0.25).abs() < 1e-15);
}

#[test]
fn inverts_where_the_points_only_rise_or_only_fall() {
    let falling = through(&[0.0, 1.0, 3.0], &[5.0, 3.0, -1.0], None);
    for y in [6.0, 5.0, 4.1, 3.0, 0.2, -1.0, -2.0] {
        let x = falling.invert(y, false).unwrap();
        assert!((falling.at(x, false).value - y).abs() < 1e-12, "{y}: {x}");
    }
    assert_eq!(falling.invert(6.0, true), None);
    assert_eq!(through(&[0.0, 1.0, 3.0], &[5.0, 3.0, 4.0], None).invert(4.5, false), None);
    let flat_end = through(&[0.0, 1.0, 3.0], &[0.0, 2.0, 3.0], None);
    assert_eq!(flat_end.at(3.0, false).slope, 0.0);
    assert_eq!(flat_end.invert(3.5, false), None);
}

#[test]
fn refuses_points_without_a_curve() {
    let cases = [
        (json!({"x": [0, 1], "y": [2, 2]}), "pipeline[0].y"),
        (json!({"x": [0, 0], "y": [1, 2]}), "pipeline[0].x[1]"),
        (json!({"x": [0, 1e-200], "y": [1, 2]}), "pipeline[0].y[1]"),
        (json!({"x": [0, 1], "y": [1, 2], "u": [1]}), "pipeline[0].u"),
        (json!({"x": [0, 1], "y": [1, 2], "u": [1, -1]}), "pipeline[0].u[1]"),
    ];
    for (mut stage, path) in cases {
        stage["kind"] = json!("pchip");
        assert_eq!(refused(json!({"pipeline": [stage]})).path, path);
    }
}
