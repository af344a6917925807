//! The points of a scripted session.

use std::path::Path;

use crate::ctl::data::{DataArgs, Rows};
use crate::ctl::number::finite;
use crate::ctl::output::Failure;
use crate::domain::id::{Id, SensorId};
use crate::domain::session::{Fault, MOST_POINTS, Role, number_and_unit};
use crate::wire::control::SessionCommand;

/// A point, and the line of the file that it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    line: u64,
    pub command: SessionCommand,
}

/// Points in the order of their measurement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// The name of the file; empty where there is none.
    file: String,
    pub as_found: Vec<Planned>,
    pub as_left: Vec<Planned>,
}

/// Where each column of the file is.
struct Columns {
    role: Option<usize>,
    reference: Option<usize>,
    unit: Option<usize>,
    u: Option<usize>,
    expanded: Option<usize>,
    k: Option<usize>,
    standard: Option<usize>,
    source: Option<usize>,
    round: Option<usize>,
}

const NAMES: [&str; 9] = ["role", "reference", "unit", "u", "U", "k", "standard", "source", "round"];

impl Points {
    /// One point beside a reference source, in both rounds.
    pub fn of_source(source: &SensorId) -> Points {
        let command = SessionCommand {
            role: Some(Role::Linearity),
            source: Some(source.clone()),
            ..SessionCommand::default()
        };
        let point = Planned { line: 0, command };
        Points { file: String::new(), as_found: vec![point.clone()], as_left: vec![point] }
    }

    /// Each point once, in the order of the file.
    fn rows(&self) -> Vec<&Planned> {
        let mut rows: Vec<&Planned> = self.as_found.iter().chain(&self.as_left).collect();
        rows.sort_by_key(|point| point.line);
        rows.dedup_by_key(|point| point.line);
        rows
    }

    /// What the gateway is to look at before it opens a session.
    pub fn wanted(&self) -> Vec<SessionCommand> {
        self.rows().into_iter().map(|point| point.command.clone()).collect()
    }

    /// A refusal of what was wanted with the line of the row that it is about.
    pub fn opened(&self, failure: Failure) -> Failure {
        let place = failure.message().strip_prefix("points[").and_then(|rest| rest.split_once("]: "));
        let row =
            place.and_then(|(at, said)| Some((self.rows().get(at.parse::<usize>().ok()?).copied()?, said)));
        match row {
            Some((row, said)) => self.placed(row, Failure::refused(said)),
            None => failure,
        }
    }

    /// A refusal of a point with the line of its row.
    pub fn placed(&self, point: &Planned, failure: Failure) -> Failure {
        match point.line {
            0 => failure,
            line => failure.at(&format!("{}: line {line}", self.file)),
        }
    }

    /// Checks that there is something to be measured as left, where the sensor is to be adjusted.
    ///
    /// # Errors
    /// All rows are as found.
    pub fn check_rounds(&self) -> Result<(), Failure> {
        if !self.as_left.is_empty() {
            return Ok(());
        }
        let text = "no row is to be measured as left: write `both` or `as_left` in the column `round`, or adjust nothing (--spot-check)";
        Err(Failure::usage(format!("{}: {text}", self.file)))
    }

    /// Reads a file; rows without a reference are measured beside `source`.
    pub fn read(file: &Path, source: Option<&SensorId>) -> Result<Points, Failure> {
        let args = DataArgs {
            file: file.to_owned(),
            separator: None,
            decimal: None,
            missing: Vec::new(),
            skip_lines: 0,
        };
        let mut rows = args.open()?;
        let columns = Columns::of(&rows)?;
        let mut points = Points { file: args.name(), ..Points::default() };
        while rows.next()? {
            let point = Planned { line: rows.line(), command: columns.point(&rows, source)? };
            let (found, left) = match columns.text(&rows, columns.round).as_str() {
                "" | "both" => (true, true),
                "as_found" => (true, false),
                "as_left" => (false, true),
                other => {
                    let problem = format!("round is `{other}`: write as_found, as_left or both");
                    return Err(rows.fault(&problem));
                }
            };
            points.as_found.extend(found.then(|| point.clone()));
            points.as_left.extend(left.then_some(point));
            if points.as_found.len().max(points.as_left.len()) > MOST_POINTS {
                return Err(rows.fault(&Fault::TooManyPoints(MOST_POINTS).to_string()));
            }
        }
        match points.as_found.is_empty() {
            true => {
                Err(Failure::usage(format!("{}: there is no point to be measured as found", points.file)))
            }
            false => Ok(points),
        }
    }
}

impl Columns {
    fn of(rows: &Rows) -> Result<Columns, Failure> {
        let names = &rows.header().names;
        if let Some(other) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
            let known = NAMES.join(", ");
            return Err(rows.fault(&format!("there is no column `{other}`: the columns are {known}")));
        }
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        Ok(Columns {
            role: place("role"),
            reference: place("reference"),
            unit: place("unit"),
            u: place("u"),
            expanded: place("U"),
            k: place("k"),
            standard: place("standard"),
            source: place("source"),
            round: place("round"),
        })
    }

    fn text(&self, rows: &Rows, at: Option<usize>) -> String {
        at.map_or(String::new(), |at| rows.text(at).trim().to_owned())
    }

    fn point(&self, rows: &Rows, source: Option<&SensorId>) -> Result<SessionCommand, Failure> {
        let text = |at: Option<usize>| Some(self.text(rows, at)).filter(|text| !text.is_empty());
        let number = |at: Option<usize>| match (text(at), at) {
            (Some(text), Some(at)) => {
                let unreadable = |problem: String| rows.cell_fault(at, &format!("`{text}`: {problem}"));
                finite(&text).map(Some).map_err(unreadable)
            }
            _ => Ok(None),
        };
        let id = |at: Option<usize>| match text(at) {
            Some(text) => Id::new(&text).map(Some).map_err(|fault| rows.fault(&fault.to_string())),
            None => Ok(None),
        };
        let role = match text(self.role).as_deref() {
            None | Some("linearity") => Role::Linearity,
            Some("zero") => Role::Zero,
            Some("span") => Role::Span,
            Some(other) => {
                return Err(rows.fault(&format!("role is `{other}`: write zero, span or linearity")));
            }
        };
        let reference = text(self.reference).map(|value| match text(self.unit) {
            Some(unit) => format!("{value} {unit}"),
            None => value,
        });
        if let Some(text) = &reference {
            checked(text).map_err(|problem| rows.fault(&problem))?;
        }
        let named = id(self.source)?.or(source.cloned()).filter(|_| reference.is_none());
        if reference.is_none() && named.is_none() {
            return Err(rows.fault("the row has no reference: write one, or name a source"));
        }
        Ok(SessionCommand {
            role: Some(role),
            reference,
            u: number(self.u)?,
            expanded: number(self.expanded)?,
            k: number(self.k)?,
            source: named,
            standard: id(self.standard)?,
            ..SessionCommand::default()
        })
    }
}

/// Checks a reference as far as that goes here.
fn checked(text: &str) -> Result<(), String> {
    match number_and_unit(text) {
        Ok((_, Some(_))) => Ok(()),
        Ok((_, None)) => Err(format!(
            "`{text}` has no unit: write it in the column `unit`, like `{text} mg/m3` would be typed"
        )),
        Err(fault) => Err(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Points, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("points.csv");
        std::fs::write(&file, text).unwrap();
        Points::read(&file, None)
    }

    #[test]
    fn rows_are_points_of_both_rounds_unless_they_say_otherwise() {
        let text = "role,reference,unit,standard,U,k,round\n\
            zero,0,mg/m3,zero-air,,,\nspan,20,mg/m3,co-20,0.4,2,\nlinearity,8,mg/m3,co-8,,,as_found\n";
        let points = read(text).unwrap();
        assert_eq!((points.as_found.len(), points.as_left.len()), (3, 2));
        let span = &points.as_left[1].command;
        assert_eq!((span.role, span.reference.as_deref()), (Some(Role::Span), Some("20 mg/m3")));
        assert_eq!((span.expanded, span.k, span.u), (Some(0.4), Some(2.0), None));
        assert_eq!(span.standard.as_ref().map(Id::as_str), Some("co-20"));
        let beside = read("role,source\nlinearity,co-ref\n").unwrap();
        assert_eq!(beside.as_found[0].command.source.as_ref().map(Id::as_str), Some("co-ref"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_place() {
        for (text, said) in [
            ("role,value\nzero,0\n", "there is no column `value`"),
            ("role,reference\nmiddle,5 mg/m3\n", "role is `middle`: write zero, span or linearity"),
            ("role,reference\nzero,\n", "the row has no reference"),
            ("reference,u\n5 mg/m3,\"0,1\"\n", "line 2: column `u`: `0,1`: write the number with a point"),
            ("reference,u\n5 mg/m3,inf\n", "expected a finite number"),
            ("reference\n5 mg/m3\n\"5,5 mg/m3\"\n", "line 3: `5,5 mg/m3` has a comma"),
            ("reference,u\n5,0.1\n", "line 2: `5` has no unit"),
            ("reference,round\n5 mg/m3,after\n", "round is `after`"),
            ("reference,round\n5 mg/m3,as_left\n", "no point to be measured as found"),
        ] {
            let message = read(text).unwrap_err().message().to_owned();
            assert!(message.contains(said), "{message}");
        }
    }

    #[test]
    fn what_the_gateway_says_of_a_point_is_said_of_its_line() {
        let points = read("reference,round\n5 mg/m3,as_left\n\n6 mg/m3,as_found\n7 mg/m3,\n").unwrap();
        let wanted: Vec<_> = points.wanted().into_iter().filter_map(|point| point.reference).collect();
        assert_eq!(wanted, ["5 mg/m3", "6 mg/m3", "7 mg/m3"]);
        let said = |message: &str| points.opened(Failure::refused(message)).message().to_owned();
        assert!(said("points[1]: it is overdue").ends_with("points.csv: line 4: it is overdue"));
        assert_eq!(said("points[9]: it is overdue"), "points[9]: it is overdue");
        assert_eq!(said("no t90"), "no t90");
        assert!(points.check_rounds().is_ok());
        let found = read("reference,round\n5 mg/m3,as_found\n").unwrap();
        assert!(found.check_rounds().unwrap_err().message().contains("--spot-check"));
    }
}
