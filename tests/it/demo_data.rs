//! The demo's data and transforms say what their sources say: checked by the code that runs them.

use calibd::domain::quality::State;
use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::{Compiled, Input, compile};
use serde_json::Value;

const ROWS: &str = include_str!("../../src/demo/data/uci_air_quality.csv");
const FACTORY: &[u8] = include_bytes!("../../src/demo/data/factory.json");
const FITTED: &[u8] = include_bytes!("../../src/demo/data/fitted.json");
const EXPECTED: &str = include_str!("../../src/demo/data/expected.json");

/// Response of the sensor and concentration by the reference, in mg/m3; `None` where missing.
type Row = (Option<f64>, Option<f64>);

fn number(text: &str) -> Option<f64> {
    let value: f64 = text.replace(',', ".").parse().unwrap();
    (value != -200.0).then_some(value)
}

fn rows() -> Vec<Row> {
    let columns = |line: &str| -> Row {
        let cells: Vec<&str> = line.split(';').collect();
        assert_eq!(cells.len(), 6, "{line}");
        (number(cells[3]), number(cells[2]))
    };
    ROWS.lines().skip(1).map(columns).collect()
}

fn compiled(payload: &[u8]) -> (Transform, Compiled) {
    let transform = Transform::parse(payload).unwrap();
    let compiled = compile(&transform).unwrap();
    (transform, compiled)
}

fn input(raw: f64) -> Input<'static> {
    Input { raw, u_raw: None, covariates: &[], age_days: 0.0 }
}

/// Count, bias and RMSE over the rows that have both values.
fn score(compiled: &Compiled, rows: &[Row]) -> (usize, f64, f64) {
    let pairs = rows.iter().filter_map(|(raw, reference)| raw.zip(*reference));
    let errors: Vec<f64> =
        pairs.map(|(raw, reference)| compiled.apply(&input(raw)).value.unwrap() - reference).collect();
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / errors.len() as f64;
    let bias = mean(&mut errors.iter().copied());
    (errors.len(), bias, mean(&mut errors.iter().map(|error| error * error)).sqrt())
}

#[test]
fn both_transforms_score_what_the_sources_state() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let rows = rows();
    assert_eq!(Some(rows.len() as u64), expected["rows"].as_u64());
    let fit_rows = expected["fit_rows"].as_u64().unwrap() as usize;
    for (name, payload) in [("factory", FACTORY), ("fitted", FITTED)] {
        let (_, compiled) = compiled(payload);
        for (part, rows) in [("fit", &rows[..fit_rows]), ("later", &rows[fit_rows..])] {
            let (count, bias, rmse) = score(&compiled, rows);
            let want = &expected[part][name];
            assert_eq!(Some(count as u64), want["n"].as_u64());
            assert!((bias - want["bias"].as_f64().unwrap()).abs() < 1e-6, "{part} {name}: bias {bias}");
            assert!((rmse - want["rmse"].as_f64().unwrap()).abs() < 1e-6, "{part} {name}: rmse {rmse}");
        }
    }
}

#[test]
fn the_fitted_one_is_better_on_rows_that_it_has_not_seen() {
    let later = &rows()[900..];
    let rmse = |payload| score(&compiled(payload).1, later).2;
    assert!(rmse(FITTED) < 0.9 * rmse(FACTORY));
}

#[test]
fn its_uncertainty_is_stated_and_nearly_covers_its_errors() {
    let (_, fitted) = compiled(FITTED);
    let outputs: Vec<_> = rows()[900..]
        .iter()
        .filter_map(|(raw, reference)| raw.zip(*reference))
        .map(|(raw, reference)| (fitted.apply(&input(raw)), reference))
        .filter(|(output, _)| output.state == State::Valid)
        .collect();
    let covered = outputs
        .iter()
        .filter(|(output, reference)| (output.value.unwrap() - reference).abs() <= 2.0 * output.u.unwrap());
    let share = covered.count() as f64 / outputs.len() as f64;
    assert!((0.90..=0.97).contains(&share), "{share}");
}

#[test]
fn the_second_replaces_the_first_within_the_step_that_it_allows() {
    let ((first, old), (second, new)) = (compiled(FACTORY), compiled(FITTED));
    assert_eq!((first.id, first.version), (second.id.clone(), second.version - 1));
    assert_eq!(first.target, second.target);
    assert!(second.limits.max_step.is_some());
    new.within_limits(Some(&old)).unwrap();
}
