//! `kind = "replay"`: the file and how fast it is replayed.

use std::path::PathBuf;

use crate::config::reader::Section;
use crate::source::layout::{self, OnFull, Usage, read_on_full};
use crate::wire::format::Layout;

/// How fast a file is replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as the pipeline takes it.
    Max,
}

/// Which times the readings get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Those of the file.
    File,
    /// The gateway's at the replay.
    Now,
}

/// A recorded CSV file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayConfig {
    /// The file.
    pub file: PathBuf,
    /// How fast.
    pub speed: Speed,
    /// Begin again at the end; the file's times go on from where they ended.
    pub repeat: bool,
    /// Which times the readings get.
    pub times: Times,
    /// Lines before the header, or before the first row if there is none.
    pub skip: usize,
    /// The first line after those names the columns.
    pub header: bool,
    /// What happens while the pipeline takes no more.
    pub on_full: OnFull,
    /// How its lines are read; columns may still be named as in the header.
    pub layout: Layout,
}

impl ReplayConfig {
    /// A file with a header, replayed once at its own pace.
    pub fn new(file: PathBuf, layout: Layout) -> ReplayConfig {
        ReplayConfig {
            file,
            speed: Speed::Times(1.0),
            repeat: false,
            times: Times::File,
            skip: 0,
            header: true,
            on_full: OnFull::Block,
            layout,
        }
    }

    /// Reads the keys of a replay source; `None` after faults.
    pub fn read(section: &mut Section<'_>) -> Option<ReplayConfig> {
        let file = section.required("file", "file = \"/var/lib/calibd/record.csv\"").path_buf("file");
        let speed = read_speed(section);
        let repeat = section.boolean("loop").unwrap_or(false);
        let times = section.choice("times", &[("file", Times::File), ("now", Times::Now)]);
        // Within the range, so it fits.
        let skip = section.integer("skip", 0..=10_000).unwrap_or(0) as usize;
        let header = section.boolean("header").unwrap_or(true);
        let on_full = read_on_full(section);
        let usage = if header { Usage::File } else { Usage::FileWithoutHeader };
        let layout = layout::read(section, usage)?;
        if layout.time.is_none() {
            let problem = "has no field `time`, so that the pace is unknown";
            section.fault(
                "fields",
                problem,
                "add `time = { column = \"Time\" }` with its `format` or `unit`",
            );
        }
        let times = times.unwrap_or(Times::File);
        Some(ReplayConfig { file: file?, speed, repeat, times, skip, header, on_full, layout })
    }
}

/// Reads `speed`: as it is, unless said otherwise.
pub fn read_speed(section: &mut Section<'_>) -> Speed {
    let Some(value) = section.value("speed") else { return Speed::Times(1.0) };
    if value.is_string() {
        return value.choice(&[("max", Speed::Max)], &[]).unwrap_or(Speed::Max);
    }
    Speed::Times(value.float(0.001..=1e9).unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    fn read(text: &str) -> (Option<ReplayConfig>, Vec<String>) {
        let (config, faults) = read_str("a.toml", text, ReplayConfig::read);
        (config, faults.iter().map(ToString::to_string).collect())
    }

    const GOOD: &str = r#"
        file = "a.csv"
        speed = 60
        loop = true
        times = "now"
        skip = 5
        header = true
        format = { separator = ";" }
        fields = { co = { column = "CO" }, time = { column = 0 } }
    "#;

    #[test]
    fn every_key_is_read() {
        let (config, faults) = read(GOOD);
        assert_eq!(faults, [""; 0]);
        let config = config.unwrap();
        assert_eq!((config.speed, config.repeat, config.times), (Speed::Times(60.0), true, Times::Now));
        assert_eq!((config.skip, config.header), (5, true));
        assert_eq!(read(&GOOD.replace("= 60", "= \"max\"")).0.unwrap().speed, Speed::Max);
    }

    #[test]
    fn wrong_values_are_named() {
        let cases = [
            ("speed = 60", "speed = 0", "speed: "),
            ("speed = 60", "speed = \"fast\"", "speed: "),
            ("\"now\"", "\"then\"", "times: "),
            ("header = true", "header = false", "fields.co.column: there is no header"),
            (", time = { column = 0 }", "", "fields: has no field `time`"),
            ("file = \"a.csv\"", "", "file: is missing"),
        ];
        for (right, wrong, want) in cases {
            let faults = read(&GOOD.replace(right, wrong)).1;
            assert!(faults.len() == 1 && faults[0].contains(want), "{wrong}: {faults:?}");
        }
    }
}
