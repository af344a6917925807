//! One stored reading after the other, as the pipeline would have made it.

use serde::Serialize;

use super::stored::{Beside, Stored, of_the_reading};
use crate::domain::calibration::{Dated, Moment};
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::time::Timestamp;
use crate::domain::transform::{Covariate, Output};

/// A reading with its old and its new value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub time: Timestamp,
    pub seq: u64,
    pub raw: Option<f64>,
    pub value_stored: Option<f64>,
    pub u_stored: Option<f64>,
    pub value_new: Option<f64>,
    pub u_new: Option<f64>,
    pub state: State,
    pub reasons: Reasons,
}

/// The covariates as they were when a reading came.
pub struct Around {
    /// In the order in which the transform takes them; `None`: no sensor plays the role.
    sources: Vec<Option<(Beside, usize)>>,
}

impl Around {
    /// Before the first reading.
    pub fn new(sources: Vec<Option<Beside>>) -> Around {
        Around { sources: sources.into_iter().map(|source| source.map(|beside| (beside, 0))).collect() }
    }

    /// What stands beside a reading; asked for in ascending order of their numbers.
    fn of(&mut self, row: &Stored) -> Vec<Option<Covariate>> {
        let latest = |source: &mut Option<(Beside, usize)>| {
            let (beside, passed) = source.as_mut()?;
            *passed += beside[*passed..].iter().take_while(|(seq, _)| *seq < row.seq).count();
            beside[..*passed].last()?.1.beside(row.received)
        };
        self.sources.iter_mut().map(latest).collect()
    }
}

/// Computes a reading again; `u_raw` is the standard uncertainty of its raw value.
pub fn again(row: &Stored, transform: Dated<'_>, u_raw: Option<f64>, around: &mut Around) -> Row {
    let kept = of_the_reading(row.reasons);
    let trusted = !kept.contains(ReasonCode::TimeUntrusted);
    let covariates = around.of(row);
    let nothing = Output { value: None, u: None, state: State::Missing, reasons: Reasons::NONE, p0_p1: None };
    let output = row.raw.map_or(nothing, |raw| {
        transform.apply(raw, u_raw, &covariates, Moment { now: row.received, trusted })
    });
    let least = if kept.is_empty() { State::Valid } else { State::Suspect };
    Row {
        time: row.time,
        seq: row.seq,
        raw: row.raw,
        value_stored: row.value,
        u_stored: row.u,
        value_new: output.value,
        u_new: output.u,
        state: output.state.max(least),
        reasons: kept.union(output.reasons),
    }
}

/// How far the new values lie from the stored ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Readings.
    pub n: u64,
    /// Of them, those with a stored and a new value in one unit.
    pub compared: u64,
    /// Mean of |new - stored|.
    pub mean_difference: Option<f64>,
    /// The largest |new - stored|, and when.
    pub largest_difference: Option<f64>,
    pub largest_at: Option<Timestamp>,
    /// Readings without a new value.
    pub without_value: u64,
}

impl Summary {
    /// Counts a reading.
    pub fn add(&mut self, row: &Row, comparable: bool) {
        self.n += 1;
        self.without_value += u64::from(row.value_new.is_none());
        let Some((stored, new)) = row.value_stored.zip(row.value_new).filter(|_| comparable) else { return };
        let difference = (new - stored).abs();
        self.compared += 1;
        let mean = self.mean_difference.unwrap_or(0.0);
        self.mean_difference = Some(mean + (difference - mean) / self.compared as f64);
        if self.largest_difference.is_none_or(|largest| difference > largest) {
            self.largest_difference = Some(difference);
            self.largest_at = Some(row.time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calibration::{Latest, Said};
    use crate::domain::transform::artifact::Transform;
    use crate::domain::transform::{Compiled, compile};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::EPOCH.saturating_add_micros(seconds * 1_000_000)
    }

    fn compiled() -> Compiled {
        let text = r#"{"schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
            "quantity": "q", "input_unit": "1", "output_unit": "1",
            "pipeline": [{"kind": "multilinear", "offset": 0, "gain": 1, "terms": [{"covariate": "t", "gain": 2}]}],
            "issued_at": "1970-01-01T00:00:00Z", "expires": "1970-01-02T00:00:00Z"}"#;
        compile(&Transform::parse(text.as_bytes()).unwrap()).unwrap()
    }

    fn stored(seq: u64, seconds: i64, reasons: Reasons) -> Stored {
        let (time, value) = (at(seconds), Some(1.0));
        Stored { time, received: time, seq, raw: Some(1.0), value, u: None, comparable: true, reasons }
    }

    fn beside(seq: u64, seconds: i64, raw: f64) -> (u64, Latest) {
        let said = Said { raw: Some(raw), u_raw: None, value: None, u: None, calibrated: false };
        (seq, Latest::of(&said, at(seconds)).unwrap())
    }

    #[test]
    fn a_covariate_is_the_latest_before_the_reading_and_not_too_old() {
        let compiled = compiled();
        let dated = Dated { compiled: &compiled, calibrated_at: at(0), expires: at(86_400) };
        let mut around = Around::new(vec![Some(vec![beside(1, 0, 10.0), beside(3, 2, 20.0)])]);
        let mut value =
            |seq, seconds| again(&stored(seq, seconds, Reasons::NONE), dated, None, &mut around).value_new;
        assert_eq!((value(2, 1), value(4, 3), value(5, 902)), (Some(21.0), Some(41.0), Some(41.0)));
        assert_eq!(value(6, 903), None);
        let nobody = again(&stored(9, 3, Reasons::NONE), dated, None, &mut Around::new(vec![None]));
        assert_eq!(
            (nobody.state, nobody.reasons),
            (State::Invalid, Reasons::of(ReasonCode::CovariateMissing))
        );
    }

    #[test]
    fn what_is_known_against_a_reading_stays_and_what_the_old_transform_said_goes() {
        let compiled = compiled();
        let dated = Dated { compiled: &compiled, calibrated_at: at(0), expires: at(1) };
        let row = |reasons: Reasons, seconds| {
            let mut around = Around::new(vec![Some(vec![beside(1, 0, 0.0)])]);
            let row = again(&stored(2, seconds, reasons), dated, None, &mut around);
            (row.state, row.reasons)
        };
        let raw_only = Reasons::of(ReasonCode::RawOnly).with(ReasonCode::OutOfDomain);
        assert_eq!(row(raw_only, 1), (State::Valid, Reasons::NONE));
        assert_eq!(row(Reasons::NONE, 2), (State::Suspect, Reasons::of(ReasonCode::TransformExpired)));
        let maintained = Reasons::of(ReasonCode::Maintenance);
        assert_eq!(row(maintained, 1), (State::Suspect, maintained));
        // Without a clock to believe nothing expires.
        let untrusted = Reasons::of(ReasonCode::TimeUntrusted);
        assert_eq!(row(untrusted, 2), (State::Suspect, untrusted));
    }

    #[test]
    fn the_summary_counts_what_can_be_compared() {
        let row = |value_stored, value_new| Row {
            time: at(0),
            seq: 1,
            raw: None,
            value_stored,
            u_stored: None,
            value_new,
            u_new: None,
            state: State::Valid,
            reasons: Reasons::NONE,
        };
        let mut summary = Summary::default();
        summary.add(&row(Some(1.0), Some(2.0)), true);
        summary.add(&row(Some(5.0), Some(2.0)), true);
        summary.add(&row(Some(5.0), Some(900.0)), false);
        summary.add(&row(None, Some(2.0)), true);
        summary.add(&row(Some(1.0), None), true);
        assert_eq!((summary.n, summary.compared, summary.without_value), (5, 2, 1));
        assert_eq!((summary.mean_difference, summary.largest_difference), (Some(2.0), Some(3.0)));
    }
}
