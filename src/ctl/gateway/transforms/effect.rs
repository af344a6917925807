//! What another transform makes of the same raw values.

use std::collections::BTreeMap;

use serde::Serialize;

use super::chosen::Chosen;
use crate::domain::transform::{Compiled, Covariate, Input, Output};

/// Raw values that are compared, the ends of the domain among them.
const POINTS: u32 = 11;

/// Both transforms over the domain.
#[derive(Debug, Serialize)]
pub struct Effect {
    /// UCUM code of `raw`.
    pub input_unit: String,
    /// UCUM code of the values.
    pub unit: String,
    /// The covariates' values, in the middle of their domain.
    pub covariates: BTreeMap<String, f64>,
    /// From the lowest raw value to the highest.
    pub points: Vec<Point>,
}

/// Both transforms at one raw value.
#[derive(Debug, Serialize)]
pub struct Point {
    pub raw: f64,
    pub old: Side,
    pub new: Side,
    /// The new value minus the old one.
    pub difference: Option<f64>,
    /// That over the new standard uncertainty.
    pub difference_in_u: Option<f64>,
}

/// What one of them gives.
#[derive(Debug, Serialize)]
pub struct Side {
    pub value: Option<f64>,
    pub u: Option<f64>,
}

/// Compares the values of two transforms over the domain of the new one, or of the old one where that
/// states none; freshly calibrated, and with exact raw values and covariates.
///
/// # Errors
/// A sentence that says why they cannot be compared.
pub fn effect(old: &Chosen, new: &Chosen) -> Result<Effect, String> {
    let differ = |what: &str, old: &str, new: &str| {
        Err(format!("the values are not compared: the {what} differ, {old} and {new}"))
    };
    let (one, other) = (&old.transform, &new.transform);
    if old.compiled.input_unit() != new.compiled.input_unit() {
        return differ("input units", &one.input_unit, &other.input_unit);
    }
    if old.compiled.output_unit() != new.compiled.output_unit() {
        return differ("output units", &one.output_unit, &other.output_unit);
    }
    let Some([low, high]) = new.compiled.input_bounds().or_else(|| old.compiled.input_bounds()) else {
        return Err("the values are not compared: neither states domain.input".to_owned());
    };
    let roles = old.compiled.covariates().iter().chain(new.compiled.covariates());
    let middle = |role: &String| {
        let bounds = new.compiled.covariate_bounds(role).or_else(|| old.compiled.covariate_bounds(role));
        bounds.map(|[low, high]| (role.clone(), f64::midpoint(low, high)))
    };
    let covariates: BTreeMap<String, f64> = roles.filter_map(middle).collect();
    let raw = |at: u32| low + (high - low) * f64::from(at) / f64::from(POINTS - 1);
    let points = (0..POINTS).map(|at| point(old, new, raw(at), &covariates)).collect();
    Ok(Effect { input_unit: other.input_unit.clone(), unit: other.output_unit.clone(), covariates, points })
}

fn point(old: &Chosen, new: &Chosen, raw: f64, covariates: &BTreeMap<String, f64>) -> Point {
    let (old, new) = (apply(&old.compiled, raw, covariates), apply(&new.compiled, raw, covariates));
    let difference = old.value.zip(new.value).map(|(old, new)| new - old);
    let u = new.u.filter(|u| *u > 0.0);
    let side = |output: &Output| Side { value: output.value, u: output.u };
    Point {
        raw,
        old: side(&old),
        new: side(&new),
        difference,
        difference_in_u: difference.zip(u).map(|(difference, u)| difference / u),
    }
}

fn apply(compiled: &Compiled, raw: f64, covariates: &BTreeMap<String, f64>) -> Output {
    let exact = |role| covariates.get(role).map(|value| Covariate { value: *value, u: None });
    let covariates: Vec<Option<Covariate>> = compiled.covariates().iter().map(exact).collect();
    compiled.apply(&Input { raw, u_raw: None, covariates: &covariates, age_days: 0.0 })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::transform::artifact::Transform;
    use crate::domain::transform::compile;

    fn chosen(change: impl FnOnce(&mut Value)) -> Chosen {
        let mut document = json!({
            "schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
            "quantity": "q", "input_unit": "mV", "output_unit": "K",
            "pipeline": [{"kind": "affine", "offset": 1.0, "gain": 2.0}],
            "domain": {"input": [0.0, 10.0]}, "uncertainty": {"residual_std": 0.5},
            "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
        });
        change(&mut document);
        let transform = Transform::parse(document.to_string().as_bytes()).unwrap();
        let compiled = compile(&transform).unwrap();
        Chosen { transform, compiled, digest: None, sensors: Vec::new() }
    }

    #[test]
    fn the_difference_is_told_over_the_domain_and_in_uncertainties() {
        let (old, new) = (chosen(|_| ()), chosen(|document| document["pipeline"][0]["gain"] = json!(2.1)));
        let effect = effect(&old, &new).unwrap();
        assert_eq!((effect.points.len(), effect.points[0].raw, effect.points[10].raw), (11, 0.0, 10.0));
        let last = &effect.points[10];
        assert_eq!((last.old.value, last.new.value), (Some(21.0), Some(22.0)));
        assert_eq!((last.difference, last.difference_in_u), (Some(1.0), Some(2.0)));
    }

    #[test]
    fn covariates_are_taken_in_the_middle_of_their_domain() {
        let terms = json!([{"covariate": "temperature", "gain": 1.0}]);
        let stage = json!({"kind": "multilinear", "offset": 0.0, "gain": 1.0, "terms": terms});
        let with = |bounds: Value| {
            chosen(|document| {
                document["pipeline"] = json!([stage]);
                document["domain"]["covariates"] = bounds;
            })
        };
        let known = with(json!({"temperature": [10.0, 30.0]}));
        assert_eq!(effect(&known, &known).unwrap().points[0].new.value, Some(20.0));
        let unknown = with(json!({}));
        let point = &effect(&unknown, &unknown).unwrap().points[0];
        assert_eq!((point.new.value, point.difference), (None, None));
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let old = chosen(|_| ());
        for (field, value, says) in [
            ("/input_unit", json!("V"), "input units differ, mV and V"),
            ("/output_unit", json!("Cel"), "output units differ, K and Cel"),
        ] {
            let new = chosen(|document| *document.pointer_mut(field).unwrap() = value);
            let text = effect(&old, &new).unwrap_err();
            assert!(text.contains(says), "{text}");
        }
        let open = || chosen(|document| document["domain"] = json!({}));
        assert!(effect(&open(), &open()).unwrap_err().contains("domain.input"));
    }
}
