//! Programs in the tests' own Python environment.

use std::path::PathBuf;

use crate::house::files::repository;

/// A program beside the interpreter: that of `$CALIBD_TEST_PYTHON`, else of `target/test-venv`.
pub fn program(name: &str) -> PathBuf {
    let usual = || repository().join("target/test-venv/bin/python");
    let python = std::env::var_os("CALIBD_TEST_PYTHON").map_or_else(usual, PathBuf::from);
    let program = python.with_file_name(name);
    assert!(program.is_file(), "{}: not there; tests/run installs it", program.display());
    program
}
