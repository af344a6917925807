//! `[certificate]`: what stands on every certificate that this gateway issues.

use super::reader::Section;
use crate::domain::certificate::{
    Accreditation, CertificateError, Laboratory, Location, Method, Office, Party, Place,
};
use crate::domain::uncertainty::decision::Rule;

const PLACES: [(&str, Place); 3] =
    [("laboratory", Place::Laboratory), ("customer", Place::Customer), ("other", Place::Other)];
const RULES: [(&str, Rule); 2] = [("guard_band", Rule::GuardBand), ("simple", Rule::Simple)];

/// Reads `[certificate]`; absent: this gateway issues no certificates.
pub fn read_certificate(root: &mut Section<'_>) -> Option<Office> {
    let mut section = root.table("certificate")?;
    let title = section.string("title").unwrap_or_else(|| "Calibration certificate".to_owned());
    let coverage_probability = section.float("coverage_probability", 0.9..=0.9999).unwrap_or(0.95);
    let rule = section.choice("decision_rule", &RULES).unwrap_or_default();
    let agreement = section.string("recommend_as_agreed_in");
    let laboratory = section.required("laboratory", "a table [certificate.laboratory]").table("laboratory");
    let laboratory = laboratory.and_then(|mut it| read_laboratory(&mut it));
    let customer = section.table("customer").map(|mut it| read_party(&mut it));
    let location = section.required("location", "a table [certificate.location]").table("location");
    let location = location.and_then(|mut it| read_location(&mut it));
    let method = section.required("method", "a table [certificate.method]").table("method");
    let method = method.and_then(|mut it| read_method(&mut it));
    let office = Office {
        title,
        coverage_probability,
        rule,
        agreement,
        laboratory: laboratory?,
        customer: match customer {
            Some(read) => Some(read?),
            None => None,
        },
        location: location?,
        method: method?,
    };
    match office.check() {
        Ok(()) => Some(office),
        Err(CertificateError { path, problem }) => {
            // The configuration has no table of its own for the party.
            section.fault(&path.replace("laboratory.party", "laboratory"), problem.to_string(), "correct it");
            None
        }
    }
}

fn read_laboratory(section: &mut Section<'_>) -> Option<Laboratory> {
    let accreditation = section.table("accreditation").map(|mut it| {
        let body = it.required("body", "\"DAkkS\"").string("body");
        let number = it.required("number", "\"D-K-00000-00-00\"").string("number");
        Some(Accreditation { body: body?, number: number? })
    });
    let party = read_party(section)?;
    let accreditation = match accreditation {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Laboratory { party, accreditation })
}

fn read_party(section: &mut Section<'_>) -> Option<Party> {
    let name = section.required("name", "\"Example Metrology Service\"").string("name");
    let country = section.required("country", "\"DE\"").string("country");
    let address = section.strings("address");
    let (email, phone) = (section.string("email"), section.string("phone"));
    Some(Party { name: name?, address, country: country?, email, phone })
}

fn read_location(section: &mut Section<'_>) -> Option<Location> {
    let at = section.choice("at", &PLACES).unwrap_or_default();
    let description = section.required("description", "\"Plant 7, building 2\"").string("description");
    Some(Location { at, description: description? })
}

fn read_method(section: &mut Section<'_>) -> Option<Method> {
    let name = section.required("name", "\"comparison with a reference standard\"").string("name");
    let description = section.string("description");
    Some(Method { name: name?, description, references: section.strings("references") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    const WHOLE: &str = "[certificate]\nrecommend_as_agreed_in = \"contract 7\"\ndecision_rule = \"simple\"\n\
        [certificate.laboratory]\nname = \"L\"\naddress = [\"1 Road\", \"City\"]\ncountry = \"DE\"\n\
        [certificate.laboratory.accreditation]\nbody = \"B\"\nnumber = \"N\"\n\
        [certificate.customer]\nname = \"C\"\ncountry = \"AT\"\nemail = \"c@example.org\"\n\
        [certificate.location]\ndescription = \"hall\"\n\
        [certificate.method]\nname = \"comparison\"\nreferences = [\"EA-4/02\"]\n";

    #[test]
    fn the_whole_is_read() {
        let (office, faults) = read_str("a.toml", WHOLE, read_certificate);
        assert_eq!(faults, []);
        let office = office.unwrap();
        assert_eq!((office.title.as_str(), office.coverage_probability), ("Calibration certificate", 0.95));
        assert_eq!((office.rule, office.location.at), (Rule::Simple, Place::Customer));
        assert_eq!(office.laboratory.accreditation.unwrap().number, "N");
        assert_eq!(office.customer.unwrap().country, "AT");
        assert_eq!(office.method.references, ["EA-4/02"]);
    }

    #[test]
    fn absent_is_nothing_and_parts_are_faults() {
        assert_eq!(read_str("a.toml", "", read_certificate).0, None);
        for (from, to, key) in [
            ("country = \"DE\"", "country = \"Germany\"", "country"),
            ("[certificate.method]\nname = \"comparison\"\n", "[certificate.method]\n", "name"),
            ("[certificate.location]\ndescription = \"hall\"\n", "", "location"),
            ("name = \"L\"", "name = \"\"", "name"),
            ("\"simple\"", "\"lenient\"", "decision_rule"),
        ] {
            assert!(WHOLE.contains(from), "{from}");
            let (_, faults) = read_str("a.toml", &WHOLE.replace(from, to), read_certificate);
            assert!(faults.iter().any(|fault| fault.to_string().contains(key)), "{from}: {faults:?}");
        }
    }
}
