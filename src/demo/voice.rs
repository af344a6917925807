//! What the demo says: short lines with the time, wrapped, coloured only on a terminal.

use std::io::Write as _;
use std::time::Duration;

use crate::runtime::clock::Clock;

/// Columns of a line unless the shell tells of fewer.
const WIDTH: usize = 76;
/// Columns of the time before the text.
const INDENT: usize = 9;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it comes.
    Plain,
    /// A new step of the story.
    Step,
    /// Good news.
    Good,
    /// Something was refused or is down, as it should be.
    Warn,
}

impl Tone {
    fn style(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Step => "\x1b[1m",
            Tone::Good => "\x1b[32m",
            Tone::Warn => "\x1b[33m",
        }
    }
}

/// Speaks to the terminal. Colours go away by themselves where there is none, or with `NO_COLOR`.
#[derive(Debug)]
pub struct Voice {
    clock: Clock,
    width: usize,
}

impl Voice {
    /// A voice whose time begins now.
    pub fn new() -> Voice {
        let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Voice { clock: Clock::system(), width: told.unwrap_or(WIDTH).clamp(40, WIDTH) }
    }

    /// Time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Says something, with the time.
    pub fn says(&self, tone: Tone, text: &str) {
        let time = format!("{:6.1} s ", self.elapsed().as_secs_f64());
        // What follows from a step stands below it.
        let inner = if tone == Tone::Step { "" } else { "  " };
        for (index, line) in wrap(text, self.width - INDENT - inner.len()).iter().enumerate() {
            let margin = if index == 0 { time.as_str() } else { "         " };
            put(&format!("{margin}{inner}{}{line}{}", tone.style(), reset(tone)));
        }
    }

    /// Says something without the time, as it stands if it fits.
    pub fn prints(&self, tone: Tone, text: &str) {
        for line in text.lines().flat_map(|line| fitted(line, self.width)) {
            put(&format!("{}{line}{}", tone.style(), reset(tone)));
        }
    }

    /// Says on standard error what went wrong.
    pub fn complain(&self, text: &str) {
        // A closed standard error is nobody's problem.
        let _ = writeln!(anstream::stderr(), "calibd demo: {text}");
    }
}

impl Default for Voice {
    fn default() -> Voice {
        Voice::new()
    }
}

fn reset(tone: Tone) -> &'static str {
    if tone == Tone::Plain { "" } else { "\x1b[0m" }
}

fn put(line: &str) {
    // `calibd demo | head` is no fault.
    let _ = writeln!(anstream::stdout(), "{line}");
}

fn fitted(line: &str, width: usize) -> Vec<String> {
    if line.chars().count() <= width || line.starts_with(' ') {
        vec![line.to_owned()]
    } else {
        wrap(line, width)
    }
}

/// Breaks a text between words; a word longer than `width` columns stands alone and is too long.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        // There is always a last line: the first one is made above.
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("unbreakable x", 4), ["unbreakable", "x"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("µ µµ", 4), ["µ µµ"]);
    }

    #[test]
    fn a_table_is_not_wrapped_and_a_sentence_is() {
        assert_eq!(fitted("  a    b    c", 4), ["  a    b    c"]);
        assert_eq!(fitted("a b c", 3), ["a b", "c"]);
    }
}
