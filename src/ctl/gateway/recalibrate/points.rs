//! The points of a scripted session.

use std::path::Path;

use crate::ctl::data::{DataArgs, Rows};
use crate::ctl::output::Failure;
use crate::domain::id::{Id, SensorId};
use crate::domain::session::Role;
use crate::wire::control::SessionCommand;

/// Points in the order of their measurement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    pub as_found: Vec<SessionCommand>,
    pub as_left: Vec<SessionCommand>,
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
        let point = SessionCommand {
            role: Some(Role::Linearity),
            source: Some(source.clone()),
            ..SessionCommand::default()
        };
        Points { as_found: vec![point.clone()], as_left: vec![point] }
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
        let mut points = Points::default();
        while rows.next()? {
            let point = columns.point(&rows, source)?;
            match columns.text(&rows, columns.round).as_str() {
                "" | "both" => {
                    points.as_found.push(point.clone());
                    points.as_left.push(point);
                }
                "as_found" => points.as_found.push(point),
                "as_left" => points.as_left.push(point),
                other => {
                    let problem = format!("round is `{other}`: write as_found, as_left or both");
                    return Err(rows.fault(&problem));
                }
            }
        }
        match points.as_found.is_empty() {
            true => {
                Err(Failure::usage(format!("{}: there is no point to be measured as found", args.name())))
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
                let unreadable = || rows.cell_fault(at, "is no number with a decimal point");
                text.parse::<f64>().map(Some).map_err(|_| unreadable())
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
        let span = &points.as_left[1];
        assert_eq!((span.role, span.reference.as_deref()), (Some(Role::Span), Some("20 mg/m3")));
        assert_eq!((span.expanded, span.k, span.u), (Some(0.4), Some(2.0), None));
        assert_eq!(span.standard.as_ref().map(Id::as_str), Some("co-20"));
        let beside = read("role,source\nlinearity,co-ref\n").unwrap();
        assert_eq!(beside.as_found[0].source.as_ref().map(Id::as_str), Some("co-ref"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_place() {
        for (text, said) in [
            ("role,value\nzero,0\n", "there is no column `value`"),
            ("role,reference\nmiddle,5 mg/m3\n", "role is `middle`: write zero, span or linearity"),
            ("role,reference\nzero,\n", "the row has no reference"),
            ("reference,u\n5 mg/m3,\"0,1\"\n", "no number with a decimal point"),
            ("reference,round\n5 mg/m3,after\n", "round is `after`"),
            ("reference,round\n5 mg/m3,as_left\n", "no point to be measured as found"),
        ] {
            let message = read(text).unwrap_err().message().to_owned();
            assert!(message.contains(said), "{message}");
        }
    }
}
