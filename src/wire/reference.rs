//! Files of references: one row a reference, under a header that names the columns.
//!
//! `value` is needed, and `time` but for labels of events; the other columns are `unit`, `u`, `U`, `k`,
//! `standard`, `interval`, `stamp`, `id`, `event` and `qc`, in any order, each where it is needed. Columns of
//! other names are passed over.

use std::collections::HashMap;

use super::table::{Header, Numbers, Row};
use super::time::{TimeFormat, TimeUnit};
use crate::domain::digest::Digest;
use crate::domain::reference::{Given, Stamp};
use crate::domain::time::Timestamp;

/// The columns that are known, in the order of their places below.
const NAMES: [&str; 12] =
    ["time", "value", "unit", "u", "U", "k", "standard", "interval", "stamp", "id", "event", "qc"];
const TIME: usize = 0;
const VALUE: usize = 1;
/// Rows whose likes are looked for; later ones are taken as they come.
const MOST: usize = 1_000_000;

/// What is so for every row whose own cell says nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defaults {
    /// UCUM code.
    pub unit: Option<String>,
    /// Standard uncertainty.
    pub u: Option<f64>,
    /// The standard behind the references.
    pub standard: Option<String>,
    /// The interval that each averages, in seconds.
    pub interval_seconds: Option<f64>,
    /// Which point of the interval the time is.
    pub stamp: Option<Stamp>,
    /// How times are written; absent: RFC 3339, or seconds since 1970.
    pub time: Option<TimeFormat>,
}

/// Reads the rows of a file of references.
#[derive(Debug)]
pub struct References {
    places: [Option<usize>; NAMES.len()],
    defaults: Defaults,
    /// Where a reference of this kind stood, and the digest of what it said.
    seen: HashMap<[u8; 16], (u64, [u8; 16])>,
}

impl References {
    /// Finds the columns.
    ///
    /// Errors: what is wrong with the header, and the remedy.
    pub fn new(header: &Header, defaults: Defaults) -> Result<References, String> {
        let mut places = [None; NAMES.len()];
        for (place, name) in places.iter_mut().zip(NAMES) {
            if header.names.iter().any(|known| known == name) {
                *place = Some(header.find(name)?);
            }
        }
        let event = places[NAMES.len() - 2];
        if places[VALUE].is_none() || places[TIME].is_none() && event.is_none() {
            let missing = if places[VALUE].is_none() { "value" } else { "time" };
            return Err(format!("there is no column `{missing}`: name the columns {}", NAMES.join(", ")));
        }
        Ok(References { places, defaults, seen: HashMap::new() })
    }

    /// Reads a row that was cut, which stands in `line`.
    ///
    /// Errors: what is wrong with it, the column named, and the remedy; the next row can be read all the same.
    pub fn read(&mut self, text: &str, row: &Row, numbers: &mut Numbers, line: u64) -> Result<Given, String> {
        let cells = Cells { text, row, places: &self.places };
        let given = self.given(&cells, numbers)?;
        self.compare(&given, line)?;
        Ok(given)
    }

    fn given(&self, cells: &Cells<'_>, numbers: &mut Numbers) -> Result<Given, String> {
        let Defaults { unit, u, standard, interval_seconds, stamp, time } = &self.defaults;
        let value = cells.number("value", numbers)?;
        let value = value.ok_or("column `value`: the cell is missing: fill it, or leave the row out")?;
        let event = cells.word("event");
        let time = cells.read("time", |text| when(text, time.as_ref()))?;
        if time.is_none() && event.is_none() {
            return Err("column `time`: the cell is missing: fill it, or leave the row out".to_owned());
        }
        let (own_u, expanded) = (cells.number("u", numbers)?, cells.number("U", numbers)?);
        let own_interval = cells.read("interval", seconds)?;
        Ok(Given {
            id: cells.word("id"),
            time,
            value,
            unit: cells.word("unit").or_else(|| unit.clone()),
            u: own_u.or(u.filter(|_| expanded.is_none())),
            expanded,
            k: cells.number("k", numbers)?,
            standard: cells.word("standard").or_else(|| standard.clone()),
            interval_seconds: own_interval.or(*interval_seconds),
            stamp: cells.read("stamp", stamped)?.or(*stamp),
            event,
            qc: cells.word("qc"),
        })
    }

    /// Two rows about the same thing that say different things are a mistake: the second would silently take
    /// the place of the first. Two that say the same are one.
    fn compare(&mut self, given: &Given, line: u64) -> Result<(), String> {
        let about = match (&given.id, &given.event) {
            (Some(id), _) => format!("id {id}"),
            (None, Some(event)) => format!("event {event}"),
            (None, None) => {
                let Given { time, interval_seconds, stamp, standard, .. } = given;
                format!("{time:?} {interval_seconds:?} {stamp:?} {standard:?}")
            }
        };
        let (about, says) = (short(&about), short(&format!("{given:?}")));
        match self.seen.get(&about) {
            Some((_, before)) if *before == says => Ok(()),
            Some((before, _)) => Err(format!(
                "it is about the same as line {before} and says something else: give each an id of its own in a column `id`, or leave one out"
            )),
            None => {
                if self.seen.len() < MOST {
                    self.seen.insert(about, (line, says));
                }
                Ok(())
            }
        }
    }
}

fn short(text: &str) -> [u8; 16] {
    let digest = Digest::of(&[text.as_bytes()]).0;
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    first
}

/// The cells of a row by the names of their columns.
struct Cells<'a> {
    text: &'a str,
    row: &'a Row,
    places: &'a [Option<usize>],
}

impl Cells<'_> {
    fn word(&self, name: &str) -> Option<String> {
        let place = NAMES.iter().position(|known| *known == name)?;
        let cell = self.row.cell(self.text, self.places[place]?);
        Some(cell.trim().to_owned()).filter(|cell| !cell.is_empty())
    }

    fn number(&self, name: &str, numbers: &mut Numbers) -> Result<Option<f64>, String> {
        let Some(cell) = self.word(name) else { return Ok(None) };
        numbers.read(&cell).map_err(|problem| format!("column `{name}`: {problem}"))
    }

    fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, String> {
        let Some(cell) = self.word(name) else { return Ok(None) };
        let shown: String = cell.chars().take(40).collect();
        read(&cell).map(Some).map_err(|wanted| format!("column `{name}`: `{shown}` is not {wanted}"))
    }
}

fn when(text: &str, format: Option<&TimeFormat>) -> Result<Timestamp, &'static str> {
    let time = match format {
        Some(format) => format.parse(text),
        None => Timestamp::parse(text)
            .ok()
            .or_else(|| TimeFormat::Unix(TimeUnit::Seconds).parse(&text.replace(',', "."))),
    };
    time.ok_or(
        "a time: write times like 2026-11-22T10:00:00Z or as seconds since 1970, or say how they are written",
    )
}

fn seconds(text: &str) -> Result<f64, &'static str> {
    let wanted = "an interval: write it like 1h or 15min, or as seconds";
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok(seconds);
    }
    text.parse::<jiff::SignedDuration>().map(|length| length.as_secs_f64()).map_err(|_| wanted)
}

fn stamped(text: &str) -> Result<Stamp, &'static str> {
    match text {
        "begin" => Ok(Stamp::Begin),
        "mid" => Ok(Stamp::Mid),
        "end" => Ok(Stamp::End),
        _ => Err("a stamp: write begin, mid or end"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rows of a file, by their lines.
    fn rows(text: &str, defaults: Defaults) -> Result<Vec<Result<Given, String>>, String> {
        let mut lines = text.lines();
        let header = Header::read(lines.next().unwrap_or_default(), None)?;
        let mut references = References::new(&header, defaults)?;
        let mut numbers = Numbers::new(header.separator, None, &[]);
        let mut row = Row::default();
        let read = lines.zip(2..).map(|(line, number)| {
            row.split(line, header.separator).map_err(|_| "quotes".to_owned())?;
            references.read(line, &row, &mut numbers, number)
        });
        Ok(read.collect())
    }

    fn read(text: &str) -> Vec<Result<Given, String>> {
        rows(text, Defaults::default()).unwrap()
    }

    #[test]
    fn a_row_says_all_that_a_reference_has() {
        let text = "id;time;value;unit;U;k;standard;interval;stamp;qc;note\n\
                    a;2026-11-22T10:00:00+01:00;4,2;mg/m3;0,2;2;gas-7;1h;begin;suspect;fine\n";
        let given = read(text).remove(0).unwrap();
        let wanted = Given {
            id: Some("a".into()),
            time: Some(Timestamp::parse("2026-11-22T09:00:00Z").unwrap()),
            value: 4.2,
            unit: Some("mg/m3".into()),
            u: None,
            expanded: Some(0.2),
            k: Some(2.0),
            standard: Some("gas-7".into()),
            interval_seconds: Some(3600.0),
            stamp: Some(Stamp::Begin),
            event: None,
            qc: Some("suspect".into()),
        };
        assert_eq!(given, wanted);
    }

    #[test]
    fn what_a_row_does_not_say_is_as_for_all() {
        let defaults = Defaults {
            unit: Some("mg/m3".into()),
            u: Some(0.1),
            standard: Some("gas-7".into()),
            interval_seconds: Some(60.0),
            stamp: Some(Stamp::Mid),
            time: None,
        };
        let text = "time,value,u,U,k,interval\n0,1,,,,\n60,1,0.3,,,15min\n120,1,,0.4,2,90\n";
        let found: Vec<Given> = rows(text, defaults).unwrap().into_iter().map(Result::unwrap).collect();
        let u: Vec<_> = found.iter().map(|given| (given.u, given.expanded, given.interval_seconds)).collect();
        assert_eq!(
            u,
            [(Some(0.1), None, Some(60.0)), (Some(0.3), None, Some(900.0)), (None, Some(0.4), Some(90.0))]
        );
        assert!(
            found
                .iter()
                .all(|given| given.unit.as_deref() == Some("mg/m3") && given.stamp == Some(Stamp::Mid))
        );
    }

    #[test]
    fn bad_rows_are_told_and_the_next_is_read() {
        let text = "time,value,interval,stamp\n0,1,,\nnoon,2,,\n60,zwei,,\n120,,,\n,4,,\n180,5,long,\n240,6,,late\n300,7,,\n";
        let found = read(text);
        let faults: Vec<&str> =
            found.iter().filter_map(|row| row.as_ref().err()).map(String::as_str).collect();
        let wanted = [
            "column `time`: `noon` is not a time",
            "column `value`: `zwei` is not a number",
            "column `value`: the cell is missing",
            "column `time`: the cell is missing",
            "column `interval`: `long` is not an interval",
            "column `stamp`: `late` is not a stamp",
        ];
        assert_eq!(faults.len(), wanted.len(), "{faults:?}");
        assert!(faults.iter().zip(wanted).all(|(fault, wanted)| fault.starts_with(wanted)), "{faults:?}");
        assert!(found[0].is_ok() && found[7].is_ok());
    }

    #[test]
    fn a_row_that_contradicts_another_is_told_and_one_that_repeats_it_is_not() {
        let found = read("time,value,standard\n0,1,\n0,1,\n0,2,\n0,2,gas-7\n");
        assert!(found[0].is_ok() && found[1].is_ok() && found[3].is_ok());
        assert!(found[2].as_ref().unwrap_err().contains("the same as line 2"), "{found:?}");
        assert!(read("time,value,id\n0,1,a\n0,2,b\n").iter().all(Result::is_ok));
        let labels = read("event,value\ne1,1\ne2,0\ne1,0\n");
        assert!(labels[1].is_ok() && labels[2].as_ref().unwrap_err().contains("line 2"));
    }

    #[test]
    fn a_header_names_what_is_needed() {
        for (header, missing) in [("time,u", "`value`"), ("value,u", "`time`"), ("Time,Value", "`value`")] {
            assert!(rows(header, Defaults::default()).unwrap_err().contains(missing), "{header}");
        }
        assert!(rows("time,value,value", Defaults::default()).unwrap_err().contains("twice"));
        assert!(rows("event,value", Defaults::default()).is_ok());
    }

    proptest! {
        #[test]
        fn any_row_of_any_file(text in "time,value,(u|id|stamp|event),(interval|qc)\n([-0-9a-z.:TZ\",]{0,30}\n){0,5}|\\PC{0,60}") {
            if let Ok(found) = rows(&text, Defaults::default()) {
                prop_assert!(found.into_iter().flatten().all(|given| given.value.is_finite()));
            }
        }
    }
}
