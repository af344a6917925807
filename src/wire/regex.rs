//! Lines that match a regular expression with named groups.

use regex_lite::{CaptureLocations, Regex, RegexBuilder};

use super::cells::Cells;
use super::fault::{DecodeError, FaultKind};
use super::format::{Layout, Locator, SpecError, Target, wrong_locator};

/// Bound on the compiled expression, in bytes.
const SIZE_LIMIT: usize = 1 << 20;
/// Takes the place of a byte that is no UTF-8, which must not spoil a line outside the groups: a character that
/// patterns name only in general.
const NO_TEXT: &str = "\u{7f}";

/// Reads the wanted groups of a line.
pub(super) struct RegexReader {
    regex: Regex,
    locations: CaptureLocations,
    wanted: Vec<(Target, usize)>,
    captures: Vec<(Box<str>, usize)>,
    mended: String,
}

impl std::fmt::Debug for RegexReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegexReader({})", self.regex.as_str())
    }
}

impl RegexReader {
    pub(super) fn new(pattern: &str, layout: &Layout) -> Result<RegexReader, SpecError> {
        let regex = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build();
        let regex = regex.map_err(|error| {
            SpecError::format("pattern", error.to_string(), "see the syntax of Rust's regex-lite")
        })?;
        let names: Vec<_> = regex.capture_names().collect();
        let mut wanted = Vec::new();
        for (target, name, locator) in layout.locators() {
            let Locator::Group(group) = locator else {
                return Err(wrong_locator(name, "group", "regex"));
            };
            let at = names.iter().position(|named| *named == Some(group)).ok_or_else(|| {
                let problem = format!("the pattern has no group `{group}`");
                SpecError::field(name, "group", problem, format!("write `(?P<{group}>...)` in the pattern"))
            })?;
            wanted.push((target, at));
        }
        let used = |at: usize| wanted.iter().any(|(_, wanted)| *wanted == at);
        let rest = names.iter().enumerate().filter(|(at, _)| !used(*at));
        let captures = rest.filter_map(|(at, name)| Some((Box::from((*name)?), at))).collect();
        Ok(RegexReader {
            locations: regex.capture_locations(),
            regex,
            wanted,
            captures,
            mended: String::new(),
        })
    }

    /// The named groups that are no field: they name parts of template sensors.
    pub(super) fn capture_names(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(|(name, _)| &**name)
    }

    pub(super) fn read<'a>(
        &'a mut self,
        line: &'a [u8],
        cells: &mut Cells,
    ) -> Result<Vec<(&'a str, &'a str)>, DecodeError> {
        let text = std::str::from_utf8(line).unwrap_or_else(|_| mend(line, &mut self.mended));
        if self.regex.captures_read(&mut self.locations, text).is_none() {
            return Err(DecodeError::new(FaultKind::NoMatch, line));
        }
        for (target, group) in &self.wanted {
            let Some((start, end)) = self.locations.get(*group) else { continue };
            let text = std::str::from_utf8(&line[start..end]);
            match (target, text) {
                (Target::Field(field), Ok(text)) => cells.text(*field, text),
                (Target::Field(field), Err(_)) => {
                    cells.fault(*field, FaultKind::BadUtf8, &line[start..end]);
                }
                (Target::Time, Ok(text)) => cells.time_part(text),
                (Target::Time, Err(_)) => cells.bad_time(&line[start..end]),
                (Target::Event, Ok(text)) => cells.event(text),
                (Target::Event, Err(_)) => cells.bad_event(&line[start..end]),
            }
        }
        let named = self.captures.iter().filter_map(|(name, group)| {
            let (start, end) = self.locations.get(*group)?;
            Some((&**name, std::str::from_utf8(&line[start..end]).ok()?))
        });
        Ok(named.collect())
    }
}

/// Makes text of a line, each part of it at its old place.
fn mend<'a>(line: &[u8], text: &'a mut String) -> &'a str {
    text.clear();
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|_| text.push_str(NO_TEXT));
    }
    text
}
