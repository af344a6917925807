//! What was measured, and what is stated about it.

use super::super::markup::Markup;
use super::super::number::{LastDigit, significant};
use super::super::units::symbol;
use super::super::words;
use super::table;
use crate::domain::certificate::{Certificate, PointResult, Results};
use crate::domain::uncertainty::point::Component;

/// As found and as left, point by point.
pub fn results(page: &mut Markup, certificate: &Certificate) {
    let results = &certificate.results;
    page.leaf("h2", "Results");
    for (name, list) in [("As found", &results.as_found), ("As left", &results.as_left)] {
        if list.is_empty() {
            continue;
        }
        page.leaf("h3", name);
        let rows: Vec<_> = list.iter().enumerate().map(|(at, it)| row(at, it, results)).collect();
        table(page, &head(results), &[1], &rows);
    }
    page.leaf_with("p", &[("class", "note")], &words::uncertainty(results));
}

fn head(results: &Results) -> Vec<(String, String)> {
    let unit = symbol(&results.unit);
    let mut head = vec![("", ""), ("point", "")];
    head.extend([
        ("reference", unit),
        ("indication", unit),
        ("error", unit),
        ("U", unit),
        ("k", ""),
        ("\u{3bd}", ""),
    ]);
    if results.conformity.is_some() {
        head.extend([("MPE", unit), ("statement", "")]);
    }
    head.into_iter().map(|(name, small)| (name.to_owned(), small.to_owned())).collect()
}

fn row(at: usize, point: &PointResult, results: &Results) -> Vec<String> {
    let last = LastDigit::of(point.expanded);
    let mut row = vec![(at + 1).to_string(), point.role.as_str().to_owned()];
    row.extend([point.reference, point.indication, point.error, point.expanded].map(|it| last.show(it)));
    row.extend([format!("{:.2}", point.coverage_factor), degrees(point.degrees_of_freedom)]);
    if results.conformity.is_some() {
        let stated = point.conformity;
        row.push(stated.map_or(String::new(), |it| format!("\u{b1}{}", significant(it.mpe, 4))));
        row.push(stated.map_or(String::new(), |it| words::outcome(it.outcome).to_owned()));
    }
    row
}

/// Effective degrees of freedom; more than a thousand are as good as infinitely many.
fn degrees(degrees: Option<f64>) -> String {
    degrees.filter(|it| *it <= 1000.0).map_or("\u{221e}".to_owned(), |it| format!("{it:.1}"))
}

/// Statements of conformity, and the rule behind them.
pub fn conformity(page: &mut Markup, results: &Results) {
    page.leaf("h2", "Conformity");
    let Some(conformity) = &results.conformity else {
        page.leaf("p", "No statement of conformity is made.");
        return;
    };
    page.element("div", &[("class", "verdict")], |page| {
        page.leaf(
            "p",
            &format!("Maximum permissible error (MPE): {}", words::mpe(&conformity.mpe, &results.unit)),
        );
        for sentence in words::conformity(conformity) {
            page.element("p", &[], |page| page.leaf("b", &sentence));
        }
    });
    page.leaf_with("p", &[("class", "note")], &format!("Decision rule: {}", words::rule(conformity.rule)));
}

/// The uncertainty budgets.
pub fn budgets(page: &mut Markup, results: &Results) {
    page.leaf("h2", "Uncertainty budgets");
    let unit = symbol(&results.unit);
    let text = format!(
        "Standard uncertainties in {unit} of the error at each point, by component; they add up by their squares to u. \
         In brackets the degrees of freedom where they are finite."
    );
    page.leaf_with("p", &[("class", "note")], &text);
    let names =
        ["", "reference", "repeatability", "resolution", "stability", "readings", "u", "\u{3bd}", "k", "U"];
    let small = ["", "normal", "s/\u{221a}n_eff", "rectangular", "rectangular", "n (n_eff)", "", "", "", ""];
    let head: Vec<_> =
        names.iter().zip(small).map(|(name, small)| ((*name).to_owned(), small.to_owned())).collect();
    for (name, list) in [("As found", &results.as_found), ("As left", &results.as_left)] {
        if !list.is_empty() {
            page.leaf("h3", name);
            let rows: Vec<_> = list.iter().enumerate().map(|(at, it)| budget(at, it)).collect();
            table(page, &head, &[], &rows);
        }
    }
}

fn budget(at: usize, point: &PointResult) -> Vec<String> {
    let last = LastDigit::of(point.expanded).finer();
    let component = |wanted: Component| {
        let line = point.budget.iter().find(|line| line.component == wanted);
        line.map_or("\u{2013}".to_owned(), |line| {
            let degrees = line.degrees_of_freedom.filter(|_| line.u > 0.0);
            let degrees = degrees.map_or(String::new(), |it| format!(" ({})", significant(it, 3)));
            format!("{}{degrees}", last.show((line.sensitivity * line.u).abs()))
        })
    };
    let parts = [Component::Reference, Component::Repeatability, Component::Resolution, Component::Stability];
    let mut row = vec![(at + 1).to_string()];
    row.extend(parts.map(component));
    row.push(format!("{} ({})", point.readings, significant(point.n_eff, 3)));
    row.extend([last.show(point.u), degrees(point.degrees_of_freedom)]);
    row.extend([format!("{:.2}", point.coverage_factor), last.show(point.expanded)]);
    row
}
