//! The stored readings that are computed again, and those of the covariates beside them.

use super::super::client::escaped;
use super::super::readings::PAGE;
use super::super::{Asked, client};
use crate::ctl::output::Failure;
use crate::ctl::progress::Progress;
use crate::domain::calibration::{COVARIATE_MAX_AGE, Latest, Said};
use crate::domain::id::SensorId;
use crate::domain::quality::{ReasonCode, Reasons};
use crate::domain::time::Timestamp;
use crate::wire::control::{Reading, Readings};

/// A stored reading, as far as it is needed; there may be a million of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub time: Timestamp,
    /// When the gateway got it.
    pub received: Timestamp,
    pub seq: u64,
    pub raw: Option<f64>,
    pub value: Option<f64>,
    pub u: Option<f64>,
    /// Whether `value` has the unit of the new values.
    pub comparable: bool,
    pub reasons: Reasons,
}

/// Which readings.
pub struct Range {
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

/// The readings of a sensor in a range, from the oldest; `unit` is that of the new values.
pub fn readings(asked: &Asked, sensor: &str, range: &Range, unit: &str) -> Result<Vec<Stored>, Failure> {
    let mut query = format!("sensor={}&since={}", escaped(sensor), range.since);
    if let Some(until) = range.until {
        query.push_str(&format!("&until={until}"));
    }
    let mut rows: Vec<Stored> = Vec::new();
    walk(asked, &query, None, range.since, |reading| {
        rows.push(stored(reading, unit));
        true
    })?;
    rows.reverse();
    Ok(rows)
}

fn stored(reading: &Reading, unit: &str) -> Stored {
    Stored {
        time: reading.time,
        received: reading.received.unwrap_or(reading.time),
        seq: reading.seq,
        raw: reading.raw,
        value: reading.value,
        u: reading.u,
        comparable: reading.unit == unit,
        reasons: Reasons::named(reading.reasons.iter().map(String::as_str)),
    }
}

/// What the transform could take from one sensor, by the number of the reading that brought it.
pub type Beside = Vec<(u64, Latest)>;

/// The readings of a covariate's sensor that the rows could take, from the oldest.
pub fn beside(
    asked: &Asked,
    sensor: &SensorId,
    u_raw: Option<f64>,
    rows: &[Stored],
) -> Result<Beside, Failure> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
    let earliest = rows.iter().map(|row| row.time.min(row.received)).min().unwrap_or(first.time);
    let since = earliest.saturating_add_micros(-COVARIATE_MAX_AGE);
    let mut found = Vec::new();
    walk(asked, &format!("sensor={sensor}&since={since}"), Some(last.seq), since, |reading| {
        if let Some(latest) = latest(reading, u_raw) {
            found.push((reading.seq, latest));
        }
        // Of those before the first row only the last one matters.
        found.last().is_none_or(|(seq, _)| *seq > first.seq)
    })?;
    found.reverse();
    Ok(found)
}

fn latest(reading: &Reading, u_raw: Option<f64>) -> Option<Latest> {
    let said = Said {
        raw: reading.raw,
        u_raw,
        value: reading.value,
        u: reading.u,
        calibrated: reading.transform.is_some(),
    };
    Latest::of(&said, reading.received.unwrap_or(reading.time))
}

/// Shows the readings of a query to `take`, from the newest, until it says that it has enough.
fn walk(
    asked: &Asked,
    query: &str,
    mut before: Option<u64>,
    since: Timestamp,
    mut take: impl FnMut(&Reading) -> bool,
) -> Result<(), Failure> {
    let mut progress = Progress::new("reading the history");
    let mut newest = None;
    loop {
        let from = before.map_or(String::new(), |seq| format!("&before={seq}"));
        let page: Readings = client::get(asked, &format!("/v1/readings?{query}&limit={PAGE}{from}"))?;
        for reading in page.readings.iter().rev() {
            newest = newest.or(Some(reading.time));
            if !take(reading) {
                return Ok(());
            }
        }
        if let Some((newest, oldest)) = newest.zip(page.readings.first()) {
            let whole = newest.micros_since(since).max(1) as f64;
            progress.at(newest.micros_since(oldest.time) as f64 / whole);
        }
        match page.before {
            Some(seq) => before = Some(seq),
            None => return Ok(()),
        }
    }
}

/// The reasons that are not the transform's doing.
pub fn of_the_reading(reasons: Reasons) -> Reasons {
    let of_the_transform = [
        ReasonCode::CovariateMissing,
        ReasonCode::OutOfDomain,
        ReasonCode::TransformExpired,
        ReasonCode::RawOnly,
        ReasonCode::TransformRevoked,
    ];
    of_the_transform.into_iter().fold(reasons, Reasons::without)
}
