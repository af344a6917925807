//! What the machine says about itself.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::runtime::clock::Clock;

/// Lines of the journal that are taken along.
const LINES: &str = "2000";

/// Versions, the system, its memory and its load, each with what it was read from.
pub fn about(clock: &Clock) -> String {
    let mut text = format!("calibctl {}\ntime {}\n", env!("CARGO_PKG_VERSION"), clock.now());
    for file in ["/etc/os-release", "/proc/version", "/proc/uptime", "/proc/loadavg", "/proc/meminfo"] {
        let held = std::fs::read_to_string(file).unwrap_or_else(|fault| fault.to_string());
        let _ = write!(text, "\n== {file}\n{held}");
    }
    text
}

/// The files in the store's directory: bytes, permission bits, owner, and when they were written.
pub fn files(dir: &Path) -> std::io::Result<String> {
    let mut text = format!("{}\n", dir.display());
    let mut entries = std::fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (name, held) = (entry.file_name(), entry.metadata()?);
        let (bytes, mode, owner, at) = (held.len(), held.mode() & 0o7777, held.uid(), held.mtime());
        let _ = writeln!(text, "{bytes:>12} {mode:04o} {owner:>6} @{at} {}", name.display());
    }
    Ok(text)
}

/// The last lines that calibd wrote to the journal; otherwise why there are none.
pub fn journal() -> Result<Vec<u8>, String> {
    let mut command = Command::new("journalctl");
    command.args(["--unit", "calibd", "--lines", LINES, "--no-pager", "--output", "short-iso-precise"]);
    let output = command.output().map_err(|fault| format!("journalctl: {fault}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("journalctl: {}", said.lines().next().unwrap_or("it ended without a word")))
}
