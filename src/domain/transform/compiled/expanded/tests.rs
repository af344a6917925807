use serde_json::{Value, json};

use crate::domain::transform::testing::compiled;
use crate::domain::transform::{Covariate, Input};

const GUM_H3: &str = include_str!("../../../../../tests/data/gum_h3/gum_h3.json");

fn at(raw: f64) -> Input<'static> {
    Input { raw, u_raw: None, covariates: &[], age_days: 0.0 }
}

#[test]
fn the_thermometer_of_gum_h3() {
    let all: Value = serde_json::from_str(GUM_H3).unwrap();
    let number = |group: &str, name: &str| all[group][name].as_f64().unwrap();
    let exact = |name: &str| number("exact", name);
    let cov = exact("cov12");
    let it = compiled(json!({
        "input_unit": "Cel", "output_unit": "K{diff}",
        "pipeline": [
            {"kind": "offset", "offset": -20},
            {"kind": "affine", "offset": exact("y1"), "gain": exact("y2"),
                "covariance": [[exact("s_y1").powi(2), cov], [cov, exact("s_y2").powi(2)]]},
        ],
        "uncertainty": {"degrees_of_freedom": exact("dof")},
    }));
    let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-9;
    let out = it.expanded(&at(30.0), 0.95).unwrap();
    assert!(close(it.apply(&at(30.0)).value.unwrap(), exact("b30")));
    assert!(close(out.u, exact("u_b30")), "{}", out.u);
    assert!(close(out.degrees_of_freedom.unwrap(), 9.0));
    assert!(close(out.k, number("coverage", "k")), "{}", out.k);
    assert!(close(out.expanded, number("coverage", "U_b30")), "{}", out.expanded);
}

#[test]
fn the_residuals_and_the_parameters_are_one_component() {
    let make = |dof: Value| {
        compiled(json!({
            "pipeline": [{"kind": "multilinear", "offset": 0, "gain": 1, "terms": [{"covariate": "t", "gain": 2}],
                "covariance": [[0.07, 0, 0], [0, 0, 0], [0, 0, 0]]}],
            "uncertainty": {"residual_std": 0.3, "degrees_of_freedom": dof, "reference_systematic": 0.2},
        }))
    };
    let t = [Some(Covariate { value: 1.0, u: Some(0.1) })];
    let input = Input { covariates: &t, u_raw: Some(0.5), ..at(1.0) };
    let it = make(json!(8));
    // 0.09 + 0.07 of the fit; 0.04 + (2 0.1)^2 + 0.5^2 of all else
    let parts = it.components(&input).unwrap();
    assert!((parts.fit.u - 0.4).abs() < 1e-12 && (parts.other.u - 0.33f64.sqrt()).abs() < 1e-12);
    let out = it.expanded(&input, 0.95).unwrap();
    assert!((out.u - 0.7).abs() < 1e-12);
    assert!((out.degrees_of_freedom.unwrap() - 0.49f64.powi(2) * 8.0 / 0.0256).abs() < 1e-9);
    let known = make(Value::Null).expanded(&input, 0.95).unwrap();
    assert_eq!(known.degrees_of_freedom, None);
    assert!((known.k - 1.959_963_984_540_054).abs() < 1e-12);
}

#[test]
fn leaving_the_domain_widens_but_leaves_the_degrees_of_freedom() {
    for outside in ["flag", "clamp"] {
        let it = compiled(json!({
            "pipeline": [{"kind": "affine", "offset": 0, "gain": 1}], "domain": {"input": [0, 10], "outside": outside},
            "uncertainty": {"residual_std": 0.3, "degrees_of_freedom": 8},
        }));
        let (inside, beyond) = (it.expanded(&at(10.0), 0.95).unwrap(), it.expanded(&at(20.0), 0.95).unwrap());
        assert_eq!(inside.degrees_of_freedom, Some(8.0));
        assert!((beyond.u - it.apply(&at(20.0)).u.unwrap()).abs() < 1e-15 && beyond.u > inside.u);
        // what was cut off is no scatter of the residuals
        assert_eq!(beyond.degrees_of_freedom == Some(8.0), outside == "flag");
    }
}

#[test]
fn there_is_none_without_an_uncertainty_or_a_level() {
    let bare = compiled(json!({"pipeline": [{"kind": "affine", "offset": 0, "gain": 1}]}));
    assert_eq!(bare.expanded(&at(1.0), 0.95), None);
    let stated = compiled(
        json!({"pipeline": [{"kind": "affine", "offset": 0, "gain": 1}], "uncertainty": {"residual_std": 1}}),
    );
    for level in [1.0, 2.0, f64::NAN] {
        assert_eq!(stated.expanded(&at(1.0), level), None);
    }
    assert_eq!(stated.expanded(&at(f64::NAN), 0.95), None);
}
