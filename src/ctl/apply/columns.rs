//! Which cells of a row go into the transform.

use super::{ApplyArgs, Tally};
use crate::ctl::data::{Cell, Rows};
use crate::ctl::output::Failure;
use crate::domain::quality::{Reasons, State};
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::{Compiled, Covariate, Output};

/// The places of what is read.
pub struct Columns {
    x: usize,
    u: Option<usize>,
    covariates: Vec<Place>,
}

/// The columns of a covariate and of its uncertainty.
struct Place {
    value: usize,
    u: Option<usize>,
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
    pub fn find(
        rows: &Rows,
        compiled: &Compiled,
        args: &ApplyArgs,
        added: &[String],
    ) -> Result<Columns, Failure> {
        let roles = compiled.covariates();
        let values = named(&args.covariate, "--covariate", roles)?;
        let uncertainties = named(&args.covariate_u, "--covariate-u", roles)?;
        let place = |role: &String| {
            let of = |named: &[(&str, &str)]| {
                named.iter().find(|(name, _)| name == role).map(|(_, column)| (*column).to_owned())
            };
            let remedy =
                format!("the covariate `{role}` is needed: name its column with --covariate {role}=COL");
            let value = rows.find(&of(&values).unwrap_or_else(|| role.clone()));
            let u = of(&uncertainties).map(|column| rows.find(&column)).transpose()?;
            Ok(Place { value: value.map_err(|fault| fault.with_remedy(&remedy))?, u })
        };
        let x = rows.find_or(args.x.as_deref(), 0)?;
        let u = args.u.as_deref().map(|name| rows.find(name)).transpose()?;
        let covariates = roles.iter().map(place).collect::<Result<_, Failure>>()?;
        collision(rows, added)?;
        Ok(Columns { x, u, covariates })
    }

    /// Whether the cells of a column are read as numbers.
    pub fn is_number(&self, at: usize) -> bool {
        let covariate = |place: &Place| place.value == at || place.u == Some(at);
        self.x == at || self.u == Some(at) || self.covariates.iter().any(covariate)
    }

    /// Reads the cells of the row; the covariates into `covariates`.
    pub fn read(
        &self,
        rows: &mut Rows,
        covariates: &mut Vec<Option<Covariate>>,
        tally: &mut Tally,
    ) -> ReadRow {
        covariates.clear();
        for place in &self.covariates {
            let value = number(rows, place.value, tally).ok();
            let u = place.u.and_then(|at| uncertainty(rows, at, tally));
            covariates.push(value.map(|value| Covariate { value, u }));
        }
        let u_raw = self.u.and_then(|at| uncertainty(rows, at, tally));
        let raw = number(rows, self.x, tally);
        tally.missing += u64::from(raw == Err(State::Missing));
        ReadRow { raw, u_raw }
    }
}

/// Reads `ROLE=COL`, and whether the transform looks at such a covariate.
fn named<'a>(
    texts: &'a [String],
    option: &str,
    roles: &[String],
) -> Result<Vec<(&'a str, &'a str)>, Failure> {
    let read = |text: &'a String| {
        let (role, column) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("{option} {text}: write ROLE=COL, like temperature=T")))?;
        if roles.iter().any(|known| known == role) {
            return Ok((role, column));
        }
        let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
        Err(Failure::usage(format!(
            "{option} {role}: the transform looks at no such covariate; it looks at {roles}"
        )))
    };
    texts.iter().map(read).collect()
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

/// A standard uncertainty; one below 0 is counted with what cannot be read.
fn uncertainty(rows: &mut Rows, at: usize, tally: &mut Tally) -> Option<f64> {
    let read = number(rows, at, tally);
    tally.without_u += u64::from(read == Err(State::Missing));
    let u = read.ok()?;
    if u >= 0.0 {
        return Some(u);
    }
    tally.unreadable(|| {
        let (line, column) = (rows.line(), rows.column(at));
        format!("line {line}, column `{column}`: {u} is no standard uncertainty: expected 0 or more")
    });
    None
}

/// What a row without a raw value comes to.
pub fn nothing(state: State) -> Output {
    Output { value: None, u: None, state, reasons: Reasons::NONE, p0_p1: None }
}

/// The names of the columns that are added; a transform that ends in Venn-Abers adds its two
/// probabilities.
pub fn added(transform: &Transform, prefix: &str) -> Vec<String> {
    let both = transform.pipeline.last().and_then(|stage| serde_json::to_value(stage).ok());
    let both = both.is_some_and(|stage| stage.get("kind").is_some_and(|kind| kind == "venn_abers"));
    let names = ["value", "u", "state", "reasons", "p0", "p1"];
    names[..if both { 6 } else { 4 }].iter().map(|name| format!("{prefix}{name}")).collect()
}

/// The two probabilities of Venn-Abers.
pub fn both(output: &Output) -> Option<[f64; 2]> {
    output.p0_p1
}

fn collision(rows: &Rows, added: &[String]) -> Result<(), Failure> {
    match added.iter().find(|name| rows.header().names.contains(name)) {
        Some(name) => Err(Failure::usage(format!(
            "the file has a column `{name}` already: say --prefix calibrated_ to name the new ones otherwise"
        ))),
        None => Ok(()),
    }
}
