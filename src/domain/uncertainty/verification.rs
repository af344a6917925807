//! Whether references still confirm what a transform states.

/// The provenance of a stated interval: without references of late, nothing says that the conditions are
/// still those of the fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verification {
    /// A reference came within the stated time.
    Confirmed {
        /// Days since the last one.
        age_days: f64,
    },
    /// None did: the interval is what held at the fit.
    TransferUnverified {
        /// Days since the last one; `None` if there never was one.
        age_days: Option<f64>,
    },
}

impl Verification {
    /// From the days since the last reference and those within which one is expected. A reference from
    /// the future confirms nothing, nor does an age that is no number.
    pub fn from_age(age_days: Option<f64>, expected_within_days: f64) -> Verification {
        match age_days {
            Some(age_days) if age_days >= 0.0 && age_days <= expected_within_days => {
                Verification::Confirmed { age_days }
            }
            _ => Verification::TransferUnverified { age_days: age_days.filter(|age| age.is_finite()) },
        }
    }

    /// The word in tables and JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Verification::Confirmed { .. } => "confirmed",
            Verification::TransferUnverified { .. } => "transfer-unverified",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_reference_confirms() {
        assert_eq!(Verification::from_age(Some(13.5), 14.0), Verification::Confirmed { age_days: 13.5 });
        assert_eq!(Verification::from_age(Some(14.0), 14.0).code(), "confirmed");
        let cases =
            [Some(14.1), None, Some(f64::NAN), Some(-1.0), Some(f64::INFINITY)].map(|age| (age, 14.0));
        for (age, within) in cases.into_iter().chain([(Some(1.0), f64::NAN)]) {
            let found = Verification::from_age(age, within);
            assert_eq!(found.code(), "transfer-unverified", "{age:?} within {within}");
        }
    }
}
