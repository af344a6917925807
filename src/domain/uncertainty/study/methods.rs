//! The ways to an interval that are compared.

use super::data::Hour;
use super::{Interval, LEVEL, Study};
use crate::domain::fit::kalman;
use crate::domain::fit::{Column, Pairs};
use crate::domain::uncertainty::conformal::sessions::Sessions;
use crate::domain::uncertainty::conformal::split::half_width;
use crate::domain::uncertainty::conformal::tracking::Tracking;
use crate::domain::uncertainty::coverage::coverage_factor;

/// The straight line of least squares.
struct Line {
    centre: f64,
    level: f64,
    gain: f64,
    spread: f64,
    count: f64,
}

impl Line {
    fn new(hours: &[Hour]) -> Line {
        let count = hours.len() as f64;
        let centre = hours.iter().map(|one| one.x).sum::<f64>() / count;
        let level = hours.iter().map(|one| one.y).sum::<f64>() / count;
        let spread: f64 = hours.iter().map(|one| (one.x - centre).powi(2)).sum();
        let product: f64 = hours.iter().map(|one| (one.x - centre) * (one.y - level)).sum();
        Line { centre, level, gain: product / spread, spread, count }
    }

    fn value(&self, x: f64) -> f64 {
        self.level + self.gain * (x - self.centre)
    }

    fn scores(&self, hours: &[Hour]) -> Vec<f64> {
        hours.iter().map(|one| one.y - self.value(one.x)).collect()
    }
}

/// u^2 = s^2 (1 + 1/n + (x - mean)^2 / Sxx), k from Student's t.
pub(super) fn least_squares(it: &Study) -> Vec<Interval> {
    let (fit, test) = it.hours.split_at(it.fit);
    let line = Line::new(fit);
    let dof = line.count - 2.0;
    let variance = line.scores(fit).iter().map(|score| score * score).sum::<f64>() / dof;
    let k = coverage_factor(LEVEL, Some(dof));
    let interval = |one: &Hour| {
        let leverage = 1.0 / line.count + (one.x - line.centre).powi(2) / line.spread;
        Interval { value: line.value(one.x), half_width: k * (variance * (1.0 + leverage)).sqrt() }
    };
    test.iter().map(interval).collect()
}

/// Fitted on the first half of the fit's pairs, scored on the second.
pub(super) fn split(it: &Study) -> Vec<Interval> {
    let (fit, test) = it.hours.split_at(it.fit);
    let (first, second) = fit.split_at(fit.len() / 2);
    let line = Line::new(first);
    let half_width = half_width(&line.scores(second), LEVEL).unwrap();
    test.iter().map(|one| Interval { value: line.value(one.x), half_width }).collect()
}

/// A static line; the half-width follows the reference of every hour.
pub(super) fn tracking(it: &Study) -> Vec<Interval> {
    let (fit, test) = it.hours.split_at(it.fit);
    let line = Line::new(fit);
    let mut tracking = Tracking::new(&line.scores(fit), LEVEL, it.resolution).unwrap();
    let interval = |one: &Hour| {
        let (value, half_width) = (line.value(one.x), tracking.half_width());
        tracking.observe(one.y - value);
        Interval { value, half_width }
    };
    test.iter().map(interval).collect()
}

/// A static line; the half-width from the last 28 sessions with references.
pub(super) fn sessions(it: &Study, phase: i64) -> Vec<Interval> {
    let line = Line::new(&it.hours[..it.fit]);
    let mut sessions = Sessions::new(LEVEL).unwrap();
    let name = |one: &Hour| (one.hour * it.sessions).div_euclid(24);
    let (mut last, mut half_width, mut out) = (i64::MIN, 0.0, Vec::new());
    for (at, one) in it.hours.iter().enumerate() {
        let value = line.value(one.x);
        if at >= it.fit {
            if name(one) != last {
                sessions.close();
                half_width = sessions.half_width().unwrap();
                last = name(one);
            }
            out.push(Interval { value, half_width });
        }
        if it.has_reference(at, phase) {
            sessions.observe(name(one), one.y - value);
        }
    }
    out
}

/// Offset and gain followed by a Kalman filter; the noise from one reference in six hours of the fit.
pub(super) fn kalman(it: &Study, phase: i64) -> Vec<Interval> {
    let thinned: Vec<&Hour> = it.hours[..it.fit].iter().step_by(6).collect();
    let column =
        |name: &str, of: fn(&Hour) -> f64| Column::new(name, thinned.iter().map(|one| of(one)).collect());
    let times = thinned.iter().map(|one| one.hour as f64 * 3600.0).collect();
    let pairs = Pairs::new(vec![column("x", |one| one.x)], column("y", |one| one.y)).unwrap();
    let tracked = kalman::fit(&pairs.with_times(times).unwrap(), None, None).unwrap();
    let (mut filter, scatter) = (tracked.filter, tracked.noise.scatter);
    let (k, mut last, mut out) = (coverage_factor(LEVEL, None), thinned[thinned.len() - 1].hour, Vec::new());
    for (at, one) in it.hours.iter().enumerate().skip(it.fit) {
        filter.predict((one.hour - last) as f64 / 24.0).unwrap();
        last = one.hour;
        let (value, u) = filter.value(one.x);
        out.push(Interval { value, half_width: k * u.hypot(scatter) });
        if at % 6 == 0 && it.has_reference(at, phase) {
            filter.update(one.x, one.y, scatter).unwrap();
        }
    }
    out
}
