//! The certificate at the end of a session: fetched, looked at, signed, given back.

use super::super::Door;
use super::super::client::{escaped, get_at, post};
use super::show::verdict;
use super::steps::{Script, Signer, UNSIGNED};
use crate::ctl::output::{Failure, note};
use crate::domain::certificate::{Certificate, TYPE};
use crate::domain::session::Session;
use crate::domain::trust::envelope::{Envelope, payload_type};
use crate::wire::control::{CertificateOffer, SessionCommand, WholeSession};

/// What to do where no certificate can be had.
const REMEDY: &str =
    "go on with --resume and another --key, or with --resume --no-certificate to end without one";

impl Script<'_> {
    /// Ends a session with its certificate; without one where the gateway issues none, which is told.
    pub(super) fn certify(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        let session = &whole.session;
        let path = format!("/v1/sessions/{}/certificate", escaped(session.id.as_str()));
        let signer = match &self.signer {
            Signer::Key(key) => format!("?key={}", key.public().id()),
            Signer::Gateway(key) => format!("?key={key}"),
            Signer::Nobody => String::new(),
        };
        let offer = get_at(self.asked, Door::Maintenance, &format!("{path}{signer}"));
        let offer: CertificateOffer = offer.map_err(remedied)?;
        let Some(document) = &offer.envelope else {
            note(offer.note.as_deref().unwrap_or("the gateway offers no certificate"));
            return self.command(whole, "end", SessionCommand::default());
        };
        let (mut envelope, certificate) = read(document, session)?;
        let number = &certificate.about.number;
        let question = format!("sign certificate {number}? press Enter, or Ctrl-C to leave it");
        self.confirm(&question, UNSIGNED)?;
        let held = match &self.signer {
            Signer::Key(key) => {
                envelope.add_signatures(std::slice::from_ref(&**key));
                ""
            }
            _ => "?gateway_key=true",
        };
        let signed = String::from_utf8_lossy(&envelope.to_json()).into_owned();
        let ended = post(self.asked, Door::Maintenance, &format!("{path}{held}"), signed);
        let ended = ended.map_err(remedied)?;
        self.say(&self.certified(&certificate, session))?;
        Ok(ended)
    }

    /// What was certified, and how to have it on paper.
    fn certified(&self, certificate: &Certificate, session: &Session) -> String {
        let number = &certificate.about.number;
        let stated = certificate.results.conformity;
        let found = verdict(stated.and_then(|it| it.as_found));
        let left = match certificate.about.transforms.adjusted() {
            false => "not adjusted".to_owned(),
            true => format!("as left {}", verdict(stated.and_then(|it| it.as_left))),
        };
        format!(
            "certificate {number}: as found {found}, {left}\n{}  calibctl certificate export {number} --format html -o {number}.html\n",
            self.on_behalf(session)
        )
    }
}

/// A refusal that does not say itself how to end without a certificate says so.
fn remedied(failure: Failure) -> Failure {
    let bare = failure.is_refusal() && !failure.message().contains("--no-certificate");
    if bare { failure.with_remedy(REMEDY) } else { failure }
}

/// What is offered, which is not signed unseen: it has to be the certificate of this session.
fn read(document: &serde_json::Value, session: &Session) -> Result<(Envelope, Certificate), Failure> {
    let unusable = |what: String| Failure::refused(format!("what is to be signed cannot be used: {what}"));
    let envelope =
        Envelope::parse(document.to_string().as_bytes()).map_err(|refusal| unusable(refusal.to_string()))?;
    if envelope.payload_type != payload_type(TYPE) {
        return Err(unusable("it is no certificate".to_owned()));
    }
    let certificate =
        Certificate::parse(&envelope.payload).map_err(|refusal| unusable(refusal.to_string()))?;
    let (about, plan) = (&certificate.about, &session.plan);
    if about.session != session.id.as_str()
        || about.item.sensor != plan.sensor
        || about.gateway != plan.gateway
    {
        return Err(unusable(format!("it is of session {}", about.session)));
    }
    Ok((envelope, certificate))
}
