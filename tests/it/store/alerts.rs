//! Alerts in the ledger.

use calibd::domain::alert::{Alert, Alerts, Event, Finding, Kind, Policy, Severity};
use calibd::store::{AlertChanges, Opened};

use super::*;

/// Alerts about so many sensors, from the first that was raised, and the machine that raised them.
fn raised(count: usize) -> (Vec<Alert>, Alerts) {
    let mut alerts = Alerts::new(Policy::default(), Default::default());
    for sensor in 0..count {
        let finding = Finding {
            severity: Severity::Ticket,
            message: "is stuck".to_owned(),
            remedy: "look at it".to_owned(),
            snapshot: None,
        };
        let (sensor, finding) = (Id::new(&format!("s{sensor}")).unwrap(), Some(Box::new(finding)));
        let event = Event::Judged { sensor, kind: Kind::Stuck, source: None, cohort: None, finding };
        alerts.apply(event, noon()).unwrap();
    }
    alerts.apply(Event::Tick, noon().saturating_add_micros(60_000_000)).unwrap();
    (alerts.alerts().cloned().collect(), alerts)
}

fn changes(rows: Vec<Alert>, alerts: &Alerts) -> AlertChanges {
    let state = serde_json::to_string(alerts.stored()).unwrap();
    AlertChanges { rows, state, ..AlertChanges::default() }
}

#[tokio::test]
async fn rows_and_state_of_alerts_survive_a_crash_and_pages_show_the_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let (rows, alerts) = raised(3);
    let retained = vec![rows[0].id.clone(), rows[1].id.clone()];
    store.keep_alerts(AlertChanges { retained, ..changes(rows.clone(), &alerts) }).await.unwrap();
    let worse = Alert { severity: Severity::Page, ..rows[1].clone() };
    let emptied = vec![rows[0].id.clone()];
    store.keep_alerts(AlertChanges { emptied, ..changes(vec![worse.clone()], &alerts) }).await.unwrap();
    let dir = crash(dir.path());
    let Opened { store, recovered, .. } = open(dir.path());
    assert_eq!(recovered.alerts.stored, *alerts.stored());
    assert_eq!(recovered.alerts.retained, [rows[1].id.clone()]);
    let page = store.past_alerts(None, 2).await.unwrap();
    assert_eq!(page.iter().map(|row| &row.alert).collect::<Vec<_>>(), [&rows[2], &worse]);
    let rest = store.past_alerts(Some(page[1].number), 2).await.unwrap();
    assert_eq!(rest.iter().map(|row| &row.alert).collect::<Vec<_>>(), [&rows[0]]);
}

#[tokio::test]
async fn of_many_alerts_those_go_first_that_are_over() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let (rows, alerts) = raised(1);
    let numbered = |number: usize, cleared: bool| Alert {
        id: format!("{number:016x}"),
        cleared: cleared.then(noon),
        ..rows[0].clone()
    };
    let many = (0..4200).map(|number| numbered(number, number != 7)).collect();
    store.keep_alerts(changes(many, &alerts)).await.unwrap();
    let mut left = Vec::new();
    loop {
        let page = store.past_alerts(left.last().copied(), 1000).await.unwrap();
        if page.is_empty() {
            break;
        }
        left.extend(page.iter().map(|row| row.number));
    }
    // The eighth stands; beside it the first 105 are gone.
    assert_eq!((left.len(), left[4095], left[4094]), (4096, 8, 106));
}

#[tokio::test]
async fn a_state_that_cannot_be_read_leaves_the_alerts_that_stand() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let (rows, alerts) = raised(2);
    let state = "{\"alerts\":7}".to_owned();
    store.keep_alerts(AlertChanges { state, ..changes(rows.clone(), &alerts) }).await.unwrap();
    let dir = crash(dir.path());
    let Opened { recovered, .. } = open(dir.path());
    let alerts = Alerts::new(Policy::default(), recovered.alerts.stored);
    assert_eq!(alerts.alerts().collect::<Vec<_>>(), rows.iter().collect::<Vec<_>>());
}
