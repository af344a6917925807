//! What somebody should look at, judged from what the status says.

use std::collections::BTreeMap;

use crate::domain::id::SensorId;
use crate::store::disk::{Disk, Stage};
use crate::store::{CheckResult, Health};
use crate::wire::control::{Attention, Severity, SourceStatus, Status, Transform};
use crate::wire::message::ClockState;

const DAY: i64 = 86_400_000_000;
/// A transform that expires within this time is mentioned.
const SOON: i64 = 14 * DAY;

/// What the judgement needs beyond the status.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What is in force; `None`: the pipeline does not answer.
    pub in_force: Option<&'a BTreeMap<SensorId, Transform>>,
    /// Why the ledger cannot be used.
    pub ledger_broken: Option<&'a str>,
    /// How the store is doing.
    pub health: &'a Health,
}

/// What somebody should look at, the most urgent first.
pub fn attention(status: &Status, seen: &Seen<'_>) -> Vec<Attention> {
    let mut found = Vec::new();
    store(seen, &mut found);
    found.extend(seen.health.disk.and_then(room));
    if seen.in_force.is_none() {
        found.push(page("the pipeline does not answer", "see what the log says of the store and the disk"));
    }
    if status.clock == ClockState::Untrusted {
        let text = format!("the clock says {}, which is in the past; readings are flagged", status.time);
        found.push(page(text, "set the clock or let it synchronise"));
    }
    found.extend(status.sources.iter().filter(|source| !source.up).map(down));
    if let Some(link) = status.link.as_ref().filter(|link| !link.connected) {
        let text = format!("the broker is not connected; {} readings wait in the history", link.backlog);
        found.push(ticket(text, "see the log; check the network, [mqtt] and the broker"));
    }
    if status.root_version.is_none() {
        found.push(ticket("no trust root is installed: every transform is refused", "set trust.root"));
    }
    seen.in_force.into_iter().for_each(|in_force| expiring(status, in_force, &mut found));
    found.sort_by_key(|entry| entry.severity);
    found
}

fn store(seen: &Seen<'_>, found: &mut Vec<Attention>) {
    let store = seen.health;
    let checked = store.checked.map(|check| check.result);
    if let Some(fault) = seen.ledger_broken {
        found.push(page(fault, "restore the ledger from a backup; until then readings go out raw"));
    } else if checked == Some(CheckResult::LedgerBroken) {
        let text = "the ledger is damaged; after the next start readings will go out raw";
        found.push(page(
            text,
            "restore the ledger from a backup, and see what the kernel's log says of the disk",
        ));
    }
    if checked == Some(CheckResult::HistoryReplaced) {
        let text = "the history was damaged, and a new one was begun";
        found.push(ticket(text, "see what the kernel's log says of the disk of store.dir"));
    }
    if let Some(failing) = store.failing {
        let (kind, waiting) = (failing.as_str(), store.waiting);
        let text = format!("readings cannot be written ({kind}); {waiting} wait in memory");
        found.push(page(text, failing.remedy()));
    }
    if store.dropped > 0 {
        let text = format!("{} readings were given up since the start", store.dropped);
        found.push(page(text, "see the log for why they could not be stored; the gap is announced"));
    }
}

fn room(disk: Disk) -> Option<Attention> {
    let text = format!("only {} MiB are free on the disk of store.dir", disk.space.free >> 20);
    let remedy = "free space there, or lower store.max_size";
    match disk.stage {
        Stage::Ok => None,
        Stage::Low => Some(ticket(text, remedy)),
        Stage::Retention => {
            Some(page(format!("{text}: the oldest readings are deleted before their time"), remedy))
        }
        Stage::RawOnly => {
            Some(page(format!("{text}: readings are stored without their calibrated values"), remedy))
        }
    }
}

fn down(source: &SourceStatus) -> Attention {
    let name = &source.name;
    if source.kind == "replay" {
        let text = format!("the replay {name} is not running");
        return ticket(text, "it has ended, or its file cannot be read: see the log");
    }
    page(format!("the source {name} is not connected"), "see the log; check its cable, power and settings")
}

fn expiring(status: &Status, in_force: &BTreeMap<SensorId, Transform>, found: &mut Vec<Attention>) {
    let left = |transform: &&Transform| transform.expires.micros_since(status.time);
    let expired: Vec<&Transform> = in_force.values().filter(|t| left(t) < 0).collect();
    let soon: Vec<&Transform> = in_force.values().filter(|t| (0..SOON).contains(&left(t))).collect();
    let remedy = "calibrate again, or have a new version signed";
    if let Some(text) = named(&expired, "has expired", "have expired") {
        found.push(ticket(text, remedy));
    }
    if let Some(text) = named(&soon, "expires within 14 days", "expire within 14 days") {
        found.push(ticket(text, remedy));
    }
}

fn named(transforms: &[&Transform], one: &str, several: &str) -> Option<String> {
    match transforms {
        [] => None,
        [transform] => Some(format!("the transform {} at {} {one}", transform.id, transform.sensor)),
        [first, ..] => Some(format!(
            "the transforms at {} and {} other sensors {several}",
            first.sensor,
            transforms.len() - 1
        )),
    }
}

fn page(message: impl Into<String>, remedy: &str) -> Attention {
    Attention { severity: Severity::Page, message: message.into(), remedy: remedy.to_owned() }
}

fn ticket(message: impl Into<String>, remedy: &str) -> Attention {
    Attention { severity: Severity::Ticket, message: message.into(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;
    use crate::domain::id::Id;
    use crate::domain::time::Timestamp;
    use crate::store::disk::Space;
    use crate::store::{Checked, FailureKind};
    use crate::wire::control::{LinkStatus, SensorCounts, StoreStatus};

    fn at(days: i64) -> Timestamp {
        Timestamp::parse("2026-11-24T00:00:00Z").unwrap().saturating_add_micros(days * DAY)
    }

    fn fine() -> Status {
        let name = Id::new("line1").unwrap();
        Status {
            version: "1".into(),
            gateway: Id::new("gw").unwrap(),
            fleet: Id::new("plant").unwrap(),
            started: at(-1),
            time: at(0),
            clock: ClockState::Holdover,
            root_version: Some(1),
            incarnation: "i".into(),
            link: Some(LinkStatus { connected: true, backlog: 0 }),
            store: StoreStatus {
                written: 9,
                waiting: 0,
                dropped: 0,
                expired: 0,
                failing: None,
                oldest: None,
                disk: None,
                checked: None,
            },
            sources: vec![SourceStatus { name, kind: "serial".into(), up: true, samples: 9, reconnects: 0 }],
            sensors: SensorCounts { known: 1, calibrated: Some(1) },
            attention: vec![],
        }
    }

    fn in_force(days: &[i64]) -> BTreeMap<SensorId, Transform> {
        let transform = |(index, days): (usize, &i64)| {
            let sensor = Id::new(&format!("s{index}")).unwrap();
            let (id, digest) = (Id::new("t").unwrap(), Digest([0; 32]));
            let (since, expires) = (at(-100), at(*days));
            let unit = "mV".to_owned();
            (sensor.clone(), Transform { sensor, id, version: 1, digest, unit, since, expires })
        };
        days.iter().enumerate().map(transform).collect()
    }

    fn found(status: &Status, days: &[i64]) -> Vec<(Severity, String)> {
        of_store(status, days, &Health::default())
    }

    fn of_store(status: &Status, days: &[i64], health: &Health) -> Vec<(Severity, String)> {
        let in_force = in_force(days);
        let seen = Seen { in_force: Some(&in_force), ledger_broken: None, health };
        attention(status, &seen).into_iter().map(|entry| (entry.severity, entry.message)).collect()
    }

    #[test]
    fn a_gateway_at_work_needs_nobody() {
        assert_eq!(found(&fine(), &[15]), []);
    }

    #[test]
    fn what_loses_readings_comes_before_what_can_wait() {
        let mut status = fine();
        status.link = Some(LinkStatus { connected: false, backlog: 12 });
        status.root_version = None;
        status.sources[0].up = false;
        let health = Health { failing: Some(FailureKind::DiskFull), waiting: 7, ..Health::default() };
        let found = of_store(&status, &[], &health);
        let severities: Vec<Severity> = found.iter().map(|(severity, _)| *severity).collect();
        assert_eq!(severities, [Severity::Page, Severity::Page, Severity::Ticket, Severity::Ticket]);
        assert_eq!(found[0].1, "readings cannot be written (disk_full); 7 wait in memory");
        assert_eq!(found[1].1, "the source line1 is not connected");
        assert!(found[2].1.contains("12 readings wait"), "{found:?}");
    }

    #[test]
    fn transforms_are_mentioned_before_and_after_they_expire() {
        let texts: Vec<String> = found(&fine(), &[-1, 13, 3, 15]).into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            texts,
            [
                "the transform t at s0 has expired",
                "the transforms at s1 and 1 other sensors expire within 14 days"
            ]
        );
    }

    #[test]
    fn a_disk_that_fills_up_becomes_urgent_when_readings_go() {
        let severities = Stage::ALL.map(|stage| {
            let space = Space { free: 50 << 20, total: 1 << 30 };
            let health = Health { disk: Some(Disk { stage, space }), ..Health::default() };
            of_store(&fine(), &[], &health).first().map(|(severity, _)| *severity)
        });
        assert_eq!(severities, [None, Some(Severity::Ticket), Some(Severity::Page), Some(Severity::Page)]);
    }

    #[test]
    fn what_a_check_found_is_mentioned() {
        let texts =
            [CheckResult::Ok, CheckResult::HistoryReplaced, CheckResult::LedgerBroken].map(|result| {
                let health = Health { checked: Some(Checked { at: at(-1), result }), ..Health::default() };
                of_store(&fine(), &[], &health)
                    .pop()
                    .map(|(severity, text)| (severity, text.contains("damaged")))
            });
        assert_eq!(texts, [None, Some((Severity::Ticket, true)), Some((Severity::Page, true))]);
    }

    #[test]
    fn a_silent_pipeline_and_a_broken_ledger_are_urgent() {
        let health = Health::default();
        let seen = Seen { in_force: None, ledger_broken: Some("ledger.db: broken"), health: &health };
        let found = attention(&fine(), &seen);
        assert!(found.len() == 2 && found.iter().all(|entry| entry.severity == Severity::Page), "{found:?}");
    }
}
