//! The rows on their way out.

use std::io::{BufWriter, IsTerminal as _, Stdout, Write};

use super::columns::{Columns, both};
use super::{Outcome, Stop, Tally};
use crate::ctl::data::Rows;
use crate::wire::number::Decimal;
use crate::wire::table::Row;

/// Where rows go.
pub trait Sink {
    /// Before the first row.
    fn begin(&mut self, rows: &Rows) -> Result<(), Stop>;
    /// One row.
    fn row(&mut self, rows: &Rows, columns: &Columns, outcome: &Outcome) -> Result<(), Stop>;
    /// After the last row.
    fn end(&mut self, rows: &Rows, tally: &Tally) -> Result<(), Stop>;
}

/// As a file like the one that was read.
pub struct Csv {
    out: BufWriter<Stdout>,
    added: Vec<String>,
    width: usize,
    decimal: Option<Decimal>,
}

impl Csv {
    /// To stdout.
    pub fn new(added: Vec<String>) -> Csv {
        Csv { out: BufWriter::new(std::io::stdout()), added, width: 0, decimal: None }
    }

    fn cell(&mut self, text: &str, separator: u8) -> Result<(), Stop> {
        let quoted = text.bytes().any(|b| b == separator || b == b'"' || b == b'\n' || b == b'\r');
        match quoted {
            true => write!(self.out, "\"{}\"", text.replace('"', "\"\""))?,
            false => self.out.write_all(text.as_bytes())?,
        }
        Ok(())
    }

    fn add(&mut self, text: &str, separator: u8) -> Result<(), Stop> {
        self.out.write_all(&[separator])?;
        self.cell(text, separator)
    }

    fn number(&mut self, value: Option<f64>, separator: u8) -> Result<(), Stop> {
        let text = value.map_or_else(String::new, shortest);
        match self.decimal {
            Some(Decimal::Comma) => self.add(&text.replace('.', ","), separator),
            _ => self.add(&text, separator),
        }
    }
}

impl Sink for Csv {
    fn begin(&mut self, rows: &Rows) -> Result<(), Stop> {
        let separator = rows.header().separator;
        let mut header = Row::default();
        // It was cut in this way when it was read.
        let _ = header.split(rows.header_text(), separator);
        self.width = header.len();
        self.out.write_all(rows.header_text().as_bytes())?;
        for name in self.added.clone() {
            self.add(&name, separator)?;
        }
        self.out.write_all(rows.ending().as_bytes())?;
        // Who reads along sees at once that it runs.
        Ok(self.out.flush()?)
    }

    fn row(&mut self, rows: &Rows, _: &Columns, outcome: &Outcome) -> Result<(), Stop> {
        let separator = rows.header().separator;
        // Decided once: one column is not written in two ways.
        let decimal = *self.decimal.get_or_insert_with(|| rows.decimal_of_row());
        self.decimal = Some(decimal);
        if rows.width() == self.width {
            self.out.write_all(rows.record().as_bytes())?;
        } else {
            for at in 0..self.width {
                if at > 0 {
                    self.out.write_all(&[separator])?;
                }
                self.cell(&rows.text(at), separator)?;
            }
        }
        self.number(outcome.value, separator)?;
        self.number(outcome.u, separator)?;
        self.add(outcome.state.as_str(), separator)?;
        self.add(&outcome.reasons.names().collect::<Vec<_>>().join(" "), separator)?;
        if self.added.len() > 4 {
            let [p0, p1] = both(outcome).map_or([None, None], |pair| pair.map(Some));
            self.number(p0, separator)?;
            self.number(p1, separator)?;
        }
        self.out.write_all(rows.ending().as_bytes())?;
        if self.out.get_ref().is_terminal() || rows.waits() {
            self.out.flush()?;
        }
        Ok(())
    }

    fn end(&mut self, _: &Rows, _: &Tally) -> Result<(), Stop> {
        Ok(self.out.flush()?)
    }
}

/// As one JSON object.
pub struct Json {
    out: BufWriter<Stdout>,
    added: Vec<String>,
    first: bool,
}

impl Json {
    /// To stdout.
    pub fn new(added: Vec<String>) -> Json {
        Json { out: BufWriter::new(std::io::stdout()), added, first: true }
    }

    fn field(&mut self, name: &str, value: &impl serde::Serialize, first: bool) -> Result<(), Stop> {
        if !first {
            self.out.write_all(b",")?;
        }
        serde_json::to_writer(&mut self.out, name).map_err(std::io::Error::from)?;
        self.out.write_all(b":")?;
        serde_json::to_writer(&mut self.out, value).map_err(std::io::Error::from)?;
        Ok(())
    }
}

impl Sink for Json {
    fn begin(&mut self, _: &Rows) -> Result<(), Stop> {
        Ok(self.out.write_all(b"{\"rows\":[")?)
    }

    fn row(&mut self, rows: &Rows, columns: &Columns, outcome: &Outcome) -> Result<(), Stop> {
        self.out.write_all(if self.first { b"\n{" } else { b",\n{" })?;
        self.first = false;
        self.field("line", &rows.line(), true)?;
        for (at, name) in rows.header().names.iter().enumerate() {
            match columns.is_number(at) {
                // A number where it is one, null where it is not.
                true => self.field(name, &rows.peek(at), false)?,
                false => self.field(name, &rows.text(at), false)?,
            }
        }
        let pair = both(outcome).map_or([None, None], |pair| pair.map(Some));
        for (at, name) in self.added.clone().iter().enumerate() {
            match at {
                0 => self.field(name, &outcome.value, false)?,
                1 => self.field(name, &outcome.u, false)?,
                2 => self.field(name, &outcome.state, false)?,
                3 => self.field(name, &outcome.reasons, false)?,
                4 => self.field(name, &pair[0], false)?,
                _ => self.field(name, &pair[1], false)?,
            }
        }
        Ok(self.out.write_all(b"}")?)
    }

    fn end(&mut self, _: &Rows, tally: &Tally) -> Result<(), Stop> {
        writeln!(self.out, "],\"missing\":{},\"unreadable\":{}}}", tally.missing, tally.unreadable)?;
        Ok(self.out.flush()?)
    }
}

/// The shortest text that reads back as this number.
fn shortest(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) { format!("{value:e}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn numbers_read_back() {
        for (value, text) in [(0.1, "0.1"), (-1e-9, "-1e-9"), (2e20, "2e20"), (0.0, "0"), (1360.0, "1360")] {
            assert_eq!(shortest(value), text);
            assert_eq!(text.parse(), Ok(value));
        }
    }
}
