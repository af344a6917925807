//! `kind = "synthetic"`: the signals, how often they give values, and how fast time goes.

mod fields;

use std::time::Duration;

use crate::config::reader::Section;
use crate::domain::synthetic::Signal;
use crate::domain::time::Timestamp;
use crate::source::layout::{OnFull, read_on_full};
use crate::source::replay::config::{Speed, read_speed};

/// Invented signals.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticConfig {
    /// One for each field, in the order of the configuration.
    pub signals: Vec<Signal>,
    /// What all draws come from.
    pub seed: u64,
    /// The time between two values of a field.
    pub period: Duration,
    /// How fast time goes.
    pub speed: Speed,
    /// The time of the first reading; `None`: readings get the gateway's.
    pub start: Option<Timestamp>,
    /// The source ends after so much of its time; `None`: never.
    pub lasts: Option<Duration>,
    /// What happens while the pipeline takes no more.
    pub on_full: OnFull,
}

const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

impl SyntheticConfig {
    /// Reads the keys of a synthetic source; `None` after faults.
    pub fn read(section: &mut Section<'_>) -> Option<SyntheticConfig> {
        // Within the range, so it fits.
        let seed = section.integer("seed", 0..=i64::MAX).unwrap_or(0) as u64;
        let day = Duration::from_secs(86_400);
        let period = section.duration("period", Duration::from_millis(1)..=day).unwrap_or(SECOND);
        let speed = read_speed(section);
        let start = section.time("start");
        let lasts = section.duration("for", Duration::from_millis(1)..=LONGEST);
        if speed == Speed::Max && !section.has("for") {
            section.fault("speed", "`max` without an end fills the store", "add `for = \"30d\"`");
        }
        let on_full = read_on_full(section);
        let signals = fields::read(section)?;
        Some(SyntheticConfig { signals, seed, period, speed, start, lasts, on_full })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;
    use crate::domain::synthetic::{Fault, FaultKind, Noise, Sine, Walk};

    fn read(text: &str) -> (Option<SyntheticConfig>, Vec<String>) {
        let (config, faults) = read_str("a.toml", text, SyntheticConfig::read);
        (config, faults.iter().map(ToString::to_string).collect())
    }

    const GOOD: &str = r#"
        seed = 7
        period = "10s"
        speed = 60
        start = "2026-01-01T00:00:00Z"
        for = "30d"
        on_full = "drop"
        [fields.raw]
        level = 3
        follows = "truth"
        gain = 2
        noise = { std = 0.5, phi = 0.8 }
        resolution = 0.1
        faults = [
            { kind = "step", at = "1h", by = 2, until = "2h" },
            { kind = "ramp", at = "1h", by = -2, over = "3h" },
            { kind = "noise", at = "5h", factor = 4 },
        ]
        [fields.truth]
        level = 20
        sine = { amplitude = 5, period = "1d" }
        walk = { std = 0.5, per = "1d" }
        faults = [{ kind = "gap", at = "1h" }, { kind = "stuck", at = "0s" }, { kind = "spike", at = "1m", by = 9 }]
    "#;

    #[test]
    fn every_key_is_read() {
        let (config, faults) = read(GOOD);
        assert_eq!(faults, [""; 0]);
        let config = config.unwrap();
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let fault = |at, until, kind| Fault { at, until, kind };
        let raw = Signal {
            name: "raw".into(),
            level: 3.0,
            follows: Some((1, 2.0)),
            noise: Some(Noise { std: 0.5, phi: 0.8 }),
            resolution: Some(0.1),
            faults: vec![
                fault(hours(1), Some(hours(2)), FaultKind::Step(2.0)),
                fault(hours(1), None, FaultKind::Ramp { by: -2.0, over: hours(3) }),
                fault(hours(5), None, FaultKind::Noise(4.0)),
            ],
            ..Signal::default()
        };
        let truth = Signal {
            name: "truth".into(),
            level: 20.0,
            sine: Some(Sine { amplitude: 5.0, period: hours(24) }),
            walk: Some(Walk { std: 0.5, per: hours(24) }),
            faults: vec![
                fault(hours(1), None, FaultKind::Gap),
                fault(Duration::ZERO, None, FaultKind::Stuck),
                fault(Duration::from_secs(60), None, FaultKind::Spike(9.0)),
            ],
            ..Signal::default()
        };
        let start = Timestamp::parse("2026-01-01T00:00:00Z").ok();
        let (period, speed, lasts) = (Duration::from_secs(10), Speed::Times(60.0), Some(hours(720)));
        let (signals, on_full) = (vec![raw, truth], OnFull::Drop);
        assert_eq!(config, SyntheticConfig { signals, seed: 7, period, speed, start, lasts, on_full });
    }

    #[test]
    fn little_is_needed() {
        let (config, faults) = read("fields = { a = {} }");
        assert_eq!(faults, [""; 0]);
        let config = config.unwrap();
        assert_eq!((config.seed, config.period, config.speed), (0, SECOND, Speed::Times(1.0)));
        assert_eq!(config.signals, [Signal { name: "a".into(), ..Signal::default() }]);
    }

    #[test]
    fn wrong_values_are_named() {
        let cases = [
            ("for = \"30d\"\n        on_full", "on_full", "", ""),
            ("speed = 60", "speed = \"max\"", "", ""),
            ("speed = 60\n", "speed = \"max\"\n", "for = \"30d\"", "speed: `max` without an end"),
            ("period = \"10s\"", "period = \"0s\"", "", "period: "),
            (
                "\"truth\"\n",
                "\"thruth\"\n",
                "",
                "fields.raw.follows: `thruth` is not known here; did you mean `truth`?",
            ),
            ("\"truth\"\n", "\"raw\"\n", "", "fields.raw.follows: `raw` is not known here"),
            ("level = 20", "follows = \"raw\"", "", "fields.raw.follows: `truth` follows a field too"),
            ("follows = \"truth\"", "", "", "fields.raw.gain: stands without follows"),
            ("phi = 0.8", "phi = 1.5", "", "fields.raw.noise.phi: "),
            ("resolution = 0.1", "resolution = 0", "", "fields.raw.resolution: "),
            ("amplitude = 5, ", "", "", "fields.truth.sine.amplitude: is missing"),
            ("std = 0.5, per", "per", "", "fields.truth.walk.std: is missing"),
            (
                "\"gap\"",
                "\"gape\"",
                "",
                "fields.truth.faults[0].kind: `gape` is not known here; did you mean `gap`?",
            ),
            ("kind = \"gap\", at = \"1h\"", "kind = \"gap\"", "", "fields.truth.faults[0].at: is missing"),
            ("by = 2, ", "", "", "fields.raw.faults[0].by: is missing"),
            ("until = \"2h\"", "until = \"1h\"", "", "fields.raw.faults[0].until: is not after at"),
            (
                "noise = { std = 0.5, phi = 0.8 }",
                "",
                "",
                "fields.raw.faults[2].kind: changes noise that there is none of",
            ),
            ("factor = 4", "factor = 4, by = 3", "", "fields.raw.faults[2].by: is not a known key"),
        ];
        for (right, wrong, without, want) in cases {
            assert!(GOOD.contains(right), "{right}");
            let faults = read(&GOOD.replace(right, wrong).replace(without, "")).1;
            match want {
                "" => assert_eq!(faults, [""; 0], "{wrong}"),
                _ => assert!(faults.len() == 1 && faults[0].contains(want), "{wrong}: {faults:#?}"),
            }
        }
        assert!(read("fields = {}").1[0].contains("fields: names no field"));
    }
}
