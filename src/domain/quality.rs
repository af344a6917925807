//! What a reading is worth: its state and the reasons for it.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// The state of a reading, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Nothing is known against it.
    Valid = 0,
    /// Something is known against it; the reasons say what.
    Suspect = 1,
    /// It must not be used as a measurement.
    Invalid = 2,
    /// The instrument gave no value.
    Missing = 3,
}

impl State {
    /// The state's name in JSON.
    pub fn as_str(self) -> &'static str {
        ["valid", "suspect", "invalid", "missing"][self as usize]
    }

    /// The state stored under this number, if there is one.
    pub fn from_u8(number: u8) -> Option<State> {
        [State::Valid, State::Suspect, State::Invalid, State::Missing].get(usize::from(number)).copied()
    }
}

/// Why a reading is in its state. The numbers are stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReasonCode {
    WarmUp = 0,
    Maintenance = 1,
    ZeroCheck = 2,
    SpanCheck = 3,
    BelowLod = 4,
    CovariateMissing = 5,
    OutOfDomain = 6,
    Interference = 7,
    Stuck = 8,
    Spike = 9,
    ReferenceOverdue = 10,
    CalibrationDue = 11,
    TransformExpired = 12,
    TimeUntrusted = 13,
    RawOnly = 14,
    TransformRevoked = 15,
}

const NAMES: [&str; 16] = [
    "warm_up",
    "maintenance",
    "zero_check",
    "span_check",
    "below_lod",
    "covariate_missing",
    "out_of_domain",
    "interference",
    "stuck",
    "spike",
    "reference_overdue",
    "calibration_due",
    "transform_expired",
    "time_untrusted",
    "raw_only",
    "transform_revoked",
];

/// A set of reasons, listed in JSON in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reasons(u32);

impl Reasons {
    /// No reason.
    pub const NONE: Reasons = Reasons(0);

    /// The set with one reason.
    pub const fn of(reason: ReasonCode) -> Reasons {
        Reasons(1 << reason as u8)
    }

    /// This set with `reason` added.
    pub const fn with(self, reason: ReasonCode) -> Reasons {
        Reasons(self.0 | 1 << reason as u8)
    }

    /// Whether the instrument measured what somebody offered it, or was worked on, and not its surroundings.
    pub const fn are_apart(self) -> bool {
        const APART: Reasons =
            Reasons::of(ReasonCode::Maintenance).with(ReasonCode::ZeroCheck).with(ReasonCode::SpanCheck);
        self.0 & APART.0 != 0
    }

    /// This set without `reason`.
    pub const fn without(self, reason: ReasonCode) -> Reasons {
        Reasons(self.0 & !(1 << reason as u8))
    }

    /// The set of the reasons with these names; others are left out.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Reasons {
        let place = |name: &str| NAMES.iter().position(|known| *known == name);
        Reasons(names.into_iter().filter_map(place).fold(0, |bits, place| bits | 1 << place))
    }

    /// All reasons of both sets.
    pub const fn union(self, other: Reasons) -> Reasons {
        Reasons(self.0 | other.0)
    }

    /// Whether `reason` is in the set.
    pub const fn contains(self, reason: ReasonCode) -> bool {
        self.0 & 1 << reason as u8 != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as stored: one bit per reason.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set from its stored bits; bits of unknown reasons are dropped.
    pub const fn from_bits(bits: u32) -> Reasons {
        Reasons(bits & ((1 << NAMES.len()) - 1))
    }

    /// The names of the reasons in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().enumerate().filter(move |(bit, _)| self.0 & 1 << bit != 0).map(|(_, name)| *name)
    }
}

impl Serialize for Reasons {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for name in self.names() {
            list.serialize_element(name)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_by_name_and_survive_storage() {
        let set = Reasons::of(ReasonCode::RawOnly).with(ReasonCode::WarmUp);
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["warm_up","raw_only"]"#);
        assert_eq!(Reasons::from_bits(set.bits()), set);
        assert_eq!(Reasons::named(set.names().chain(["unheard_of"])), set);
        assert_eq!(set.without(ReasonCode::WarmUp), Reasons::of(ReasonCode::RawOnly));
        assert!(set.contains(ReasonCode::WarmUp) && !set.contains(ReasonCode::Stuck));
    }

    #[test]
    fn states_survive_storage_and_order_from_good_to_bad() {
        for state in [State::Valid, State::Suspect, State::Invalid, State::Missing] {
            assert_eq!(State::from_u8(state as u8), Some(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.as_str()));
        }
        assert!(State::Valid < State::Missing);
        assert_eq!(State::from_u8(4), None);
    }
}
