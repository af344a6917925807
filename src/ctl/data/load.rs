//! Whole columns of a file, for what looks at all rows at once.

use super::{Cell, RowArgs, Rows};
use crate::ctl::output::Failure;
use crate::domain::digest::Digest;
use crate::domain::fit::Column;
use crate::domain::time::Timestamp;
use crate::wire::time::{Pattern, TimeFormat, TimeUnit};

/// The most rows that are held in memory: some 40 MB a column.
const MAX_ROWS: usize = 5_000_000;

/// Which columns are needed, by their places.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Columns of numbers.
    pub numbers: Vec<usize>,
    /// A column of texts.
    pub text: Option<usize>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The numbers, in the order in which they were asked for.
    pub columns: Vec<Column>,
    /// The texts.
    pub texts: Vec<String>,
    /// The times in seconds since 1970, not decreasing, if there is a column of them.
    pub times: Option<Vec<f64>>,
    /// The lines in which the rows stand.
    pub lines: Vec<u64>,
    /// Rows left out because a needed cell was missing.
    pub skipped: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Loaded {
    /// Takes the next column that was asked for.
    pub fn take(&mut self) -> Column {
        if self.columns.is_empty() { Column::new("", Vec::new()) } else { self.columns.remove(0) }
    }
}

/// Reads the columns that are needed.
///
/// A missing cell is an error, or costs the row where that was asked for. Rows come in the order of
/// their times.
pub fn load(rows: &mut Rows, wanted: &Wanted, args: &RowArgs) -> Result<Loaded, Failure> {
    let time = args.time.as_deref().map(|name| rows.find(name)).transpose()?;
    let format = args.time_format.as_deref().map(|text| Pattern::new(text, 0)).transpose();
    let format = format.map_err(|problem| Failure::usage(format!("--time-format: {problem}")))?;
    let format = format.map(TimeFormat::Pattern);
    let mut values = vec![Vec::new(); wanted.numbers.len()];
    let (mut texts, mut times, mut lines, mut skipped) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut row = Vec::with_capacity(values.len());
    while rows.next()? {
        if !read_row(rows, wanted, time, args.skip_missing, &mut row)? {
            skipped += 1;
            continue;
        }
        if lines.len() == MAX_ROWS {
            return Err(rows.fault(&format!("more than {MAX_ROWS} rows: take a part of them, or averages")));
        }
        if let Some(at) = time {
            times.push(time_of(rows, at, format.as_ref())?);
        }
        values.iter_mut().zip(&row).for_each(|(column, value)| column.push(*value));
        texts.extend(wanted.text.map(|at| rows.text(at).trim().to_owned()));
        lines.push(rows.line());
    }
    let names = wanted.numbers.iter().map(|at| rows.column(*at));
    let columns = names.zip(values).map(|(name, values)| Column::new(name, values)).collect();
    let mut loaded = Loaded {
        columns,
        texts,
        times: time.map(|_| times),
        lines,
        skipped,
        digest: rows.digest(),
        notes: Vec::new(),
    };
    if skipped > 0 {
        loaded.notes.push(format!("rows left out because a needed cell was missing: {skipped}"));
    }
    sort_by_time(&mut loaded);
    Ok(loaded)
}

/// Reads the numbers of a row; `false` if it is to be left out.
fn read_row(
    rows: &mut Rows,
    wanted: &Wanted,
    time: Option<usize>,
    skip: bool,
    row: &mut Vec<f64>,
) -> Result<bool, Failure> {
    row.clear();
    let missing = |rows: &Rows, at| match skip {
        true => Ok(false),
        false => Err(rows.cell_fault(at, "the cell is missing: fill it, or say --skip-missing")),
    };
    for at in time.into_iter().chain(wanted.text) {
        if rows.text(at).trim().is_empty() {
            return missing(rows, at);
        }
    }
    for at in &wanted.numbers {
        match rows.number(*at) {
            Cell::Number(number) => row.push(number),
            Cell::Missing => return missing(rows, *at),
            Cell::Unreadable(problem) => return Err(rows.cell_fault(*at, &problem)),
        }
    }
    Ok(true)
}

/// The time in a cell, in seconds since 1970.
fn time_of(rows: &Rows, at: usize, format: Option<&TimeFormat>) -> Result<f64, Failure> {
    let text = rows.text(at);
    let time = match format {
        Some(format) => format.parse(&text),
        None => Timestamp::parse(text.trim())
            .ok()
            .or_else(|| TimeFormat::Unix(TimeUnit::Seconds).parse(&text.replace(',', "."))),
    };
    time.map(|time| time.as_micros() as f64 / 1e6).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let remedy =
            "write times like 2026-11-22T10:00:00Z or as seconds since 1970, or say how with --time-format";
        rows.cell_fault(at, &format!("`{shown}` is not a time: {remedy}"))
    })
}

fn sort_by_time(loaded: &mut Loaded) {
    let Some(times) = &loaded.times else { return };
    if times.is_sorted() {
        return;
    }
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
    let sorted = |values: &[f64]| order.iter().map(|at| values[*at]).collect::<Vec<f64>>();
    loaded.times = Some(sorted(times));
    for column in &mut loaded.columns {
        *column = Column::new(column.name(), sorted(column.values()));
    }
    loaded.lines = order.iter().map(|at| loaded.lines[*at]).collect();
    if !loaded.texts.is_empty() {
        loaded.texts = order.iter().map(|at| loaded.texts[*at].clone()).collect();
    }
    loaded.notes.push("the rows were not in the order of their times: they were sorted".to_owned());
}
