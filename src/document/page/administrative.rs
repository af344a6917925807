//! Whose certificate it is, of what, and who answers for it.

use super::super::markup::Markup;
use super::super::number::{real_minus, significant};
use super::super::units::symbol;
use super::super::{Original, words};
use super::{table, terms};
use crate::domain::certificate::{About, Certificate, Condition, Party};
use crate::domain::reference::{Certified, Standard};

/// Laboratory, title and number.
pub fn head(page: &mut Markup, certificate: &Certificate) {
    let about = &certificate.about;
    let laboratory = &about.laboratory;
    let accreditation = laboratory.accreditation.as_ref();
    page.element("header", &[], |page| {
        page.element("address", &[], |page| {
            page.leaf("b", &laboratory.party.name);
            for line in lines(&laboratory.party) {
                page.leaf("div", &line);
            }
        });
        page.element("div", &[], |page| {
            page.leaf("h1", &about.title);
            page.leaf_with("p", &[("class", "number")], &format!("No. {}", about.number));
            page.leaf("p", &format!("issued {}", words::day(about.issued)));
            let said = accreditation.map(|it| (it.body.as_str(), it.number.as_str()));
            page.leaf_with("p", &[("class", "note")], &words::accreditation(said));
        });
    });
}

/// Address and how to reach it.
fn lines(party: &Party) -> Vec<String> {
    let mut lines = party.address.clone();
    lines.push(party.country.clone());
    lines.extend([&party.email, &party.phone].into_iter().flatten().cloned());
    lines
}

/// Customer, item, and how the calibration was made.
pub fn facts(page: &mut Markup, certificate: &Certificate) {
    let about = &certificate.about;
    let customer = about.customer.as_ref().map(|it| [vec![it.name.clone()], lines(it)].concat().join(", "));
    let own = || Some("the laboratory's own organisation".to_owned());
    page.leaf("h2", "Customer and item");
    let instrument = about.item.instrument.as_ref();
    let make = instrument.and_then(|it| it.make.as_deref());
    let model = instrument
        .map(|it| [make, Some(it.model.as_str())].into_iter().flatten().collect::<Vec<_>>().join(" "));
    let element = |serial: &String| format!(", sensing element {serial}");
    let serials = instrument.map(|it| {
        let element = it.element_serial.as_ref().map(element).unwrap_or_default();
        format!("{}{element}", it.serial)
    });
    terms(
        page,
        &[
            ("customer", customer.or_else(own)),
            (
                "sensor",
                Some(format!("{} at gateway {}, fleet {}", about.item.sensor, about.gateway, about.fleet)),
            ),
            ("quantity", Some(about.item.quantity.clone())),
            ("instrument", model.or_else(|| Some("not stated".to_owned()))),
            ("serial number", serials),
            ("firmware", instrument.and_then(|it| it.firmware.clone())),
            ("condition", about.item.condition.clone()),
        ],
    );
    page.leaf("h2", "Calibration");
    terms(page, &calibration(about, certificate));
    conditions(page, &about.conditions);
}

fn calibration<'a>(about: &About, certificate: &Certificate) -> Vec<(&'a str, Option<String>)> {
    let references = (!about.method.references.is_empty()).then(|| about.method.references.join("; "));
    let done = if about.transforms.adjusted() {
        "Calibrated as found, adjusted, and calibrated again as left."
    } else {
        "Calibrated as found; not adjusted."
    };
    vec![
        ("place", Some(format!("{}, {}", about.location.description, words::place(about.location.at)))),
        ("received", about.received.map(words::day)),
        ("measured", certificate.results.during().map(words::days)),
        ("method", Some(about.method.name.clone())),
        ("", about.method.description.clone()),
        ("according to", references),
        ("what was done", Some(done.to_owned())),
        ("session", Some(about.session.clone())),
    ]
}

fn conditions(page: &mut Markup, conditions: &[Condition]) {
    if conditions.is_empty() {
        return;
    }
    page.leaf("h3", "Conditions during the measurement");
    let head = ["quantity", "mean", "from", "to", "u of the mean", "measured by"].map(plain);
    let row = |it: &Condition| {
        let number = |value: f64| real_minus(&format!("{} {}", significant(value, 4), symbol(&it.unit)));
        let by = it.sensor.as_ref().map_or("\u{2013}".to_owned(), ToString::to_string);
        let u = it.u.map_or("\u{2013}".to_owned(), number);
        vec![it.name.clone(), number(it.mean), number(it.least), number(it.greatest), u, by]
    };
    table(page, &head, &[0, 5], &conditions.iter().map(row).collect::<Vec<_>>());
}

fn plain(name: &str) -> (String, String) {
    (name.to_owned(), String::new())
}

/// The standards.
pub fn traceability(page: &mut Markup, certificate: &Certificate) {
    page.leaf("h2", "Traceability");
    let standards = &certificate.about.standards;
    if standards.is_empty() {
        page.leaf("p", "No standard is named: these results are not shown to be traceable.");
        return;
    }
    let text = "The reference values are traceable through the calibration certificates of these standards.";
    page.leaf("p", text);
    let head = ["standard", "what it is", "certificate", "lot or serial", "certified", "due"].map(plain);
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "\u{2013}".to_owned());
    let row = |it: &Standard| {
        let values = it.values.iter().map(certified).collect::<Vec<_>>().join("; ");
        let due = it.due.map_or("\u{2013}".to_owned(), words::day);
        vec![it.id.to_string(), word(&it.description), word(&it.certificate), word(&it.lot), values, due]
    };
    table(page, &head, &[0, 1, 2, 3], &standards.iter().map(row).collect::<Vec<_>>());
}

/// What a standard's certificate says of one value.
fn certified(value: &Certified) -> String {
    let unit = symbol(&value.unit);
    let number = |it: f64| real_minus(&significant(it, 6));
    let stated = value.value.map(|it| format!("{} {unit}", number(it)));
    let u = value.u.map(|it| format!("u = {} {unit}", number(it)));
    let said: Vec<String> = [value.quantity.clone(), stated, u].into_iter().flatten().collect();
    if said.is_empty() { unit.to_owned() } else { said.join(", ") }
}

/// Deviations, a recommendation, and what every certificate says.
pub fn remarks(page: &mut Markup, certificate: &Certificate) {
    let about = &certificate.about;
    page.leaf("h2", "Remarks");
    if about.deviations.is_empty() {
        page.leaf("p", "There were no deviations from the method, additions to it or exclusions.");
    } else {
        page.leaf("p", "Deviations from the method, additions to it and exclusions:");
        page.element("ul", &[], |page| about.deviations.iter().for_each(|it| page.leaf("li", it)));
    }
    if let Some(recommended) = &about.recommended {
        let (day, agreement) = (words::day(recommended.at), &recommended.agreement);
        page.leaf("p", &format!("As agreed with the customer ({agreement}): calibrate again by {day}."));
    }
    for text in words::USUAL {
        page.leaf_with("p", &[("class", "note")], text);
    }
}

/// Who answers for it.
pub fn signatures(page: &mut Markup, certificate: &Certificate, original: &Original) {
    let about = &certificate.about;
    page.element("div", &[("class", "sign")], |page| {
        page.element("div", &[], |page| {
            let (name, function) = (&about.authorised_by.name, about.authorised_by.function.as_deref());
            let named = [Some(name.as_str()), function].into_iter().flatten().collect::<Vec<_>>().join(", ");
            page.leaf("p", &format!("Authorised on {} by", words::minute(about.issued)));
            page.leaf_with("p", &[("class", "line")], &named);
            if let Some(text) = about.on_behalf() {
                page.leaf_with("p", &[("class", "note")], &text);
            }
        });
        page.element("div", &[], |page| {
            let text = "This document shows a certificate that is signed electronically (Ed25519 in a DSSE envelope). \
                        The signed file counts; calibctl verify checks it.";
            page.leaf_with("p", &[("class", "note")], text);
        });
    });
    page.leaf("h3", "Electronic signatures and calibration data");
    page.element("dl", &[], |page| {
        let mut line = |term: &str, value: String| {
            page.leaf("dt", term);
            page.element("dd", &[], |page| page.leaf("code", &value));
        };
        line("signed digest", original.digest.to_string());
        line("gateway's key", about.signed_by.gateway.id().to_string());
        for key in &about.signed_by.technicians {
            let held = about.signed_by.held.contains(key);
            let whose = if held { "maintenance key, held by the gateway" } else { "technician's key" };
            line(whose, key.to_string());
        }
        let transform =
            |digest: Option<_>| digest.map_or("none: raw values".to_owned(), |it| format!("{it}"));
        line("transform as found", transform(about.transforms.before));
        if about.transforms.adjusted() {
            line("transform as left", transform(about.transforms.after));
        }
    });
}
