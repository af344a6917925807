//! What the pairs of one sensor say against it, taken in pair by pair: a lasting shift, an objective that is used up,
//! a crossing of the maximum permissible error to come, a standard that is overdue.
//!
//! The state is a function of the pairs and their order, written and read with serde: whoever stores it
//! and takes in the pairs that were stored since goes on exactly where it was.

mod day;
mod findings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::detector::{Alarm, DriftWatch, MIN_BASELINE, Phase};
use super::forecast::{Forecast, ForecastError, Question, Series};
use super::pair;
use crate::domain::alert::{Active, Severity, Shown};
use crate::domain::id::Id;
use crate::domain::pairing::Pair;
use crate::domain::quality::{ReasonCode, State};
use crate::domain::slo::{Burn, Burning, Objective};
use crate::domain::stats::Moments;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Mpe;
use day::{Day, Told};

pub use findings::{Judgement, Seen};

/// Pairs that an alert shows.
const MOST_SHOWN: usize = 10;
/// A forecast is made again after so many microseconds, also without new pairs.
const FORECAST_AGE: i64 = 86_400_000_000;

/// What is expected of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Its maximum permissible error; without one there is neither an objective nor a forecast.
    pub mpe: Option<Mpe>,
    /// What share of its pairs has to be within that.
    pub objective: Objective,
    /// Pairs from which the detector learns what is usual.
    pub baseline: usize,
    /// The longest time between two calibrations.
    pub interval: Option<Duration>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { mpe: None, objective: Objective::default(), baseline: MIN_BASELINE, interval: None }
    }
}

/// A forecast, and as of when it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecasted {
    /// As of when.
    pub as_of: Timestamp,
    /// What is to come.
    #[serde(flatten)]
    pub forecast: Forecast,
}

/// Where the detector of a sensor stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Pairs of the baseline so far, until it is complete.
    pub learnt: u64,
    /// Pairs that the baseline needs.
    pub baseline: u64,
    /// The mean error of the baseline.
    pub usual_bias: Option<f64>,
    /// Its standard deviation.
    pub usual_std: Option<f64>,
    /// The autocorrelation from pair to pair that was taken out.
    pub autocorrelation: Option<f64>,
    /// The statistic over its limit: 1 is an alarm.
    pub ratio: Option<f64>,
    /// The alarm that stands.
    pub alarm: Option<Alarm>,
    /// Since when it stands.
    pub since: Option<Timestamp>,
}

/// Something is the matter with the sensor or its reference that says nothing of its calibration: the value of a
/// pair is stuck or a spike, something interferes, or the reference is suspect.
fn is_doubtful(pair: &Pair) -> bool {
    let known = [ReasonCode::Stuck, ReasonCode::Spike, ReasonCode::Interference];
    pair.flag != State::Valid || known.iter().any(|reason| pair.reasons.contains(*reason))
}

/// All that is judged of a sensor's pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    /// The transform that made the values.
    transform: Option<Active>,
    /// The ends of the first and of the newest pair of that transform.
    seen: Option<[Timestamp; 2]>,
    watch: DriftWatch,
    /// Since when the watch's alarm stands.
    since: Option<Timestamp>,
    burning: Burning,
    day: Day,
    past: Series,
    /// The references' mean, at which a relative MPE is taken.
    references: [f64; 2],
    forecast: Option<Forecasted>,
    /// Whether the alert about the forecast stands.
    nears: bool,
    /// The standard of the newest pair, if that was overdue.
    overdue: Option<Option<Id>>,
    shown: VecDeque<Shown>,
}

impl Judge {
    /// Nothing has been seen yet.
    pub fn new(terms: &Terms) -> Judge {
        Judge {
            transform: None,
            seen: None,
            watch: DriftWatch::new(terms.baseline),
            since: None,
            burning: Burning::default(),
            day: Day::default(),
            past: Series::default(),
            references: [0.0; 2],
            forecast: None,
            nears: false,
            overdue: None,
            shown: VecDeque::new(),
        }
    }

    /// Takes in a pair: as it is stored, and as statistics see it.
    ///
    /// One of another transform than the pairs before begins everything anew; one that is older than that change
    /// says nothing of the present transform, and changes nothing. One that is in doubt says nothing either, and
    /// takes back what spoke for an alarm: it may have been the same trouble, before it was noticed.
    pub fn pair(&mut self, terms: &Terms, stored: &Pair, pair: &pair::Pair, now: Timestamp) {
        let transform = stored.transform.as_deref();
        let end = stored.span.end();
        if self.transform.as_ref().map(|active| active.digest) != transform.map(|transform| transform.digest)
        {
            if self.seen.is_some_and(|[_, newest]| end < newest && newest <= now) {
                return;
            }
            *self = Judge::new(terms);
            self.transform = transform.map(|transform| Active {
                id: transform.id.clone(),
                version: transform.version,
                digest: transform.digest,
            });
        }
        let [first, newest] = self.seen.unwrap_or([end; 2]);
        // What a clock that was ahead has dated is not the newest for ever.
        let newest = if newest <= now { newest } else { end };
        self.seen = Some([first.min(end), newest.max(end)]);
        if is_doubtful(stored) {
            self.watch.interrupt();
            self.since = None;
        } else {
            self.take(terms, pair, now);
        }
        if end >= newest {
            self.overdue = stored.overdue.then(|| stored.standard.clone());
        }
    }

    /// Counts a pair that nothing speaks against.
    fn take(&mut self, terms: &Terms, pair: &pair::Pair, now: Timestamp) {
        if self.watch.update(pair.error()).is_some() {
            self.since = self.watch.stands().map(|_| pair.time);
        }
        let mut references = Moments { n: self.references[0] as u64, mean: self.references[1], m2: 0.0 };
        references.push(pair.reference);
        self.references = [references.n as f64, references.mean];
        if let Some(permitted) = terms.mpe.and_then(|mpe| mpe.permits(pair.reference, pair.error()).ok()) {
            self.burning.push(&terms.objective, pair.time, permitted, now);
        }
        if let Some(Told { point, u_reference }) = self.day.take(pair, now) {
            // Its numbers were checked with the pairs.
            let _ = self.past.push(point);
            self.past.share(u_reference);
        }
        while self.shown.len() >= MOST_SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(Shown { time: pair.time, value: pair.value, reference: pair.reference });
    }

    /// How fast the objective is used up; `None` without a maximum permissible error.
    pub fn burn(&mut self, terms: &Terms, now: Timestamp) -> Option<Burn> {
        terms.mpe.map(|_| self.burning.judge(&terms.objective, now))
    }

    /// Who was told of the objective, and whether of the forecast: that stays until it is clearly over.
    pub fn held(&self) -> (Option<Severity>, bool) {
        (self.burning.stands(), self.nears)
    }

    /// The transform that the pairs are of.
    pub fn transform(&self) -> Option<&Active> {
        self.transform.as_ref()
    }

    /// The last forecast.
    pub fn forecast(&self) -> Option<&Forecasted> {
        self.forecast.as_ref()
    }

    /// What a forecast is to be made of, if one is due. `calibrated`: when the transform came into force.
    pub fn forecast_due(
        &self,
        terms: &Terms,
        calibrated: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<(Series, Question)> {
        let age = self.forecast.as_ref().map(|forecast| now.micros_since(forecast.as_of));
        if age.is_some_and(|age| (0..FORECAST_AGE).contains(&age)) {
            return None;
        }
        let past = self.past.points().len() >= super::forecast::FEWEST_POINTS;
        let mpe = terms.mpe.filter(|_| past)?.at(self.references[1]).ok()?;
        let fixed = self.due(terms, calibrated);
        Some((self.past.until(now), Question { fixed, ..Question::new(mpe) }))
    }

    /// Takes the forecast that was due.
    pub fn foretell(&mut self, forecast: Result<Forecast, ForecastError>, now: Timestamp) {
        // Whatever is missing for one was looked at before.
        self.forecast = forecast.ok().map(|forecast| Forecasted { as_of: now, forecast });
    }

    /// When the fixed interval of calibration ends.
    pub fn due(&self, terms: &Terms, calibrated: Option<Timestamp>) -> Option<Timestamp> {
        let interval = i64::try_from(terms.interval?.as_micros()).ok()?;
        self.transform.as_ref()?;
        Some(calibrated.or(self.seen.map(|[first, _]| first))?.saturating_add_micros(interval))
    }

    /// Where the detector stands.
    pub fn detection(&self) -> Detection {
        let mut detection = Detection {
            learnt: 0,
            baseline: 0,
            usual_bias: None,
            usual_std: None,
            autocorrelation: None,
            ratio: None,
            alarm: self.watch.stands(),
            since: self.since,
        };
        match self.watch.phase() {
            Phase::Learning(learner) => {
                [detection.learnt, detection.baseline] = learner.progress().map(|count| count as u64);
            }
            Phase::Watching(watching) => {
                let learnt = watching.learnt();
                detection.learnt = learnt.n as u64;
                detection.baseline = detection.learnt;
                detection.usual_bias = Some(learnt.mean);
                detection.usual_std = Some(learnt.sd);
                detection.autocorrelation = Some(learnt.phi);
                detection.ratio = Some(watching.ratio());
            }
        }
        detection
    }
}
