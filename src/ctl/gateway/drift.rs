//! `calibctl drift`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::client::escaped;
use super::show::{clean, time};
use super::{Asked, client};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, note, print_json, print_lines, print_table, significant};
use crate::domain::alert::Severity;
use crate::domain::drift::detector::Alarm;
use crate::domain::drift::window::{Report, Scores};
use crate::wire::control::{Drift, SensorDrift};

const EXAMPLES: &str = "examples:
  calibctl drift
  calibctl drift co-1 --window 1d
  calibctl drift co-1 --cohort cold --json | jq '.sensors[0].all.calibrated.bias'

Of calibrated values over the sensor's window (seven days unless its configuration says otherwise): mean error with
its standard uncertainty, root of the mean squared error, standard deviation, share with |E_n| up to 1, share within
the maximum permissible error; beside it the same of raw values where they are in the unit of the reference.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DriftArgs {
    /// The sensor; absent: all that have pairs.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Over the last part of the window only (like 12h, 1d), in whole panes.
    #[arg(long, value_name = "TIME")]
    window: Option<String>,
    /// This cohort beside all pairs; absent: each.
    #[arg(long, value_name = "NAME")]
    cohort: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &DriftArgs) -> Result<ExitCode, Failure> {
    let found: Drift = client::get(&args.asked, &path(args)?)?;
    if let Some(name) = &args.cohort
        && !found
            .sensors
            .iter()
            .any(|it| it.cohorts.iter().any(|report| report.cohort.as_ref() == Some(name)))
    {
        return Err(Failure::refused(format!("no sensor with pairs has a cohort `{}`", clean(name))));
    }
    if args.asked.json {
        print_json(&found)?;
    } else if found.sensors.is_empty() {
        note("no pairs: no reference has met a reading in the window");
    } else if args.id.is_some() {
        found.sensors.iter().try_for_each(|sensor| print_lines(&one(sensor)))?;
    } else {
        let head = ["SENSOR", "COHORT", "PAIRS", "BIAS", "U", "RMSE", "EN<=1", "IN MPE", "ECE", "RAW BIAS"];
        let rows = found.sensors.iter().flat_map(rows);
        print_table(&[head.map(str::to_owned).to_vec()].into_iter().chain(rows).collect::<Vec<_>>(), 0)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn path(args: &DriftArgs) -> Result<String, Failure> {
    let mut query = Vec::new();
    query.extend(args.id.as_deref().map(|id| format!("sensor={}", escaped(id))));
    if let Some(window) = &args.window {
        let seconds =
            parse_duration(window).map(|window| window.as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let wrong = || Failure::usage(format!("--window: `{}` is no time; write 12h or 7d", clean(window)));
        query.push(format!("window={}", seconds.ok_or_else(wrong)?));
    }
    query.extend(args.cohort.as_deref().map(|name| format!("cohort={}", escaped(name))));
    Ok(format!("/v1/drift{}{}", if query.is_empty() { "" } else { "?" }, query.join("&")))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| significant(value, 6))
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}

fn rows(sensor: &SensorDrift) -> impl Iterator<Item = Vec<String>> {
    std::iter::once(&sensor.all).chain(&sensor.cohorts).map(|report| {
        let Report { cohort, calibrated: it, raw, fallback, .. } = report;
        let n = fallback.map_or_else(|| it.n.to_string(), |of| format!("{} of {}", of.n, of.needed));
        let own = |text: String| if fallback.is_some() { "-".to_owned() } else { text };
        vec![
            sensor.sensor.to_string(),
            cohort.as_deref().map_or_else(|| "-".to_owned(), clean),
            n,
            own(number(it.bias)),
            own(number(it.u_bias)),
            own(number(it.rmse)),
            own(share(it.en_within_1)),
            own(share(it.within_mpe)),
            own(number(it.ece)),
            own(number(raw.bias)),
        ]
    })
}

fn one(sensor: &SensorDrift) -> String {
    let mut text = String::new();
    for report in std::iter::once(&sensor.all).chain(&sensor.cohorts) {
        let [from, to] = report.window.map(time);
        let name =
            report.cohort.as_deref().map_or_else(String::new, |name| format!(", cohort {}", clean(name)));
        let _ = writeln!(text, "{}{name}: {from} to {to}", sensor.sensor);
        if let Some(of) = report.fallback {
            let _ =
                writeln!(text, "  {} pairs, {} are needed: what follows is of all pairs", of.n, of.needed);
        }
        scores(&mut text, "calibrated", &report.calibrated);
        scores(&mut text, "raw", &report.raw);
        if report.overdue > 0 {
            let _ = writeln!(text, "  {} pairs with a standard that was overdue", report.overdue);
        }
        for bin in report.bins.iter().filter(|bin| bin.count > 0) {
            let (mean, seen) = (number(bin.mean_predicted), number(bin.observed));
            let _ = writeln!(
                text,
                "  {:.3} to {:.3}: {} pairs, said {mean}, was {seen}",
                bin.lo, bin.hi, bin.count
            );
        }
    }
    outlook(&mut text, sensor);
    let labels = &sensor.labels;
    let seconds = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0} s"));
    let (half, most) = (seconds(labels.latency_p50), seconds(labels.latency_p95));
    let _ = writeln!(
        text,
        "references: half within {half}, 95 % within {most} after the reading; {} of the readings since the start have one",
        share(labels.completeness)
    );
    text
}

/// Whether it agrees as it did, how fast its objective is used up, and what is to come.
fn outlook(text: &mut String, sensor: &SensorDrift) {
    let detector = &sensor.detector;
    let said = match (detector.usual_bias, detector.alarm, detector.since) {
        (None, ..) => {
            format!("learns what is usual, {} of {} pairs so far", detector.learnt, detector.baseline)
        }
        (Some(usual), Some(alarm), Some(since)) => {
            let way = if alarm == Alarm::Down { "fell" } else { "rose" };
            format!("DRIFT: the mean error {way} at about {}; it was {}", time(since), number(Some(usual)))
        }
        (usual, ..) => format!(
            "the mean error is what it was ({}), {} of the way to an alarm",
            number(usual),
            share(detector.ratio)
        ),
    };
    let _ = writeln!(text, "detector: {said}");
    if let Some(burn) = &sensor.burn {
        let rate =
            |rate: Option<f64>| rate.map_or_else(|| "too few pairs".to_owned(), |it| format!("{it:.1}"));
        let severity = match burn.severity {
            Some(Severity::Page) => ", PAGE",
            Some(Severity::Ticket) => ", TICKET",
            None => "",
        };
        let (long, short) = (rate(burn.long), rate(burn.short));
        let (out, pairs) = (burn.out, burn.pairs);
        let _ = writeln!(
            text,
            "objective: {out} of {pairs} pairs out of tolerance; burn rate long {long}, short {short}{severity}"
        );
    }
    if let Some(made) = &sensor.forecast {
        let _ = writeln!(text, "forecast of {}: {}", time(made.as_of), clean(&made.forecast.message));
        if let Some(next) = made.forecast.next_calibration {
            let _ = writeln!(text, "next calibration: by {}", time(next));
        }
    }
    if let Some(due) = sensor.calibration_due {
        let _ = writeln!(text, "calibration interval ends: {}", time(due));
    }
}

fn scores(text: &mut String, name: &str, it: &Scores) {
    if it.n == 0 {
        return;
    }
    let _ = writeln!(
        text,
        "  {name}: {} pairs, worth {}",
        it.n,
        it.n_effective.map_or_else(|| "-".to_owned(), |n| format!("{n:.0}"))
    );
    let rows = [
        ("bias", it.bias),
        ("u(bias)", it.u_bias),
        ("RMSE", it.rmse),
        ("MAE", it.mae),
        ("std", it.std),
        ("mean E_n", it.en_mean),
        ("ECE", it.ece),
        ("MCE", it.mce),
        ("Brier", it.brier),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| value.is_some()) {
        let _ = writeln!(text, "    {name:<10} {}", number(value));
    }
    for (name, value) in [("|E_n| <= 1", it.en_within_1), ("in MPE", it.within_mpe)] {
        if value.is_some() {
            let _ = writeln!(text, "    {name:<10} {}", share(value));
        }
    }
}
