//! `measurementResults`: one as found, one as left.

use super::super::markup::Markup;
use super::super::units::Stated;
use super::super::words as say;
use super::administrative::{conformity, identification};
use super::{decimal, decimals, words};
use crate::domain::certificate::{About, Certificate, Condition, PointResult, Results};
use crate::domain::reference::Standard;
use crate::domain::uncertainty::decision::Rule;
use crate::domain::uncertainty::point::Component;

/// Writes them; values in `unit`, conditions each in its own.
pub fn write(xml: &mut Markup, certificate: &Certificate, unit: &Stated, conditions: &[Stated]) {
    let (about, results) = (&certificate.about, &certificate.results);
    let lists = [
        ("as found", "beforeAdjustment", &results.as_found),
        ("as left", "afterAdjustment", &results.as_left),
    ];
    xml.element("dcc:measurementResults", &[], |xml| {
        for (name, status, points) in lists.into_iter().filter(|(_, _, points)| !points.is_empty()) {
            xml.element("dcc:measurementResult", &[], |xml| {
                words(xml, "dcc:name", name);
                method(xml, about);
                standards(xml, &about.standards);
                xml.element("dcc:influenceConditions", &[], |xml| {
                    adjustment(xml, status, about);
                    about.conditions.iter().zip(conditions).for_each(|(it, unit)| condition(xml, it, unit));
                });
                xml.element("dcc:results", &[], |xml| result(xml, name, points, results, unit));
            });
        }
    });
}

fn method(xml: &mut Markup, about: &About) {
    xml.element("dcc:usedMethods", &[], |xml| {
        xml.element("dcc:usedMethod", &[], |xml| {
            words(xml, "dcc:name", &about.method.name);
            if let Some(description) = &about.method.description {
                words(xml, "dcc:description", description);
            }
            about.method.references.iter().for_each(|it| xml.leaf("dcc:norm", it.trim()));
        });
    });
}

fn standards(xml: &mut Markup, standards: &[Standard]) {
    if standards.is_empty() {
        return;
    }
    xml.element("dcc:measuringEquipments", &[], |xml| {
        for standard in standards {
            xml.element("dcc:measuringEquipment", &[], |xml| {
                words(xml, "dcc:name", standard.description.as_deref().unwrap_or(standard.id.as_str()));
                xml.element("dcc:identifications", &[], |xml| {
                    identification(xml, "calibrationLaboratory", standard.id.as_str(), "standard");
                    if let Some(certificate) = &standard.certificate {
                        identification(xml, "other", certificate, "calibration certificate");
                    }
                    if let Some(lot) = &standard.lot {
                        identification(xml, "manufacturer", lot, "lot or serial number");
                    }
                    if let Some(due) = standard.due {
                        identification(xml, "calibrationLaboratory", &say::day(due), "due");
                    }
                });
            });
        }
    });
}

fn adjustment(xml: &mut Markup, status: &str, about: &About) {
    let digest = match status {
        "beforeAdjustment" => about.transforms.before,
        _ => about.transforms.after,
    };
    let text = digest.map_or("raw values".to_owned(), |it| format!("transform with SHA-256 {it}"));
    xml.element("dcc:influenceCondition", &[], |xml| {
        words(xml, "dcc:name", "calibration in force");
        xml.leaf("dcc:status", status);
        xml.element("dcc:data", &[], |xml| words(xml, "dcc:text", &text));
    });
}

fn condition(xml: &mut Markup, condition: &Condition, unit: &Stated) {
    xml.element("dcc:influenceCondition", &[], |xml| {
        words(xml, "dcc:name", &condition.name);
        if let Some(sensor) = &condition.sensor {
            words(xml, "dcc:description", &format!("measured by sensor {sensor}"));
        }
        xml.element("dcc:data", &[], |xml| {
            let all =
                [("mean", condition.mean), ("least", condition.least), ("greatest", condition.greatest)];
            for (name, value) in all {
                xml.element("dcc:quantity", &[], |xml| {
                    words(xml, "dcc:name", name);
                    xml.element("si:real", &[], |xml| {
                        xml.leaf("si:value", &decimal(unit.value(value)));
                        xml.leaf("si:unit", unit.unit);
                        if let Some(u) = condition.u.filter(|_| name == "mean") {
                            let u = decimal(unit.difference(u));
                            xml.element("si:measurementUncertaintyUnivariate", &[], |xml| {
                                xml.element("si:standardMU", &[], |xml| xml.leaf("si:valueStandardMU", &u));
                            });
                        }
                    });
                });
            }
        });
    });
}

fn result(xml: &mut Markup, name: &str, points: &[PointResult], results: &Results, unit: &Stated) {
    xml.element("dcc:result", &[("refType", "basic_measurementResults")], |xml| {
        words(xml, "dcc:name", &format!("errors {name}"));
        words(xml, "dcc:description", &say::uncertainty(results));
        xml.element("dcc:data", &[], |xml| {
            xml.element("dcc:list", &[], |xml| {
                let times: Vec<String> = points.iter().map(|point| point.during[1].to_string()).collect();
                xml.leaf("dcc:dateTimeXMLList", &times.join(" "));
                values(xml, points, unit);
                error(xml, points, results, unit);
            });
            xml.element("dcc:list", &[], |xml| budget(xml, points, unit));
        });
    });
}

/// A quantity that is a list of numbers, and what else belongs into it.
fn list(
    xml: &mut Markup,
    kind: Option<&str>,
    name: &str,
    values: &str,
    unit: &str,
    more: impl FnOnce(&mut Markup),
) {
    let attributes: Vec<(&str, &str)> = kind.map(|kind| ("refType", kind)).into_iter().collect();
    xml.element("dcc:quantity", &attributes, |xml| {
        words(xml, "dcc:name", name);
        xml.element("si:realListXMLList", &[], |xml| {
            xml.leaf("si:valueXMLList", values);
            xml.leaf("si:unitXMLList", unit);
            more(xml);
        });
    });
}

fn values(xml: &mut Markup, points: &[PointResult], unit: &Stated) {
    let value = |of: fn(&PointResult) -> f64| decimals(points.iter().map(|point| unit.value(of(point))));
    list(xml, Some("basic_referenceValue"), "reference value", &value(|it| it.reference), unit.unit, |xml| {
        let u = decimals(points.iter().map(|point| unit.difference(component(point, Component::Reference))));
        xml.element("si:measurementUncertaintyUnivariateXMLList", &[], |xml| {
            xml.element("si:standardMUXMLList", &[], |xml| xml.leaf("si:valueStandardMUXMLList", &u));
        });
    });
    list(xml, Some("basic_measuredValue"), "indication", &value(|it| it.indication), unit.unit, |_| {});
}

fn error(xml: &mut Markup, points: &[PointResult], results: &Results, unit: &Stated) {
    let difference =
        |of: fn(&PointResult) -> f64| decimals(points.iter().map(|point| unit.difference(of(point))));
    let (value, expanded) = (difference(|it| it.error), difference(|it| it.expanded));
    xml.element("dcc:quantity", &[("refType", "basic_measurementError")], |xml| {
        words(xml, "dcc:name", "error");
        xml.element("si:realListXMLList", &[], |xml| {
            xml.leaf("si:valueXMLList", &value);
            xml.leaf("si:unitXMLList", unit.differences);
            xml.element("si:measurementUncertaintyUnivariateXMLList", &[], |xml| {
                xml.element("si:expandedMUXMLList", &[], |xml| {
                    let factors = decimals(points.iter().map(|point| point.coverage_factor));
                    xml.leaf("si:valueExpandedMUXMLList", &expanded);
                    xml.leaf("si:coverageFactorXMLList", &factors);
                    xml.leaf("si:coverageProbabilityXMLList", &decimal(results.coverage_probability));
                });
            });
        });
        if let Some(conformity) = &results.conformity {
            statements(xml, points, conformity.rule, unit);
        }
    });
}

/// What is stated about each point, the limits that an error has to keep to pass, and what they are made of. Where
/// no error is a pass, the lower one is above the upper one.
fn statements(xml: &mut Markup, points: &[PointResult], rule: Rule, unit: &Stated) {
    let stated = || points.iter().filter_map(|point| point.conformity);
    let outcomes: Vec<&str> = stated().map(|it| conformity(it.outcome)).collect();
    let permitted = decimals(stated().map(|it| unit.difference(it.mpe)));
    let limits = |sign: f64| {
        decimals(points.iter().filter_map(|it| it.acceptance(rule)).map(|it| unit.difference(sign * it)))
    };
    xml.element("dcc:measurementMetaData", &[], |xml| {
        xml.element("dcc:metaData", &[("refType", "basic_conformity")], |xml| {
            xml.leaf("dcc:conformityXMLList", &outcomes.join(" "));
            xml.element("dcc:data", &[], |xml| {
                for (kind, name, values) in [
                    (Some("basic_acceptanceLimitLower"), "acceptance limit, lower", limits(-1.0)),
                    (Some("basic_acceptanceLimitUpper"), "acceptance limit, upper", limits(1.0)),
                    (None, "maximum permissible error", permitted),
                ] {
                    list(xml, kind, name, &values, unit.differences, |_| {});
                }
            });
        });
    });
}

/// The standard uncertainty of the error that comes from a component.
fn component(point: &PointResult, wanted: Component) -> f64 {
    let line = point.budget.iter().find(|line| line.component == wanted);
    line.map_or(0.0, |line| (line.sensitivity * line.u).abs())
}

fn budget(xml: &mut Markup, points: &[PointResult], unit: &Stated) {
    words(xml, "dcc:name", "uncertainty budget of the error");
    let parts = [Component::Reference, Component::Repeatability, Component::Resolution, Component::Stability];
    for part in parts {
        let values = decimals(points.iter().map(|point| unit.difference(component(point, part))));
        list(xml, None, say::component(part), &values, unit.differences, |_| {});
    }
    let finite = |it: Option<f64>| it.map_or("infinite".to_owned(), decimal);
    let degrees: Vec<String> = points.iter().map(|point| finite(point.degrees_of_freedom)).collect();
    let combined = decimals(points.iter().map(|point| unit.difference(point.u)));
    xml.element("dcc:quantity", &[], |xml| {
        words(xml, "dcc:name", "combined standard uncertainty");
        words(xml, "dcc:description", &format!("Effective degrees of freedom: {}", degrees.join(" ")));
        xml.element("si:realListXMLList", &[], |xml| {
            xml.leaf("si:valueXMLList", &combined);
            xml.leaf("si:unitXMLList", unit.differences);
        });
    });
}
