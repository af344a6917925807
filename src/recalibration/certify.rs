//! The certificate that a session ends with: offered to be signed, then checked and signed.

use tokio::sync::oneshot;

use super::Refused;
use super::run::Parts;
use crate::activation::desk::{Ask as DeskAsk, Trust};
use crate::domain::certificate::{Certificate, Facts, Office, Person, TYPE, numbered, of_session, series};
use crate::domain::id::Id;
use crate::domain::reference::is_text;
use crate::domain::session::{Ending, Item, Session};
use crate::domain::time::Timestamp;
use crate::domain::trust::certificate::may_sign;
use crate::domain::trust::envelope::{Envelope, payload_type};
use crate::domain::trust::key::KeyId;
use crate::domain::trust::reason::Refusal;
use crate::domain::trust::root::{RoleName, Root};
use crate::domain::trust::scope::Place;
use crate::store::StoredCertificate;
use crate::sync::control::Purpose;
use crate::wire::control::{CertificateOffer, SessionState, WholeSession};
use crate::wire::message::CertificateEvent;

/// The most keys that sign a certificate beside the gateway's.
const MOST_KEYS: usize = 8;
/// So long after it was offered a certificate may be signed, in microseconds: what it says of its issue has to be so.
const WHILE: i64 = 3_600_000_000;
/// The longest name of a person, in characters.
const LONGEST_NAME: usize = 128;
const NO_OFFICE: &str = "this gateway issues no certificates, for its configuration has no [certificate]: the session ends without one";

impl Parts {
    /// What of the trust root and the enrolment counts.
    async fn trust(&self) -> Result<Trust, Refused> {
        let gone = Refused::Unavailable("calibd is ending: try again when it has started");
        let (answer, answered) = oneshot::channel();
        match self.desk.send(DeskAsk::Trust(answer)).await {
            Ok(()) => answered.await.map_err(|_| gone),
            Err(_) => Err(gone),
        }
    }

    /// What these technicians have to sign for the session to end with a certificate.
    pub(super) async fn offer(
        &self,
        session: &Session,
        technicians: Vec<KeyId>,
    ) -> Result<CertificateOffer, Refused> {
        session.can_be_certified()?;
        let office = self.office.borrow().clone();
        let Some(office) = office else {
            return Ok(CertificateOffer { note: Some(NO_OFFICE.to_owned()), ..CertificateOffer::default() });
        };
        if technicians.is_empty() {
            let text = "say whose key is to sign the certificate: key=ID, the id of a maintenance key";
            return Err(Refused::Bad(text.to_owned()));
        }
        let trust = self.trust().await?;
        known(trust.root.as_ref(), &technicians)?;
        self.is_true(session).await?;
        let certificate = self.made(session, &office, &trust, self.clock.now(), technicians).await?;
        let payload = certificate.to_payload().map_err(|fault| Refused::Bad(fault.to_string()))?;
        let unsigned = Envelope { payload_type: payload_type(TYPE), payload, signatures: Vec::new() };
        Ok(CertificateOffer {
            digest: Some(unsigned.digest()),
            number: Some(certificate.about.number),
            // What was written here as JSON is read as JSON.
            envelope: serde_json::from_slice(&unsigned.to_json()).ok(),
            note: None,
        })
    }

    /// That what a certificate of the session would say of the sensor is so now.
    async fn is_true(&self, session: &Session) -> Result<(), Refused> {
        let sensor = &session.plan.sensor;
        let item = match self.sensors.known_or_possible(sensor) {
            Some(sensor) => self.item(&sensor).await?,
            None => Item::default(),
        };
        let in_force = self.site(sensor).await?.in_force.map(|(transform, _)| transform.digest);
        Ok(session.is_true_of(&item, in_force)?)
    }

    /// The certificate of a session, as it would be issued at a time.
    async fn made(
        &self,
        session: &Session,
        office: &Office,
        trust: &Trust,
        issued: Timestamp,
        technicians: Vec<KeyId>,
    ) -> Result<Certificate, Refused> {
        if technicians.len() > MOST_KEYS {
            return Err(Refused::Bad(format!("at most {MOST_KEYS} keys sign a certificate")));
        }
        let series = series(&self.gateway, issued);
        let place = self.store.next_certificate(series.clone()).await?;
        let held = self.held_id().filter(|held| technicians.contains(held));
        // Whose key it is says nothing of who has the session where that is the gateway.
        let labelled = technicians.first().filter(|_| held.is_none());
        let facts = Facts {
            number: numbered(&series, place),
            issued,
            gateway: self.key.public(),
            author: author(trust.root.as_ref(), labelled, session.holder()),
            held: held.into_iter().collect(),
            technicians,
        };
        of_session(session, office, facts).map_err(|fault| {
            Refused::Bad(format!("no certificate can be made of session {}: {fault}", session.id))
        })
    }

    /// What technicians have signed, if it is what the session would be offered now and they may; with the gateway's
    /// signature. For whoever is named the key that the gateway holds signs, too.
    pub(super) async fn certified(
        &self,
        session: &Session,
        bytes: &[u8],
        held_for: Option<&str>,
    ) -> Result<StoredCertificate, Refused> {
        session.can_be_certified()?;
        let office = self.office.borrow().clone();
        let office = office.ok_or_else(|| Refused::Bad(NO_OFFICE.to_owned()))?;
        let mut envelope = Envelope::parse(bytes).map_err(|refusal| refused(&refusal))?;
        if envelope.payload_type != payload_type(TYPE) {
            return Err(Refused::Bad(format!("the envelope holds no {}", payload_type(TYPE))));
        }
        let signed = Certificate::parse(&envelope.payload).map_err(|refusal| refused(&refusal))?;
        self.is_true(session).await?;
        let (issued, technicians) = (signed.about.issued, &signed.about.signed_by.technicians);
        let trust = self.trust().await?;
        let same = match self.made(session, &office, &trust, issued, technicians.clone()).await {
            Ok(now) => now.to_payload().is_ok_and(|payload| payload == envelope.payload),
            // What is measured by now may be later than what was signed.
            Err(Refused::Bad(_)) => false,
            Err(other) => return Err(other),
        };
        if !same || !(0..=WHILE).contains(&self.clock.now().micros_since(issued)) {
            return Err(Refused::Bad(format!(
                "what was signed is not the certificate of session {} as it is now: get it again, and sign that within an hour",
                session.id
            )));
        }
        let root = known(trust.root.as_ref(), technicians)?;
        if let Some(by) = held_for {
            self.certified_for(session, &mut envelope, by)?;
        }
        let whose = Place { gateway: Some(&self.gateway), enrolment: trust.enrolment.as_ref() };
        may_sign(&signed, &envelope, root, whose, &trust.time).map_err(|refusal| refused(&refusal))?;
        keep_technicians(&mut envelope, root, technicians);
        envelope.add_signatures(std::slice::from_ref(&self.key));
        Ok(StoredCertificate::of(&signed, envelope.digest(), envelope.to_json()))
    }

    /// A session that has ended with this very certificate: whoever signed it has lost the answer.
    pub(super) async fn certified_before(&self, id: &Id, bytes: &[u8]) -> Result<WholeSession, Refused> {
        let digest = Envelope::parse(bytes).map_err(|refusal| refused(&refusal))?.digest();
        let stored = self.store.sessions(Some(id.clone()), None, 1).await?.pop();
        let session = stored.and_then(|text| serde_json::from_str::<Session>(&text).ok());
        let ended_so = |session: &Session| matches!(&session.ended, Some((Ending::Done { certificate: Some(its) }, _)) if *its == digest);
        match session.filter(ended_so) {
            Some(session) => Ok(WholeSession { state: SessionState::of(&session), session }),
            None => Err(not_open(id)),
        }
    }

    /// Tells the fleet of a certificate.
    pub(super) fn announce(&self, certificate: &StoredCertificate) {
        let event = CertificateEvent {
            event: "certificate",
            action: "certificate.issued",
            sensor: &certificate.sensor,
            session: &certificate.session,
            number: &certificate.number,
            digest: certificate.digest,
            as_found: certificate.as_found.as_deref(),
            as_left: certificate.as_left.as_deref(),
            time: certificate.issued,
        };
        // A flat struct of texts always serialises.
        let payload = serde_json::to_vec(&event).unwrap_or_default();
        self.link.publish(format!("{}/event", self.branch), payload, Purpose::Plain);
    }
}

/// What to say of a session that is over, or never was.
pub(super) fn not_open(id: &Id) -> Refused {
    Refused::Unknown(format!("there is no open session `{id}`; `GET /v1/sessions` lists them"))
}

fn refused(refusal: &Refusal) -> Refused {
    Refused::Bad(refusal.to_string())
}

/// The root, if all keys have the role in it: nobody is to sign in vain.
fn known<'a>(root: Option<&'a Root>, technicians: &[KeyId]) -> Result<&'a Root, Refused> {
    let Some(root) = root else {
        let text = "this gateway has no trust root, so nobody can sign a certificate: set trust.root";
        return Err(Refused::Bad(text.to_owned()));
    };
    let holds = |key: &KeyId| root.role(RoleName::Maintenance).is_some_and(|role| role.keyids.contains(key));
    match technicians.iter().find(|key| !holds(key)) {
        None => Ok(root),
        Some(key) => Err(Refused::Bad(format!(
            "unknown_key: key {} has no role maintenance in the trust root, version {}: sign with one that has",
            &key.to_string()[..12],
            root.version
        ))),
    }
}

/// Whoever holds the key by the root's words, else the user who has the session.
fn author(root: Option<&Root>, key: Option<&KeyId>, holder: &str) -> Person {
    let label = key.and_then(|key| Some(&root?.keys.get(key)?.label));
    let name = label.filter(|label| is_text(label, LONGEST_NAME)).map_or(holder, String::as_str);
    Person { name: name.strip_prefix("user:").unwrap_or(name).to_owned(), function: None }
}

/// Leaves out signatures of nobody whom the certificate names, and those that stand twice.
fn keep_technicians(envelope: &mut Envelope, root: &Root, technicians: &[KeyId]) {
    let message = envelope.pae();
    let mut left: Vec<_> = technicians.iter().filter_map(|id| root.keys.get(id)).collect();
    envelope.signatures.retain(|signature| {
        let signer = left.iter().position(|key| key.public_key.verifies(&message, &signature.sig));
        signer.map(|at| left.swap_remove(at)).is_some()
    });
}
