//! Whether what a certificate says fits together and into its bounds.

use std::collections::BTreeSet;

use super::error::{CertificateError, Problem};
use super::point::{number, size};
use super::{About, Certificate, Condition, Curve, Laboratory, MOST, MOST_PLACES, Method, Office, Party};
use crate::domain::reference::is_text;
use crate::domain::sensor::Instrument;
use crate::domain::units::Unit;

/// The longest word or name.
const NAME: usize = 128;
/// The longest sentences.
const SENTENCES: usize = 1000;

impl Certificate {
    /// Checks every field, and computes again what follows from others.
    ///
    /// # Errors
    /// The first fault, with the field's path.
    pub(super) fn check(&self) -> Result<(), CertificateError> {
        self.about.check().map_err(|fault| fault.under("about"))?;
        self.results.check().map_err(|fault| fault.under("results"))?;
        let named = |id| self.about.standards.iter().any(|standard| &standard.id == id);
        if let Some(id) = self.results.points().filter_map(|it| it.standard.as_ref()).find(|id| !named(*id)) {
            return Err(Problem::Standard(id.clone()).at("results"));
        }
        match self.results.during() {
            Some([_, end]) if self.about.issued < end => Err(Problem::Early.at("about.issued")),
            _ => Ok(()),
        }
    }
}

impl About {
    fn check(&self) -> Result<(), CertificateError> {
        if !is_number(&self.number) {
            return Err(Problem::Number.at("number"));
        }
        self.words()?;
        self.laboratory.check().map_err(|fault| fault.under("laboratory"))?;
        self.method.check().map_err(|fault| fault.under("method"))?;
        if let Some(customer) = &self.customer {
            customer.check().map_err(|fault| fault.under("customer"))?;
        }
        if let Some(instrument) = &self.item.instrument {
            check_instrument(instrument).map_err(|fault| fault.under("item.instrument"))?;
        }
        self.lists()?;
        self.curve.as_ref().map_or(Ok(()), |curve| curve.check().map_err(|fault| fault.under("curve")))
    }

    fn words(&self) -> Result<(), CertificateError> {
        let words = [
            ("title", Some(&self.title)),
            ("session", Some(&self.session)),
            ("item.quantity", Some(&self.item.quantity)),
            ("recommended.agreement", self.recommended.as_ref().map(|it| &it.agreement)),
            ("authorised_by.name", Some(&self.authorised_by.name)),
            ("authorised_by.function", self.authorised_by.function.as_ref()),
        ];
        words.into_iter().try_for_each(|(at, it)| text(at, it, NAME))?;
        let sentences = [
            ("location.description", Some(&self.location.description)),
            ("item.condition", self.item.condition.as_ref()),
        ];
        sentences.into_iter().try_for_each(|(at, it)| text(at, it, SENTENCES))
    }

    fn lists(&self) -> Result<(), CertificateError> {
        texts("deviations", &self.deviations, SENTENCES)?;
        let lengths = [
            ("conditions", self.conditions.len()),
            ("standards", self.standards.len()),
            ("signed_by.technicians", self.signed_by.technicians.len()),
        ];
        if let Some((at, _)) = lengths.into_iter().find(|(_, length)| *length > MOST) {
            return Err(Problem::most().at(at));
        }
        for (at, condition) in self.conditions.iter().enumerate() {
            condition.check().map_err(|fault| fault.under(&format!("conditions[{at}]")))?;
        }
        let mut ids = BTreeSet::new();
        for (at, standard) in self.standards.iter().enumerate() {
            let place = format!("standards[{at}]");
            if !ids.insert(&standard.id) {
                return Err(Problem::Twice.at(&place));
            }
            standard.check().map_err(|fault| Problem::Reference(fault).at(&place))?;
        }
        let mut keys = BTreeSet::new();
        let twice = self.signed_by.technicians.iter().any(|id| !keys.insert(id));
        if twice {
            return Err(Problem::Twice.at("signed_by.technicians"));
        }
        match self.signed_by.held.iter().all(|id| keys.remove(id)) {
            true => Ok(()),
            false => Err(Problem::NoSigner.at("signed_by.held")),
        }
    }
}

impl Office {
    /// Checks what somebody configured.
    ///
    /// # Errors
    /// The first fault, with the field.
    pub fn check(&self) -> Result<(), CertificateError> {
        text("title", Some(&self.title), NAME)?;
        text("recommend_as_agreed_in", self.agreement.as_ref(), NAME)?;
        self.laboratory.check().map_err(|fault| fault.under("laboratory"))?;
        self.customer.as_ref().map_or(Ok(()), |it| it.check().map_err(|fault| fault.under("customer")))?;
        text("location.description", Some(&self.location.description), SENTENCES)?;
        self.method.check().map_err(|fault| fault.under("method"))
    }
}

impl Laboratory {
    fn check(&self) -> Result<(), CertificateError> {
        self.party.check().map_err(|fault| fault.under("party"))?;
        let accreditation = self.accreditation.as_ref();
        text("accreditation.body", accreditation.map(|it| &it.body), NAME)?;
        text("accreditation.number", accreditation.map(|it| &it.number), NAME)
    }
}

impl Method {
    fn check(&self) -> Result<(), CertificateError> {
        text("name", Some(&self.name), NAME)?;
        text("description", self.description.as_ref(), SENTENCES)?;
        texts("references", &self.references, NAME)
    }
}

impl Party {
    /// Checks what somebody wrote about an organisation.
    ///
    /// # Errors
    /// The first fault, with the field.
    pub fn check(&self) -> Result<(), CertificateError> {
        let words =
            [("name", Some(&self.name)), ("email", self.email.as_ref()), ("phone", self.phone.as_ref())];
        words.into_iter().try_for_each(|(at, it)| text(at, it, NAME))?;
        texts("address", &self.address, NAME)?;
        let letters = self.country.len() == 2 && self.country.bytes().all(|b| b.is_ascii_uppercase());
        if letters { Ok(()) } else { Err(Problem::Country.at("country")) }
    }
}

impl Condition {
    fn check(&self) -> Result<(), CertificateError> {
        text("name", Some(&self.name), NAME)?;
        if Unit::parse(&self.unit).is_err() {
            return Err(Problem::Unit(self.unit.clone()).at("unit"));
        }
        [("mean", self.mean), ("least", self.least), ("greatest", self.greatest)]
            .into_iter()
            .try_for_each(|(at, it)| number(at, it))?;
        self.u.map_or(Ok(()), |u| size("u", u))
    }
}

impl Curve {
    fn check(&self) -> Result<(), CertificateError> {
        if Unit::parse(&self.raw_unit).is_err() {
            return Err(Problem::Unit(self.raw_unit.clone()).at("raw_unit"));
        }
        let rising = self.places.windows(2).all(|pair| pair[0][0] < pair[1][0]);
        let finite = self.places.iter().flatten().all(|it| it.is_finite());
        let few = (2..=MOST_PLACES).contains(&self.places.len());
        if rising && finite && few { Ok(()) } else { Err(Problem::Curve.at("places")) }
    }
}

fn check_instrument(instrument: &Instrument) -> Result<(), CertificateError> {
    let words = [
        ("model", Some(&instrument.model)),
        ("serial", Some(&instrument.serial)),
        ("make", instrument.make.as_ref()),
        ("element_serial", instrument.element_serial.as_ref()),
        ("firmware", instrument.firmware.as_ref()),
        ("comment", instrument.comment.as_ref()),
    ];
    words.into_iter().try_for_each(|(at, it)| text(at, it, NAME))
}

/// Whether it can be a certificate's number: it stands in names of files and in addresses.
fn is_number(number: &str) -> bool {
    let bytes = number.as_bytes();
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=80).contains(&bytes.len()) && bytes[0].is_ascii_alphanumeric() && bytes.iter().all(allowed)
}

fn text(at: &str, text: Option<&String>, longest: usize) -> Result<(), CertificateError> {
    if text.is_none_or(|text| is_text(text, longest)) { Ok(()) } else { Err(Problem::Text(longest).at(at)) }
}

fn texts(at: &str, list: &[String], longest: usize) -> Result<(), CertificateError> {
    if list.len() > MOST {
        return Err(Problem::most().at(at));
    }
    list.iter().enumerate().try_for_each(|(index, it)| text(&format!("{at}[{index}]"), Some(it), longest))
}
