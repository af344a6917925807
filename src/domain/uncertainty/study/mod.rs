//! How often stated 95 % intervals hold on real data: fitted earlier, tested later.
//!
//! Every row of the table in docs/reference/uncertainty.md is computed here; a row that is not in the
//! document word for word fails the test. No setting differs between the data sets but the fit's length,
//! and the length of a session where the fit has fewer than the 19 days that bound anything.

mod data;
mod methods;

use std::collections::BTreeMap;

use data::Hour;

const LEVEL: f64 = 0.95;

/// A collocation, cut in two.
struct Study {
    name: &'static str,
    hours: Vec<Hour>,
    /// How many of the first hours make the fit.
    fit: usize,
    /// Sessions a day.
    sessions: i64,
    /// Of the sensor and the reference, in the output unit.
    resolution: f64,
}

impl Study {
    fn new(name: &'static str, hours: Vec<Hour>, fit_days: i64, resolution: f64) -> Study {
        let end = hours[0].hour + fit_days * 24;
        let fit = hours.partition_point(|one| one.hour < end);
        let sessions = if fit_days >= 19 { 1 } else { 2 };
        Study { name, hours, fit, sessions, resolution }
    }

    /// Whether hour `at` has a reference, if one day in 14 has, the first `phase` days after the fit.
    fn has_reference(&self, at: usize, phase: i64) -> bool {
        let day = |at: usize| self.hours[at].hour.div_euclid(24);
        at < self.fit || (day(at) - day(self.fit)) % 14 == phase
    }

    /// A row of the table, and the shares in it.
    fn row(&self, references: &str, method: &str, runs: &[Vec<Interval>]) -> (String, Shares) {
        let each: Vec<Shares> = runs.iter().map(|run| self.shares(run)).collect();
        let least = |of: fn(&Shares) -> f64| each.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&Shares) -> f64| each.iter().map(of).fold(0.0, f64::max);
        let shares = Shares {
            overall: (least(|one| one.overall.0), most(|one| one.overall.1)),
            worst: least(|one| one.worst),
            best: most(|one| one.best),
        };
        let intervals = || runs.iter().flatten();
        let width = intervals().map(|one| 2.0 * one.half_width).sum::<f64>() / intervals().count() as f64;
        let (low, high) = shares.overall;
        let overall = if runs.len() > 1 { format!("{low:.3} to {high:.3}") } else { format!("{low:.3}") };
        let months = format!("{:.3} | {:.3}", shares.worst, shares.best);
        (format!("| {} | {references} | {method} | {overall} | {months} | {width:.2} |", self.name), shares)
    }

    fn shares(&self, run: &[Interval]) -> Shares {
        let mut months: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
        for (hour, interval) in self.hours[self.fit..].iter().zip(run) {
            let month = months.entry(hour.month).or_default();
            let within = (hour.y - interval.value).abs() <= interval.half_width;
            *month = (month.0 + 1, month.1 + usize::from(within));
        }
        let share = |(count, within): (usize, usize)| within as f64 / count as f64;
        let total = months.values().fold((0, 0), |sum, month| (sum.0 + month.0, sum.1 + month.1));
        Shares {
            overall: (share(total), share(total)),
            worst: months.values().map(|month| share(*month)).fold(f64::INFINITY, f64::min),
            best: months.values().map(|month| share(*month)).fold(0.0, f64::max),
        }
    }
}

/// value +- half_width, stated before the hour's reference was seen.
struct Interval {
    value: f64,
    half_width: f64,
}

/// Shares of references within.
struct Shares {
    overall: (f64, f64),
    worst: f64,
    best: f64,
}

fn document() -> &'static str {
    include_str!("../../../../docs/reference/uncertainty.md")
}

/// Computes all rows of a data set, holds them against the document, and returns the shares of
/// (tracking, sessions).
fn study(it: &Study) -> (Shares, Shares) {
    let static_references = "none after the fit";
    let (hourly, seldom) = ("every hour", "one day in 14");
    let phases =
        |run: fn(&Study, i64) -> Vec<Interval>| (0..14).map(|phase| run(it, phase)).collect::<Vec<_>>();
    let (tracked, tracking) = it.row(hourly, "tracking", &[methods::tracking(it)]);
    let (grouped, sessions) = it.row(seldom, "sessions", &phases(methods::sessions));
    let rows = [
        it.row(static_references, "least squares, k from Student's t", &[methods::least_squares(it)]).0,
        it.row(static_references, "split conformal", &[methods::split(it)]).0,
        tracked,
        it.row(seldom, "Kalman, k = 1.96", &phases(methods::kalman)).0,
        grouped,
    ];
    let missing: Vec<&String> = rows.iter().filter(|row| !document().contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/reference/uncertainty.md should have these rows:\n{rows:#?}");
    (tracking, sessions)
}

/// What is promised where references keep coming.
fn holds((tracking, sessions): (Shares, Shares)) {
    assert!(tracking.overall.0 >= 0.94 && tracking.overall.1 <= 0.96);
    assert!(tracking.worst >= 0.92 && tracking.best <= 0.98);
    assert!(sessions.overall.0 >= 0.90 && sessions.overall.1 <= 0.98);
    assert!(sessions.worst >= 0.85);
}

#[test]
fn intervals_hold_on_carbon_monoxide() {
    holds(study(&Study::new("UCI CO, mg/m3", data::uci(), 91, 0.1)));
}

#[test]
fn intervals_hold_on_nitrogen_dioxide() {
    holds(study(&Study::new("satvam NO2, ppb", data::satvam(), 14, 0.1)));
}

#[test]
fn intervals_hold_on_ozone() {
    holds(study(&Study::new("EPA O3, ppb", data::epa(), 14, 1.0)));
}
