//! What can be said on the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};

use super::dataset::ALL_ROWS;

/// Lines a second unless said otherwise: 2,000 hours in half a minute.
const USUAL_SPEED: f64 = 66.0;

/// The part of `calibd`'s command line that is the demo's.
#[derive(Debug, Parser)]
#[command(name = "calibd")]
pub enum Command {
    /// Show the whole way with real data and nothing else set up, in half a minute
    #[command(after_help = EXAMPLES)]
    Demo(Arguments),
    /// The demo's broker, in a process of its own
    #[command(hide = true)]
    DemoBroker(BrokerArguments),
    /// calibctl, in a process of its own: the demo needs no second binary
    #[command(hide = true)]
    DemoCalibctl(CalibctlArguments),
}

/// Options of `calibd demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Hours of the data set replayed in a second, 1 to 200 [default: 66]
    #[arg(long, value_name = "N", value_parser = speed, conflicts_with = "duration")]
    speed: Option<f64>,
    /// How long the replay takes, 10s to 25m, instead of a speed
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// An empty or new directory to keep keys, configuration, databases and log in; absent: a temporary one
    #[arg(long, value_name = "D")]
    pub data_dir: Option<PathBuf>,
}

/// Ports of the hidden child that is the broker.
#[derive(Debug, Args)]
pub struct BrokerArguments {
    /// Where the operator connects
    #[arg(long)]
    pub operator: u16,
    /// Where gateways connect
    #[arg(long)]
    pub gateways: u16,
}

/// What calibctl is to do.
#[derive(Debug, Args)]
pub struct CalibctlArguments {
    /// As on calibctl's command line
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// Examples for `calibd demo --help`.
const EXAMPLES: &str = "\
Examples:
  calibd demo                     the whole story in half a minute
  calibd demo --for 2m            slower
  calibd demo --data-dir ./look   keeps what was made, to look at

Exit codes: 0 all as it should be, 1 something was not so, 2 wrong usage, 130 interrupted";

impl Arguments {
    /// How fast the sensor speaks.
    pub fn lines_per_second(&self) -> f64 {
        let of_duration = |duration: Duration| ALL_ROWS as f64 / duration.as_secs_f64();
        self.speed.or(self.duration.map(of_duration)).unwrap_or(USUAL_SPEED)
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (1.0..=200.0).contains(&speed) { Ok(speed) } else { Err("outside 1 to 200".to_owned()) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration =
        text.parse().map_err(|_| "not a duration such as 40s or 2m".to_owned())?;
    let duration = Duration::try_from(signed).unwrap_or_default();
    if (10..=25 * 60).contains(&duration.as_secs()) {
        Ok(duration)
    } else {
        Err("outside 10s to 25m".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_speed_in_other_words() {
        let of = |speed, duration| Arguments { speed, duration, data_dir: None }.lines_per_second();
        assert_eq!(of(None, None), 66.0);
        assert_eq!(of(Some(90.0), None), 90.0);
        assert_eq!(of(None, Some(Duration::from_secs(50))), 40.0);
    }

    #[test]
    fn what_is_out_of_range_or_no_number_is_refused() {
        assert_eq!(speed("200"), Ok(200.0));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["0", "201", "NaN", "fast", "-1"] {
            assert!(speed(text).is_err(), "{text}");
        }
        for text in ["1s", "1h", "-20s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
