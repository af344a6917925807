//! From what is in force at the sensors of a model to its prior.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::fit::few::{MARK, SENSORS};
use crate::domain::fit::population::{Fitted, population};
use crate::domain::id::Id;
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::stage::StageSpec;

/// A gateway, and a sensor there.
pub type Spot = (Id, Id);

/// A sensor of the model.
#[derive(Debug)]
pub struct Source {
    /// Where it is.
    pub place: Spot,
    /// What is in force there, or why it cannot count.
    pub transform: Result<Transform, String>,
}

/// A sensor that has no say.
#[derive(Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// Where.
    pub gateway: Id,
    /// Which.
    pub sensor: Id,
    /// Why.
    pub reason: String,
}

/// What fits have to have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Formula {
    /// UCUM code of the raw reading.
    pub input_unit: String,
    /// UCUM code of the calibrated value.
    pub output_unit: String,
    /// The roles of the covariates, in their order.
    pub covariates: Vec<String>,
}

/// A prior.
#[derive(Debug, PartialEq)]
pub struct Made {
    /// Mean, covariance, scatter.
    pub fit: Fitted,
    /// Of what.
    pub formula: Formula,
    /// The sensors that it is of.
    pub used: Vec<Spot>,
}

/// What came of it.
#[derive(Debug)]
pub struct Found {
    /// The prior, or why there is none.
    pub result: Result<Made, String>,
    /// Sensors that have no say in it.
    pub left_out: Vec<LeftOut>,
}

/// Makes the prior of those fits that may count.
pub fn made(sources: Vec<Source>) -> Found {
    let mut left_out = Vec::new();
    let mut by_formula: BTreeMap<Formula, Vec<(Spot, Fitted)>> = BTreeMap::new();
    let all = sources.len();
    for Source { place, transform } in sources {
        let (formula, fit) = match transform.and_then(|transform| fitted(&place, &transform)) {
            Ok(fitted) => fitted,
            Err(reason) => {
                left_out.push(out(place, &reason));
                continue;
            }
        };
        let alike = by_formula.entry(formula).or_default();
        // By a serial number that several sensors have, one fit would count as many.
        if alike.iter().any(|(_, other)| *other == fit) {
            left_out.push(out(place, "its fit is that of another sensor, too"));
        } else {
            alike.push((place, fit));
        }
    }
    // Of as many, the first by name.
    let most = by_formula.iter().rev().max_by_key(|(_, fits)| fits.len()).map(|(formula, _)| formula.clone());
    let chosen = most.and_then(|formula| by_formula.remove_entry(&formula));
    let others = by_formula.into_values().flatten();
    let other = "it has another formula, or other units, than most";
    left_out.extend(others.map(|(place, _)| out(place, other)));
    let result = match chosen {
        None if all == 0 => {
            Err("no sensor is enrolled with this model: see how enrolments write it".to_owned())
        }
        None => Err("none of its sensors has a fit that can count".to_owned()),
        Some((formula, fits)) => of(formula, fits),
    };
    Found { result, left_out }
}

fn out((gateway, sensor): Spot, reason: &str) -> LeftOut {
    LeftOut { gateway, sensor, reason: reason.to_owned() }
}

fn of(formula: Formula, fits: Vec<(Spot, Fitted)>) -> Result<Made, String> {
    let (used, fits): (Vec<_>, Vec<_>) = fits.into_iter().unzip();
    let parameters = formula.covariates.len() + 2;
    let (needed, found) = (SENSORS * parameters, fits.len());
    if found < needed {
        return Err(format!(
            "the fits of {found} sensors can count, and it needs {needed}, {SENSORS} for each of {parameters} parameters: of fewer, nobody can tell how far sensors scatter"
        ));
    }
    let fit = population(&fits).map_err(|fault| fault.to_string())?;
    Ok(Made { fit, formula, used })
}

/// What a transform says of its sensor's line or plane.
fn fitted((gateway, sensor): &Spot, transform: &Transform) -> Result<(Formula, Fitted), String> {
    let target = &transform.target;
    let here = |named: &[Id], one: &Id| named.is_empty() || named.contains(one);
    if !here(&target.gateways, gateway) || !here(&target.sensors, sensor) {
        return Err("its transform is for another sensor".to_owned());
    }
    let one = target.gateways.len() == 1 && target.sensors.len() == 1 || target.serials.len() == 1;
    if !one {
        return Err("its transform is for more than this one sensor".to_owned());
    }
    if transform.provenance.method.as_ref().is_some_and(|method| method.ends_with(MARK)) {
        return Err("its fit was made with a prior".to_owned());
    }
    let [stage] = &transform.pipeline[..] else {
        return Err("its transform has more than one stage".to_owned());
    };
    if !transform.cohorts.is_empty() {
        return Err("its transform has cohorts".to_owned());
    }
    let (covariates, parameters, covariance) = match stage {
        StageSpec::Affine(line) => (Vec::new(), vec![line.offset, line.gain], &line.covariance),
        StageSpec::Multilinear(plane) => {
            let gains = plane.terms.iter().map(|term| term.gain);
            let parameters = [plane.offset, plane.gain].into_iter().chain(gains).collect();
            let covariates = plane.terms.iter().map(|term| term.covariate.clone()).collect();
            (covariates, parameters, &plane.covariance)
        }
        _ => return Err("its transform is no line or plane".to_owned()),
    };
    let known = &transform.uncertainty;
    let (Some(covariance), Some(residual_std), Some(degrees_of_freedom)) =
        (covariance.clone(), known.residual_std, known.degrees_of_freedom)
    else {
        return Err("its transform lacks covariance, residual_std or degrees_of_freedom".to_owned());
    };
    let parameter_names = crate::domain::fit::bayes::parameter_names(covariates.len() + 1);
    let fit = Fitted { parameter_names, parameters, covariance, residual_std, degrees_of_freedom };
    if let Some((field, problem)) = fit.fault() {
        return Err(format!("its fit makes no sense: {field}: {problem}"));
    }
    let (input_unit, output_unit) = (transform.input_unit.clone(), transform.output_unit.clone());
    Ok((Formula { input_unit, output_unit, covariates }, fit))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn transform(at: usize, change: impl Fn(&mut Value)) -> Transform {
        let offsets = [0.1, 0.7, -0.4, 0.9, -0.2, 0.3, -0.8, 0.5, 0.0, 0.2];
        let mut transform = json!({
            "schema": 1, "id": "co", "epoch": 1, "version": 1,
            "target": {"fleet": "f", "gateways": ["g"], "sensors": [format!("s-{at}")]},
            "quantity": "co", "input_unit": "nA", "output_unit": "mg/m3",
            "pipeline": [{"kind": "affine", "offset": offsets[at % 10], "gain": 2.0 + 0.1 * offsets[(at + 3) % 10],
                "covariance": [[0.01, 0.0], [0.0, 0.0001]]}],
            "uncertainty": {"residual_std": 0.3, "degrees_of_freedom": 20.0},
            "issued_at": "2026-11-01T00:00:00Z", "expires": "2027-11-01T00:00:00Z",
        });
        change(&mut transform);
        Transform::parse(transform.to_string().as_bytes()).unwrap()
    }

    fn source(at: usize, transform: Result<Transform, String>) -> Source {
        Source { place: (id("g"), id(&format!("s-{at}"))), transform }
    }

    fn good(count: usize) -> Vec<Source> {
        (0..count).map(|at| source(at, Ok(transform(at, |_| {})))).collect()
    }

    #[test]
    fn fits_of_single_sensors_make_a_prior() {
        let found = made(good(9));
        let prior = found.result.unwrap();
        assert_eq!((prior.used.len(), found.left_out.len()), (9, 0));
        assert!((prior.fit.parameters[1] - 2.0).abs() < 0.1 && prior.fit.covariance[0][0] > 0.1, "{prior:?}");
        assert_eq!(prior.fit.parameter_names, ["a", "b"]);
    }

    #[test]
    fn what_says_nothing_of_a_single_sensor_is_left_out_with_its_reason() {
        let mut sources = good(8);
        let changes: [(&str, Value, &str); 8] = [
            ("/target/sensors", json!(["s-8", "s-2"]), "more than this one sensor"),
            ("/provenance", json!({"method": format!("affine{MARK}")}), "with a prior"),
            ("/pipeline", json!([{"kind": "offset", "offset": 1.0}]), "no line or plane"),
            ("/uncertainty", json!({"residual_std": 0.3}), "degrees_of_freedom"),
            ("/input_unit", json!("mV"), "other units"),
            ("/pipeline/0/covariance/0/0", json!(0.0), "covariance"),
            ("/target", json!({"fleet": "f", "gateways": ["g"], "sensors": ["s-1"]}), "another sensor"),
            ("/target", json!({"fleet": "f", "serials": ["1"]}), "that of another sensor, too"),
        ];
        for (at, (pointer, value, _)) in changes.iter().enumerate() {
            let change = |transform: &mut Value| match transform.pointer_mut(pointer) {
                Some(place) => *place = value.clone(),
                None => transform[&pointer[1..]] = value.clone(),
            };
            let here = |transform: &mut Value| {
                transform["target"]["sensors"] = json!([format!("s-{}", 8 + at)]);
                change(transform);
            };
            sources.push(source(8 + at, Ok(transform(at, here))));
        }
        sources.push(source(16, Err("no transform is in force".to_owned())));
        let found = made(sources);
        assert_eq!(found.result.unwrap().used.len(), 8);
        let reason = |at: usize| {
            let name = format!("s-{at}");
            found
                .left_out
                .iter()
                .find(|one| one.sensor.as_str() == name)
                .map(|one| one.reason.clone())
                .unwrap()
        };
        for (at, (_, _, words)) in changes.iter().enumerate() {
            assert!(reason(8 + at).contains(words), "{words}: {}", reason(8 + at));
        }
        assert_eq!((reason(16).as_str(), found.left_out.len()), ("no transform is in force", 9));
    }

    #[test]
    fn too_few_sensors_make_none() {
        assert!(made(good(7)).result.unwrap_err().contains("of 7 sensors can count, and it needs 8"));
        assert!(made(Vec::new()).result.unwrap_err().contains("no sensor is enrolled"));
        let none = made(vec![source(0, Err("raw".to_owned()))]);
        assert!(none.result.unwrap_err().contains("none of its sensors"));
    }
}
