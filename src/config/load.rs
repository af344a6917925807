//! Reads the configuration's files and judges them as one.

use std::fs;
use std::path::{Path, PathBuf};

use super::Config;
use super::fault::{Fault, Faults, Place};
use super::files::check_files;
use super::reader::Section;
use super::tree::Table;
use crate::domain::order;

/// A configuration without faults, and what is worth saying about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is accepted but probably not meant, sorted by file and line.
    pub warnings: Vec<Fault>,
    /// All files laid over each other, as written.
    pub tree: Table,
}

/// A configuration with faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Every fault, sorted by file and line; at least one.
    pub faults: Vec<Fault>,
    /// What else is worth saying.
    pub warnings: Vec<Fault>,
    /// Whether the meaning was judged, and not only the syntax.
    pub judged: bool,
}

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// Loads `main` and the files `conf.d/*.toml` beside it, in the order of their names, each laid
/// over the ones before leaf by leaf.
pub fn load(main: &Path) -> Result<Loaded, Refused> {
    let faults = Faults::new();
    let mut table = read_file(main, &faults).unwrap_or_else(|| Table::empty(&main.display().to_string()));
    for file in drop_ins(main, &faults) {
        if let Some(over) = read_file(&file, &faults) {
            table.merge(over);
        }
    }
    // Judging what stands in a file that is not quite TOML would report what isn't wrong.
    let judged = !faults.is_unreadable();
    let config = judged.then(|| judge(&table, &faults)).flatten();
    let (faults, warnings) = faults.take();
    match config {
        Some(config) if faults.is_empty() => Ok(Loaded { config, warnings, tree: table }),
        _ => Err(Refused { faults, warnings, judged }),
    }
}

fn judge(table: &Table, faults: &Faults) -> Option<Config> {
    let mut root = Section::root(table, faults);
    let config = Config::read(&mut root);
    check_files(table, faults);
    if faults.is_empty() && !config.as_ref().is_some_and(|config| config.is_whole(&root)) {
        root.fault_here("was not understood", "this is a mistake in calibd: report it with the file");
    }
    config
}

fn whole(file: &Path) -> Place {
    Place { file: file.display().to_string().into(), line: 0 }
}

fn read_file(file: &Path, faults: &Faults) -> Option<Table> {
    let unreadable = |problem: String, remedy: &str| {
        faults.syntax(&whole(file), "", problem, remedy);
        None
    };
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => return unreadable("is a directory".into(), "name a file"),
        Ok(found) if found.len() > MAX_FILE => {
            return unreadable("is larger than 16 MiB".into(), "name a configuration file");
        }
        _ => {}
    }
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            let remedy = "name a readable file with --config; config/calibd.toml of the source is an example";
            return unreadable(format!("cannot be read: {error}"), remedy);
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = 1 + memchr::memchr_iter(b'\n', &error.as_bytes()[..good]).count();
            let place = Place { line, ..whole(file) };
            faults.syntax(&place, "", "is not UTF-8 text", "save the file in UTF-8");
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Some(Table::parse(&file.display().to_string(), text, faults))
}

/// The drop-ins beside `main`, sorted by name.
fn drop_ins(main: &Path, faults: &Faults) -> Vec<PathBuf> {
    let dir = main.parent().unwrap_or(Path::new("")).join("conf.d");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            let problem = format!("cannot be read: {error}");
            faults.syntax(&whole(&dir), "", problem, "make it a readable directory or remove it");
            return Vec::new();
        }
    };
    let is_toml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_toml).collect();
    order::sort(&mut files);
    files
}
