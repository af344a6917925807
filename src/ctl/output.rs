//! What goes to the terminal, and the exit codes.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

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

    /// A file or stream could not be used: exit code 4 where permission is missing, else 2.
    pub fn io(what: &str, fault: &io::Error) -> Failure {
        let code = if fault.kind() == io::ErrorKind::PermissionDenied { 4 } else { 2 };
        Failure { code, message: format!("{what}: {fault}") }
    }

    /// What is said on stderr.
    #[cfg(test)]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Says it on stderr and gives the exit code.
    pub fn report(self) -> ExitCode {
        note(&format!("error: {}", self.message));
        ExitCode::from(self.code)
    }
}

/// Writes a line to stderr; a closed stderr is nobody's problem.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes bytes to stdout.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // `calibctl ... | head` is no fault.
        Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => Err(Failure::io("stdout", &fault)),
        _ => Ok(()),
    }
}

/// Writes one JSON object and a newline to stdout.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|fault| Failure::usage(format!("json: {fault}")))?;
    print(format!("{text}\n").as_bytes())
}
