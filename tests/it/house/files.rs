//! The files of the repository, as the tests that read them want them.

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder`, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every Rust file below `folder`, sorted.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

/// Every Markdown file of the repository that people read.
pub fn documents() -> Vec<PathBuf> {
    let top = fs::read_dir(repository()).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = top.filter(|path| path.is_file()).collect();
    for folder in ["docs", "src", "tests", "benches", "systemd", "config"] {
        all.extend(files(&repository().join(folder)));
    }
    all.retain(|path| path.extension().is_some_and(|end| end == "md"));
    all
}

/// The file's path from the top of the repository, for messages.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}
