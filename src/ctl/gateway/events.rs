//! Server-sent events.

use crate::ctl::output::Failure;

/// A line of the stream is not longer than this.
const LONGEST: usize = 1 << 20;

/// A server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What sort of event.
    pub name: String,
    /// Its content.
    pub data: String,
}

/// Puts events together from the pieces in which they come.
#[derive(Default)]
pub struct Events {
    line: Vec<u8>,
    event: Event,
}

impl Events {
    /// The events that are complete with these bytes.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Failure> {
        let mut done = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() > LONGEST {
                return Err(Failure::refused("an event of calibd is too long"));
            }
            if self.line.pop_if(|byte| *byte == b'\n').is_some() {
                let line = String::from_utf8_lossy(&self.line).into_owned();
                self.line.clear();
                done.extend(self.end_of_line(&line));
            }
        }
        Ok(done)
    }

    fn end_of_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return Some(std::mem::take(&mut self.event)).filter(|event| !event.data.is_empty());
        }
        // A line that begins with a colon is a comment.
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => value.clone_into(&mut self.event.data),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn events_are_the_same_however_they_are_cut(cuts in proptest::collection::vec(1usize..9, 1..40)) {
            let stream = b": alive\n\nid: 1\nevent: reading\ndata: {\"a\":1}\n\nevent: lost\ndata: {\"count\":2}\n\n";
            let mut events = Events::default();
            let mut found = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*cut));
                found.extend(events.take(piece).unwrap());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let event = |name: &str, data: &str| Event { name: name.into(), data: data.into() };
            proptest::prop_assert_eq!(found, [event("reading", r#"{"a":1}"#), event("lost", r#"{"count":2}"#)]);
        }
    }
}
