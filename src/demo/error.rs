//! Why the demo ended without its table.

use std::io;

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Something that should be so was not.
    #[error("not so: {0}")]
    NotSo(String),
    /// The machine refused something.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// The directory cannot be used as given.
    #[error("--data-dir {0}: not an empty directory; name a new one")]
    InUse(String),
    /// Something could not be made.
    #[error("{0}")]
    Setup(String),
    /// Somebody pressed Ctrl-C, or the terminal is gone.
    #[error("interrupted")]
    Interrupted,
}

impl DemoError {
    /// An error of the machine while doing `what`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> DemoError {
        let what = what.into();
        move |source| DemoError::Io { what, source }
    }

    /// The exit code that says so: 1, 2 for wrong usage, 130 as shells say for Ctrl-C.
    pub fn exit_code(&self) -> u8 {
        match self {
            DemoError::NotSo(_) | DemoError::Io { .. } | DemoError::Setup(_) => 1,
            DemoError::InUse(_) => 2,
            DemoError::Interrupted => 130,
        }
    }
}

/// `Ok` if `holds`, else that `claim` is not so.
pub fn expect(holds: bool, claim: impl FnOnce() -> String) -> Result<(), DemoError> {
    if holds { Ok(()) } else { Err(DemoError::NotSo(claim())) }
}
