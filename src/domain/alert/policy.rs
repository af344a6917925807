//! When a finding becomes an alert, and when an alert is over.

use std::collections::BTreeMap;

use super::Kind;

const SECOND: i64 = 1_000_000;

/// Times of one kind of alert, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For how long it has to be found without a break.
    pub raise_after: i64,
    /// For how long it must not be found.
    pub clear_after: i64,
    /// Findings of several sensors that begin within this time may have one cause.
    pub group_within: i64,
}

/// When a finding becomes an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Where a kind has no timing of its own.
    pub timing: Timing,
    /// By kind.
    pub of_kind: BTreeMap<Kind, Timing>,
    /// So many sensors of one source or cohort make one alert; never fewer than 2.
    pub group_from: usize,
    /// For so long after another transform came into force nothing new is raised of the kinds that compare values
    /// from before with values from after, in microseconds; 0 or more.
    pub settling: i64,
}

impl Default for Policy {
    /// Raised after a minute, cleared after 15, grouped from 3 sensors within 10 minutes. Drift, input drift, SLO and
    /// forecast move slowly: cleared after an hour, grouped within a day. Silence shows at once: cleared after a minute.
    /// A recalibration that is asked for, and a root that ends, are raised and cleared at once.
    fn default() -> Policy {
        let timing =
            Timing { raise_after: 60 * SECOND, clear_after: 900 * SECOND, group_within: 600 * SECOND };
        let slow = Timing { clear_after: 3_600 * SECOND, group_within: 86_400 * SECOND, ..timing };
        let mut of_kind = BTreeMap::new();
        of_kind.extend([Kind::Drift, Kind::InputDrift, Kind::Slo, Kind::Forecast].map(|kind| (kind, slow)));
        of_kind.insert(Kind::Silent, Timing { clear_after: 60 * SECOND, ..timing });
        // Whoever asks for something has waited already, and knows when it is over; a root ends for certain.
        let at_once = Timing { raise_after: 0, clear_after: 0, ..timing };
        of_kind.extend([Kind::Recalibration, Kind::RootExpiry].map(|kind| (kind, at_once)));
        // Peers look back over five minutes, and a finding takes one more.
        Policy { timing, of_kind, group_from: 3, settling: 600 * SECOND }
    }
}

impl Policy {
    /// The same, with a group of two at least.
    pub(super) fn sound(self) -> Policy {
        Policy { group_from: self.group_from.max(2), ..self }
    }

    /// The times of a kind.
    pub fn of(&self, kind: Kind) -> Timing {
        self.of_kind.get(&kind).copied().unwrap_or(self.timing)
    }
}
