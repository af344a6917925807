//! A folder in which calibctl is run on files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::house::files::repository;

/// A folder of its own.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// An empty folder.
    pub fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// calibctl with these arguments, to be run here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
        command.current_dir(self.folder.path()).args(args);
        command
    }

    /// Runs calibctl.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs calibctl, which must succeed, and gives its stdout.
    pub fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs calibctl with `--json`, which must succeed.
    pub fn json(&self, args: &[&str]) -> Value {
        let text = self.done(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    /// Runs calibctl, which must refuse with nothing on stdout and all of these words on stderr.
    pub fn refuses(&self, args: &[&str], words: &[&str]) {
        let said = self.refusal(args);
        for word in words {
            assert!(said.contains(word), "{args:?}: `{word}` is not in: {said}");
        }
    }

    /// Runs calibctl, which must refuse with nothing on stdout, and gives what it says.
    pub fn refusal(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = stderr(&output);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {} {said}", output.status);
        assert!(output.stdout.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(said.contains("error: "), "{args:?}: {said}");
        said
    }
}

/// What was said on stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The path of a file of the repository.
pub fn shipped(path: &str) -> String {
    let path: &Path = &repository().join(path);
    path.to_str().unwrap().to_owned()
}
