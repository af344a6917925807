//! Which cells of a row go into the transform.

use super::{ApplyArgs, Tally};
use crate::ctl::data::{Cell, Rows};
use crate::ctl::output::Failure;
use crate::domain::quality::{Reasons, State};
use crate::domain::transform::{Compiled, Output};

/// The places of what is read.
pub struct Columns {
    x: usize,
    u: Option<usize>,
    covariates: Vec<usize>,
}

/// What a row says.
pub struct ReadRow {
    /// The raw value, or what the row is without one.
    pub raw: Result<f64, State>,
    /// Its standard uncertainty.
    pub u_raw: Option<f64>,
}

impl Columns {
    /// Finds the columns in the header.
    pub fn find(rows: &Rows, compiled: &Compiled, args: &ApplyArgs) -> Result<Columns, Failure> {
        let named = args.covariate.iter().map(|text| {
            text.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--covariate {text}: write ROLE=COL, like temperature=T"))
            })
        });
        let named = named.collect::<Result<Vec<_>, _>>()?;
        let roles = compiled.covariates();
        if let Some((role, _)) = named.iter().find(|(role, _)| !roles.iter().any(|known| known == role)) {
            let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
            return Err(Failure::usage(format!(
                "--covariate {role}: the transform looks at no such covariate; it looks at {roles}"
            )));
        }
        let place = |role: &String| {
            let column =
                named.iter().find(|(name, _)| name == role).map_or(role.as_str(), |(_, column)| column);
            rows.find(column).map_err(|fault| {
                fault.with_remedy(&format!(
                    "the covariate `{role}` is needed: name its column with --covariate {role}=COL"
                ))
            })
        };
        let x = rows.find_or(args.x.as_deref(), 0)?;
        let u = args.u.as_deref().map(|name| rows.find(name)).transpose()?;
        let covariates = roles.iter().map(place).collect::<Result<_, _>>()?;
        collision(rows, &args.prefix)?;
        Ok(Columns { x, u, covariates })
    }

    /// Whether the cells of a column are read as numbers.
    pub fn is_number(&self, at: usize) -> bool {
        self.x == at || self.u == Some(at) || self.covariates.contains(&at)
    }

    /// Reads the cells of the row; the covariates into `covariates`.
    pub fn read(&self, rows: &mut Rows, covariates: &mut Vec<Option<f64>>, tally: &mut Tally) -> ReadRow {
        covariates.clear();
        for at in &self.covariates {
            covariates.push(number(rows, *at, tally).ok());
        }
        let u_raw = self.u.and_then(|at| number(rows, at, tally).ok());
        let raw = number(rows, self.x, tally);
        tally.missing += u64::from(raw == Err(State::Missing));
        ReadRow { raw, u_raw }
    }
}

fn number(rows: &mut Rows, at: usize, tally: &mut Tally) -> Result<f64, State> {
    match rows.number(at) {
        Cell::Number(number) => Ok(number),
        Cell::Missing => Err(State::Missing),
        Cell::Unreadable(problem) => {
            tally.unreadable(|| format!("line {}, column `{}`: {problem}", rows.line(), rows.column(at)));
            Err(State::Invalid)
        }
    }
}

/// What a row without a raw value comes to.
pub fn nothing(state: State) -> Output {
    Output { value: None, u: None, state, reasons: Reasons::NONE }
}

/// The names of what is added.
pub const ADDED: [&str; 4] = ["value", "u", "state", "reasons"];

fn collision(rows: &Rows, prefix: &str) -> Result<(), Failure> {
    let names = &rows.header().names;
    match ADDED.iter().map(|name| format!("{prefix}{name}")).find(|name| names.contains(name)) {
        Some(name) => Err(Failure::usage(format!(
            "the file has a column `{name}` already: say --prefix calibrated_ to name the new ones otherwise"
        ))),
        None => Ok(()),
    }
}
