//! What somebody should look at, judged from what the status says.

use std::collections::BTreeMap;

use crate::domain::alert::{Alert, Kind};
use crate::domain::id::SensorId;
use crate::domain::order;
use crate::domain::time::Timestamp;
use crate::domain::trust::root::{InstalledRoot, REMEDY, SOON as SOON_FOR_A_ROOT};
use crate::store::disk::{Disk, Stage};
use crate::store::{CheckResult, Health};
use crate::telemetry::alarm::{Alarms, Standing};
use crate::wire::control::{Attention, Severity, SourceStatus, Status, Transform};
use crate::wire::message::ClockState;

const DAY: i64 = 86_400_000_000;
/// A transform that expires within this time is mentioned.
const SOON: i64 = 14 * DAY;

/// Digits of an alert's identifier that people are shown.
const SHOWN: usize = 8;
/// A restored ledger is mentioned for so long.
const RESTORED: i64 = 7 * DAY;

/// What the judgement needs beyond the status.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What is in force; `None`: the pipeline does not answer.
    pub in_force: Option<&'a BTreeMap<SensorId, Transform>>,
    /// What somebody must act on.
    pub alarms: &'a Alarms,
    /// The alerts about sensors; `None`: they are not known.
    pub alerts: Option<&'a [Alert]>,
    /// How the store is doing.
    pub health: &'a Health,
    /// The installed trust root.
    pub root: Option<InstalledRoot>,
}

/// What somebody should look at, the most urgent first.
pub fn attention(status: &Status, seen: &Seen<'_>) -> Vec<Attention> {
    let mut found = pages(seen.alarms);
    found.extend(seen.health.disk.and_then(room));
    if seen.health.checked.is_some_and(|check| check.result == CheckResult::HistoryReplaced) {
        let text = "the history was damaged, and a new one was begun";
        found.push(ticket(text, "see what the kernel's log says of the disk of store.dir"));
    }
    if seen.in_force.is_none() {
        let text = "the pipeline did not answer at once; what is in force is not known";
        found
            .push(ticket(text, "ask again; if it stays so, see what the log says of the store and the disk"));
    }
    match seen.alerts {
        Some(standing) => found.extend(of_sensors(standing)),
        None => found.push(ticket("the alerts about sensors did not come at once", "ask again")),
    }
    // An alarm says the same, and more loudly.
    if status.clock == ClockState::Untrusted && !seen.alarms.stands("clock") {
        let text = format!("the clock says {} and is not believed yet; readings are flagged", status.time);
        found.push(ticket(text, "let it synchronise, or set it"));
    }
    if status.store.dropped > 0 {
        let text = format!("{} readings were given up since the start", status.store.dropped);
        found.push(ticket(text, "see the log for why they could not be stored; the gap is announced"));
    }
    if let Some(link) = status.link.as_ref().filter(|link| !link.connected) {
        let why = link.problem.as_ref().map_or(String::new(), |problem| format!(" ({problem})"));
        let text = format!("the broker is not connected{why}; {} readings wait in the history", link.backlog);
        found.push(ticket(text, "check the network, [mqtt] with its password, and the broker"));
    }
    let unnamed = |source: &&SourceStatus| !seen.alarms.stands_at_source(source.name.as_str());
    found.extend(status.sources.iter().filter(|source| !source.up).filter(unnamed).map(down));
    if status.root_version.is_none() {
        found.push(ticket("no trust root is installed: every transform is refused", "set trust.root"));
    }
    found.extend(seen.root.and_then(|root| ending(&root, status)));
    seen.in_force.into_iter().for_each(|in_force| expiring(status, in_force, &mut found));
    order::sort_by(&mut found, |one, other| one.severity.cmp(&other.severity));
    found
}

/// What there is to say of a restored ledger, and of one that is to be restored.
pub fn restores(now: Timestamp, restored: Option<Timestamp>, waits: bool) -> Vec<Attention> {
    let mut found = Vec::new();
    if waits {
        found.push(ticket("a backup of the ledger waits to be restored", "restart calibd to apply it"));
    }
    if let Some(at) = restored.filter(|at| now.micros_since(*at).abs() < RESTORED) {
        let text = format!(
            "the ledger was restored from a backup at {at}; what was done after that backup is not in it"
        );
        let remedy = "see `calibctl audit list`; mount instruments again that were swapped since";
        found.push(ticket(text, remedy));
    }
    found
}

/// What somebody must act on: as long as there is any, the gateway is not healthy.
pub fn pages(alarms: &Alarms) -> Vec<Attention> {
    let page = |alarm: Standing| Attention {
        severity: Severity::Page,
        message: alarm.message,
        remedy: alarm.remedy,
    };
    alarms.standing().into_iter().map(page).collect()
}

/// What of the alerts somebody should look at: those that stand and that nobody has looked at or silenced, one by
/// one, and that there are some that came and went.
fn of_sensors(alerts: &[Alert]) -> Vec<Attention> {
    let unseen = || alerts.iter().filter(|alert| alert.acknowledged.is_none());
    let standing = unseen().filter(|alert| alert.cleared.is_none() && alert.silence.is_none());
    // A root that ends is told of whether or not somebody has looked at its alert.
    let standing = standing.filter(|alert| alert.cause.kind != Kind::RootExpiry);
    let mut found: Vec<Attention> = standing.map(told).collect();
    let text = match unseen().filter(|alert| alert.cleared.is_some()).count() {
        0 => return found,
        1 => "an alert is over, and nobody has looked at it".to_owned(),
        several => format!("{several} alerts are over, and nobody has looked at them"),
    };
    found.push(ticket(text, "see `calibctl alerts`, and acknowledge what you have looked at"));
    found
}

fn told(alert: &Alert) -> Attention {
    let short: String = alert.id.chars().take(SHOWN).collect();
    Attention {
        severity: alert.severity,
        message: format!("{}: {} (alert {short})", alert.cause, alert.message),
        remedy: alert.remedy.clone(),
    }
}

/// A disk that fills up, before anything is lost.
fn room(disk: Disk) -> Option<Attention> {
    let text = format!("only {} MiB are free on the disk of store.dir", disk.space.free >> 20);
    (disk.stage == Stage::Low).then(|| ticket(text, "free space there, or lower store.max_size"))
}

fn down(source: &SourceStatus) -> Attention {
    let name = &source.name;
    if source.kind == "replay" {
        let text = format!("the replay {name} is not running");
        return ticket(text, "it has ended, or its file cannot be read: see the log");
    }
    if source.kind == "synthetic" {
        let text = format!("the synthetic source {name} is not running");
        return ticket(text, "it has ended: remove it, or restart calibd to run it again");
    }
    ticket(format!("the source {name} is not connected"), "see the log for why; it is tried again")
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

/// A trust root that has run out, or soon will. A clock that is not believed expires nothing.
fn ending(root: &InstalledRoot, status: &Status) -> Option<Attention> {
    let left = root.expires.micros_since(status.time);
    if left >= SOON_FOR_A_ROOT || status.clock == ClockState::Untrusted {
        return None;
    }
    Some(ticket(root.end(left <= 0), REMEDY))
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

fn ticket(message: impl Into<String>, remedy: &str) -> Attention {
    Attention { severity: Severity::Ticket, message: message.into(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::alert::Silence;
    use crate::domain::digest::Digest;
    use crate::domain::id::Id;
    use crate::store::Checked;
    use crate::store::disk::Space;
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
            link: Some(LinkStatus { connected: true, backlog: 0, problem: None }),
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
            sensors: SensorCounts { known: 1, calibrated: Some(1), in_maintenance: 0, alerts: Some(0) },
            sessions: Some(vec![]),
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
        found_with(status, days, &Alarms::default())
    }

    fn found_with(status: &Status, days: &[i64], alarms: &Alarms) -> Vec<(Severity, String)> {
        let in_force = in_force(days);
        let health = &Health::default();
        let seen = Seen { in_force: Some(&in_force), alarms, alerts: Some(&[]), health, root: None };
        attention(status, &seen).into_iter().map(|entry| (entry.severity, entry.message)).collect()
    }

    #[test]
    fn a_gateway_at_work_needs_nobody() {
        assert_eq!(found(&fine(), &[15]), []);
    }

    #[test]
    fn what_loses_readings_comes_before_what_can_wait() {
        let mut status = fine();
        status.link =
            Some(LinkStatus { connected: false, backlog: 12, problem: Some("b:1883: gone".to_owned()) });
        status.root_version = None;
        status.sources[0].up = false;
        let alarms = Alarms::default();
        alarms.part("store").raise("disk_full", "readings cannot be written; 7 wait in memory", "free space");
        alarms.source("line1").raise("gone", "the source line1 is not connected: gone", "plug it in");
        let found = found_with(&status, &[], &alarms);
        let severities: Vec<Severity> = found.iter().map(|(severity, _)| *severity).collect();
        assert_eq!(severities, [Severity::Page, Severity::Page, Severity::Ticket, Severity::Ticket]);
        assert_eq!(found[0].1, "the source line1 is not connected: gone");
        assert_eq!(found[1].1, "readings cannot be written; 7 wait in memory");
        assert_eq!(found[2].1, "the broker is not connected (b:1883: gone); 12 readings wait in the history");
    }

    #[test]
    fn a_clock_that_is_not_believed_is_said_once() {
        let mut status = fine();
        status.clock = ClockState::Untrusted;
        assert!(
            matches!(&found(&status, &[])[..], [(Severity::Ticket, text)] if text.contains("not believed yet"))
        );
        let alarms = Alarms::default();
        alarms.part("clock").raise("untrusted", "the clock says 1970 and is not believed", "set it");
        assert!(matches!(&found_with(&status, &[], &alarms)[..], [(Severity::Page, _)]));
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
    fn a_root_is_mentioned_a_month_before_it_expires_and_after() {
        let told = |days: i64, clock| {
            let status = Status { clock, ..fine() };
            ending(&InstalledRoot { version: 2, expires: at(days) }, &status).map(|told| told.message)
        };
        assert_eq!(told(30, ClockState::Synced), None);
        assert!(told(29, ClockState::Synced).is_some_and(|text| text.contains("root 2 expires at")));
        assert!(told(0, ClockState::Synced).is_some_and(|text| text.contains("expired at")));
        assert_eq!(told(-1, ClockState::Untrusted), None);
    }

    #[test]
    fn a_restored_ledger_is_mentioned_for_a_week_and_one_that_waits_until_it_is() {
        let recent = restores(at(0), Some(at(-6)), true);
        assert!(recent[0].message.contains("waits to be restored"), "{recent:?}");
        assert!(recent[1].message.contains("was restored"), "{recent:?}");
        assert!(restores(at(0), Some(at(-8)), false).is_empty());
    }

    #[test]
    fn what_may_mend_itself_or_is_past_can_wait() {
        let mut status = fine();
        status.clock = ClockState::Untrusted;
        status.store.dropped = 3;
        status.sources[0].up = false;
        let found = attention(
            &status,
            &Seen {
                in_force: None,
                alarms: &Alarms::default(),
                alerts: None,
                health: &Health::default(),
                root: None,
            },
        );
        let severities = found.iter().map(|entry| entry.severity);
        assert!(found.len() == 5 && severities.into_iter().all(|it| it == Severity::Ticket), "{found:?}");
    }

    #[test]
    fn a_disk_that_fills_up_and_a_history_that_was_replaced_are_mentioned() {
        let of = |health: Health| {
            let alarms = Alarms::default();
            let seen = Seen {
                in_force: Some(&BTreeMap::new()),
                alarms: &alarms,
                alerts: Some(&[]),
                health: &health,
                root: None,
            };
            attention(&fine(), &seen).into_iter().map(|entry| entry.message).collect::<Vec<_>>()
        };
        let space = Space { free: 50 << 20, total: 1 << 30 };
        let at_stage = |stage| of(Health { disk: Some(Disk { stage, space }), ..Health::default() });
        assert_eq!(at_stage(Stage::Low), ["only 50 MiB are free on the disk of store.dir"]);
        // The others are alarms.
        assert_eq!([at_stage(Stage::Ok), at_stage(Stage::RawOnly)], [[""; 0]; 2]);
        let checked = Some(Checked { at: at(-1), result: CheckResult::HistoryReplaced });
        assert_eq!(
            of(Health { checked, ..Health::default() }),
            ["the history was damaged, and a new one was begun"]
        );
    }

    fn alert(id: &str) -> Alert {
        let alert = json!({
            "id": id, "severity": "page", "cause": "drift co-1", "sensors": ["co-1"], "count": 1,
            "raised": at(0), "message": "it reads 0.4 mg/m3 too high", "remedy": "calibrate it",
        });
        serde_json::from_value(alert).unwrap()
    }

    #[test]
    fn nobody_is_told_again_of_what_was_looked_at_or_silenced() {
        let (mut looked, mut silenced, mut over) = (alert("01"), alert("02"), alert("03"));
        looked.acknowledged = Some(Timestamp::EPOCH);
        let (by, reason) = ("user:ann".to_owned(), "a swap".to_owned());
        silenced.silence = Some(Silence { until: Timestamp::LAST, by, reason });
        over.cleared = Some(Timestamp::EPOCH);
        let all = [looked, silenced, over.clone(), alert("0123456789abcdef")];
        let told: Vec<(Severity, String)> =
            of_sensors(&all).into_iter().map(|it| (it.severity, it.message)).collect();
        assert_eq!(
            told,
            [
                (Severity::Page, "drift co-1: it reads 0.4 mg/m3 too high (alert 01234567)".to_owned()),
                (Severity::Ticket, "an alert is over, and nobody has looked at it".to_owned()),
            ]
        );
        assert_eq!(of_sensors(&[over.clone(), over])[0].message.split(',').next(), Some("2 alerts are over"));
        assert_eq!(of_sensors(&[]), []);
    }
}
