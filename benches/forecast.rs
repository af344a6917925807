//! How often the intervals of a forecast hold what comes, on simulated drifts whose future is known, and what is
//! forecast from a real year: the tables of `docs/reference/forecast.md`.
//!
//! `cargo bench --bench forecast [-- RUNS]`; the same numbers every time. Exits with 1 if the coverage of a random walk
//! or a trend is not 90 % +- 5.

#![expect(clippy::print_stdout, reason = "a program whose output is its table")]

use std::process::ExitCode;

use calibd::domain::drift::forecast::{Forecast, Model, Point, Question, Series, forecast};
use calibd::domain::resample::Seeded;
use calibd::domain::time::Timestamp;

#[path = "../src/domain/drift/forecast/tests/uci.rs"]
mod uci;

const DAY: i64 = 86_400_000_000;
/// The future is walked in this many steps a day.
const FINE: usize = 10;
const HORIZON: usize = 730;

/// A drift of which everything is known, in units of the MPE.
#[derive(Clone, Copy)]
struct Drift {
    name: &'static str,
    /// Days of past, with one point each.
    past: usize,
    start: f64,
    per_day: f64,
    /// Standard deviation of the slopes of the runs about `per_day`.
    slopes: f64,
    /// Of the walk, per square root of a day.
    walk: f64,
    amplitude: f64,
    /// Standard uncertainty of a point.
    u: f64,
    /// Scatter of a point beyond it.
    scatter: f64,
    /// Whether 90 % +- 5 are promised: it is a random walk or a trend, and its past shows which.
    promised: bool,
}

const STILL: Drift = Drift {
    name: "no drift",
    past: 120,
    start: 0.0,
    per_day: 0.0,
    slopes: 0.0,
    walk: 0.0,
    amplitude: 0.0,
    u: 0.1,
    scatter: 0.0,
    promised: true,
};

const DRIFTS: [Drift; 12] = [
    Drift { name: "random walk, 0.06 per day^1/2", walk: 0.06, u: 0.05, ..STILL },
    Drift { name: "random walk, 0.06, 40 days", walk: 0.06, u: 0.05, past: 40, ..STILL },
    Drift { name: "random walk, 0.03, 365 days", walk: 0.03, past: 365, ..STILL },
    Drift { name: "random walk, 0.03, in scatter", walk: 0.03, scatter: 0.15, promised: false, ..STILL },
    Drift { name: "trend, 0.004 per day", per_day: 0.004, start: -0.2, ..STILL },
    Drift { name: "trend, 0.004, 40 days", per_day: 0.004, past: 40, ..STILL },
    Drift { name: "trend, -0.002, 365 days", per_day: -0.002, start: 0.2, past: 365, ..STILL },
    Drift { name: "trends, 0 +- 0.004, in scatter", slopes: 0.004, scatter: 0.15, ..STILL },
    Drift { name: "drift 0.003 and walk 0.03", per_day: 0.003, walk: 0.03, promised: false, ..STILL },
    Drift {
        name: "year 0.6 and walk 0.03, 500 days",
        amplitude: 0.6,
        walk: 0.03,
        past: 500,
        promised: false,
        ..STILL
    },
    Drift {
        name: "year 0.6, trend 0.001, 500 days",
        amplitude: 0.6,
        per_day: 0.001,
        past: 500,
        start: -0.3,
        promised: false,
        ..STILL
    },
    STILL,
];

/// What came of a forecast.
struct Outcome {
    forecast: Forecast,
    /// Days until the crossing; `None`: beyond the horizon.
    crossed: Option<f64>,
}

fn at(day: f64) -> Timestamp {
    Timestamp::EPOCH.saturating_add_micros((day * DAY as f64) as i64)
}

/// One past, its forecast, and its future; `None` if it is outside already.
fn run(drift: &Drift, seed: u64) -> Option<Outcome> {
    let mut draws = Seeded::new(seed.wrapping_mul(7_919).wrapping_add(drift.past as u64));
    let slope = drift.per_day + drift.slopes * draws.normal();
    let phase = if drift.amplitude > 0.0 { draws.uniform() } else { 0.0 };
    let curve = |day: f64| {
        let turn = std::f64::consts::TAU * (day / 365.2425 + phase);
        drift.start + slope * day + drift.amplitude * turn.sin()
    };
    let mut series = Series::default();
    let mut walked = 0.0;
    let mut bias = 0.0;
    for day in 0..drift.past {
        walked += drift.walk * draws.normal();
        bias = curve(day as f64) + walked;
        let seen = bias + drift.u.hypot(drift.scatter) * draws.normal();
        series.push(Point { time: at(day as f64), bias: seen, u: drift.u }).expect("finite");
    }
    if bias.abs() >= 1.0 {
        return None;
    }
    let now = (drift.past - 1) as f64;
    let question = Question { horizon_days: HORIZON as f64, ..Question::new(1.0) };
    let forecast = forecast(&series, &question, at(now)).expect("enough points");
    let step = drift.walk / (FINE as f64).sqrt();
    let crossed = (1..=HORIZON * FINE).find(|fine| {
        if step > 0.0 {
            walked += step * draws.normal();
        }
        (curve(now + *fine as f64 / FINE as f64) + walked).abs() >= 1.0
    });
    Some(Outcome { forecast, crossed: crossed.map(|fine| fine as f64 / FINE as f64) })
}

/// The share of this outcome that lies between the 5 and the 95 % quantile. What is beyond the horizon lies anywhere in
/// the probability that the forecast left for it.
fn covered(outcome: &Outcome) -> [f64; 3] {
    let [early, _, late] = outcome.forecast.days_to_mpe;
    let beyond = |quantile: Option<f64>, day: f64| quantile.is_none_or(|quantile| day < quantile);
    match outcome.crossed {
        Some(day) if beyond(early, day) => [1.0, 0.0, 0.0],
        Some(day) if beyond(late, day) => [0.0, 1.0, 0.0],
        Some(_) => [0.0, 0.0, 1.0],
        None => {
            let before = outcome.forecast.within_horizon;
            let share = |from: f64, to: f64| (to - from.max(before)).max(0.0) / (1.0 - before).max(1e-12);
            if before >= 1.0 - 1e-12 {
                return [0.0, 0.0, 1.0];
            }
            [share(0.0, 0.05), share(0.05, 0.95), share(0.95, 1.0)]
        }
    }
}

/// The row of a drift, and whether its coverage is as promised.
fn row(drift: &Drift, runs: usize) -> bool {
    let outcomes: Vec<Outcome> = (0..).filter_map(|seed| run(drift, seed)).take(runs).collect();
    let mean = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / runs as f64 * 100.0;
    let [early, within, late] = [0, 1, 2].map(|at| mean(&|outcome| covered(outcome)[at]));
    let crosses = mean(&|outcome| f64::from(u8::from(outcome.crossed.is_some())));
    let mut widths: Vec<f64> = outcomes.iter().map(width).collect();
    widths.sort_by(f64::total_cmp);
    let chosen = Model::ALL
        .map(|model| format!("{:.0}", mean(&|outcome| f64::from(u8::from(outcome.forecast.model == model)))));
    println!(
        "| {} | {crosses:.0} % | {early:.1} % | {within:.1} % | {late:.1} % | {:.0} | {} |",
        drift.name,
        widths[runs / 2],
        chosen.join(", ")
    );
    !drift.promised || (85.0..=95.0).contains(&within)
}

fn width(outcome: &Outcome) -> f64 {
    let [early, _, late] = outcome.forecast.days_to_mpe.map(|days| days.unwrap_or(HORIZON as f64));
    late - early
}

fn uci() -> Vec<Point> {
    let time = |noon: &str| Timestamp::parse(noon).expect("a date");
    let point = |(noon, bias, u): (String, f64, f64)| Point { time: time(&noon), bias, u };
    uci::daily_means().into_iter().map(point).collect()
}

/// What was forecast on some days of the real year, for an MPE of 1.5 mg/m3.
fn real_year() {
    println!();
    println!(
        "| days seen | bias | u | days to the MPE: 5, 50, 95 % | weights: trend, walk, with drift, yearly |"
    );
    println!("| --- | --- | --- | --- | --- |");
    let all = uci();
    for days in [60, 120, 180, 240, 300, 391] {
        let last = all[0].time.saturating_add_micros(days * DAY);
        let mut series = Series::default();
        for point in all.iter().take_while(|point| point.time <= last) {
            series.push(*point).expect("finite");
        }
        let it = forecast(&series, &Question::new(1.5), last).expect("enough points");
        let quantiles =
            it.days_to_mpe.map(|days| days.map_or("later".to_owned(), |days| format!("{days:.0}")));
        let weights: Vec<String> = it.scores.iter().map(|score| format!("{:.2}", score.weight)).collect();
        println!(
            "| {days} | {:.2} | {:.2} | {} | {} |",
            it.bias,
            it.u_bias,
            quantiles.join(", "),
            weights.join(", ")
        );
    }
}

fn main() -> ExitCode {
    let runs = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(1000);
    println!(
        "| drift | crosses in {HORIZON} days | before the 5 % quantile | within | after the 95 % quantile | median width, days | chosen, %: trend, walk, with drift, yearly |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut fine = true;
    for drift in &DRIFTS {
        fine &= row(drift, runs);
    }
    real_year();
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
