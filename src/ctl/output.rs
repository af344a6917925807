//! What goes to the terminal, and the exit codes.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::screen::Screen;
pub use crate::document::number::significant;

/// A failed command: what to say on stderr, and the exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The thing asked about is not so, or was refused: exit code 1.
    pub fn refused(message: impl Into<String>) -> Failure {
        Failure { code: 1, message: message.into() }
    }

    /// The command cannot be carried out as given: exit code 2.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { code: 2, message: message.into() }
    }

    /// The daemon cannot be reached: exit code 3.
    pub fn unreachable(message: impl Into<String>) -> Failure {
        Failure { code: 3, message: message.into() }
    }

    /// Somebody else may do it: exit code 4.
    pub fn not_permitted(message: impl Into<String>) -> Failure {
        Failure { code: 4, message: message.into() }
    }

    /// A file or stream could not be used: exit code 4 where permission is missing, else 2.
    pub fn io(what: &str, fault: &io::Error) -> Failure {
        let code = if fault.kind() == io::ErrorKind::PermissionDenied { 4 } else { 2 };
        Failure { code, message: format!("{what}: {fault}") }
    }

    /// The same with one more sentence.
    pub fn with_remedy(self, remedy: &str) -> Failure {
        Failure { code: self.code, message: format!("{}; {remedy}", self.message) }
    }

    /// The same at a place.
    pub fn at(self, place: &str) -> Failure {
        Failure { code: self.code, message: format!("{place}: {}", self.message) }
    }

    /// Whether it says no to what was asked, and not that nothing can be asked.
    pub fn is_refusal(&self) -> bool {
        matches!(self.code, 1 | 2)
    }

    /// What is said on stderr.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The exit code.
    #[cfg(test)]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Says it on stderr and gives the exit code.
    pub fn report(self) -> ExitCode {
        note(&format!("error: {}", self.message));
        ExitCode::from(self.code)
    }
}

/// Writes a line to stderr; a closed stderr is nobody's problem.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{}", Screen::stderr().lines(&printable(line)));
}

/// Writes a question to stderr, and leaves the cursor behind it; a closed stderr is nobody's problem.
pub fn ask(question: &str) {
    let _ = write!(io::stderr(), "{} ", Screen::stderr().lines(&printable(question)));
}

/// The text without what could move a terminal's cursor or colour it: files' cells are quoted in messages.
pub fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "\u{fffd}")
}

/// Writes bytes to stdout.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    print_by(|out| out.write_all(bytes))
}

/// Writes to stdout what `write` writes.
pub fn print_by(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        // `calibctl ... | head` is no fault.
        Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => Err(Failure::io("stdout", &fault)),
        _ => Ok(()),
    }
}

/// Writes text with styles to stdout; they are left out where it is no terminal or `NO_COLOR` is set.
pub fn print_screen(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => Err(Failure::io("stdout", &fault)),
        _ => Ok(()),
    }
}

/// Writes lines for people to stdout, broken where a terminal's line ends.
pub fn print_lines(text: &str) -> Result<(), Failure> {
    print(Screen::stdout().lines(text).as_bytes())
}

/// Writes aligned columns to stdout; where a terminal is too narrow a row takes several lines.
pub fn print_table(rows: &[Vec<String>], right: usize) -> Result<(), Failure> {
    print(aligned(rows, right).as_bytes())
}

/// Text behind `indent` columns for stdout, broken where a terminal's line ends; further lines are indented as far.
pub fn wrapped(text: &str, indent: usize) -> String {
    Screen::stdout().wrapped(text, indent)
}

/// Writes one JSON object and a newline to stdout.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|fault| Failure::usage(format!("json: {fault}")))?;
    print(format!("{text}\n").as_bytes())
}

/// The text with numbers like `+5.482e-1` written plainly, as far as they are neither huge nor tiny.
pub fn plainly(text: &str) -> String {
    let plain = |word: &str| {
        let number = word.trim_end_matches([',', ';', ':', '.', ')']);
        let sign = if number.starts_with('+') { "+" } else { "" };
        let value = number.parse::<f64>().ok().filter(|_| number.contains('e'));
        let Some(value) = value.filter(|value| value.is_finite()) else { return word.to_owned() };
        let digits = number.bytes().take_while(|b| *b != b'e').filter(u8::is_ascii_digit).count();
        format!("{sign}{}{}", significant(value, digits), &word[number.len()..])
    };
    text.split(' ').map(plain).collect::<Vec<_>>().join(" ")
}

/// Rows of cells as aligned columns: the first one to the left, `right` others to the right, what follows
/// to the left. Where stdout is a terminal that is too narrow, a row takes several lines.
pub fn aligned(rows: &[Vec<String>], right: usize) -> String {
    Screen::stdout().table(rows, right, 0).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_plain_numbers() {
        let text = "off by +5.482e-1, u = 2.0e-9; beta e.g. 1e5 einf";
        assert_eq!(plainly(text), "off by +0.5482, u = 2e-9; beta e.g. 100000 einf");
    }

    #[test]
    fn what_files_hold_cannot_steer_the_terminal() {
        assert_eq!(printable("`\u{1b}[2J\0\r`\tb\nc"), "`\u{fffd}[2J\u{fffd}\u{fffd}`\tb\nc");
    }
}
