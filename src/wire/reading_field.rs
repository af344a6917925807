//! The fields of a reading that a sink can be told to send, and their names.

/// One field of a reading as it leaves the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadingField {
    /// The sensor's identifier.
    Sensor,
    /// The reading's sequence number.
    Seq,
    /// The sequence number of the sensor's previous reading.
    After,
    /// The time as RFC 3339 text.
    Time,
    /// The time as whole milliseconds since 1970.
    TimeMs,
    /// The raw value.
    Raw,
    /// The calibrated value.
    Value,
    /// The standard uncertainty of the value.
    U,
    /// The lower of the two probabilities that the value merges.
    P0,
    /// The upper one.
    P1,
    /// The unit of the value.
    Unit,
    /// What the reading is worth.
    State,
    /// Why.
    Reasons,
    /// What made the value: id, version and digest.
    Transform,
    /// The event that it is about.
    Event,
}

impl ReadingField {
    /// Every field with its name.
    pub const ALL: [(&'static str, ReadingField); 15] = [
        ("sensor", ReadingField::Sensor),
        ("seq", ReadingField::Seq),
        ("after", ReadingField::After),
        ("time", ReadingField::Time),
        ("time_ms", ReadingField::TimeMs),
        ("raw", ReadingField::Raw),
        ("value", ReadingField::Value),
        ("u", ReadingField::U),
        ("p0", ReadingField::P0),
        ("p1", ReadingField::P1),
        ("unit", ReadingField::Unit),
        ("state", ReadingField::State),
        ("reasons", ReadingField::Reasons),
        ("transform", ReadingField::Transform),
        ("event", ReadingField::Event),
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        // `ALL` lists every variant in the order of their declaration.
        ReadingField::ALL[self as usize].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_own_name() {
        for (name, field) in ReadingField::ALL {
            assert_eq!(field.as_str(), name);
        }
    }
}
