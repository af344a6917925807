//! How text fits on a terminal: words and columns go to the next line, nothing is cut.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// Columns by which a row's further lines are indented.
const INDENT: usize = 2;
/// Blanks between two columns of a table.
const GAP: usize = 2;

/// The room there is; `None`: as much as is wanted, for it is no terminal.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Characters in a line.
    pub columns: Option<usize>,
    /// Lines.
    pub rows: Option<usize>,
}

/// Whether an environment names a locale in UTF-8: the first of these that is set decides (POSIX, 8.2).
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|it| !it.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

impl Screen {
    /// That of stdout.
    pub fn stdout() -> Screen {
        Screen::of(&io::stdout())
    }

    /// That of stderr.
    pub fn stderr() -> Screen {
        Screen::of(&io::stderr())
    }

    fn of(stream: &(impl IsTerminal + AsFd)) -> Screen {
        let size = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten();
        Screen {
            columns: size.map(|(columns, _)| columns.0.into()),
            rows: size.map(|(_, rows)| rows.0.into()),
        }
    }

    /// Whether it is a terminal that may not show more than ASCII.
    pub fn is_plain(self) -> bool {
        self.columns.is_some() && !is_utf8(|name| std::env::var(name).ok())
    }

    /// Text behind `indent` columns, broken where the line ends; further lines are indented as far.
    pub fn wrapped(self, text: &str, indent: usize) -> String {
        self.columns.map_or_else(|| text.to_owned(), |columns| wrap(text, indent, columns))
    }

    /// Every line of a text, broken where the terminal's line ends.
    pub fn lines(self, text: &str) -> String {
        text.split('\n').map(|line| self.wrapped(line, 0)).collect::<Vec<_>>().join("\n")
    }

    /// Rows of cells as aligned columns behind `indent` columns: the first to the left, `right` others to the
    /// right, what follows to the left. Where they are too wide a row takes several lines. One text a row.
    pub fn table(self, rows: &[Vec<String>], right: usize, indent: usize) -> Vec<String> {
        let widths = widths(rows);
        let columns = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(indent));
        let bands = bands(&widths, columns);
        let margin = " ".repeat(indent);
        let laid = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().enumerate().map(|at| padded(at, &widths, right)).collect();
            lines(&cells, &bands, columns).iter().map(|line| format!("{margin}{line}\n")).collect()
        };
        rows.iter().map(laid).collect()
    }
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    (0..count).map(|at| width(at).unwrap_or(0)).collect()
}

fn padded((at, cell): (usize, &String), widths: &[usize], right: usize) -> String {
    let width = widths[at];
    if (1..=right).contains(&at) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
}

/// Which columns go into the same line: the first of each line.
fn bands(widths: &[usize], columns: usize) -> Vec<usize> {
    let mut firsts = vec![0];
    let mut used = widths.first().copied().unwrap_or(0);
    for (at, width) in widths.iter().enumerate().skip(1) {
        used += GAP + width;
        if used > columns {
            firsts.push(at);
            used = INDENT + width;
        }
    }
    firsts
}

/// A row in as many lines as there are bands; those without a cell are left out.
fn lines(cells: &[String], bands: &[usize], columns: usize) -> Vec<String> {
    let mut out = Vec::new();
    for (number, first) in bands.iter().enumerate() {
        let end = bands.get(number + 1).map_or(cells.len(), |next| cells.len().min(*next));
        let Some(band) = cells.get(*first..end) else { continue };
        let line = band.join(&" ".repeat(GAP));
        let line = line.trim_end();
        let indent = if number == 0 { 0 } else { INDENT };
        if number == 0 || !line.is_empty() {
            let text = " ".repeat(indent) + &wrap(line, indent, columns);
            out.extend(text.lines().map(str::to_owned));
        }
    }
    out
}

/// Breaks between words, and inside one that has no room in a line of its own.
fn wrap(text: &str, indent: usize, columns: usize) -> String {
    // Where hardly anything would fit beside it, the indent gives way.
    let margin = indent.min(columns / 2);
    let mut out = String::new();
    let (mut column, mut blanks, mut empty) = (indent, 0, true);
    let new_line = |out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', margin));
        margin
    };
    for (number, word) in text.split(' ').enumerate() {
        blanks += usize::from(number > 0);
        if word.is_empty() {
            continue;
        }
        // Blanks at the end of a line are nothing, nor are those in front that leave no room.
        let fits = column + blanks + word.chars().count() <= columns;
        if fits || empty {
            let blanks = if fits { blanks } else { 0 };
            out.extend(std::iter::repeat_n(' ', blanks));
            column += blanks;
        } else {
            column = new_line(&mut out);
        }
        for letter in word.chars() {
            if column >= columns {
                column = new_line(&mut out);
            }
            out.push(letter);
            column += 1;
        }
        (blanks, empty) = (0, false);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(columns: usize) -> Screen {
        Screen { columns: Some(columns), rows: None }
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_locale() {
        let locale = |set: &[(&str, &str)]| {
            is_utf8(|name| set.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(locale(&[("LANG", "de_DE.UTF-8")]) && locale(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(locale(&[("LC_ALL", ""), ("LANG", "C.UTF-8")]));
        assert!(!locale(&[]) && !locale(&[("LC_ALL", "POSIX"), ("LANG", "de_DE.UTF-8")]));
    }

    #[test]
    fn words_go_to_the_next_line() {
        assert_eq!(wrap("one two three four", 3, 11), "one two\n   three\n   four");
        assert_eq!(wrap("as  it was", 0, 20), "as  it was");
        assert_eq!((wrap("   ab", 0, 5), wrap("   ab", 0, 4)), ("   ab".into(), "ab".into()));
        assert_eq!(of(5).lines("ab cd\nabc de\n"), "ab cd\nabc\nde\n");
        assert_eq!(Screen { columns: None, rows: None }.wrapped("one two", 3), "one two");
    }

    #[test]
    fn a_word_without_room_is_broken() {
        assert_eq!(wrap("a unbreakable word", 2, 8), "a\n  unbrea\n  kable\n  word");
        assert_eq!(wrap("abcdef", 0, 4), "abcd\nef");
        assert_eq!(wrap("abcdef", 9, 4), "\n  ab\n  cd\n  ef");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".into(), "1".into(), "x".into()], vec!["long".into(), "23".into()]];
        assert_eq!(of(80).table(&rows, 1, 0).concat(), "a      1  x\nlong  23\n");
        assert_eq!(of(80).table(&rows, 1, 2).concat(), "  a      1  x\n  long  23\n");
    }

    #[test]
    fn columns_without_room_go_to_the_next_line() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows =
            [row(["ID", "VALUE", "NOTE"]), row(["s-1", "12 mV", "a long note"]), row(["s-2", "7 mV", ""])];
        assert_eq!(
            of(12).table(&rows, 1, 0).concat(),
            "ID   VALUE\n  NOTE\ns-1  12 mV\n  a long\n  note\ns-2   7 mV\n"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_too_long_and_nothing_is_lost(
            rows in proptest::collection::vec(proptest::collection::vec("[a-z ]{0,30}", 0..5), 0..5),
            columns in 4usize..60, right in 0usize..4, indent in 0usize..4,
        ) {
            let laid = of(columns + indent).table(&rows, right, indent).concat();
            proptest::prop_assert!(laid.lines().all(|line| line.chars().count() <= columns + indent));
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            proptest::prop_assert_eq!(squeezed(&laid), squeezed(&rows.concat().concat()));
        }
    }
}
