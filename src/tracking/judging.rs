//! What the pairs of one sensor say against it, told when it changes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pairs::statistic;
use crate::domain::alert::{Event, Kind};
use crate::domain::digest::Digest;
use crate::domain::drift::forecast::{Forecast, ForecastError, Question, Series};
use crate::domain::drift::input::{InputTerms, InputWatch};
use crate::domain::drift::judge::{Judge, Seen, Terms};
use crate::domain::drift::window::Report;
use crate::domain::id::Id;
use crate::domain::pairing::Pair;
use crate::domain::sample::Reading;
use crate::domain::sensor::Sensor;
use crate::domain::slo::Burn;
use crate::domain::strict_json;
use crate::domain::time::Timestamp;

/// A sensor is judged again after so long, also without new pairs: objectives recover by themselves.
const AGAIN: Duration = Duration::from_secs(60);

/// What is judged of a sensor that is compared.
pub const KINDS: [Kind; 5] =
    [Kind::Drift, Kind::Slo, Kind::Forecast, Kind::StandardOverdue, Kind::InputDrift];

/// A judge with what has become of its judgements.
#[derive(Debug)]
pub struct Judging {
    terms: Terms,
    /// When the instrument was mounted.
    mounted: Option<Timestamp>,
    judge: Judge,
    /// Its raw values, if they are watched.
    input: Option<InputWatch>,
    /// It does not hold what the store does.
    stale: bool,
    /// The store does not have it as it is.
    unsaved: bool,
    /// Something is new since it was judged last.
    fresh: bool,
    judged: Option<Duration>,
    /// As of then.
    burn: Option<Burn>,
    /// What was found when it was judged last; `None`: it was not, since the start.
    standing: Option<Vec<Kind>>,
    /// When the transform of a digest came into force.
    calibrated: Option<(Digest, Option<Timestamp>)>,
}

/// How a judge is stored: what it was told to expect decides whether it can go on.
#[derive(Serialize)]
struct Kept<'a> {
    terms: Terms,
    mounted: Option<Timestamp>,
    judge: &'a Judge,
    input: Option<&'a InputWatch>,
}

#[derive(Deserialize)]
struct Known {
    terms: Terms,
    mounted: Option<Timestamp>,
    judge: Judge,
    input: Option<InputWatch>,
}

impl Judging {
    /// Nothing has been seen yet.
    pub fn new(terms: Terms, input: Option<InputTerms>, mounted: Option<Timestamp>) -> Judging {
        let judge = Judge::new(&terms);
        Judging {
            terms,
            mounted,
            judge,
            input: input.map(InputWatch::new),
            stale: false,
            unsaved: false,
            fresh: true,
            judged: None,
            burn: None,
            standing: None,
            calibrated: None,
        }
    }

    /// Goes on from what was stored; what was made with other expectations, or nothing, has to be made anew.
    pub fn resume(&mut self, stored: Option<&str>) {
        let stored: Option<Value> = stored.and_then(|text| serde_json::from_str(text).ok());
        // By way of a value, as artifacts are read: read from the text, the states are twice the code.
        match stored.and_then(|value| strict_json::from_value(&value).ok()) {
            Some(Known { terms, mounted, judge, input }) if mounted == self.mounted => {
                self.stale = terms != self.terms;
                if !self.stale {
                    self.judge = judge;
                }
                let same =
                    |input: &InputWatch| self.input.as_ref().is_some_and(|it| it.terms() == input.terms());
                if let Some(input) = input.filter(same) {
                    self.input = Some(input);
                }
            }
            _ => self.stale = true,
        }
    }

    /// As it is to be stored, if the store has it otherwise; nothing where it has to be made anew.
    pub fn to_save(&self) -> Option<Option<String>> {
        let input = self.input.as_ref();
        let kept = Kept { terms: self.terms, mounted: self.mounted, judge: &self.judge, input };
        // Texts and finite numbers always serialise.
        match (self.stale, self.unsaved) {
            (true, _) => Some(None),
            (false, true) => Some(serde_json::to_string(&kept).ok()),
            (false, false) => None,
        }
    }

    /// Notes that the store has it.
    pub fn saved(&mut self) {
        self.unsaved = false;
    }

    /// Whether raw values are watched.
    pub fn watches_input(&self) -> bool {
        self.input.is_some()
    }

    /// Takes a reading in whose raw value can be used.
    pub fn reading(&mut self, reading: &Reading) {
        if self.input.as_mut().is_some_and(|input| input.reading(reading)) {
            (self.unsaved, self.fresh) = (true, true);
        }
    }

    /// Takes in a pair.
    pub fn pair(&mut self, sensor: &Sensor, pair: &Pair, now: Timestamp) {
        if let Some(statistic) = statistic(sensor, pair).filter(|_| !self.stale) {
            self.judge.pair(&self.terms, pair, &statistic, now);
            (self.unsaved, self.fresh) = (true, true);
        }
    }

    /// Another instrument was mounted.
    pub fn mount(&mut self, at: Timestamp) {
        self.mounted = Some(at);
        self.stale = true;
        self.input = self.input.as_ref().map(|input| InputWatch::new(*input.terms()));
    }

    /// A pair was taken away: all that is stored has to be taken in anew.
    pub fn make_stale(&mut self) {
        self.stale = true;
    }

    /// Whether it has to be made anew.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Begins anew; each stored pair follows.
    pub fn begin(&mut self) {
        self.judge = Judge::new(&self.terms);
        (self.stale, self.unsaved, self.fresh) = (false, true, true);
    }

    /// What is known of it.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// How fast the objective was used up when the sensor was judged last.
    pub fn burn(&self) -> Option<Burn> {
        self.burn
    }

    /// When the fixed interval of calibrations ends.
    pub fn due(&self) -> Option<Timestamp> {
        self.judge.due(&self.terms, self.calibrated())
    }

    /// The transform of which it is not known when it came into force.
    pub fn wants_activation(&self) -> Option<Digest> {
        let digest = self.judge.transform()?.digest;
        self.terms.interval?;
        self.calibrated.is_none_or(|(known, _)| known != digest).then_some(digest)
    }

    /// Takes when a transform came into force, if that is known.
    pub fn activated(&mut self, digest: Digest, since: Option<Timestamp>) {
        self.calibrated = Some((digest, since));
        self.fresh = true;
    }

    fn calibrated(&self) -> Option<Timestamp> {
        self.calibrated.and_then(|(_, since)| since)
    }

    /// What a forecast is to be made of, if one is due.
    pub fn forecast_due(&self, now: Timestamp) -> Option<(Series, Question)> {
        self.judge.forecast_due(&self.terms, self.calibrated(), now)
    }

    /// Takes the forecast that was due.
    pub fn foretell(&mut self, forecast: Result<Forecast, ForecastError>, now: Timestamp) {
        self.judge.foretell(forecast, now);
        (self.unsaved, self.fresh) = (true, true);
    }

    /// Whether it is to be judged now; `elapsed` is a time that does not jump.
    pub fn is_due(&self, elapsed: Duration) -> bool {
        let age = self.judged.map(|judged| elapsed.saturating_sub(judged));
        !self.stale && (self.fresh || age.is_none_or(|age| age >= AGAIN))
    }

    /// Judges: what is found, and what is not any more. The first judgement says of everything how it is.
    pub fn events(
        &mut self,
        sensor: &Sensor,
        source: Option<Id>,
        report: &Report,
        now: Timestamp,
        elapsed: Duration,
    ) -> Vec<Event> {
        (self.fresh, self.judged) = (false, Some(elapsed));
        self.burn = self.judge.burn(&self.terms, now);
        let held = self.judge.held();
        let seen = Seen { report, unit: &sensor.unit, calibrated: self.calibrated() };
        let mut judged = self.judge.judge(&self.terms, seen, now);
        self.unsaved |= self.judge.held() != held;
        // Also where it is not watched any more.
        judged.push((Kind::InputDrift, self.input.as_ref().and_then(InputWatch::finding)));
        let before = self
            .standing
            .replace(judged.iter().filter(|(_, finding)| finding.is_some()).map(|(kind, _)| *kind).collect());
        let changed = |kind: &Kind| before.as_ref().is_none_or(|before| before.contains(kind));
        judged
            .into_iter()
            .filter(|(kind, finding)| finding.is_some() || changed(kind))
            .map(|(kind, finding)| Event::Judged {
                sensor: sensor.id.clone(),
                kind,
                source: source.clone(),
                cohort: sensor.comparison.group(),
                finding: finding.map(Box::new),
            })
            .collect()
    }
}
