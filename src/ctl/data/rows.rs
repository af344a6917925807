//! The rows of a file, one after the other, in constant memory.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};

use super::DataArgs;
use crate::ctl::output::Failure;
use crate::domain::digest::{Digest, Hasher};
use crate::domain::reference::Given;
use crate::wire::number::Decimal;
use crate::wire::reference::References;
use crate::wire::table::{Header, Numbers, Row, RowFault};

/// The most bytes of one row: it is held in memory, and split again for each line of a quoted cell.
const MAX_ROW: usize = 64 * 1024;

/// A number's cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A finite number.
    Number(f64),
    /// Empty, or what stands for a missing value.
    Missing,
    /// Something else; says what and the remedy.
    Unreadable(String),
}

/// The rows of a data file. Rows whose cells are all empty are passed over.
pub struct Rows {
    name: String,
    input: BufReader<Box<dyn Read>>,
    hasher: Hasher,
    header: Header,
    header_text: String,
    ending: &'static str,
    break_text: &'static str,
    numbers: Numbers,
    bytes: Vec<u8>,
    text: String,
    row: Row,
    lines: u64,
    line: u64,
    bytes_read: u64,
}

impl Rows {
    /// Opens the file and reads its header.
    pub(super) fn open(args: &DataArgs) -> Result<Rows, Failure> {
        let name = args.name();
        let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(&args.file).map_err(|fault| Failure::io(&name, &fault))?)
        };
        Rows::new(input, name, args)
    }

    /// Reads the header of an input that is open already.
    pub(super) fn new(input: Box<dyn Read>, name: String, args: &DataArgs) -> Result<Rows, Failure> {
        let mut rows = Rows {
            name,
            input: BufReader::new(input),
            hasher: Hasher::default(),
            header: Header { separator: b',', names: Vec::new() },
            header_text: String::new(),
            ending: "\n",
            break_text: "\n",
            numbers: Numbers::new(b',', None, &[]),
            bytes: Vec::new(),
            text: String::new(),
            row: Row::default(),
            lines: 0,
            line: 0,
            bytes_read: 0,
        };
        rows.read_header(args)?;
        rows.numbers = Numbers::new(rows.header.separator, args.decimal, &args.missing);
        Ok(rows)
    }

    fn read_header(&mut self, args: &DataArgs) -> Result<(), Failure> {
        for _ in 0..args.skip_lines {
            self.begin()?;
        }
        // Blank lines above the header name nothing.
        while self.begin()?
            && self.text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty()
        {}
        if self.line <= args.skip_lines || self.text.is_empty() {
            return Err(self.fault("it is empty: give a file with a header row and data below it"));
        }
        while Header::is_open(&self.text) {
            if !self.go_on()? {
                return Err(self.fault("the header's quotes do not end: mend them"));
            }
        }
        if self.text.starts_with('\u{feff}') {
            self.text.remove(0);
        }
        self.header = Header::read(&self.text, args.separator).map_err(|problem| self.fault(&problem))?;
        self.header_text = self.text.clone();
        Ok(())
    }

    /// The column names.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header as it is written.
    pub fn header_text(&self) -> &str {
        &self.header_text
    }

    /// What ends a line of the file.
    pub fn ending(&self) -> &'static str {
        self.ending
    }

    /// How the file writes numbers, as far as this row and those before it show.
    pub fn decimal_of_row(&self) -> Decimal {
        let mut numbers = self.numbers.clone();
        for at in 0..self.row.len() {
            // Only what the reader learns from them counts.
            let _ = numbers.read(&self.text(at));
        }
        numbers.decimal()
    }

    /// Whether the next row is not there yet: what was made of this one should not wait for it.
    pub fn waits(&self) -> bool {
        self.input.buffer().is_empty()
    }

    /// The number in a cell, if there is one.
    pub fn peek(&self, at: usize) -> Option<f64> {
        self.numbers.clone().read(&self.text(at)).ok().flatten()
    }

    /// The place of a column by name or number.
    pub fn find(&self, wanted: &str) -> Result<usize, Failure> {
        self.header.find(wanted).map_err(|problem| Failure::usage(format!("{}: {problem}", self.name)))
    }

    /// The place of a column that was named, else the one at `default`.
    pub fn find_or(&self, wanted: Option<&str>, default: usize) -> Result<usize, Failure> {
        match wanted {
            Some(wanted) => self.find(wanted),
            None if default < self.header.names.len() => Ok(default),
            None => Err(Failure::usage(format!(
                "{}: the header names {} columns, {} are needed: is the separator another? say it with --separator",
                self.name,
                self.header.names.len(),
                default + 1,
            ))),
        }
    }

    /// The name of a column, for messages.
    pub fn column(&self, at: usize) -> String {
        match self.header.names.get(at) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("#{}", at + 1),
        }
    }

    /// Goes to the next row; `false` at the end.
    ///
    /// Errors: text that is not UTF-8, quotes that do not fit, more cells than the header has names.
    pub fn next(&mut self) -> Result<bool, Failure> {
        while self.begin()? {
            while let Err(fault) = self.row.split(&self.text, self.header.separator) {
                let open = fault == RowFault::Open;
                if !open || !self.go_on()? {
                    let problem = "a quote does not end where a column ends: mend it";
                    return Err(self.fault(problem));
                }
            }
            let filled = (0..self.row.len()).rev().find(|at| !self.text(*at).trim().is_empty());
            match filled {
                None => {}
                Some(at) if at >= self.header.names.len() => {
                    let (found, named) = (at + 1, self.header.names.len());
                    return Err(self.fault(&format!(
                        "{found} cells, and the header names {named} columns: quote cells that hold the separator"
                    )));
                }
                Some(_) => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The line in which the row begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The row as it is written, without the end of its line.
    pub fn record(&self) -> &str {
        &self.text
    }

    /// How many columns the row has.
    pub fn width(&self) -> usize {
        self.row.len()
    }

    /// The text of a cell; empty where the row is too short.
    pub fn text(&self, at: usize) -> Cow<'_, str> {
        self.row.cell(&self.text, at)
    }

    /// The number in a cell.
    pub fn number(&mut self, at: usize) -> Cell {
        match self.numbers.read(&self.row.cell(&self.text, at)) {
            Ok(Some(number)) => Cell::Number(number),
            Ok(None) => Cell::Missing,
            Err(problem) => Cell::Unreadable(problem),
        }
    }

    /// The reference that the row is.
    ///
    /// Errors: what is wrong with it; the next row can be read all the same.
    pub fn reference(&mut self, references: &mut References) -> Result<Given, String> {
        references.read(&self.text, &self.row, &mut self.numbers, self.line)
    }

    /// How many bytes were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The digest of the bytes read so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// A fault of the row.
    pub fn fault(&self, problem: &str) -> Failure {
        Failure::refused(format!("{}: line {}: {problem}", self.name, self.line))
    }

    /// A fault of a cell of the row.
    pub fn cell_fault(&self, at: usize, problem: &str) -> Failure {
        self.fault(&format!("column `{}`: {problem}", self.column(at)))
    }

    fn begin(&mut self) -> Result<bool, Failure> {
        self.text.clear();
        self.line = self.lines + 1;
        self.go_on()
    }

    /// Adds the next line to the record; `false` at the end of the file.
    fn go_on(&mut self) -> Result<bool, Failure> {
        self.bytes.clear();
        let room = MAX_ROW.saturating_sub(self.text.len()) as u64 + 1;
        let read = (&mut self.input).take(room).read_until(b'\n', &mut self.bytes);
        read.map_err(|fault| Failure::io(&self.name, &fault))?;
        if self.bytes.is_empty() {
            return Ok(false);
        }
        self.hasher.update(&self.bytes);
        self.lines += 1;
        self.bytes_read += self.bytes.len() as u64;
        if self.bytes.len() as u64 == room {
            return Err(self.fault(&format!(
                "the row has over {MAX_ROW} bytes: does a quote stand open, or is this no CSV file?"
            )));
        }
        // A line break in a quoted cell stays the one it is.
        if !self.text.is_empty() {
            self.text.push_str(self.break_text);
        }
        let ends = ["\r\n", "\n"].into_iter().find(|end| self.bytes.ends_with(end.as_bytes()));
        self.break_text = ends.unwrap_or("\n");
        if self.lines == 1 {
            self.ending = self.break_text;
        }
        let line = &self.bytes[..self.bytes.len() - ends.map_or(0, str::len)];
        match std::str::from_utf8(line) {
            Ok(text) => self.text.push_str(text),
            Err(_) => return Err(self.fault("this is not UTF-8 text: save the file as UTF-8")),
        }
        Ok(true)
    }
}
