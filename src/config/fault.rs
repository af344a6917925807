//! What is wrong with a configuration, and what would be right.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::domain::order;

/// Where in which file a key or value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named when it was read.
    pub file: Arc<str>,
    /// Line, counted from 1; 0 means the file as a whole.
    pub line: usize,
}

/// One thing that is wrong: where, which key, what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file as it was named when it was read.
    pub file: String,
    /// Line, counted from 1; 0 means the file as a whole.
    pub line: usize,
    /// Dotted path of the key, such as `source.line1.baud`; empty for the file as a whole.
    pub key: String,
    /// What is wrong, one sentence without a full stop.
    pub problem: String,
    /// What would be right, one sentence without a full stop.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}; {}", self.problem, self.remedy)
    }
}

/// Collects the faults and warnings of one reading.
#[derive(Debug, Default)]
pub struct Faults {
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
    unreadable: Cell<bool>,
}

impl Faults {
    /// An empty collection.
    pub fn new() -> Faults {
        Faults::default()
    }

    /// Adds a fault: with it the configuration is refused.
    pub fn fault(
        &self,
        place: &Place,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.faults.borrow_mut().push(make(place, key.into(), problem.into(), remedy.into()));
    }

    /// Adds a fault after which the file's content is uncertain.
    pub fn syntax(
        &self,
        place: &Place,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.unreadable.set(true);
        self.fault(place, key, problem, remedy);
    }

    /// Whether the content of some file is uncertain.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable.get()
    }

    /// Adds a warning: it is shown, and the configuration is accepted.
    pub fn warn(
        &self,
        place: &Place,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.warnings.borrow_mut().push(make(place, key.into(), problem.into(), remedy.into()));
    }

    /// Whether no fault was found so far (warnings don't count).
    pub fn is_empty(&self) -> bool {
        self.faults.borrow().is_empty()
    }

    /// Takes the faults and the warnings, each sorted by file, line and key, without duplicates.
    pub fn take(&self) -> (Vec<Fault>, Vec<Fault>) {
        let sorted = |list: &RefCell<Vec<Fault>>| {
            let mut list = std::mem::take(&mut *list.borrow_mut());
            order::sort(&mut list);
            list.dedup();
            list
        };
        (sorted(&self.faults), sorted(&self.warnings))
    }
}

fn make(place: &Place, key: String, problem: String, remedy: String) -> Fault {
    Fault { file: place.file.to_string(), line: place.line, key, problem, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_compiler_message() {
        let mut fault = Fault {
            file: "calibd.toml".into(),
            line: 7,
            key: "store.max_age".into(),
            problem: "`90` has no unit".into(),
            remedy: "write it like \"90d\"".into(),
        };
        assert_eq!(
            fault.to_string(),
            "calibd.toml:7: store.max_age: `90` has no unit; write it like \"90d\""
        );
        fault.line = 0;
        fault.key.clear();
        assert_eq!(fault.to_string(), "calibd.toml: `90` has no unit; write it like \"90d\"");
    }
}
