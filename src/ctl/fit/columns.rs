//! From the columns of a file to pairs.

use clap::Args;

use crate::ctl::data::{DataArgs, RowArgs, Rows, Wanted, load};
use crate::ctl::output::Failure;
use crate::domain::digest::Digest;
use crate::domain::fit::probability::labels;
use crate::domain::fit::{FitError, Pairs};

/// Which columns are what; each by its name, or by its number like `#3`.
#[derive(Args, Debug, Clone, Default)]
pub struct ColumnArgs {
    /// Sensor values; given again for covariates. Absent: the first column.
    #[arg(long, value_name = "COL")]
    pub x: Vec<String>,
    /// Reference values. Absent: the second column.
    #[arg(long, value_name = "COL")]
    pub y: Option<String>,
    /// Labels, 0 or 1, in place of reference values (or classes, with --logits).
    #[arg(long, value_name = "COL", conflicts_with = "y")]
    pub label: Option<String>,
    /// Standard uncertainties of x.
    #[arg(long, value_name = "COL")]
    pub ux: Option<String>,
    /// Standard uncertainties of y.
    #[arg(long, value_name = "COL")]
    pub uy: Option<String>,
    /// Weights of the pairs.
    #[arg(long, value_name = "COL")]
    pub weights: Option<String>,
    /// Temperature: the logits of all classes, in the order of the labels 0, 1, ...
    #[arg(long, value_name = "COL,COL,...", conflicts_with = "x", requires = "label")]
    pub logits: Vec<String>,
}

/// Pairs read from a file.
pub struct Read {
    /// The file's name, for messages.
    pub name: String,
    /// The pairs.
    pub pairs: Pairs,
    /// Rows left out.
    pub skipped: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Read {
    /// Takes the last share of the pairs away.
    pub fn hold_out(&mut self, share: f64) -> Result<Pairs, Failure> {
        let all = self.pairs.len();
        let count = (all as f64 * share).round() as usize;
        if !(share > 0.0 && share < 1.0) || count == 0 || count >= all {
            return Err(Failure::usage(format!(
                "--holdout {share}: expected a share between 0 and 1 that leaves pairs on both sides; there are {all} pairs"
            )));
        }
        let places: Vec<usize> = (0..all).collect();
        let (seen, held) = places.split_at(all - count);
        let select = |places| self.pairs.select(places).map_err(|fault| Failure::refused(fault.to_string()));
        let held = select(held)?;
        self.pairs = select(seen)?;
        Ok(held)
    }
}

/// Reads the pairs.
pub fn read(data: &DataArgs, rules: &RowArgs, columns: &ColumnArgs) -> Result<Read, Failure> {
    let mut rows = data.open()?;
    let x = sensor_columns(&rows, columns)?;
    let y = reference_column(&rows, columns, &x)?;
    let optional = [&columns.ux, &columns.uy, &columns.weights];
    let places = optional.map(|name| name.as_deref().map(|name| rows.find(name)).transpose());
    let [ux, uy, weights] = places;
    let (ux, uy, weights) = (ux?, uy?, weights?);
    let numbers = x.iter().copied().chain([y]).chain(ux).chain(uy).chain(weights).collect();
    let mut loaded = load(&mut rows, &Wanted { numbers, text: None }, rules)?;
    let sensor = x.iter().map(|_| loaded.take()).collect();
    let made = || -> Result<Pairs, FitError> {
        let mut pairs = Pairs::with_lines(sensor, loaded.take(), loaded.lines.clone())?;
        if ux.is_some() {
            pairs = pairs.with_ux(loaded.take())?;
        }
        if uy.is_some() {
            pairs = pairs.with_uy(loaded.take())?;
        }
        if weights.is_some() {
            pairs = pairs.with_weights(loaded.take())?;
        }
        match loaded.times.take() {
            Some(times) => pairs.with_times(times),
            None => Ok(pairs),
        }
    };
    // What is called a label is one, whatever the method; classes of several logits are checked with them.
    let labelled = columns.label.is_some() && columns.logits.is_empty();
    let pairs = made().and_then(|pairs| {
        let checked = if labelled { labels::check(&pairs) } else { Ok(()) };
        checked.map(|()| pairs)
    });
    let pairs = pairs.map_err(|fault| Failure::refused(format!("{}: {fault}", data.name())))?;
    Ok(Read { name: data.name(), pairs, skipped: loaded.skipped, digest: loaded.digest, notes: loaded.notes })
}

fn sensor_columns(rows: &Rows, columns: &ColumnArgs) -> Result<Vec<usize>, Failure> {
    let named = if columns.logits.is_empty() { &columns.x } else { &columns.logits };
    if named.is_empty() {
        return Ok(vec![rows.find_or(None, 0)?]);
    }
    let mut places = Vec::new();
    for name in named {
        // A column's own name may hold a comma.
        match rows.header().find(name) {
            Err(_) if name.contains(',') => {
                for part in name.split(',') {
                    places.push(rows.find(part)?);
                }
            }
            _ => places.push(rows.find(name)?),
        }
    }
    let twice = places.iter().enumerate().find(|(at, place)| places[..*at].contains(place));
    match twice {
        Some((_, place)) => {
            Err(Failure::usage(format!("--x names column `{}` twice: name it once", rows.column(*place))))
        }
        None => Ok(places),
    }
}

fn reference_column(rows: &Rows, columns: &ColumnArgs, x: &[usize]) -> Result<usize, Failure> {
    let named = columns.label.as_deref().or(columns.y.as_deref());
    let y = rows.find_or(named, 1)?;
    if x.contains(&y) {
        let column = rows.column(y);
        return Err(Failure::usage(format!(
            "column `{column}` cannot be sensor and reference both: name the reference's with --y"
        )));
    }
    Ok(y)
}
