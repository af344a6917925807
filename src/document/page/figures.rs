//! The pictures of a certificate.

use super::super::markup::Markup;
use super::super::units::symbol;
use crate::domain::certificate::{Certificate, PointResult, Results};
use crate::picture::calibration::Calibration;
use crate::picture::conformity::{Conformity, Stated};
use crate::picture::{Labels, Sampled};

/// Errors against what is permitted, and the calibration curve.
pub fn figures(page: &mut Markup, certificate: &Certificate) {
    page.element("figure", &[], |page| page.raw(&errors(certificate)));
    if let Some(svg) = curve(certificate) {
        page.element("figure", &[], |page| page.raw(&svg));
    }
}

fn errors(certificate: &Certificate) -> String {
    let results = &certificate.results;
    let unit = symbol(&results.unit);
    let stated = |point: &PointResult| Stated {
        reference: point.reference,
        error: point.error,
        expanded: point.expanded,
    };
    let labels = Labels {
        title: "Errors and maximum permissible error".to_owned(),
        x: format!("reference value in {unit}"),
        y: format!("error in {unit}"),
        page: Some("errors-"),
    };
    let (found, left) = (&results.as_found, &results.as_left);
    let (found, left) = (found.iter().map(stated).collect(), left.iter().map(stated).collect());
    Conformity { labels, found, left, limits: limits(results) }.svg()
}

/// How many places the limits are drawn through: a relative limit has a bend.
const PLACES: u32 = 60;

/// The permitted error, a little beyond the reference values on both sides.
fn limits(results: &Results) -> Vec<[f64; 2]> {
    let Some(conformity) = &results.conformity else { return Vec::new() };
    let references = || results.points().map(|point| point.reference);
    let (low, high) =
        (references().fold(f64::INFINITY, f64::min), references().fold(f64::NEG_INFINITY, f64::max));
    let margin = 0.03 * (high - low).max(0.1 * high.abs()).max(1e-6);
    let at = |place: u32| low - margin + (high - low + 2.0 * margin) * f64::from(place) / f64::from(PLACES);
    (0..=PLACES).filter_map(|place| Some([at(place), conformity.mpe.at(at(place)).ok()?])).collect()
}

fn curve(certificate: &Certificate) -> Option<String> {
    let (curve, results) = (certificate.about.curve.as_ref()?, &certificate.results);
    let pairs = results.as_found.iter().filter_map(|point| Some([point.raw?, point.reference])).collect();
    let places = curve.places.iter().map(|[x, value]| Sampled { x: *x, value: *value, interval: None });
    let labels = Labels {
        title: "Calibration".to_owned(),
        x: format!("raw reading in {}", symbol(&curve.raw_unit)),
        y: format!("{} in {}", certificate.about.item.quantity, symbol(&results.unit)),
        page: Some("curve-"),
    };
    let curve_name = "calibration in force".to_owned();
    Some(Calibration { labels, pairs, curve: places.collect(), curve_name, band_name: String::new() }.svg())
}
