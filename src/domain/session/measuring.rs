//! A point while it is measured: the dwell, then readings until they have settled.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{At, Beside, Reading};
use super::fault::Fault;
use super::plan::{DRIFT_SHARE, LEAST_READINGS, Plan, SCATTER_SHARE};
use super::point::{Condition, Offered, Point, Role, budget, state};
use super::stability::{Bounds, Course, Sight, Window};
use crate::domain::digest::Digest;
use crate::domain::stats::Stats;
use crate::domain::time::{Timestamp, micros};
use crate::domain::units::Conversion;

/// How far the wall clock may be off the time that passes.
const STEP: f64 = 2.0;
/// The most covariates that are looked at.
const MOST_CONDITIONS: usize = 8;

/// A point that is being measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measuring {
    /// What it is for.
    pub role: Role,
    /// What is offered; of a source the last value.
    pub offered: Offered,
    /// What becomes of the source's values.
    source: Option<Source>,
    /// When it was ordered.
    began: Timestamp,
    since: Duration,
    /// When the dwell began, for the last time.
    dwell: Duration,
    /// The last usable reading since then.
    heard: Option<Duration>,
    /// Whether its silence was told.
    silent: bool,
    /// What came instead of usable readings, the last of it.
    unusable: Option<String>,
    /// The transform of its values.
    transform: Option<Digest>,
    window: Window,
    conditions: Vec<Condition>,
    values: bool,
    rejected: u64,
    stepped: bool,
}

/// The reference source of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Source {
    scale: f64,
    offset: f64,
    /// The last value in the plan's unit, and when.
    last: Option<(f64, Duration)>,
    /// The standard uncertainty of its values, where they bring none.
    u: Option<f64>,
    silent: bool,
}

/// How far a point is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Progress {
    /// The minimum time runs.
    Dwell {
        /// Seconds since it began.
        seconds: f64,
        /// Seconds that it lasts.
        of: f64,
    },
    /// Readings count, and have not settled.
    Settling {
        /// How much of the window is there, from 0 to 1.
        filled: f64,
        /// Readings in the window.
        readings: u64,
        /// The change over the window over what is allowed; at most 1 is settled.
        drift: Option<f64>,
        /// The scatter over what is allowed; at most 1 is settled.
        scatter: Option<f64>,
    },
}

/// What came of a reading or of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Turn {
    /// It goes on.
    On,
    /// It goes on, and this has to be told.
    Tell(Fault),
    /// The point is there.
    Taken(Box<Point>),
    /// It is given up.
    GivenUp(Fault),
}

impl Measuring {
    pub(super) fn new(
        plan: &Plan,
        at: &At<'_>,
        role: Role,
        offered: Offered,
        source: Option<(Conversion, Option<f64>)>,
    ) -> Measuring {
        let source = source.map(|(conversion, u)| Source {
            scale: conversion.scale,
            offset: conversion.offset,
            last: None,
            u: u.map(|u| u * conversion.scale.abs()),
            silent: false,
        });
        Measuring {
            role,
            offered,
            source,
            began: at.time,
            since: at.passed,
            dwell: at.passed,
            heard: None,
            silent: false,
            unusable: None,
            transform: None,
            window: window(plan),
            conditions: Vec::new(),
            values: false,
            rejected: 0,
            stepped: false,
        }
    }

    /// Begins it again, its time limit too: the daemon was stopped, or the session paused.
    pub(super) fn begin_anew(&mut self, plan: &Plan, at: &At<'_>) {
        (self.began, self.since) = (at.time, at.passed);
        self.forget(plan, at);
    }

    /// Begins the dwell again; the time limit runs on.
    fn forget(&mut self, plan: &Plan, at: &At<'_>) {
        self.dwell = at.passed;
        self.heard = None;
        self.window = window(plan);
        self.conditions.clear();
        self.transform = None;
        self.rejected = 0;
        if let Some(source) = &mut self.source {
            source.last = None;
        }
    }

    /// A value of the reference source.
    pub(super) fn reference(&mut self, at: &At<'_>, value: f64, u: Option<f64>) {
        let Some(source) = &mut self.source else { return };
        let value = source.scale * value + source.offset;
        let u = u.map(|u| u * source.scale.abs()).or(source.u).filter(|u| *u > 0.0 && u.is_finite());
        let Some(u) = u.filter(|_| value.is_finite()) else { return };
        (source.last, source.silent) = (Some((value, at.passed)), false);
        (self.offered.value, self.offered.u) = (value, u);
    }

    /// A reading of the sensor.
    pub(super) fn reading(&mut self, plan: &Plan, at: &At<'_>, reading: &Reading) -> Turn {
        if let Some(why) = &reading.unusable {
            self.rejected += 1;
            self.unusable = Some(why.chars().take(40).collect());
            return self.tick(plan, at);
        }
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let Some(raw) = finite(reading.raw) else { return self.tick(plan, at) };
        let value = finite(reading.value);
        if self.silent {
            self.forget(plan, at);
        }
        let changed =
            self.heard.is_some() && (self.transform != reading.transform || self.values != value.is_some());
        if changed {
            self.forget(plan, at);
        }
        (self.silent, self.unusable) = (false, None);
        (self.heard, self.transform, self.values) = (Some(at.passed), reading.transform, value.is_some());
        if changed {
            return Turn::Tell(Fault::TransformChanged { sensor: plan.sensor.clone() });
        }
        self.count(plan, at, raw, value, &reading.covariates);
        self.tick(plan, at)
    }

    /// Lets a reading count, if the dwell is over and its reference is there.
    fn count(&mut self, plan: &Plan, at: &At<'_>, raw: f64, value: Option<f64>, covariates: &[Beside]) {
        let seconds = since(at, self.dwell) - plan.dwell_seconds();
        let Some(reference) = self.reference_now(plan, at).filter(|_| seconds >= 0.0) else { return };
        let signal = value.map_or(raw, |value| value - reference);
        self.window.push(&Sight { seconds, signal, raw, reference });
        for beside in covariates.iter().filter(|beside| beside.value.is_finite()) {
            self.condition(beside);
        }
    }

    fn condition(&mut self, beside: &Beside) {
        let Beside { role, sensor, unit, value } = beside;
        let known = |it: &Condition| it.role == *role && it.sensor == *sensor && it.unit == *unit;
        if !self.conditions.iter().any(known) && self.conditions.len() < MOST_CONDITIONS {
            let (role, sensor, unit) = (role.clone(), sensor.clone(), unit.clone());
            self.conditions.push(Condition { role, sensor, unit, values: Stats::default() });
        }
        if let Some(condition) = self.conditions.iter_mut().find(|it| known(it)) {
            condition.values.push(*value);
        }
    }

    fn reference_now(&self, plan: &Plan, at: &At<'_>) -> Option<f64> {
        let Some(source) = &self.source else { return Some(self.offered.value) };
        let (value, when) = source.last?;
        (since(at, when) <= plan.silence_seconds).then_some(value)
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, plan: &Plan, at: &At<'_>) -> Turn {
        if let Some(fault) = self.stepped(at) {
            return Turn::Tell(fault);
        }
        if self.window.is_settled(self.bounds(plan))
            && let Some(course) = self.window.course()
        {
            return self.take(plan, at, course);
        }
        let lasted = since(at, self.since);
        let quiet = since(at, self.heard.unwrap_or(self.dwell));
        if quiet > plan.silence_seconds && !self.silent {
            self.silent = true;
            return Turn::Tell(self.silence(plan, quiet));
        }
        if let Some(fault) = self.reference_silent(plan, at) {
            return Turn::Tell(fault);
        }
        if lasted > plan.patience_seconds {
            return Turn::GivenUp(self.given_up(plan, quiet));
        }
        Turn::On
    }

    fn take(&self, plan: &Plan, at: &At<'_>, course: Course) -> Turn {
        match self.point(plan, at, course) {
            Ok(point) => Turn::Taken(Box::new(point)),
            Err(fault) => Turn::GivenUp(fault),
        }
    }

    fn point(&self, plan: &Plan, at: &At<'_>, course: Course) -> Result<Point, Fault> {
        let mut offered = self.offered.clone();
        if self.source.is_some() {
            (offered.value, offered.scatter) = (course.reference, Some(course.reference_std));
        }
        let budget = budget(plan, offered.u, &course, self.values);
        let error = self.values.then_some(course.signal);
        let stated = error.map(|error| state(plan, offered.value, error, &budget)).transpose()?;
        Ok(Point {
            role: self.role,
            value: error.map(|error| offered.value + error),
            offered,
            began: self.began,
            ended: at.time,
            lasted_seconds: since(at, self.dwell),
            course,
            error,
            budget,
            stated,
            transform: self.transform,
            conditions: self.conditions.clone(),
            rejected: self.rejected,
            clock_stepped: self.stepped,
        })
    }

    /// What the error has to keep; nothing is stated for raw readings, whose unit is another.
    fn bounds(&self, plan: &Plan) -> Option<Bounds> {
        let mpe = plan.mpe.at(self.offered.value).ok().filter(|_| self.values)?;
        Some(Bounds {
            drift: plan.max_drift.unwrap_or(DRIFT_SHARE * mpe),
            scatter: plan.max_scatter.unwrap_or(SCATTER_SHARE * mpe),
        })
    }

    /// How far it is.
    pub(super) fn progress(&self, plan: &Plan, passed: Duration) -> Progress {
        let seconds = passed.saturating_sub(self.dwell).as_secs_f64();
        if seconds < plan.dwell_seconds() {
            return Progress::Dwell { seconds, of: plan.dwell_seconds() };
        }
        let course = self.window.course();
        let bounds = course.zip(self.bounds(plan));
        Progress::Settling {
            filled: self.window.filled(),
            readings: course.map_or(0, |course| course.readings),
            drift: bounds.map(|(course, bounds)| course.drift() / bounds.drift),
            scatter: bounds.map(|(course, bounds)| course.scatter / bounds.scatter),
        }
    }

    /// Says once if the wall clock was set.
    fn stepped(&mut self, at: &At<'_>) -> Option<Fault> {
        let by = at.time.micros_since(self.began) as f64 / 1e6 - since(at, self.since);
        if by.abs() <= STEP {
            return None;
        }
        self.stepped = true;
        // The dates are by the new time from now on, the begin's too.
        self.began = at.time.saturating_add_micros(-micros(at.passed.saturating_sub(self.since)));
        Some(Fault::ClockStepped { seconds: by })
    }

    fn silence(&self, plan: &Plan, seconds: f64) -> Fault {
        let why = self.unusable.as_ref().map_or(String::new(), |why| format!(" (only {why})"));
        Fault::SensorSilent { sensor: plan.sensor.clone(), seconds, why }
    }

    fn reference_silent(&mut self, plan: &Plan, at: &At<'_>) -> Option<Fault> {
        let sensor = self.offered.source.clone();
        let dwell = self.dwell;
        let source = self.source.as_mut().filter(|source| !source.silent)?;
        let seconds = since(at, source.last.map_or(dwell, |(_, when)| when));
        if seconds <= plan.silence_seconds {
            return None;
        }
        source.silent = true;
        Some(Fault::ReferenceSilent { source_sensor: sensor?, seconds })
    }

    fn given_up(&self, plan: &Plan, quiet: f64) -> Fault {
        if self.silent {
            return self.silence(plan, quiet);
        }
        let what = match (self.window.course(), self.bounds(plan)) {
            (Some(course), Some(bounds)) if self.window.filled() >= 1.0 => {
                let (drift, scatter) = (course.drift(), course.scatter);
                let (unit, seconds) = (&plan.unit, course.seconds);
                format!(
                    "it changes by {drift:.3} {unit} in {seconds:.0} s and scatters by {scatter:.3} {unit}; \
                     allowed are {:.3} and {:.3} {unit}",
                    bounds.drift, bounds.scatter
                )
            }
            (Some(_), None) if self.window.filled() >= 1.0 => "it keeps moving one way".to_owned(),
            (course, _) => {
                let readings = course.map_or(0, |course| course.readings);
                format!("{readings} readings counted, {LEAST_READINGS} are needed")
            }
        };
        Fault::NeverSettled { sensor: plan.sensor.clone(), seconds: plan.patience_seconds, what }
    }
}

fn window(plan: &Plan) -> Window {
    Window::new(plan.window_seconds(), LEAST_READINGS)
}

fn since(at: &At<'_>, then: Duration) -> f64 {
    at.passed.saturating_sub(then).as_secs_f64()
}
