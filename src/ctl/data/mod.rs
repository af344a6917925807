//! Data files: CSV with a header row, as instruments and spreadsheets write them.

mod load;
mod rows;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;

pub use load::{Loaded, Wanted, load};
pub use rows::{Cell, Rows};

use super::output::Failure;
use crate::wire::number::Decimal;

/// Where the data are and how they are written.
#[derive(Args, Debug, Clone)]
pub struct DataArgs {
    /// The data: CSV with a header row; `-` is stdin.
    #[arg(value_name = "DATA.csv")]
    pub file: PathBuf,
    /// The character between columns, or `tab`; absent: seen in the header.
    #[arg(long, value_name = "CHAR", value_parser = separator, help_heading = "Data file")]
    pub separator: Option<u8>,
    /// The decimal sign of numbers, `.` or `,`; absent: that of the first number with one.
    #[arg(long, value_name = "CHAR", value_parser = decimal, help_heading = "Data file")]
    pub decimal: Option<Decimal>,
    /// What stands for a missing value, beside an empty cell; may be given several times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, help_heading = "Data file")]
    pub missing: Vec<String>,
    /// Lines above the header.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Data file")]
    pub skip_lines: u64,
}

impl DataArgs {
    /// The file's name, for messages.
    pub fn name(&self) -> String {
        match self.file.to_str() {
            Some("-") => "stdin".to_owned(),
            _ => self.file.display().to_string(),
        }
    }

    /// Opens the file and reads its header.
    pub fn open(&self) -> Result<Rows, Failure> {
        Rows::open(self)
    }
}

/// What becomes of rows that lack a value, and where the times are.
#[derive(Args, Debug, Clone, Default)]
pub struct RowArgs {
    /// Leaves out rows in which a needed cell is missing, and says how many; else they are an error.
    #[arg(long, help_heading = "Data file")]
    pub skip_missing: bool,
    /// Column of times, RFC 3339 or seconds since 1970; absent: the rows are in the order of time.
    #[arg(long, value_name = "COL", help_heading = "Data file")]
    pub time: Option<String>,
    /// How the times are written, such as `%d/%m/%Y %H:%M`, in UTC.
    #[arg(long, value_name = "PATTERN", requires = "time", help_heading = "Data file")]
    pub time_format: Option<String>,
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if *byte == b'\t' || byte.is_ascii_punctuation() && !b"\"+-.".contains(byte) => Ok(*byte),
        _ => Err("expected one character such as `;` or `,`, or `tab`".to_owned()),
    }
}

fn decimal(text: &str) -> Result<Decimal, String> {
    match text {
        "." | "point" => Ok(Decimal::Point),
        "," | "comma" => Ok(Decimal::Comma),
        _ => Err("expected `.` or `,`".to_owned()),
    }
}
