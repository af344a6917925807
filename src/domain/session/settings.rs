//! What a sensor's configuration says of its sessions.

use std::time::Duration;

use crate::domain::uncertainty::decision::Rule;

/// What a sensor's configuration says of its sessions; what is absent is asked of whoever opens one, or is the
/// usual.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Settings {
    /// The time in which a step of the quantity is shown to nine tenths.
    pub t90: Option<Duration>,
    /// The largest change over the window of a point, in the unit of the values.
    pub max_drift: Option<f64>,
    /// The largest standard deviation of a point's readings, in the unit of the values.
    pub max_scatter: Option<f64>,
    /// How long a point may take.
    pub time_limit: Option<Duration>,
    /// The step of the display, in the unit of the values.
    pub resolution: Option<f64>,
    /// Where the sensor measures, in the unit of the values.
    pub range: Option<[f64; 2]>,
    /// The largest step of a new transform, in the unit of the values.
    pub max_step: Option<f64>,
    /// How verdicts heed the uncertainty; absent: as on certificates.
    pub rule: Option<Rule>,
    /// How long a new transform holds; absent: a year.
    pub validity: Option<Duration>,
}
