//! When imported references agree best with the readings that there are.

use std::time::Duration;

use crate::ctl::gateway::Asked;
use crate::ctl::gateway::client::escaped;
use crate::ctl::gateway::readings::every::gather;
use crate::ctl::output::Failure;
use crate::domain::pairing::lag::{Agreement, Point, best};
use crate::domain::reference::{Given, Span};
use crate::wire::control::Rollup;

/// References that are looked at; of more, those at the end of the file are left out.
const MOST: usize = 200_000;
/// How far they are moved.
const REACH: Duration = Duration::from_secs(86_400);
const MINUTE: i64 = 60_000_000;
/// Longer intervals than this have no rollups.
const LONGEST: i64 = 1440;

/// References with their times.
#[derive(Default)]
pub struct Compared(Vec<Point>);

impl Compared {
    /// Takes a reference that was accepted.
    pub fn take(&mut self, given: &Given) {
        let span = |time| match given.interval_seconds.and_then(|it| Duration::try_from_secs_f64(it).ok()) {
            Some(length) => Span::over(time, length, given.stamp.unwrap_or_default()).ok(),
            None => Some(Span::point(time)),
        };
        if self.0.len() < MOST
            && let Some(span) = given.time.and_then(span)
        {
            self.0.push(Point { time: span.middle(), value: given.value });
        }
    }

    /// Compares them with the means of the sensor's readings, in intervals as long as the references are apart.
    pub fn best(&mut self, asked: &Asked, id: &str) -> Result<Option<Agreement>, Failure> {
        self.0.sort_by_key(|point| point.time);
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return Ok(None) };
        let reach = REACH.as_micros() as i64;
        let since = first.time.saturating_add_micros(-reach);
        let until = last.time.saturating_add_micros(reach);
        let minutes = self.apart();
        let range = format!("sensor={}&since={since}&until={until}&every={minutes}", escaped(id));
        let values = values(asked, &range, minutes)?;
        let step = Duration::from_secs(60 * minutes.unsigned_abs());
        Ok(best(&values, &self.0, step, REACH))
    }

    /// The median time between two of them in whole minutes, at least one, at most a day.
    fn apart(&self) -> i64 {
        let mut apart: Vec<i64> =
            self.0.windows(2).map(|two| two[1].time.micros_since(two[0].time)).filter(|it| *it > 0).collect();
        apart.sort_unstable();
        let median = apart.get(apart.len() / 2).copied().unwrap_or(MINUTE);
        (median / MINUTE).clamp(1, LONGEST)
    }
}

/// The means of a sensor's readings; raw ones where there are no others.
fn values(asked: &Asked, range: &str, minutes: i64) -> Result<Vec<Point>, Failure> {
    let point = |rollup: &Rollup| {
        let value = rollup.value.as_ref().or(rollup.raw.as_ref())?.mean;
        Some(Point { time: rollup.start.saturating_add_micros(minutes * MINUTE / 2), value })
    };
    Ok(gather(asked, range)?.iter().filter_map(point).collect())
}
