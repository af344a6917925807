//! When something that is signed ends to hold.

use super::output::Failure;
use crate::domain::time::Timestamp;

/// Reads `--expires`: a time, or a number of days like `365d` after `issued_at`.
pub fn expiry(text: &str, issued_at: Timestamp) -> Result<Timestamp, Failure> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    match days {
        Some(days) => Ok(issued_at.saturating_add_micros(i64::from(days) * 86_400 * 1_000_000)),
        None => Timestamp::parse(text)
            .map_err(|fault| Failure::usage(format!("--expires: {fault}, or a number of days like 365d"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_a_number_of_days() {
        let issued = Timestamp::EPOCH;
        assert_eq!(expiry("1d", issued).unwrap().to_string(), "1970-01-02T00:00:00.000000Z");
        assert_eq!(
            expiry("2027-01-01T00:00:00Z", issued).unwrap().to_string(),
            "2027-01-01T00:00:00.000000Z"
        );
        assert!(expiry("soon", issued).is_err());
        assert!(expiry("-1d", issued).is_err());
    }
}
