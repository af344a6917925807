//! The data set and the two transforms made from it; `data/SOURCES.md` says whence and how.

use crate::domain::transform::artifact::Transform;
use crate::domain::transform::{Compiled, Input, compile};

use super::error::DemoError;

const CSV: &str = include_str!("data/uci_air_quality.csv");
/// 500 hours that begin 24 days later, when the technician comes.
const VISIT: &str = include_str!("data/uci_air_quality_visit.csv");
/// Version 1: a line through two points, made in the first days.
pub const FACTORY: &str = include_str!("data/factory.json");
/// Version 2: fitted to the first [`FIT_ROWS`] hours, with its uncertainty.
pub const FITTED: &str = include_str!("data/fitted.json");
/// Hours of the set before the technician comes.
pub const ROWS: usize = 1500;
/// Hours with those of the visit.
pub const ALL_ROWS: usize = 2000;
/// The fit has seen these first hours; it is judged by the others.
pub const FIT_ROWS: usize = 900;
/// Column of the reference analyser, in mg/m3.
pub const REFERENCE_COLUMN: usize = 2;
/// Column of the sensor's response.
pub const SENSOR_COLUMN: usize = 3;
/// What the set writes where it has no value.
pub const MISSING: f64 = -200.0;

/// One hour of the set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// As published, `;` and decimal commas included.
    pub line: &'static str,
    /// The sensor's response.
    pub response: Option<f64>,
    /// What the reference analyser measured.
    pub reference: Option<f64>,
}

/// The names of the columns, as published.
pub fn header() -> &'static str {
    CSV.lines().next().unwrap_or_default()
}

/// All hours, in order; those of the visit come last.
pub fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let cell = |index| line.split(';').nth(index).and_then(number);
        Row { line, response: cell(SENSOR_COLUMN), reference: cell(REFERENCE_COLUMN) }
    };
    CSV.lines().skip(1).chain(VISIT.lines().skip(1)).map(row).collect()
}

fn number(cell: &str) -> Option<f64> {
    cell.replace(',', ".").parse().ok().filter(|value| *value != MISSING)
}

/// Computes version 1 of the transform, to compare with: the code is the one that the pipeline runs.
#[derive(Debug)]
pub struct Factory(Compiled);

impl Factory {
    /// Compiles the transform.
    pub fn new() -> Result<Factory, DemoError> {
        let compiled = Transform::parse(FACTORY.as_bytes()).and_then(|transform| compile(&transform));
        compiled.map(Factory).map_err(|fault| DemoError::Setup(format!("the factory transform: {fault}")))
    }

    /// The value of a raw response, in mg/m3.
    pub fn value(&self, raw: f64) -> Option<f64> {
        self.0.apply(&Input { raw, u_raw: None, covariates: &[], age_days: 0.0 }).value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_row_and_missing_values_stay_missing() {
        let rows = rows();
        assert_eq!(rows.len(), ALL_ROWS);
        let rows = &rows[..ROWS];
        assert!(header().starts_with("Date;Time;CO(GT)"));
        assert_eq!((rows[0].response, rows[0].reference), (Some(1360.0), Some(2.6)));
        assert_eq!(rows.iter().filter(|row| row.reference.is_none()).count(), 307);
        assert_eq!(rows.iter().filter(|row| row.response.is_none()).count(), 27);
    }

    #[test]
    fn the_factory_line_goes_through_its_points() {
        let value = Factory::new().unwrap().value(1360.0).unwrap();
        assert!((value - (-5.24183082271 + 0.00683661645423 * 1360.0)).abs() < 1e-12);
    }
}
