//! A certificate as one HTML file that prints on A4.
//!
//! It loads nothing, holds no script, and escapes whatever the certificate says. Number, laboratory and count of
//! pages stand on every page of print, in margins that browsers fill by CSS Paged Media.

mod administrative;
mod figures;
mod results;

use super::markup::Markup;
use super::{Original, words};
use crate::domain::certificate::Certificate;
use crate::picture::escaped;

const STYLE: &str = include_str!("style.css");

/// The page.
pub fn html(certificate: &Certificate, original: &Original) -> String {
    let mut page = Markup::new("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">");
    let about = &certificate.about;
    page.raw("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.raw(&format!("\n<meta name=\"generator\" content=\"{}\">", escaped(original.version)));
    page.leaf("title", &format!("{} {}", about.title, about.number));
    page.raw(&format!("\n<style>\n{STYLE}{}</style>\n</head>\n<body>", margins(certificate)));
    page.element("main", &[], |page| {
        administrative::head(page, certificate);
        administrative::facts(page, certificate);
        results::results(page, certificate);
        results::conformity(page, &certificate.results);
        figures::figures(page, certificate);
        results::budgets(page, &certificate.results);
        administrative::traceability(page, certificate);
        administrative::remarks(page, certificate);
        administrative::signatures(page, certificate, original);
        let end = format!("End of certificate {}", about.number);
        page.leaf_with("p", &[("class", "end")], &end);
    });
    page.raw("\n</body>\n</html>\n");
    page.end()
}

/// What stands in the margins of every printed page.
fn margins(certificate: &Certificate) -> String {
    let about = &certificate.about;
    let (title, number) = (quoted(&about.title), quoted(&format!("No. {}", about.number)));
    let laboratory = quoted(&about.laboratory.party.name);
    let issued = quoted(&format!("issued {}", words::day(about.issued)));
    let font = "font:8pt system-ui,'Liberation Sans','DejaVu Sans',sans-serif;color:#3d444d";
    format!(
        "@page{{@top-left{{content:{title};{font}}}@top-right{{content:{number};{font}}}\
         @bottom-left{{content:{laboratory};{font}}}@bottom-center{{content:{issued};{font}}}\
         @bottom-right{{content:\"Page \" counter(page) \" of \" counter(pages);{font}}}}}\n"
    )
}

/// A text as CSS has it, which can end neither the string nor the style.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | ',' | '_' | ':');
    let escape = |c: char| if plain(c) { c.to_string() } else { format!("\\{:x} ", u32::from(c)) };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// A list of terms and what stands for them.
fn terms(page: &mut Markup, list: &[(&str, Option<String>)]) {
    page.element("dl", &[], |page| {
        for (term, text) in list {
            if let Some(text) = text {
                page.leaf("dt", term);
                page.leaf("dd", text);
            }
        }
    });
}

/// A table: the head with small print below, and its rows; so many columns at the left are words.
fn table(page: &mut Markup, head: &[(String, String)], words: &[usize], rows: &[Vec<String>]) {
    let left = |at: usize| if words.contains(&at) { "left" } else { "" };
    page.element("table", &[], |page| {
        page.element("thead", &[], |page| {
            page.element("tr", &[], |page| {
                for (at, (name, small)) in head.iter().enumerate() {
                    page.element("th", &[("class", left(at)), ("scope", "col")], |page| {
                        page.raw(&escaped(name));
                        if !small.is_empty() {
                            page.leaf("small", small);
                        }
                    });
                }
            });
        });
        page.element("tbody", &[], |page| {
            for row in rows {
                page.element("tr", &[], |page| {
                    for (at, cell) in row.iter().enumerate() {
                        page.leaf_with("td", &[("class", left(at))], cell);
                    }
                });
            }
        });
    });
}
