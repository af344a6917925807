//! Lines of separated columns.

use std::borrow::Cow;

use super::cells::Cells;
use super::fault::{DecodeError, FaultKind};
use super::format::{CsvSpec, FormatSpec, Layout, Locator, SpecError, Target, wrong_locator};
use super::number::Decimal;

/// One column: where it stands in the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    start: usize,
    end: usize,
    quoted: bool,
}

/// Reads the wanted columns of a line.
#[derive(Debug)]
pub(super) struct CsvReader {
    separator: u8,
    exact: Option<usize>,
    needed: usize,
    wanted: Vec<(Target, usize)>,
    columns: Vec<Column>,
}

impl CsvReader {
    pub(super) fn new(spec: &CsvSpec, layout: &Layout) -> Result<CsvReader, SpecError> {
        check_separator(spec)?;
        let mut wanted = Vec::new();
        for (target, name, locator) in layout.locators() {
            wanted.push((target, column_of(name, locator)?));
        }
        let needed = wanted.iter().map(|(_, column)| column + 1).max().unwrap_or(0);
        if spec.columns.is_some_and(|columns| columns < needed) {
            let problem = "is smaller than the highest column used";
            return Err(SpecError::format("columns", problem, format!("write at least {needed}")));
        }
        let columns = Vec::with_capacity(needed);
        Ok(CsvReader { separator: spec.separator, exact: spec.columns, needed, wanted, columns })
    }

    pub(super) fn read(&mut self, line: &str, cells: &mut Cells) -> Result<(), DecodeError> {
        let refuse = |kind| DecodeError::new(kind, line.as_bytes());
        split(line, self.separator, &mut self.columns).map_err(|_| refuse(FaultKind::BadQuote))?;
        // A cut line ends inside some column: none of its values can be trusted.
        let count = self.columns.len();
        if count < self.needed || self.exact.is_some_and(|exact| count != exact) {
            return Err(refuse(FaultKind::NoSuchField));
        }
        for (target, column) in &self.wanted {
            let text = unquote(line, self.columns[*column]);
            match target {
                Target::Field(field) => cells.text(*field, &text),
                Target::Time => cells.time_part(&text),
                Target::Event => cells.event(&text),
            }
        }
        Ok(())
    }
}

fn check_separator(spec: &CsvSpec) -> Result<(), SpecError> {
    let byte = spec.separator;
    let decimal = if spec.decimal == Decimal::Comma { b',' } else { b'.' };
    if byte == decimal {
        let problem = "is the decimal separator too";
        return Err(SpecError::format("separator", problem, "use two different characters"));
    }
    let good = byte == b'\t' || byte == b' ' || byte.is_ascii_punctuation();
    if !good || b"\"+-.".contains(&byte) {
        let problem = "cannot separate columns";
        return Err(SpecError::format("separator", problem, "use one of `;` `,` `|` `:` tab or blank"));
    }
    Ok(())
}

fn column_of(name: &str, locator: &Locator) -> Result<usize, SpecError> {
    match locator {
        Locator::Column(column) if *column < 65_536 => Ok(*column),
        Locator::Column(_) => {
            Err(SpecError::field(name, "column", "is over 65535", "columns are counted from 0"))
        }
        Locator::Header(header) => {
            let problem = format!("there is no header in which to look for `{header}`");
            Err(SpecError::field(name, "column", problem, "give the column's number, counted from 0"))
        }
        _ => Err(wrong_locator(name, "column", "csv")),
    }
}

/// What is wrong with the quotes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteFault {
    /// A quoted column does not end: in a file it may go on in the next line.
    Open,
    /// Something stands between a closing quote and the separator.
    Misplaced,
}

/// Cuts a line into its columns.
pub(super) fn split(line: &str, separator: u8, columns: &mut Vec<Column>) -> Result<(), QuoteFault> {
    columns.clear();
    if separator == b' ' {
        split_blanks(line, columns);
        return Ok(());
    }
    let bytes = line.as_bytes();
    let mut at = 0;
    loop {
        let start = at + bytes[at..].iter().take_while(|b| **b == b' ').count();
        let column = match bytes.get(start) {
            Some(b'"') => quoted(bytes, start + 1)?,
            _ => {
                let length = memchr::memchr(separator, &bytes[at..]).unwrap_or(bytes.len() - at);
                Column { start: at, end: at + length, quoted: false }
            }
        };
        columns.push(column);
        let end = column.end + usize::from(column.quoted);
        let end = end + bytes[end..].iter().take_while(|b| column.quoted && **b == b' ').count();
        match bytes.get(end) {
            None => return Ok(()),
            Some(byte) if *byte == separator => at = end + 1,
            Some(_) => return Err(QuoteFault::Misplaced),
        }
    }
}

fn split_blanks(line: &str, columns: &mut Vec<Column>) {
    let origin = line.as_ptr() as usize;
    columns.extend(line.split_ascii_whitespace().map(|word| {
        let start = word.as_ptr() as usize - origin;
        Column { start, end: start + word.len(), quoted: false }
    }));
}

/// The column whose opening quote stands before `start`; a doubled quote stands for one.
fn quoted(bytes: &[u8], start: usize) -> Result<Column, QuoteFault> {
    let mut end = start;
    loop {
        end += memchr::memchr(b'"', &bytes[end..]).ok_or(QuoteFault::Open)?;
        if bytes.get(end + 1) != Some(&b'"') {
            return Ok(Column { start, end, quoted: true });
        }
        end += 2;
    }
}

/// The text of a column.
pub(super) fn unquote(line: &str, column: Column) -> Cow<'_, str> {
    // Columns end at ASCII bytes, which are always character boundaries.
    let text = line.get(column.start..column.end).unwrap_or("");
    if column.quoted && text.contains("\"\"") { Cow::Owned(text.replace("\"\"", "\"")) } else { text.into() }
}

/// Turns column names into numbers by the header line of a file.
///
/// Errors: every name that the header has not, or has twice.
pub fn resolve(layout: &mut Layout, header: &str) -> Result<(), Vec<SpecError>> {
    let FormatSpec::Csv(spec) = &layout.format else { return Ok(()) };
    let mut columns = Vec::new();
    let header = header.trim_start_matches('\u{feff}');
    split(header, spec.separator, &mut columns)
        .map_err(|_| FaultKind::BadQuote.as_str())
        .map_err(|kind| vec![SpecError::format("header", kind, "check the file's quotes")])?;
    let names: Vec<_> = columns.iter().map(|column| unquote(header, *column).trim().to_owned()).collect();
    let fields = layout.fields.iter_mut().map(|field| (field.name.to_string(), &mut field.at));
    let times = layout.time.iter_mut().flat_map(|time| &mut time.at).map(|at| ("time".to_owned(), at));
    let event = layout.event.iter_mut().map(|at| ("event".to_owned(), at));
    let mut faults = Vec::new();
    for (name, locator) in fields.chain(times).chain(event) {
        let Locator::Header(wanted) = &*locator else { continue };
        match find(&names, wanted) {
            Ok(column) => *locator = Locator::Column(column),
            Err((problem, remedy)) => faults.push(SpecError::field(&name, "column", problem, remedy)),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn find(names: &[String], wanted: &str) -> Result<usize, (String, String)> {
    let mut found = names.iter().enumerate().filter(|(_, name)| *name == wanted);
    match (found.next(), found.next()) {
        (Some((column, _)), None) => Ok(column),
        (Some(_), Some(_)) => {
            Err((format!("the header names `{wanted}` twice"), "give the column's number".to_owned()))
        }
        _ => {
            let shown: Vec<_> =
                names.iter().filter(|n| !n.is_empty()).take(20).map(|name| format!("`{name}`")).collect();
            Err((format!("the header has no `{wanted}`"), format!("it has {}", shown.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn columns(line: &str, separator: u8) -> Result<Vec<String>, QuoteFault> {
        let mut columns = Vec::new();
        split(line, separator, &mut columns)?;
        Ok(columns.iter().map(|column| unquote(line, *column).into_owned()).collect())
    }

    #[test]
    fn separators_quotes_and_empty_columns() {
        assert_eq!(columns("10/03/2004;2,6;;", b';').unwrap(), ["10/03/2004", "2,6", "", ""]);
        assert_eq!(columns(r#""a;b" ; "c""d";e"f"#, b';').unwrap(), ["a;b", "c\"d", "e\"f"]);
        assert_eq!(columns("  1 \t 2\t", b' ').unwrap(), ["1", "2"]);
        assert_eq!(columns("", b',').unwrap(), [""]);
    }

    #[test]
    fn quotes_that_end_nowhere_or_too_early() {
        for bad in ["\"a", "1,\"", "\"a\"\"", "\"a\"\"b"] {
            assert_eq!(columns(bad, b','), Err(QuoteFault::Open), "{bad}");
        }
        assert_eq!(columns("\"a\"b,c", b','), Err(QuoteFault::Misplaced));
    }

    proptest! {
        #[test]
        fn quoting_and_splitting_gives_the_columns_back(want in prop::collection::vec("[a\"; é,]{0,5}", 1..5)) {
            let line: Vec<_> = want.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect();
            prop_assert_eq!(columns(&line.join(";"), b';').unwrap(), want);
        }

        #[test]
        fn any_line(line in "\\PC{0,40}|[\"; ]{0,20}", separator in prop::sample::select(b"; ,\t|".to_vec())) {
            let _ = columns(&line, separator);
        }
    }
}
