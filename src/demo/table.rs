//! The closing table: what arrived, and how good it is against the reference. Pure.

use super::dataset::{ALL_ROWS, FIT_ROWS, Factory, ROWS, Row};
use super::error::{DemoError, expect};
use super::messages::Reading;
use super::tally::{Score, Tally, score};
use super::visit::Visit;

/// The sensor.
pub const SENSOR: &str = "co-1";
/// Its reference.
pub const REFERENCE: &str = "co-ref";

/// The transform that is made on site.
const LOCAL: &str = "local-co-1";

/// What the demo ends with.
#[derive(Debug)]
pub struct Table {
    /// Version 1 on the hours that the fit has not seen.
    pub before: Score,
    /// Version 2 on the same hours.
    pub after: Score,
    /// Share of the errors after that are within twice the stated uncertainty.
    pub within_2u: f64,
    /// The technician's transform on the hours since it is in force; `None` if nobody came.
    pub since: Option<Score>,
    /// Distinct readings that arrived.
    pub received: usize,
    /// Readings that arrived again.
    pub duplicates: u64,
}

impl Table {
    /// Compares what arrived with what was sent; a difference is an error.
    pub fn new(tally: &Tally, rows: &[Row], factory: &Factory) -> Result<Table, DemoError> {
        complete(tally)?;
        faithful(tally, rows)?;
        let (mut before, mut after, mut within) = (Vec::new(), Vec::new(), 0);
        let pairs = tally.series(SENSOR).zip(tally.series(REFERENCE)).take(ROWS).skip(FIT_ROWS);
        for (reading, reference) in pairs {
            let Some(raw) = reading.raw else { continue };
            let (Some(value), Some(u), Some(2)) = (reading.value, reading.u, reading.version()) else {
                let seq = reading.seq;
                return Err(DemoError::NotSo(format!(
                    "reading {seq} has a value and an uncertainty by version 2"
                )));
            };
            let Some(reference) = reference.raw else { continue };
            let Some(old) = factory.value(raw) else { continue };
            before.push((old, reference));
            after.push((value, reference));
            within += usize::from((value - reference).abs() <= 2.0 * u);
        }
        let (Some(before), Some(after)) = (score(&before), score(&after)) else {
            return Err(DemoError::NotSo("there are hours with a reference after the fit".to_owned()));
        };
        let within_2u = within as f64 / after.n as f64;
        let since = score(&on_site(tally));
        let (received, duplicates) = (tally.len(), tally.duplicates());
        Ok(Table { before, after, within_2u, since, received, duplicates })
    }

    /// Holds what the demo is to show.
    pub fn check(&self) -> Result<(), DemoError> {
        let (before, after) = (self.before.rmse, self.after.rmse);
        expect(after < before, || {
            format!("the RMSE after, {after:.3}, is below the one before, {before:.3}")
        })?;
        expect(self.within_2u >= 0.85, || {
            format!("most errors are within 2 u ({:.0} %)", 100.0 * self.within_2u)
        })
    }

    /// The table as text; `refused` are pairs of what was pushed and the reason code, `alerts` lines.
    pub fn render(&self, refused: &[(&str, String)], alerts: &[String], visit: Option<&Visit>) -> String {
        let later = ROWS - FIT_ROWS;
        let row = |name: &str, score: &Score, within: &str| {
            let Score { n, bias, rmse } = score;
            format!("  {name:<24}{n:>5}  {bias:>+7.3}  {rmse:>6.3}  {within:>10}\n")
        };
        let mut text = format!("\nThe last {later} hours, which the fit has not seen, in mg/m3:\n\n");
        text += &format!("  {:<24}{:>5}  {:>7}  {:>6}  {:>10}\n", "", "n", "bias", "RMSE", "within 2 u");
        text += &row("before: v1, two points", &self.before, "-");
        text += &row("after:  v2, fitted", &self.after, &format!("{:.0} %", 100.0 * self.within_2u));
        if let (Some(since), Some(visit)) = (&self.since, visit) {
            text += "\nSince the adjustment on site:\n\n";
            text += &row("v2 and an offset", since, "-");
            let Visit { number, as_found, as_left } = visit;
            text += &format!("\n  {number}: as found {as_found}, as left {as_left}\n");
        }
        text += &format!("\n  {:<24}{:>5}\n", "readings sent", 2 * ALL_ROWS);
        text += &format!("  {:<24}{:>5}\n", "readings received", self.received);
        text += &format!("  {:<24}{:>5}\n", "readings lost", 2 * ALL_ROWS - self.received);
        text += &format!("  {:<24}{:>5}\n\n", "duplicates, dropped", self.duplicates);
        for (what, reason) in refused {
            text += &format!("  refused: {what:<15}{reason}\n");
        }
        for alert in alerts {
            text += &format!("  alert:   {alert}\n");
        }
        text + "\nv2 is as published. v1 is computed again from the raw values that the \
                same readings carry. The raw response has no unit, so it has no error of its own.\n"
    }
}

/// Values of the transform that was made on site, with their references.
fn on_site(tally: &Tally) -> Vec<(f64, f64)> {
    let made_here = |reading: &Reading| reading.transform.as_ref().is_some_and(|it| it.id == LOCAL);
    let pairs = tally.series(SENSOR).zip(tally.series(REFERENCE)).filter(|(reading, _)| made_here(reading));
    pairs.filter_map(|(reading, reference)| reading.value.zip(reference.raw)).collect()
}

fn complete(tally: &Tally) -> Result<(), DemoError> {
    for sensor in [SENSOR, REFERENCE] {
        let count = tally.count(sensor);
        expect(count == ALL_ROWS, || format!("{ALL_ROWS} readings of {sensor} arrived ({count} did)"))?;
    }
    let holes = tally.holes();
    expect(holes == 0, || format!("the sequence numbers have no hole ({holes} never came)"))?;
    let broken = tally.broken_chains();
    expect(broken == 0, || format!("each reading names the one before it ({broken} do not)"))
}

/// Each line gave one reading of each sensor, missing values included, in the order of the lines.
fn faithful(tally: &Tally, rows: &[Row]) -> Result<(), DemoError> {
    let wanted = [
        (SENSOR, rows.iter().map(|row| row.response).collect::<Vec<_>>()),
        (REFERENCE, rows.iter().map(|row| row.reference).collect()),
    ];
    for (sensor, values) in wanted {
        let differs = tally.series(sensor).zip(&values).position(|(reading, value)| reading.raw != *value);
        expect(differs.is_none(), || {
            let line = differs.map_or(0, |index| index + 2);
            format!("the readings of {sensor} are the values of the data set (line {line} is not)")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::dataset::{FITTED, rows};
    use crate::demo::messages::TransformName;
    use crate::domain::transform::artifact::Transform;
    use crate::domain::transform::{Input, compile};

    /// What a faultless gateway would publish, the fitted transform in force from the start.
    fn published() -> Vec<Reading> {
        let fitted = compile(&Transform::parse(FITTED.as_bytes()).unwrap()).unwrap();
        let mut readings = Vec::new();
        for (index, row) in rows().iter().enumerate() {
            let seq = 2 * index as u64 + 1;
            let after = |seq: u64| seq.checked_sub(2).filter(|seq| *seq > 0);
            let output = row
                .response
                .map(|raw| fitted.apply(&Input { raw, u_raw: None, covariates: &[], age_days: 0.0 }));
            readings.push(Reading {
                sensor: SENSOR.into(),
                seq,
                after: after(seq),
                raw: row.response,
                value: output.as_ref().and_then(|output| output.value),
                u: output.and_then(|output| output.u),
                unit: "mg/m3".into(),
                transform: Some(TransformName { id: "co-demo".into(), version: 2, digest: String::new() }),
            });
            let (sensor, seq) = (REFERENCE.to_owned(), seq + 1);
            let (value, u, transform) = (None, None, None);
            let unit = "mg/m3".to_owned();
            readings.push(Reading {
                sensor,
                seq,
                after: after(seq),
                raw: row.reference,
                value,
                u,
                unit,
                transform,
            });
        }
        readings
    }

    fn table(readings: Vec<Reading>) -> Result<Table, DemoError> {
        let mut tally = Tally::default();
        for reading in readings {
            tally.add(reading);
        }
        Table::new(&tally, &rows(), &Factory::new().unwrap())
    }

    #[test]
    fn the_table_says_what_the_sources_state() {
        let table = table(published()).unwrap();
        table.check().unwrap();
        let text = table.render(
            &[("unsigned v1", "threshold_not_met".to_owned())],
            &["page    slo".to_owned()],
            None,
        );
        for want in [
            "386   +0.340   0.694",
            "386   -0.313   0.591",
            "92 %",
            "readings lost               0",
            "alert:   page    slo",
        ] {
            assert!(text.contains(want), "{want} in {text}");
        }
    }

    #[test]
    fn a_lost_or_changed_reading_is_named() {
        let mut lost = published();
        lost.remove(2000);
        assert!(table(lost).unwrap_err().to_string().contains("2000 readings of co-1 arrived (1999 did)"));
        let mut changed = published();
        changed[10].raw = Some(1.0);
        assert!(table(changed).unwrap_err().to_string().contains("line 7"));
        let mut uncalibrated = published();
        uncalibrated[2900].transform = None;
        assert!(table(uncalibrated).unwrap_err().to_string().contains("by version 2"));
    }
}
