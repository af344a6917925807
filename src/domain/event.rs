//! Names of events: what a probability was given for, and what a label is about.

/// The longest name of an event, in characters.
pub const LONGEST: usize = 64;

/// Whether a text can name an event: 1 to 64 visible ASCII characters, so that it is the same in every file,
/// message and terminal.
pub fn is_event(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_short_visible_name() {
        for good in ["1", "batch/17", "0190b3c4-7d4e-7abc-8def-0123456789ab", &"x".repeat(LONGEST)] {
            assert!(is_event(good), "{good}");
        }
        for bad in ["", "a b", "a\n", "\u{7f}", "\u{e9}t\u{e9}", &"x".repeat(LONGEST + 1)] {
            assert!(!is_event(bad), "{bad:?}");
        }
    }
}
