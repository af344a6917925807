//! Files of rows under a header: which character separates the columns, how numbers are written.

use std::borrow::Cow;

use super::csv::{Column, QuoteFault, split, unquote};
use super::fault::FaultKind;
use super::number::{self, Decimal, Missing, Value};

/// The separators that are looked for in a header, the likelier ones first.
const SEPARATORS: [u8; 4] = *b";\t,|";

/// The names of a file's columns, and what separates them.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The character between columns.
    pub separator: u8,
    /// The names, blanks around them taken away; columns without a name at the end are left out.
    pub names: Vec<String>,
}

impl Header {
    /// Whether the record goes on in the next line: a quote is open.
    pub fn is_open(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
    }

    /// Reads the header; without a given separator the one that makes the most columns is taken.
    ///
    /// Errors: what is wrong, and the remedy.
    pub fn read(text: &str, separator: Option<u8>) -> Result<Header, String> {
        let cut = |separator| {
            let mut row = Row::default();
            row.split(text, separator).map(|()| (separator, row))
        };
        let candidates = match &separator {
            Some(separator) => std::slice::from_ref(separator),
            None => &SEPARATORS,
        };
        // The first of the best: `max_by_key` would take the last.
        let best = candidates.iter().rev().filter_map(|s| cut(*s).ok()).max_by_key(|(_, row)| row.len());
        let (mut chosen, row) = best.ok_or("its quotes do not end where columns end: mend them")?;
        if row.len() == 1 && separator.is_none() {
            // None was seen: the usual one, for columns that are added.
            chosen = b',';
        }
        let mut names: Vec<String> = (0..row.len()).map(|at| row.cell(text, at).trim().to_owned()).collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        if names.is_empty() {
            return Err("no header: the first row must name the columns".to_owned());
        }
        Ok(Header { separator: chosen, names })
    }

    /// The place of a column by its name, else by its number, `#1` being the first.
    ///
    /// Errors: what is wrong, and the remedy.
    pub fn find(&self, wanted: &str) -> Result<usize, String> {
        let mut found = self.names.iter().enumerate().filter(|(_, name)| *name == wanted.trim());
        match (found.next(), found.next()) {
            (Some((at, _)), None) => return Ok(at),
            (Some((at, _)), Some(_)) => {
                return Err(format!("the header names `{wanted}` twice: write `#{}` for the first", at + 1));
            }
            _ => {}
        }
        let number = wanted.strip_prefix('#').and_then(|digits| digits.parse::<usize>().ok());
        match number {
            Some(number @ 1..) if number <= self.names.len() => Ok(number - 1),
            _ => Err(format!(
                "there is no column `{wanted}`: the header has {}; name one of them",
                self.listed()
            )),
        }
    }

    fn listed(&self) -> String {
        let names = self.names.iter().filter(|name| !name.is_empty());
        let shown: Vec<String> = names.take(20).map(|name| format!("`{name}`")).collect();
        let more = if self.names.len() > 20 { ", ..." } else { "" };
        shown.join(", ") + more
    }
}

/// The columns of one record; used again for the next.
#[derive(Debug, Default)]
pub struct Row {
    columns: Vec<Column>,
}

/// Why a record could not be cut into columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFault {
    /// A quoted column does not end yet.
    Open,
    /// Something stands between a closing quote and the separator.
    Misplaced,
}

impl Row {
    /// Cuts a record.
    pub fn split(&mut self, text: &str, separator: u8) -> Result<(), RowFault> {
        split(text, separator, &mut self.columns).map_err(|fault| match fault {
            QuoteFault::Open => RowFault::Open,
            QuoteFault::Misplaced => RowFault::Misplaced,
        })
    }

    /// How many columns the record has.
    #[expect(clippy::len_without_is_empty, reason = "a record that was cut has a column")]
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// The text of column `at` of the record that was cut; empty if there is none.
    pub fn cell<'t>(&self, text: &'t str, at: usize) -> Cow<'t, str> {
        self.columns.get(at).map_or(Cow::Borrowed(""), |column| unquote(text, *column))
    }
}

/// How the numbers of a file are written.
///
/// The decimal separator is that of the first number that has one, and all others must have the
/// same; a comma counts only where it does not separate columns, unless it was asked for.
#[derive(Debug, Clone)]
pub struct Numbers {
    decimal: Option<Decimal>,
    comma_separates: bool,
    missing: Missing,
}

impl Numbers {
    /// Numbers in a file whose columns are separated by `separator`; `missing` are the texts that
    /// stand for no value, an empty cell aside.
    pub fn new(separator: u8, decimal: Option<Decimal>, missing: &[String]) -> Numbers {
        let numbers = missing.iter().filter_map(|text| text.replace(',', ".").parse().ok()).collect();
        let missing = Missing { numbers, texts: missing.to_vec() };
        Numbers { decimal, comma_separates: separator == b',', missing }
    }

    /// Whether numbers are written with a decimal comma, as far as seen.
    pub fn decimal(&self) -> Decimal {
        self.decimal.unwrap_or_default()
    }

    /// Reads a cell; `None` is a missing value.
    ///
    /// Errors: what is wrong, and the remedy.
    pub fn read(&mut self, text: &str) -> Result<Option<f64>, String> {
        let decimal = self.decimal.or_else(|| self.seen(text)).unwrap_or_default();
        match number::parse(text, decimal, &self.missing) {
            Ok(Value::Number(number)) => {
                if self.decimal.is_none() {
                    self.decimal = self.seen(text);
                }
                Ok(Some(number))
            }
            Ok(_) => Ok(None),
            Err(kind) => Err(self.fault(text.trim(), kind)),
        }
    }

    /// The decimal separator that a number's text shows.
    fn seen(&self, text: &str) -> Option<Decimal> {
        match (text.contains('.'), text.contains(',')) {
            (true, false) => Some(Decimal::Point),
            (false, true) if !self.comma_separates => Some(Decimal::Comma),
            _ => None,
        }
    }

    fn fault(&self, text: &str, kind: FaultKind) -> String {
        let shown: String = text.chars().take(40).collect();
        let plain = shown.replace(',', ".");
        if kind == FaultKind::NotFinite {
            return format!("`{shown}` is not a finite number: mend it, or say --missing {shown}");
        }
        match (plain.parse::<f64>().is_ok(), self.decimal) {
            (true, Some(Decimal::Point)) => format!(
                "`{shown}` has a decimal comma where a point is expected: write all numbers alike, or say --decimal ,"
            ),
            (true, Some(Decimal::Comma)) => format!(
                "`{shown}` has a decimal point where a comma is expected: write all numbers alike, or say --decimal ."
            ),
            (true, None) => format!("`{shown}` is not a number: if that is a decimal comma, say --decimal ,"),
            (false, _) => format!("`{shown}` is not a number: mend it, or say --missing '{shown}'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(text: &str) -> Header {
        Header::read(text, None).unwrap()
    }

    #[test]
    fn separators_are_seen_in_the_header() {
        for (text, separator) in [("a,b", b','), ("a;b,c;d", b';'), ("a\tb\tc", b'\t'), ("a|b", b'|')] {
            assert_eq!(header(text).separator, separator, "{text}");
        }
        assert_eq!(
            header("CO(GT);PT08.S1(CO);;"),
            Header { separator: b';', names: vec!["CO(GT)".into(), "PT08.S1(CO)".into()] }
        );
        assert_eq!(header("\"a;x;y\",b").names, ["a;x;y", "b"]);
        assert_eq!(header("x"), Header { separator: b',', names: vec!["x".into()] });
        assert_eq!(header("a;b,c").names, ["a", "b,c"], "of two that fit alike, the likelier");
        assert!(Header::read(" ; ;", None).unwrap_err().contains("header"));
        assert!(Header::read("\"a\"b,c", None).unwrap_err().contains("quotes"));
    }

    #[test]
    fn columns_are_found_by_name_then_by_number() {
        let header = header("x, #1 ,y,y,");
        assert_eq!(header.find("x"), Ok(0));
        assert_eq!(header.find("#1"), Ok(1), "a name comes first");
        assert_eq!(header.find("#3"), Ok(2));
        assert!(header.find("y").unwrap_err().contains("`#3`"));
        for bad in ["z", "#0", "#5", "#", "1"] {
            assert!(header.find(bad).unwrap_err().contains("`x`, `#1`"), "{bad}");
        }
    }

    #[test]
    fn the_first_number_with_a_decimal_separator_decides() {
        let mut numbers = Numbers::new(b';', None, &["-200".into(), "n/a".into()]);
        assert_eq!(numbers.read("12"), Ok(Some(12.0)));
        assert_eq!(numbers.read("2,5"), Ok(Some(2.5)));
        assert!(numbers.read("2.5").unwrap_err().contains("--decimal"));
        for missing in ["", " ", "-200", "-200,0", "n/a"] {
            assert_eq!(numbers.read(missing), Ok(None), "{missing}");
        }
        let mut numbers = Numbers::new(b';', None, &[]);
        assert_eq!(numbers.read("2.5"), Ok(Some(2.5)));
        assert!(numbers.read("2,5").unwrap_err().contains("--decimal ,"));
    }

    #[test]
    fn a_comma_that_separates_is_no_decimal_comma() {
        let mut numbers = Numbers::new(b',', None, &[]);
        assert!(numbers.read("1,234").unwrap_err().contains("--decimal ,"));
        assert_eq!(Numbers::new(b',', Some(Decimal::Comma), &[]).read("1,234"), Ok(Some(1.234)));
        assert!(numbers.read("1,234.5").unwrap_err().contains("not a number"));
        assert!(numbers.read("inf").unwrap_err().contains("finite"));
    }

    proptest! {
        #[test]
        fn any_header_and_any_row(text in "\\PC{0,40}|[\"; ,\t|]{0,20}", row in "\\PC{0,40}") {
            if let Ok(header) = Header::read(&text, None) {
                prop_assert!(!header.names.is_empty());
                let mut cells = Row::default();
                let _ = cells.split(&row, header.separator);
                let mut numbers = Numbers::new(header.separator, None, &[]);
                for at in 0..=cells.len() {
                    if let Ok(Some(number)) = numbers.read(&cells.cell(&row, at)) {
                        prop_assert!(number.is_finite());
                    }
                }
            }
        }
    }
}
