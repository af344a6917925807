//! `calibctl fleet proposals`, and what gateways propose.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::book::{Book, Ignored};
use super::link::Heard;
use super::reach::{Reach, Session};
use super::said::Text;
use super::topic::{About, Up};
use super::{ignored, or_dash, table};
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_table};
use crate::ctl::verify;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::envelope::{Envelope, type_name};
use crate::domain::trust::scope::Place;
use crate::domain::trust::target::LOCAL_PREFIX;

const EXAMPLES: &str = "examples:
  calibctl fleet proposals --root root.json --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem \\
      --cert reader.pem --key reader.key
  calibctl fleet proposals --broker mqtt://127.0.0.1 --fleet plant-7 --json | jq '.proposals[] | select(.verified).sensor'

A transform that was made at a gateway and signed with a maintenance key is proposed as long as it is in force there.
SIGNED: by a key of the role maintenance, for a sensor in its scope. IN FORCE: whether the gateway reports the same one, signed.";

/// Proposals that are kept: what a hostile broker may make of memory.
const MOST: usize = 1_000_000;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ProposalsArgs {
    #[command(flatten)]
    reach: Reach,
}

/// A local transform that a gateway proposes.
#[derive(Debug)]
pub struct Proposed {
    /// What it says.
    pub transform: Transform,
    /// Its digest.
    pub digest: Digest,
    /// Why it is not to be believed.
    pub doubt: Option<String>,
}

impl Proposed {
    /// Reads what a gateway proposes for a sensor; `None`: no local transform of just that sensor there.
    pub fn read(book: &Book, gateway: &Id, sensor: &Id, payload: &[u8]) -> Option<Proposed> {
        let envelope = Envelope::parse(payload).ok()?;
        if type_name(&envelope.payload_type) != Some("transform") {
            return None;
        }
        let transform = Transform::parse(&envelope.payload).ok()?;
        let target = &transform.target;
        let named = transform.id.as_str().strip_prefix(LOCAL_PREFIX) == Some(sensor.as_str());
        if !named || target.gateways != [gateway.clone()] || target.sensors != [sensor.clone()] {
            return None;
        }
        let doubt = match book.trust.root() {
            None => Some("no trust root is named".to_owned()),
            Some(root) => {
                let whose = Place { gateway: Some(gateway), enrolment: book.enrolment(gateway) };
                verify::accepted_at(payload, root, whose).err().map(|refused| {
                    let refusal = refused.refusal;
                    format!("{}: {}", refusal.reason, refusal.message)
                })
            }
        };
        Some(Proposed { transform, digest: envelope.digest(), doubt })
    }
}

/// Whether a gateway says that a transform is in force at a sensor; `None`: it says nothing that could be believed.
pub fn is_in_force(book: &Book, gateway: &Id, sensor: &Id, digest: Digest) -> Option<bool> {
    let sensor = book.gateways.get(gateway)?.sensors.get(sensor)?;
    let believed = sensor.is_reported && (sensor.verified || book.trust.root().is_none());
    believed.then(|| sensor.active.as_ref().is_some_and(|active| active.digest == digest))
}

/// What a message proposes, and where; other messages go into the book.
pub fn heard(book: &mut Book, heard: &Heard<'_>, now: Timestamp) -> Option<((Id, Id), Proposed)> {
    let topic = String::from_utf8_lossy(heard.topic);
    let Some(About::Up(gateway, Up::Proposal, Some(sensor))) = About::parse(&book.fleet, &topic) else {
        book.take(heard.topic, heard.payload, now);
        return None;
    };
    if heard.payload.is_empty() {
        return None;
    }
    let proposed = Proposed::read(book, &gateway, &sensor, heard.payload);
    if proposed.is_none() {
        book.ignore("unreadable", &topic);
    }
    proposed.map(|proposed| ((gateway, sensor), proposed))
}

/// A proposal, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    gateway: Id,
    sensor: Id,
    id: Id,
    version: u64,
    digest: Digest,
    method: Option<Text>,
    pairs: Option<u64>,
    made_on: Option<Id>,
    session: Option<Text>,
    issued_at: Timestamp,
    expires: Timestamp,
    verified: bool,
    /// Why it is not.
    reason: Option<Text>,
    /// Null: nobody says so who could be believed.
    in_force: Option<bool>,
}

#[derive(Serialize)]
struct Report<'a> {
    proposals: Vec<Row>,
    ignored: Vec<&'a Ignored>,
}

pub fn run(args: &ProposalsArgs) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut session = args.reach.open(None).await?;
        let mut found = BTreeMap::new();
        session
            .gateways_by(&[Up::Reported, Up::Proposal], &mut |book, message, now| {
                if let Some((place, proposed)) = heard(book, message, now)
                    && found.len() < MOST
                {
                    found.insert(place.clone(), row(place, proposed));
                }
            })
            .await?;
        let proposals = found.into_values().map(|row| Row { in_force: in_force(&session, &row), ..row });
        let proposals: Vec<Row> = proposals.collect();
        if args.reach.json {
            print_json(&Report { proposals, ignored: ignored(&session) })?;
        } else {
            show(&proposals)?;
            session.notes();
        }
        session.link.leave().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn row((gateway, sensor): (Id, Id), proposed: Proposed) -> Row {
    let Proposed { transform, digest, doubt } = proposed;
    let text = |text: Option<String>| text.map(|text| Text::new(&text));
    let Transform { id, version, issued_at, expires, provenance, .. } = transform;
    Row {
        gateway,
        sensor,
        id,
        version,
        digest,
        method: text(provenance.method),
        pairs: provenance.pairs,
        made_on: provenance.made_on,
        session: text(provenance.session),
        issued_at,
        expires,
        verified: doubt.is_none(),
        reason: text(doubt),
        in_force: None,
    }
}

fn in_force(session: &Session, row: &Row) -> Option<bool> {
    is_in_force(&session.book, &row.gateway, &row.sensor, row.digest)
}

fn show(rows: &[Row]) -> Result<(), Failure> {
    if rows.is_empty() {
        note("no gateway proposes a transform");
        return Ok(());
    }
    let head =
        ["GATEWAY", "SENSOR", "ID", "VERSION", "METHOD", "PAIRS", "MADE ON", "ISSUED", "IN FORCE", "SIGNED"];
    print_table(&table(head, rows.iter().map(cells)), 0)?;
    for row in rows {
        if let Some(reason) = row.reason.as_ref().filter(|_| !row.verified) {
            note(&format!("warning: {} of {} is unverified: {reason}", row.id, row.gateway));
        }
    }
    Ok(())
}

fn cells(row: &Row) -> [String; 10] {
    let issued = row.issued_at.to_string();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    [
        row.gateway.to_string(),
        row.sensor.to_string(),
        row.id.to_string(),
        row.version.to_string(),
        or_dash(row.method.as_ref()),
        or_dash(row.pairs),
        or_dash(row.made_on.as_ref()),
        issued.get(..10).unwrap_or(&issued).to_owned(),
        row.in_force.map_or_else(|| "unknown".to_owned(), yes),
        yes(row.verified),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ctl::fleet::trusted::Trust;
    use crate::domain::trust::envelope::{payload_type, sign};

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn read(change: impl Fn(&mut Value), kind: &str) -> Option<Proposed> {
        let mut transform = json!({
            "schema": 1, "id": "local-co-1", "epoch": 1, "version": 2,
            "target": {"fleet": "f", "gateways": ["g"], "sensors": ["co-1"]},
            "quantity": "co", "input_unit": "nA", "output_unit": "mg/m3",
            "pipeline": [{"kind": "affine", "offset": 0.5, "gain": 2.0}],
            "issued_at": "2026-11-01T00:00:00Z", "expires": "2027-11-01T00:00:00Z",
        });
        change(&mut transform);
        let book = Book::new(id("f"), Trust::new(None), None);
        let bytes = sign(&payload_type(kind), transform.to_string().as_bytes(), &[]);
        Proposed::read(&book, &id("g"), &id("co-1"), &bytes)
    }

    #[test]
    fn only_a_local_transform_of_this_very_sensor_is_proposed() {
        let good = read(|_| {}, "transform").unwrap();
        assert_eq!((good.transform.version, good.doubt.as_deref()), (2, Some("no trust root is named")));
        assert!(read(|_| {}, "order").is_none());
        for (pointer, value) in [
            ("/id", json!("co")),
            ("/id", json!("local-co-2")),
            ("/target/gateways", json!(["g", "h"])),
            ("/target/gateways", json!([])),
            ("/target/sensors", json!(["co-2"])),
            ("/schema", json!(2)),
        ] {
            let changed =
                read(|transform| *transform.pointer_mut(pointer).unwrap() = value.clone(), "transform");
            assert!(changed.is_none(), "{pointer}");
        }
    }
}
