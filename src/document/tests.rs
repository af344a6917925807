mod example;

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::dcc::{DccError, dcc};
use super::page::html;
use super::{Original, units};
use crate::domain::certificate::fixtures::{about, celsius, criterion, reading, thermometer};
use crate::domain::certificate::{Accreditation, Certificate, Criterion, Measured, Recommended, issue};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Rule;
use crate::domain::uncertainty::point::Parts;
use crate::domain::units::Unit;

fn original() -> Original {
    Original { digest: Digest::of(&[b"signed"]), version: "calibctl 0.1.0" }
}

/// An element with its attributes, its children and its text.
#[derive(Debug, Default)]
struct Element {
    name: String,
    children: Vec<Element>,
    text: String,
}

/// Reads XML as documents here are written: no comments, no sections, no entities in what is looked at.
fn parse(xml: &str) -> Element {
    let mut open = vec![Element::default()];
    for part in xml.split('<').skip(2) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            let done = open.pop().unwrap();
            assert_eq!(done.name, name, "tags close in their order");
            open.last_mut().unwrap().children.push(done);
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split(' ').next().unwrap().to_owned();
        let text = if text.trim().is_empty() { String::new() } else { text.to_owned() };
        open.push(Element { name, children: Vec::new(), text });
    }
    assert_eq!(open.len(), 1, "every tag is closed");
    open.pop().unwrap().children.pop().unwrap()
}

/// The rows of a table of the reference, by the name above it.
fn table(name: &str) -> Vec<(String, String)> {
    let text = include_str!("../../docs/reference/dcc.md");
    let marker = format!("<!-- table: {name} -->");
    let rows = text.split_once(&marker).unwrap().1.trim_start().lines().skip(2);
    let cell = |row: &str, at: usize| {
        let cells: Vec<String> = row.replace("\\|", "\u{1}").split('|').map(str::to_owned).collect();
        cells[at].trim().trim_matches('`').replace('\u{1}', "|")
    };
    rows.take_while(|row| row.starts_with('|')).map(|row| (cell(row, 1), cell(row, 2))).collect()
}

struct Structure {
    models: BTreeMap<String, Regex>,
    texts: BTreeMap<String, Regex>,
}

impl Structure {
    fn read() -> Structure {
        let name = Regex::new(r"[a-z]+:[A-Za-z0-9_]+").unwrap();
        let model = |holds: &str| {
            // each name with the blank that follows it
            let pattern = name.replace_all(holds, "(?:$0\u{1})").replace(' ', "").replace('\u{1}', " ");
            Regex::new(&format!("^(?:{pattern})$")).unwrap()
        };
        let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$")).unwrap();
        let models = table("elements").iter().map(|(name, holds)| (name.clone(), model(holds))).collect();
        let texts = table("texts");
        let texts = texts.iter().flat_map(|(names, pattern)| {
            names.split(' ').map(|name| (name.to_owned(), whole(pattern))).collect::<Vec<_>>()
        });
        Structure { models, texts: texts.collect() }
    }

    fn check(&self, element: &Element, path: &str) {
        let path = format!("{path}/{}", element.name);
        match self.models.get(&element.name) {
            Some(model) => {
                let children: String = element.children.iter().map(|it| format!("{} ", it.name)).collect();
                assert!(model.is_match(&children), "{path} holds {children}");
                assert!(element.text.is_empty(), "{path} holds text beside elements: {}", element.text);
            }
            None => {
                assert!(element.children.is_empty(), "{path} is not in the table");
                let any = Regex::new(r"^\S+(\s+\S+)*$").unwrap();
                let pattern = self.texts.get(&element.name).unwrap_or(&any);
                assert!(pattern.is_match(&element.text), "{path}: {:?}", element.text);
            }
        }
        element.children.iter().for_each(|it| self.check(it, &path));
    }
}

fn within(document: &str) -> Element {
    let root = parse(document);
    Structure::read().check(&root, "");
    root
}

fn find<'a>(element: &'a Element, name: &str, found: &mut Vec<&'a Element>) {
    if element.name == name {
        found.push(element);
    }
    element.children.iter().for_each(|it| find(it, name, found));
}

fn texts(root: &Element, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    find(root, name, &mut found);
    found.iter().map(|it| it.text.clone()).collect()
}

/// With everything that can be there, and as little as can be.
fn extremes() -> [Certificate; 2] {
    let mut full = about();
    full.received = Some(Timestamp::parse("2026-05-03T00:00:00Z").unwrap());
    full.laboratory.accreditation =
        Some(Accreditation { body: "Example Body".to_owned(), number: " D-K-1 ".to_owned() });
    full.laboratory.party.phone = Some("+49 000".to_owned());
    let agreement = "contract 7".to_owned();
    full.recommended = Some(Recommended { at: Timestamp::parse("2027-05-04T00:00:00Z").unwrap(), agreement });
    let instrument = full.item.instrument.as_mut().unwrap();
    instrument.firmware = Some("2.1".to_owned());
    instrument.element_serial = Some("E-1".to_owned());
    let mut bare = about();
    bare.customer = None;
    bare.laboratory.party.address.clear();
    bare.item.instrument = None;
    bare.item.condition = None;
    bare.method.references.clear();
    bare.method.description = None;
    bare.authorised_by.function = None;
    bare.conditions.clear();
    bare.standards.clear();
    bare.deviations.clear();
    bare.transforms.after = None;
    let point = reading(20.1, 20.0);
    let parts = Parts { scatter_degrees: Some(1e9), ..point.parts };
    let untraced = Measured { standard: None, parts, ..point.clone() };
    [
        issue(
            full,
            &celsius(),
            0.95,
            Some(criterion()),
            std::slice::from_ref(&point),
            std::slice::from_ref(&point),
        )
        .unwrap(),
        issue(bare, &celsius(), 0.95, None, &[untraced], &[]).unwrap(),
    ]
}

#[test]
fn documents_have_the_structure_of_the_reference() {
    let root = within(&dcc(&thermometer(), &original()).unwrap());
    assert_eq!(texts(&root, "dcc:uniqueIdentifier"), ["gw-1-2026-0007"]);
    assert_eq!(texts(&root, "dcc:conformity"), ["pass"]);
    let errors = &texts(&root, "si:valueXMLList")[2];
    assert!(errors.starts_with("0.171 0.169 0.166 "), "{errors}");
    assert_eq!(errors.split(' ').count(), 11);
    for certificate in extremes() {
        within(&dcc(&certificate, &original()).unwrap());
    }
}

/// The numbers of the first quantity that begins like this.
fn numbers(document: &str, begin: &str) -> Vec<f64> {
    let after = document.split_once(begin).unwrap().1;
    let list = after.split_once("<si:valueXMLList>").unwrap().1.split_once('<').unwrap().0;
    list.split(' ').map(|it| it.parse().unwrap()).collect()
}

const UPPER: &str = "refType=\"basic_acceptanceLimitUpper\"";
const LOWER: &str = "refType=\"basic_acceptanceLimitLower\"";

/// A program that holds errors against the limits comes to the statement, whichever the rule is.
#[test]
fn acceptance_limits_are_those_of_the_statements() {
    let document = dcc(&thermometer(), &original()).unwrap();
    // MPE - U = 0.05 - 0.00806
    assert!(numbers(&document, UPPER).iter().all(|limit| (limit - 0.041_94).abs() < 5e-6), "{document}");
    let points = [20.04, 20.045, 19.96, 20.2].map(|indication| reading(indication, 20.0));
    for (rule, wide, limit) in [
        (Rule::GuardBand, false, 0.041_9),
        (Rule::Simple, false, 0.05),
        (Rule::GuardBand, true, -0.057),
        (Rule::Simple, true, -0.057),
    ] {
        let criterion = Criterion { rule, ..criterion() };
        let parts =
            |it: &Measured| Parts { scatter: if wide { 0.047 } else { it.parts.scatter }, ..it.parts };
        let points: Vec<_> = points.iter().map(|it| Measured { parts: parts(it), ..it.clone() }).collect();
        let certificate = issue(about(), &celsius(), 0.95, Some(criterion), &points, &[]).unwrap();
        let document = dcc(&certificate, &original()).unwrap();
        within(&document);
        let (lower, upper) = (numbers(&document, LOWER), numbers(&document, UPPER));
        assert!(
            (upper[0] - limit).abs() < 2e-3
                && lower.iter().zip(&upper).all(|(lower, upper)| -lower == *upper)
        );
        let errors = numbers(&document, "refType=\"basic_measurementError\"");
        let passes: Vec<bool> = (0..4).map(|at| (lower[at]..=upper[at]).contains(&errors[at])).collect();
        let stated = &texts(&parse(&document), "dcc:conformityXMLList")[0];
        assert_eq!(passes, stated.split(' ').map(|it| it == "pass").collect::<Vec<_>>(), "{rule:?} {stated}");
        assert_eq!(numbers(&document, ">maximum permissible error<"), [0.05; 4]);
    }
}

#[test]
fn the_structure_refuses_what_is_not_in_it() {
    let document = dcc(&thermometer(), &original()).unwrap();
    for (from, to) in [
        ("<dcc:usedLangCodeISO639_1>en</dcc:usedLangCodeISO639_1>", ""),
        ("<dcc:performanceLocation>customer", "<dcc:performanceLocation>site"),
        ("<si:unitXMLList>\\kelvin</si:unitXMLList>", "<si:unitXMLList>K</si:unitXMLList>"),
        ("<dcc:issueDate>2026-05-04</dcc:issueDate>", "<dcc:issued>2026-05-04</dcc:issued>"),
    ] {
        assert!(document.contains(from), "{from}");
        let changed = document.replace(from, to);
        assert!(std::panic::catch_unwind(|| within(&changed)).is_err(), "{from}");
    }
}

#[test]
fn values_are_stated_in_units_that_d_si_has() {
    let fahrenheit = Unit::parse("[degF]").unwrap();
    let read = reading(68.9, 68.0);
    let point = Measured { parts: Parts { u_reference: 0.9, ..read.parts }, ..read };
    let certificate = issue(about(), &fahrenheit, 0.95, None, std::slice::from_ref(&point), &[]).unwrap();
    let root = within(&dcc(&certificate, &original()).unwrap());
    assert_eq!(texts(&root, "si:valueXMLList")[..3], ["20", "20.5", "0.5"]);
    assert_eq!(texts(&root, "si:unitXMLList")[..3], [r"\degreecelsius", r"\degreecelsius", r"\kelvin"]);
    assert_eq!(texts(&root, "si:valueStandardMUXMLList")[0], "0.5");
    let odd = Unit::parse("[arb'U]").unwrap();
    let certificate = issue(about(), &odd, 0.95, None, &[point], &[]).unwrap();
    let unit = DccError::Unit { place: "results.unit".to_owned(), code: "[arb'U]".to_owned() };
    assert_eq!(dcc(&certificate, &original()), Err(unit));
    assert!(units::codes().count() > 90);
}

#[test]
fn a_page_says_what_the_standard_asks_for() {
    let page = html(&thermometer(), &original());
    for part in [
        "<title>Calibration certificate gw-1-2026-0007</title>",
        "content:\"No. gw-1-2026-0007\"",
        "counter(pages)",
        "Example Metrology Service",
        "not issued under an accreditation",
        "Example Chemicals, Plant 7",
        "T-0815",
        "clean, no visible damage",
        "Plant 7, building 2",
        "2026-05-04",
        "JCGM 100:2008",
        "ambient temperature",
        "As found, not every point is within the MPE (fail).",
        "As left, every point is within the MPE (pass).",
        "D-K-00000-2026-118",
        "ILAC-G8:09/2019, 4.2.3",
        "computed from the readings as found",
        "relate only to the item",
        "A. Example, head of calibration",
        "End of certificate gw-1-2026-0007",
        "<td class=\"\">0.1710</td>",
        "<td class=\"\">0.0081</td>",
        "<td class=\"\">2.21</td>",
        "<td class=\"\">10.7</td>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for absent in ["calibrate again by", "<script", "src=", "prefers-color-scheme", "NaN"] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert_eq!(page.matches("<svg").count(), 2);
    let [full, bare] = extremes().map(|it| html(&it, &original()));
    for part in ["calibrate again by 2027-05-04", "accredited by Example Body", "received", "firmware"] {
        assert!(full.contains(part), "{part}");
    }
    for part in ["No statement of conformity", "own organisation", "No standard is named", "not adjusted"] {
        assert!(bare.contains(part), "{part}");
    }
}

/// Whatever a certificate says, it says as text.
#[test]
fn nothing_in_a_certificate_is_markup() {
    let evil = "</style><script>alert(1)</script>\" onload=\"x' & \\";
    let mut about = about();
    for text in [
        &mut about.title,
        &mut about.laboratory.party.name,
        &mut about.item.quantity,
        &mut about.method.name,
        &mut about.authorised_by.name,
        &mut about.conditions[0].name,
        &mut about.deviations[0],
        &mut about.laboratory.party.address[0],
    ] {
        *text = evil.to_owned();
    }
    about.standards[0].description = Some(evil.to_owned());
    let certificate = issue(about, &celsius(), 0.95, None, &[reading(20.1, 20.0)], &[]).unwrap();
    let page = html(&certificate, &original());
    assert!(!page.contains("<script") && !page.contains("onload=\""), "{page}");
    assert_eq!(page.matches("</style>").count(), 2, "the page's and the picture's");
    within(&dcc(&certificate, &original()).unwrap());
}
