//! The thermometer's files in `docs/examples`, and what the page about it says.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::document::Original;
use crate::document::dcc::dcc;
use crate::document::number::significant;
use crate::document::page::html;
use crate::domain::certificate::TYPE;
use crate::domain::certificate::fixtures::{GATEWAY, TECHNICIAN, key, table, thermometer};
use crate::domain::trust::envelope::{Envelope, payload_type, sign};
use crate::domain::uncertainty::point::Component;

const ROOT: u8 = 1;
const ENROL: u8 = 2;

fn root() -> Vec<u8> {
    let keyid = |seed: u8| key(seed).public().id().to_string();
    let named = |seed: u8, label: &str| json!({"public_key": key(seed).public().to_pem(), "label": label});
    let role = |seed: u8| json!({"threshold": 1, "keyids": [keyid(seed)]});
    let mut keys = json!({});
    for (seed, label) in [(ROOT, "root"), (ENROL, "enrolment"), (TECHNICIAN, "technician")] {
        keys[keyid(seed)] = named(seed, label);
    }
    let root = json!({
        "schema": 1, "fleet": "plant-7", "version": 1, "epoch": 1, "keys": keys,
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
        "roles": {"root": role(ROOT), "enrol": role(ENROL), "maintenance": role(TECHNICIAN)},
    });
    sign(&payload_type("root"), root.to_string().as_bytes(), &[key(ROOT)])
}

fn enrolment() -> Vec<u8> {
    let enrolment = json!({
        "schema": 1, "fleet": "plant-7", "gateway": "gw-1", "version": 1,
        "public_key": key(GATEWAY).public().to_pem(), "issued_at": "2026-02-01T00:00:00Z",
        "sensors": {"t-1": {"model": "example-lig-25", "serial": "T-0815", "mpe": {"absolute": 0.05}}},
    });
    sign(&payload_type("enrolment"), enrolment.to_string().as_bytes(), &[key(ENROL)])
}

/// `CALIBD_RECORD=1` writes the files anew.
#[test]
fn the_examples_are_those_of_the_thermometer() {
    let certificate = thermometer();
    let payload = certificate.to_payload().unwrap();
    let signed = sign(&payload_type(TYPE), &payload, &[key(GATEWAY), key(TECHNICIAN)]);
    let digest = Envelope::parse(&signed).unwrap().digest();
    let original = Original { digest, version: concat!("calibctl ", env!("CARGO_PKG_VERSION")) };
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/thermometer"));
    for (name, bytes) in [
        ("root.json", root()),
        ("enrolment.json", enrolment()),
        ("certificate.json", signed),
        ("certificate.html", html(&certificate, &original).into_bytes()),
        ("certificate.xml", dcc(&certificate, &original).unwrap().into_bytes()),
    ] {
        let path = folder.join(name);
        if std::env::var_os("CALIBD_RECORD").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let kept = std::fs::read(&path).unwrap();
        assert!(kept == bytes, "{} has changed: CALIBD_RECORD=1 writes it anew", path.display());
    }
}

/// The rows of a table of the page, by the name above it.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = include_str!("../../../docs/maintain/worked-example.md");
    let marker = format!("<!-- table: {name} -->");
    let rows = text.split_once(&marker).unwrap().1.trim_start().lines().skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.take_while(|row| row.starts_with('|')).map(cells).collect()
}

#[test]
fn the_page_about_it_adds_up() {
    let certificate = thermometer();
    let ((t, b), left) = (table(), &certificate.results.as_left);
    let readings: Vec<Vec<String>> = (0..11)
        .map(|at| {
            let zero = |text: String| if text == "-0.0000" { "0.0000".to_owned() } else { text };
            vec![
                format!("{:.3}", t[at]),
                format!("{:.3}", b[at]),
                format!("{:.4}", left[at].indication),
                zero(format!("{:.4}", left[at].error)),
            ]
        })
        .collect();
    assert_eq!(rows("readings"), readings);
    let point = &left[0];
    let degrees = |it: Option<f64>| it.map_or("\u{221e}".to_owned(), |it| significant(it, 3));
    let line = |name: &str, u: f64, of: Option<f64>| {
        vec![name.to_owned(), format!("{u:.5}"), degrees(of), format!("{:.4}", 1e6 * u * u)]
    };
    let name = |component: Component| super::super::words::component(component);
    let mut budget: Vec<_> =
        point.budget.iter().map(|it| line(name(it.component), it.u, it.degrees_of_freedom)).collect();
    budget.push(line("sum", point.u, point.degrees_of_freedom));
    let written = rows("budget").into_iter().map(|row| [&row[..1], &row[2..]].concat());
    assert_eq!(written.collect::<Vec<_>>(), budget);
    let text = include_str!("../../../docs/maintain/worked-example.md");
    for part in [format!("k = {:.2}", point.coverage_factor), format!("{:.4} \u{b0}C", point.expanded)] {
        assert!(text.contains(&part), "{part}");
    }
    let data: Value = serde_json::from_str(include_str!("../../../tests/data/gum_h3/gum_h3.json")).unwrap();
    for name in ["y1", "y2", "s", "u_b30"] {
        let published = data["published"][name].as_f64().unwrap().to_string();
        assert!(text.contains(&published), "{name}: {published}");
    }
}
