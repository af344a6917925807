//! The configuration in a bundle: values without comments, and without secrets.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::redact;

/// The configuration file and its drop-ins, each by its name; texts where one cannot be read.
///
/// Comments are left out, for nobody knows what stands there.
pub fn collected(main: &Path) -> Value {
    let mut files = vec![main.to_owned()];
    files.extend(drop_ins(main));
    let of = |file: PathBuf| (file.display().to_string(), parsed(&file).unwrap_or_else(Value::String));
    Value::Object(files.into_iter().map(of).collect::<Map<_, _>>())
}

/// Where calibd keeps its data, as far as the configuration says.
pub fn store_dir(files: &Value) -> Option<PathBuf> {
    // A drop-in stands over what comes before it.
    let mut dirs = files.as_object()?.values().filter_map(|file| file.pointer("/store/dir")?.as_str());
    dirs.next_back().map(PathBuf::from)
}

fn drop_ins(main: &Path) -> Vec<PathBuf> {
    let dir = main.parent().unwrap_or(Path::new("")).join("conf.d");
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// What a file says; otherwise why that is not known. A fault in it is not quoted.
fn parsed(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|fault| fault.to_string())?;
    let mut value: Value =
        toml::from_str(&text).map_err(|_| "is not TOML; `calibd check` says where".to_owned())?;
    redact::value(&mut value);
    Ok(value)
}
