//! Certificates that a gateway issued, in its ledger.

use calibd::domain::certificate::Certificate;
use calibd::domain::trust::envelope::{Envelope, payload_type, sign};
use calibd::domain::trust::key::PrivateKey;
use calibd::store::{LedgerFacts, SessionStep, StoredCertificate};
use rusqlite::Connection;

use super::*;

/// The thermometer's certificate under another number, signed by the gateway.
fn numbered(number: &str) -> StoredCertificate {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/thermometer/certificate.json");
    let example = Envelope::parse(&std::fs::read(path).unwrap()).unwrap();
    let mut certificate = Certificate::parse(&example.payload).unwrap();
    certificate.about.number = number.to_owned();
    let key = PrivateKey::from_seed(&[4; 32]).unwrap();
    let bytes = sign(&payload_type("certificate"), &certificate.to_payload().unwrap(), &[key]);
    let digest = Envelope::parse(&bytes).unwrap().digest();
    StoredCertificate::of(&certificate, digest, bytes)
}

/// The end of a session, with its certificate.
fn end(session: &str, certificate: StoredCertificate) -> SessionStep {
    SessionStep {
        id: Id::new(session).unwrap(),
        sensor: certificate.sensor.clone(),
        opened: certificate.issued,
        ended: Some(certificate.issued),
        content: format!("{{\"id\":\"{session}\"}}"),
        actor: "user:ann".to_owned(),
        audits: Vec::new(),
        certificate: Some(certificate),
    }
}

#[tokio::test]
async fn a_number_that_a_checkpoint_knows_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    store.write_session(end("s-1", numbered("gw-1-2026-0002"))).await.unwrap();
    let facts = store.ledger_facts().await.unwrap();
    let [(number, digest)] = facts.certificates.clone().try_into().unwrap();
    assert_eq!(number, "gw-1-2026-0002");
    // What the ledger knows better changes nothing.
    let said =
        |number: &str| LedgerFacts { certificates: vec![(number.to_owned(), digest)], ..facts.clone() };
    let head = store.audit_head().await.unwrap();
    store.catch_up(said("gw-1-2026-0001")).await.unwrap();
    assert_eq!(store.audit_head().await.unwrap(), head);
    // As after a backup was restored that is older than five certificates.
    let after = store.catch_up(said("gw-1-2026-0007")).await.unwrap();
    assert_eq!(after.certificates, [("gw-1-2026-0007".to_owned(), digest)]);
    assert_eq!(after.head.0, head.0 + 1, "it is in the audit");
    assert_eq!(store.next_certificate("gw-1-2026-".to_owned()).await.unwrap(), 8);
    assert_eq!(store.next_certificate("gw-1-2027-".to_owned()).await.unwrap(), 1);
    store.write_session(end("s-8", numbered("gw-1-2026-0008"))).await.unwrap();
    assert_eq!(store.next_certificate("gw-1-2026-".to_owned()).await.unwrap(), 9);
    // A new year begins with a lower number, which is a later one.
    store.catch_up(said("gw-1-2027-0003")).await.unwrap();
    assert_eq!(store.next_certificate("gw-1-2027-".to_owned()).await.unwrap(), 4);
    // A clock that was far ahead for a while takes nothing from the series of the right year.
    store.catch_up(said("gw-1-2099-0001")).await.unwrap();
    store.catch_up(said("gw-1-2026-0012")).await.unwrap();
    assert_eq!(store.next_certificate("gw-1-2026-".to_owned()).await.unwrap(), 13);
    let all = store.ledger_facts().await.unwrap().certificates;
    let numbers: Vec<_> = all.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ["gw-1-2026-0012", "gw-1-2027-0003", "gw-1-2099-0001"]);
}

#[tokio::test]
async fn a_certificate_is_kept_once_for_good_and_audited() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let certificate = numbered("gw-1-2026-0007");
    assert_eq!(certificate.as_found.as_deref(), Some("fail"));
    assert_eq!(certificate.as_left.as_deref(), Some("pass"));
    let series = || store.next_certificate("gw-1-2026-".to_owned());
    assert_eq!(series().await.unwrap(), 1);
    store.write_session(end("s-1", certificate.clone())).await.unwrap();
    assert_eq!(series().await.unwrap(), 8);
    assert_eq!(store.next_certificate("gw-1-2027-".to_owned()).await.unwrap(), 1);
    // A number is given once; the session that would end with it does not end.
    let forged = StoredCertificate { digest: calibd::domain::digest::Digest([7; 32]), ..certificate.clone() };
    store.write_session(end("s-2", forged)).await.unwrap_err();
    assert_eq!(store.sessions(Some(Id::new("s-2").unwrap()), None, 1).await.unwrap(), [""; 0]);
    store.write_session(end("s-2", numbered("gw-1-2026-0008"))).await.unwrap();
    store.close(LONG).await.unwrap();

    let Opened { store, .. } = open(dir.path());
    assert_eq!(store.certificate("gw-1-2026-0007").await.unwrap(), Some(certificate.clone()));
    assert_eq!(store.certificate("gw-1-2026-0009").await.unwrap(), None);
    let all = store.certificates(None, None, 10).await.unwrap();
    let numbers: Vec<_> = all.iter().map(|(_, it)| it.number.as_str()).collect();
    assert_eq!(numbers, ["gw-1-2026-0008", "gw-1-2026-0007"]);
    assert!(all.iter().all(|(_, it)| it.envelope.is_empty()), "a list is short");
    let rest = store.certificates(Some(certificate.sensor.clone()), Some(all[0].0), 10).await.unwrap();
    assert_eq!(rest.len(), 1);
    let other = Id::new("co-1").unwrap();
    assert_eq!(store.certificates(Some(other), None, 10).await.unwrap(), []);
    assert_eq!(store.examine(|_, _| ()).await.unwrap().map(|it| it.chain.rows), Ok(3));
    store.close(LONG).await.unwrap();

    let db = Connection::open(dir.path().join("ledger.db")).unwrap();
    let actions: Vec<String> = db
        .prepare("SELECT action FROM audit ORDER BY seq")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(actions, ["incarnation.begun", "certificate.issued", "certificate.issued"]);
    db.execute("UPDATE certificates SET number = 'gw-1-2026-0006' WHERE place = 1", []).unwrap();
    drop(db);
    let Opened { store, .. } = open(dir.path());
    let fault = store.examine(|_, _| ()).await.unwrap().unwrap_err();
    assert!(fault.starts_with("certificate gw-1-2026-0006: is stored under"), "{fault}");
}
