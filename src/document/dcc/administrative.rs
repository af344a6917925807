//! `administrativeData`.

use super::super::Original;
use super::super::markup::Markup;
use super::super::words as say;
use super::{all_words, words};
use crate::domain::certificate::{About, Certificate, Conformity, Party, Place};
use crate::domain::uncertainty::decision::Outcome;

/// Writes it.
pub fn write(xml: &mut Markup, certificate: &Certificate, original: &Original) {
    let about = &certificate.about;
    xml.element("dcc:administrativeData", &[], |xml| {
        xml.element("dcc:dccSoftware", &[], |xml| software(xml, original));
        xml.element("dcc:coreData", &[], |xml| core(xml, certificate, original));
        xml.element("dcc:items", &[], |xml| item(xml, about));
        let laboratory = &about.laboratory;
        xml.element("dcc:calibrationLaboratory", &[], |xml| {
            let number = laboratory.accreditation.as_ref().map(|it| it.number.trim());
            xml.optional("dcc:calibrationLaboratoryCode", number);
            contact(xml, "dcc:contact", &laboratory.party);
        });
        xml.element("dcc:respPersons", &[], |xml| {
            xml.element("dcc:respPerson", &[], |xml| {
                let person = &about.authorised_by;
                xml.element("dcc:person", &[], |xml| words(xml, "dcc:name", &person.name));
                xml.optional("dcc:role", person.function.as_deref().map(str::trim));
                xml.leaf("dcc:mainSigner", "true");
            });
        });
        contact(xml, "dcc:customer", about.customer.as_ref().unwrap_or(&laboratory.party));
        xml.element("dcc:statements", &[], |xml| statements(xml, certificate));
    });
}

fn software(xml: &mut Markup, original: &Original) {
    xml.element("dcc:software", &[], |xml| {
        let (name, release) = original.version.split_once(' ').unwrap_or((original.version, "unknown"));
        words(xml, "dcc:name", name);
        xml.leaf("dcc:release", release);
        xml.leaf("dcc:type", "application");
    });
}

fn core(xml: &mut Markup, certificate: &Certificate, original: &Original) {
    let about = &certificate.about;
    xml.leaf("dcc:countryCodeISO3166_1", &about.laboratory.party.country);
    xml.leaf("dcc:usedLangCodeISO639_1", "en");
    xml.leaf("dcc:mandatoryLangCodeISO639_1", "en");
    xml.leaf("dcc:uniqueIdentifier", &about.number);
    xml.element("dcc:identifications", &[], |xml| {
        let digest = original.digest.to_string();
        identification(xml, "calibrationLaboratory", &digest, "SHA-256 of the signed certificate (DSSE)");
        identification(xml, "calibrationLaboratory", &about.session, "session");
    });
    if let Some(received) = about.received {
        xml.leaf("dcc:receiptDate", &say::day(received));
    }
    let [begin, end] = certificate.results.during().unwrap_or([about.issued; 2]).map(say::day);
    xml.leaf("dcc:beginPerformanceDate", &begin);
    xml.leaf("dcc:endPerformanceDate", &end);
    let place = match about.location.at {
        Place::Laboratory => "laboratory",
        Place::Customer => "customer",
        Place::Other => "other",
    };
    xml.leaf("dcc:performanceLocation", place);
    xml.leaf("dcc:issueDate", &say::day(about.issued));
}

/// One identification of something.
pub fn identification(xml: &mut Markup, issuer: &str, value: &str, name: &str) {
    xml.element("dcc:identification", &[], |xml| {
        xml.leaf("dcc:issuer", issuer);
        xml.leaf("dcc:value", value.trim());
        words(xml, "dcc:name", name);
    });
}

fn item(xml: &mut Markup, about: &About) {
    let (item, instrument) = (&about.item, about.item.instrument.as_ref());
    xml.element("dcc:item", &[("id", "item")], |xml| {
        words(xml, "dcc:name", &format!("sensor for {}", item.quantity));
        if let Some(condition) = &item.condition {
            words(xml, "dcc:description", &format!("Condition: {condition}"));
        }
        if let Some(firmware) = instrument.and_then(|it| it.firmware.as_deref()) {
            xml.element("dcc:installedSoftwares", &[], |xml| {
                xml.element("dcc:software", &[], |xml| {
                    words(xml, "dcc:name", "firmware");
                    xml.leaf("dcc:release", firmware.trim());
                    xml.leaf("dcc:type", "firmware");
                });
            });
        }
        if let Some(make) = instrument.and_then(|it| it.make.as_deref()) {
            xml.element("dcc:manufacturer", &[], |xml| words(xml, "dcc:name", make));
        }
        xml.optional("dcc:model", instrument.map(|it| it.model.trim()));
        xml.element("dcc:identifications", &[], |xml| {
            if let Some(instrument) = instrument {
                identification(xml, "manufacturer", &instrument.serial, "serial number");
                if let Some(element) = &instrument.element_serial {
                    identification(xml, "manufacturer", element, "serial number of the sensing element");
                }
            }
            identification(xml, "customer", item.sensor.as_str(), "sensor");
            identification(xml, "customer", about.gateway.as_str(), "gateway");
        });
    });
}

fn contact(xml: &mut Markup, tag: &str, party: &Party) {
    xml.element(tag, &[], |xml| {
        words(xml, "dcc:name", &party.name);
        xml.optional("dcc:eMail", party.email.as_deref().map(str::trim));
        xml.optional("dcc:phone", party.phone.as_deref().map(str::trim));
        xml.element("dcc:location", &[], |xml| {
            xml.leaf("dcc:countryCode", &party.country);
            if !party.address.is_empty() {
                let lines: Vec<&str> = party.address.iter().map(String::as_str).collect();
                all_words(xml, "dcc:further", &lines);
            }
        });
    });
}

fn statements(xml: &mut Markup, certificate: &Certificate) {
    let about = &certificate.about;
    let accreditation = about.laboratory.accreditation.as_ref();
    let accredited = say::accreditation(accreditation.map(|it| (it.body.as_str(), it.number.as_str())));
    statement(xml, "accreditation", &[&accredited], |_| {});
    statement(xml, "place of the calibration", &[&about.location.description], |_| {});
    if let Some(stated) = &certificate.results.conformity {
        let mpe = format!("Maximum permissible error: {}", say::mpe(&stated.mpe, &certificate.results.unit));
        let sentences = say::conformity(stated);
        let mut texts: Vec<&str> = vec![&mpe, say::rule(stated.rule)];
        texts.extend(sentences.iter().map(String::as_str));
        statement(xml, "statement of conformity", &texts, |xml| {
            if let Some(outcome) = last(stated) {
                xml.leaf("dcc:conformity", conformity(outcome));
            }
        });
    }
    if !about.deviations.is_empty() {
        let texts: Vec<&str> = about.deviations.iter().map(String::as_str).collect();
        statement(xml, "deviations, additions and exclusions", &texts, |_| {});
    }
    if let Some(recommended) = &about.recommended {
        let text =
            format!("As agreed with the customer ({}): calibrate again by this date.", recommended.agreement);
        let day = say::day(recommended.at);
        statement(xml, "recommended date of the next calibration", &[&text], |xml| {
            xml.leaf("dcc:date", &day);
        });
    }
    if let Some(text) = about.on_behalf() {
        statement(xml, "signature", &[&text], |_| {});
    }
    statement(xml, "remarks", &say::USUAL, |_| {});
}

fn statement(xml: &mut Markup, name: &str, texts: &[&str], more: impl FnOnce(&mut Markup)) {
    xml.element("dcc:statement", &[], |xml| {
        words(xml, "dcc:name", name);
        all_words(xml, "dcc:declaration", texts);
        more(xml);
    });
}

/// What is stated in the end.
fn last(conformity: &Conformity) -> Option<Outcome> {
    conformity.as_left.or(conformity.as_found)
}

/// An outcome as the schema has it.
pub fn conformity(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::ConditionalPass => "conditionalPass",
        Outcome::ConditionalFail => "conditionalFail",
        Outcome::Fail => "fail",
    }
}
