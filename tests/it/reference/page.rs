//! `docs/man/calibd.toml.5`, made of the reference of the configuration.

use super::pages::{cells, sections};

/// The page in roff.
pub fn page() -> String {
    let mut out = format!(
        ".TH calibd.toml 5 \"\" \"calibd {}\"\n.SH NAME\ncalibd.toml \\- the configuration of calibd\n",
        env!("CARGO_PKG_VERSION")
    );
    for (index, section) in sections().iter().enumerate() {
        let heading = if index == 0 { "DESCRIPTION".to_owned() } else { plain(&section.heading) };
        out.push_str(&format!(".SH \"{}\"\n", heading.replace('"', "\\(dq")));
        blocks(&section.body.replace("Bold keys must be given", "What is needed must be given"), &mut out);
    }
    out.push_str(".SH SEE ALSO\n.BR calibd (8),\n.BR calibctl (1)\n");
    out
}

/// Paragraphs, lists and tables.
fn blocks(body: &str, out: &mut String) {
    let (mut header, mut begins) = (Vec::new(), true);
    for line in body.lines().filter(|line| !line.starts_with("| ---")) {
        if line.is_empty() {
            header.clear();
            begins = true;
            continue;
        }
        if line.starts_with('|') && header.is_empty() {
            header = cells(line);
        } else if line.starts_with('|') {
            row(&header, &cells(line), out);
        } else if let Some(item) = line.strip_prefix("- ") {
            out.push_str(&format!(".IP \\(bu 2\n{}\n", text(item)));
        } else {
            out.push_str(if begins { ".PP\n" } else { "" });
            out.push_str(&format!("{}\n", text(line.trim_start())));
        }
        begins = false;
    }
}

/// A key, what it is, and what holds without it.
fn row(header: &[String], cells: &[String], out: &mut String) {
    // On the page all keys are bold.
    let needed = if header[0] == "key" && cells[0].contains("**") { " (needed)" } else { "" };
    out.push_str(&format!(".TP\n{}{needed}\n", text(&cells[0])));
    for (name, cell) in header.iter().zip(cells).skip(1).filter(|(_, cell)| !cell.is_empty()) {
        match name.as_str() {
            "default" => out.push_str(&format!(".br\nDefault: {}\n", text(cell))),
            _ => out.push_str(&format!("{}\n", text(cell))),
        }
    }
}

/// Text without the signs of Markdown: code is bold, of links their words are left.
fn text(line: &str) -> String {
    let line = line.replace("**", "");
    let mut out = String::new();
    for (place, piece) in line.split('`').enumerate() {
        match place % 2 {
            0 => out.push_str(&plain(&without_targets(piece))),
            _ => out.push_str(&format!("\\fB{}\\fR", plain(piece))),
        }
    }
    // A dot or an apostrophe would begin a request.
    if out.starts_with(['.', '\'']) { format!("\\&{out}") } else { out }
}

/// `[words](target)` as its words. A link's words may hold code, so the bracket may be in another piece.
fn without_targets(piece: &str) -> String {
    let mut out = String::new();
    let mut rest = piece;
    while let Some((before, after)) = rest.split_once("](") {
        match before.rsplit_once('[') {
            Some((text, words)) => out.push_str(&format!("{text}{words}")),
            None => out.push_str(before),
        }
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    // What opens a link whose words go on in code.
    out + rest.strip_suffix('[').unwrap_or(rest)
}

fn plain(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

#[test]
fn the_page_has_no_signs_of_markdown() {
    let page = page();
    for sign in ["](", "**", "\n|", "`"] {
        assert!(!page.contains(sign), "`{sign}` is left");
    }
}
