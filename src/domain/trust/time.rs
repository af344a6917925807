//! What the gateway knows about the time, and what may be concluded from it.

use crate::domain::time::Timestamp;

/// The gateway's idea of the time.
///
/// Two questions are asked of it, and each takes the side that cannot be tricked:
/// - *has this moment passed for certain?* (expiry) The newest proven time answers: the floor, and the
///   clock too where it is trusted. A clock set forward by mistake expires nothing.
/// - *has this moment come?* (`not_before`) The proven time answers yes; only a trusted clock answers no.
///   Without one the answer is unknown, and the artifact waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeView {
    /// What the clock says.
    pub now: Timestamp,
    /// Whether the clock is synchronised, or a battery-backed one declared good.
    pub trusted: bool,
    /// The newest time ever proven; never falls.
    pub floor: Timestamp,
}

/// Whether a moment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Come {
    /// It has.
    Yes,
    /// It has not, by a trusted clock.
    No,
    /// There is no trusted clock to tell.
    Unknown,
}

impl TimeView {
    /// The newest time that is certain to have been reached.
    pub fn proven(&self) -> Timestamp {
        if self.trusted { self.now.max(self.floor) } else { self.floor }
    }

    /// Whether `expires` has certainly been reached (the moment itself counts as past).
    pub fn is_past(&self, expires: Timestamp) -> bool {
        expires <= self.proven()
    }

    /// Whether `not_before` has come (the moment itself counts).
    pub fn has_come(&self, not_before: Timestamp) -> Come {
        match (not_before <= self.proven(), self.trusted) {
            (true, _) => Come::Yes,
            (false, true) => Come::No,
            (false, false) => Come::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    #[test]
    fn an_untrusted_clock_expires_nothing_and_starts_nothing() {
        let time = TimeView { now: at(1_000), trusted: false, floor: at(10) };
        assert!(!time.is_past(at(500)));
        assert!(time.is_past(at(10)));
        assert_eq!(time.has_come(at(500)), Come::Unknown);
        assert_eq!(time.has_come(at(10)), Come::Yes);
    }

    #[test]
    fn a_trusted_clock_decides_but_never_below_the_floor() {
        let time = TimeView { now: at(100), trusted: true, floor: at(200) };
        assert!(time.is_past(at(150)));
        assert_eq!(time.has_come(at(150)), Come::Yes);
        assert_eq!(time.has_come(at(201)), Come::No);
    }

    proptest! {
        #[test]
        fn what_has_passed_stays_passed_while_the_floor_rises(now: i32, floor: i32, rise: u16, moment: i32, trusted: bool) {
            let before = TimeView { now: at(now.into()), trusted, floor: at(floor.into()) };
            let after = TimeView { floor: at(i64::from(floor) + i64::from(rise)), ..before };
            prop_assert!(!before.is_past(at(moment.into())) || after.is_past(at(moment.into())));
        }
    }
}
