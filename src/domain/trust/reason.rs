//! Why an artifact is refused: one code per check, in the order of the checks.

use std::fmt;

use serde::{Serialize, Serializer};

/// The code of a refusal, as it stands in acknowledgements, metrics and the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// More bytes than any artifact may have.
    TooLarge,
    /// Not the envelope, or not the strict JSON, that it should be.
    Malformed,
    /// An artifact of another kind than expected here.
    WrongType,
    /// A key of the root is named, and no signature is its own.
    BadSignature,
    /// No key of the root made any of the signatures.
    UnknownKey,
    /// Too few distinct keys of one role signed.
    ThresholdNotMet,
    /// The signing keys' role may not sign this.
    RoleNotAllowed,
    /// A signing key signs nothing new any more.
    KeyRetired,
    /// A signing key is not to be believed any more.
    KeyRevoked,
    /// The time lies outside a signing key's validity.
    KeyNotValidNow,
    /// A newer schema than this version reads.
    UnknownSchema,
    /// A pipeline stage that this version does not know.
    UnknownStage,
    /// Made for another fleet.
    WrongFleet,
    /// The role may not sign this for these sensors.
    OutOfScope,
    /// The target does not select this gateway.
    NotForThisGateway,
    /// The target selects no sensor of this gateway.
    UnknownSensor,
    /// No trust root is installed.
    NoRoot,
    /// The trust root has expired.
    RootExpired,
    /// The artifact has expired.
    Expired,
    /// The artifact is not in force yet.
    NotYetValid,
    /// It needs a trusted clock to tell, and there is none.
    ClockUntrusted,
    /// Older than what was accepted before.
    RolledBackVersion,
    /// The accepted version number with other content.
    ConflictingVersion,
    /// Another transform owns the sensor.
    Conflict,
    /// A maintenance transform is in force that this one does not supersede.
    LocalInForce,
    /// A recalibration session is open on the sensor.
    SessionOpen,
    /// A required list does not name it.
    NotListed,
    /// The required manifest is too old.
    StaleManifest,
    /// The sensor delivers another unit than the transform takes.
    UnitMismatch,
    /// It goes beyond the limits of the artifact or of the role's scope.
    LimitsExceeded,
    /// A value inside makes no sense.
    InvalidContent,
}

impl Reason {
    /// Every reason, in the order of the checks.
    pub const ALL: [Reason; 31] = [
        Reason::TooLarge,
        Reason::Malformed,
        Reason::WrongType,
        Reason::BadSignature,
        Reason::UnknownKey,
        Reason::ThresholdNotMet,
        Reason::RoleNotAllowed,
        Reason::KeyRetired,
        Reason::KeyRevoked,
        Reason::KeyNotValidNow,
        Reason::UnknownSchema,
        Reason::UnknownStage,
        Reason::WrongFleet,
        Reason::OutOfScope,
        Reason::NotForThisGateway,
        Reason::UnknownSensor,
        Reason::NoRoot,
        Reason::RootExpired,
        Reason::Expired,
        Reason::NotYetValid,
        Reason::ClockUntrusted,
        Reason::RolledBackVersion,
        Reason::ConflictingVersion,
        Reason::Conflict,
        Reason::LocalInForce,
        Reason::SessionOpen,
        Reason::NotListed,
        Reason::StaleManifest,
        Reason::UnitMismatch,
        Reason::LimitsExceeded,
        Reason::InvalidContent,
    ];

    /// The code as written in acknowledgements and metrics labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::TooLarge => "too_large",
            Reason::Malformed => "malformed",
            Reason::WrongType => "wrong_type",
            Reason::BadSignature => "bad_signature",
            Reason::UnknownKey => "unknown_key",
            Reason::ThresholdNotMet => "threshold_not_met",
            Reason::RoleNotAllowed => "role_not_allowed",
            Reason::KeyRetired => "key_retired",
            Reason::KeyRevoked => "key_revoked",
            Reason::KeyNotValidNow => "key_not_valid_now",
            Reason::UnknownSchema => "unknown_schema",
            Reason::UnknownStage => "unknown_stage",
            Reason::WrongFleet => "wrong_fleet",
            Reason::OutOfScope => "out_of_scope",
            Reason::NotForThisGateway => "not_for_this_gateway",
            Reason::UnknownSensor => "unknown_sensor",
            Reason::NoRoot => "no_root",
            Reason::RootExpired => "root_expired",
            Reason::Expired => "expired",
            Reason::NotYetValid => "not_yet_valid",
            Reason::ClockUntrusted => "clock_untrusted",
            Reason::RolledBackVersion => "rolled_back_version",
            Reason::ConflictingVersion => "conflicting_version",
            Reason::Conflict => "conflict",
            Reason::LocalInForce => "local_in_force",
            Reason::SessionOpen => "session_open",
            Reason::NotListed => "not_listed",
            Reason::StaleManifest => "stale_manifest",
            Reason::UnitMismatch => "unit_mismatch",
            Reason::LimitsExceeded => "limits_exceeded",
            Reason::InvalidContent => "invalid_content",
        }
    }

    /// The reason with this code.
    pub fn parse(code: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == code)
    }

    /// Whether the very same bytes may pass later without anybody doing anything but wait:
    /// the holder should keep them and ask again when the clock is trusted or has moved on.
    pub fn waits(self) -> bool {
        matches!(self, Reason::NotYetValid | Reason::ClockUntrusted | Reason::SessionOpen)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A refusal: the code, and a sentence that names the thing, the place and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// A sentence for people.
    pub message: String,
}

impl Refusal {
    /// Makes a refusal.
    pub fn new(reason: Reason, message: impl Into<String>) -> Refusal {
        Refusal { reason, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_ordered_and_read_back() {
        for pair in Reason::ALL.windows(2) {
            assert!(pair[0] < pair[1], "{} stands before {}", pair[0], pair[1]);
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::parse("no_such_code"), None);
    }
}
