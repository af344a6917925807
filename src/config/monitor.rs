//! `[sensor.<id>.monitor]`: how the readings of a sensor are watched without any reference.

use std::time::Duration;

use super::reader::{Section, Value};
use crate::domain::monitor::{Limit, Limits};
use crate::domain::sensor::{Kind, Monitoring};

const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// Reads the table `monitor` of a sensor: watched with safe limits, and nothing flagged, unless it says otherwise.
/// A probability, which may well be 1 all day, is not watched unless it says so.
pub fn read_monitor(sensor: &mut Section<'_>, kind: Kind, period: Option<Duration>) -> Option<Monitoring> {
    let measured = kind == Kind::Measurement;
    let Some(mut table) = sensor.table("monitor") else {
        return measured.then(|| Monitoring { period, ..Monitoring::default() });
    };
    let usual = Limits::default();
    let enabled = table.boolean("enabled").unwrap_or(measured);
    let flag = table.boolean("flag").unwrap_or(false);
    let limits = Limits {
        learn: table.duration("learn", Duration::ZERO..=YEAR).unwrap_or(usual.learn),
        tolerance: table.float("tolerance", 0.0..=f64::INFINITY).unwrap_or(usual.tolerance),
        stuck: limit(&mut table, "stuck", seconds),
        noise: match limit(&mut table, "noise", |value| value.float(1.1..=1e6)) {
            Limit::Off => None,
            Limit::Learnt => usual.noise,
            Limit::Given(factor) => Some(factor),
        },
        spike: limit(&mut table, "spike", |value| value.float(1.0..=1e6)),
        rate: read_rate(&mut table),
    };
    let silence = limit(&mut table, "silence", seconds);
    enabled.then_some(Monitoring { limits, silence, period, flag })
}

/// `false`: off; `true` or absent: learnt; else as `given` reads it.
fn limit(table: &mut Section<'_>, key: &str, given: impl Fn(&Value<'_>) -> Option<f64>) -> Limit {
    let Some(value) = table.value(key) else { return Limit::Learnt };
    if value.is_boolean() {
        return if value.boolean() == Some(false) { Limit::Off } else { Limit::Learnt };
    }
    given(&value).map_or(Limit::Learnt, Limit::Given)
}

fn seconds(value: &Value<'_>) -> Option<f64> {
    value.duration(Duration::from_millis(1)..=YEAR).map(|duration| duration.as_secs_f64())
}

/// In the sensor's unit per second.
fn read_rate(table: &mut Section<'_>) -> Option<f64> {
    if !table.has("rate") {
        return None;
    }
    let mut rate = table.table("rate")?;
    let limit = rate.required("limit", "limit = 5").float("limit", 1e-12..=f64::INFINITY);
    let per = rate.required("per", "per = \"1m\"").duration("per", Duration::from_millis(1)..=YEAR);
    Some(limit? / per?.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    fn read(text: &str) -> (Option<Monitoring>, Vec<String>) {
        let (monitor, faults) =
            read_str("a.toml", text, |section| read_monitor(section, Kind::Measurement, None));
        (monitor, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn sensors_are_watched_and_nothing_is_flagged_unless_it_says_so() {
        assert_eq!(read(""), (Some(Monitoring::default()), vec![]));
        assert_eq!(read("monitor = { flag = true, noise = true }").0.map(|it| it.flag), Some(true));
        assert_eq!(read("monitor = { enabled = false, flag = true }"), (None, vec![]));
        for (text, watched) in
            [("", false), ("monitor = { flag = true }", false), ("monitor = { enabled = true }", true)]
        {
            let probability = |section: &mut Section<'_>| read_monitor(section, Kind::Probability, None);
            assert_eq!(read_str("a.toml", text, probability).0.is_some(), watched, "{text}");
        }
    }

    #[test]
    fn every_key_is_read() {
        let text = r#"
            [monitor]
            learn = "2h"
            tolerance = 0.05
            stuck = "10m"
            noise = 3
            spike = 8
            silence = "1m"
            rate = { limit = 6, per = "1m" }
        "#;
        let limits = Limits {
            learn: Duration::from_secs(7200),
            tolerance: 0.05,
            stuck: Limit::Given(600.0),
            noise: Some(3.0),
            spike: Limit::Given(8.0),
            rate: Some(0.1),
        };
        let silence = Limit::Given(60.0);
        assert_eq!(read(text), (Some(Monitoring { limits, silence, period: None, flag: false }), vec![]));
        let off = Limits { stuck: Limit::Off, noise: None, spike: Limit::Off, ..Limits::default() };
        let text = "monitor = { stuck = false, noise = false, spike = false, silence = false }";
        assert_eq!(
            read(text),
            (Some(Monitoring { limits: off, silence: Limit::Off, ..Monitoring::default() }), vec![])
        );
    }
}
