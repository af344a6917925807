//! References, standards and pairs.

use std::collections::BTreeMap;

use calibd::domain::digest::Digest;
use calibd::domain::pairing::{How, Observed, Outcome, Pair};
use calibd::domain::quality::ReasonCode;
use calibd::domain::reference::{Certified, Origin, Reference, Span, Stamp, Standard};
use calibd::domain::sample::TransformRef;
use calibd::store::{Added, PairRange, Paired, ReferenceRange, StoredReference, Withdrawal};
use rusqlite::Connection;

use super::*;

fn co() -> Id {
    Id::new("co-1").unwrap()
}

fn id(number: usize) -> Id {
    Id::new(&format!("r-{number}")).unwrap()
}

fn hours(number: usize) -> Span {
    let end = noon().saturating_add_micros(number as i64 * 3_600_000_000);
    Span::over(end, HOUR, Stamp::End).unwrap()
}

fn reference(number: usize, value: f64) -> Reference {
    Reference {
        id: id(number),
        sensor: co(),
        span: hours(number),
        value,
        u: Some(0.1),
        unit: "mg/m3".into(),
        given: Some((value * 1000.0, "ug/m3".into())),
        standard: Some(Id::new("gas-7").unwrap()),
        due: Some(noon()),
        flag: State::Suspect,
        origin: Origin::Import,
        source: Some(Id::new("co-ref").unwrap()),
        event: Some("e/1".into()),
        received: noon(),
    }
}

fn pair(number: usize, value: f64) -> Pair {
    let transform = TransformRef { id: Id::new("co").unwrap(), version: 7, digest: Digest::of(&[b"seven"]) };
    Pair {
        sensor: co(),
        reference: id(number),
        span: hours(number),
        value: Some(value),
        u: None,
        raw: Some(512.25),
        reference_value: 1.0 / 3.0,
        reference_u: Some(0.1),
        u_shared: Some(0.05),
        unit: "mg/m3".into(),
        transform: Some(Arc::new(transform)),
        readings: 270,
        completeness: 0.75,
        seqs: (1, 360),
        state: State::Suspect,
        reasons: Reasons::of(ReasonCode::OutOfDomain),
        flag: State::Valid,
        standard: None,
        overdue: true,
        origin: Origin::Sensor,
        lag: -5,
        latency: 7,
        covariates: BTreeMap::from([("temperature".to_owned(), 20.1)]),
    }
}

fn counting() -> ReferenceRange {
    ReferenceRange { limit: 100, ..ReferenceRange::default() }
}

async fn listed(store: &Store, range: ReferenceRange) -> Vec<StoredReference> {
    store.references(range).await.unwrap().references
}

async fn pairs(store: &Store, limit: usize) -> Vec<Pair> {
    let mut range = PairRange { sensor: co(), since: Timestamp::EPOCH, after: None, limit };
    let mut all = Vec::new();
    loop {
        let page = store.pairs(range.clone()).await.unwrap();
        assert!(page.pairs.len() <= limit);
        all.extend(page.pairs);
        match page.after {
            Some(after) => range.after = Some(after),
            None => return all,
        }
    }
}

fn actions(dir: &Path) -> Vec<(String, String, String)> {
    let db = Connection::open(dir.join("ledger.db")).unwrap();
    let sql = "SELECT action, actor, detail FROM audit WHERE action LIKE 'reference%' OR action LIKE 'standard%' ORDER BY seq";
    let mut rows = db.prepare(sql).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    rows.query_map([], row).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_reference_comes_once_is_revised_and_is_withdrawn() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let add = async |value| store.add_references(vec![reference(1, value)], "user:ann").await.unwrap();
    assert_eq!(add(4.0).await, [Added::New]);
    assert_eq!(add(4.0).await, [Added::Unchanged]);
    assert_eq!(add(5.0).await, [Added::Revised(1)]);
    let found = listed(&store, counting()).await;
    assert_eq!((found.len(), &found[0].reference, found[0].revision), (1, &reference(1, 5.0), 2));
    store.insert_pairs(vec![pair(1, 4.9), pair(2, 3.0)]).await.unwrap();
    let reason = Some("wrong bottle".to_owned());
    let withdraw = async || {
        store.withdraw_references(co(), vec![id(1), id(9)], "user:bob", reason.clone()).await.unwrap()
    };
    assert_eq!(withdraw().await, [id(1)]);
    assert_eq!(withdraw().await, []);
    assert_eq!(pairs(&store, 10).await, [pair(2, 3.0)], "its pair is gone");
    assert_eq!(add(5.0).await, [Added::Withdrawn]);
    assert_eq!(listed(&store, counting()).await, []);
    assert_eq!(add(6.0).await, [Added::Revised(2)], "a new value counts again");
    store.close(LONG).await.unwrap();
    let Opened { store, .. } = open(dir.path());
    let all = listed(&store, ReferenceRange { all: true, ..counting() }).await;
    let told: Vec<_> = all.iter().map(|it| (it.revision, it.superseded, it.withdrawn.is_some())).collect();
    assert_eq!(told, [(1, true, true), (2, true, true), (3, false, false)]);
    assert_eq!(all[0].withdrawn, Some(Withdrawal { at: noon(), actor: "user:bob".into(), reason }));
    assert_eq!(all[0].actor, "user:ann");
    let done: Vec<_> = actions(dir.path()).into_iter().map(|(action, actor, _)| (action, actor)).collect();
    let by = |action: &str, actor: &str| (format!("reference.{action}"), format!("user:{actor}"));
    let wanted = [by("added", "ann"), by("revised", "ann"), by("withdrawn", "bob"), by("revised", "ann")];
    assert_eq!(done, wanted);
    assert!(store.verify_audit().await.unwrap().is_ok());
}

#[tokio::test]
async fn an_import_has_one_audit_row_and_pages_hold_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let all: Vec<Reference> = (0..25).map(|number| reference(number, number as f64)).collect();
    assert_eq!(store.add_references(all.clone(), "user:ann").await.unwrap(), [Added::New; 25]);
    assert_eq!(store.add_references(all.clone(), "user:ann").await.unwrap(), [Added::Unchanged; 25]);
    let rows = actions(dir.path());
    assert_eq!((rows.len(), rows[0].0.as_str()), (1, "reference.imported"));
    assert!(rows[0].2.contains(r#""new":25,"revised":0"#), "{}", rows[0].2);
    let mut range = ReferenceRange { limit: 10, ..counting() };
    let mut found = Vec::new();
    loop {
        let page = store.references(range.clone()).await.unwrap();
        found.extend(page.references.into_iter().map(|it| it.reference));
        match page.after {
            Some(after) => range.after = after,
            None => break,
        }
    }
    assert_eq!(found, all);
    let since = Some(hours(20).end());
    let until = Some(hours(22).end());
    let some = listed(&store, ReferenceRange { since, until, ..counting() }).await;
    assert_eq!(some.iter().map(|it| it.reference.id.clone()).collect::<Vec<_>>(), [id(20), id(21)]);
    let of_another = ReferenceRange { sensor: Some(Id::new("co-2").unwrap()), ..counting() };
    assert_eq!(listed(&store, of_another).await, []);
}

#[tokio::test]
async fn what_comes_by_itself_is_kept_with_the_readings_and_can_be_withdrawn() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let label = Reference { origin: Origin::Mqtt, ..reference(1, 1.0) };
    let keep = async || store.keep_references(vec![label.clone()]).await.unwrap();
    assert_eq!(keep().await, [Added::New]);
    assert_eq!(keep().await, [Added::Unchanged]);
    assert_eq!(listed(&store, counting()).await, []);
    let automatic = ReferenceRange { automatic: true, ..counting() };
    assert_eq!(listed(&store, automatic.clone()).await[0].reference, label);
    assert_eq!(actions(dir.path()), []);
    assert_eq!(store.withdraw_references(co(), vec![id(1)], "user:bob", None).await.unwrap(), [id(1)]);
    assert_eq!(listed(&store, automatic).await, []);
    assert_eq!(keep().await, [Added::Withdrawn]);
    assert_eq!(actions(dir.path())[0].2, r#"{"ids":["r-1"],"reason":null}"#);
}

#[tokio::test]
async fn pairs_come_back_as_they_were_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let bare = Pair {
        value: None,
        raw: None,
        u_shared: None,
        transform: None,
        covariates: BTreeMap::new(),
        ..pair(3, 0.0)
    };
    store.insert_pairs(vec![bare.clone(), pair(1, 0.1 + 0.2), pair(2, 2.0)]).await.unwrap();
    let twin = Pair { reference: id(9), ..pair(2, 2.5) };
    store.insert_pairs(vec![twin.clone()]).await.unwrap();
    let wanted = [pair(1, 0.1 + 0.2), pair(2, 2.0), twin.clone(), bare.clone()];
    for limit in [1, 2, 4, 100] {
        assert_eq!(pairs(&store, limit).await, wanted);
    }
    // A revised reference: another time, another value, still one pair.
    let moved = Pair { span: hours(5), ..pair(1, 9.0) };
    store.insert_pairs(vec![moved.clone()]).await.unwrap();
    store.close(LONG).await.unwrap();
    let Opened { store, .. } = open(dir.path());
    assert_eq!(pairs(&store, 100).await, [pair(2, 2.0), twin, bare, moved]);
    let range = PairRange { sensor: co(), since: hours(5).end(), after: None, limit: 9 };
    assert_eq!(store.pairs(range).await.unwrap().pairs.len(), 1);
}

#[tokio::test]
async fn what_somebody_gave_counts_before_what_came_by_itself_under_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let (label, given) =
        (Pair { origin: Origin::Mqtt, ..pair(1, 1.0) }, Pair { origin: Origin::Manual, ..pair(1, 2.0) });
    let [told, entered] = [&label, &given].map(|pair| {
        let of = reference(1, pair.reference_value);
        Reference { origin: pair.origin, u: pair.reference_u, flag: pair.flag, ..of }
    });
    assert_eq!(store.insert_pairs(vec![label.clone()]).await.unwrap(), [false]);
    assert_eq!(store.insert_pairs(vec![given.clone()]).await.unwrap(), [true]);
    assert_eq!(store.insert_pairs(vec![label.clone()]).await.unwrap(), [true], "there was one");
    assert_eq!(pairs(&store, 9).await, std::slice::from_ref(&given), "and it stays");
    let other = Reference { value: 7.0, ..told.clone() };
    for automatic in [[told], [other]] {
        store.keep_references(automatic.to_vec()).await.unwrap();
        assert_eq!(store.paired(automatic.to_vec()).await.unwrap(), [Paired::Yes]);
    }
    assert_eq!(pairs(&store, 9).await, [given]);
    let corrected = Reference { value: 8.0, ..entered };
    assert_eq!(store.paired(vec![corrected]).await.unwrap(), [Paired::Otherwise]);
    assert_eq!(pairs(&store, 9).await, []);
}

#[tokio::test]
async fn a_late_reference_pairs_with_what_is_stored_as_it_would_have_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    append(&store, 1..=5000).await;
    store.close(LONG).await.unwrap();
    let Opened { store, .. } = open(dir.path());
    let how = How::suited(None, None);
    let late = Reference { event: None, ..reference(1, 250.0) };
    let now = noon().saturating_add_micros(86_400_000_000);
    let outcome = store.pair(&late, &how, now).await.unwrap();
    let all: Vec<Reading> = (1..=5000).map(reading).collect();
    let in_time = calibd::domain::pairing::pair(&late, &mut all.iter().map(Observed::from), &how, now);
    assert_eq!(outcome, in_time);
    let Outcome::Paired(pair) = outcome else { panic!("{outcome:?}") };
    assert_eq!((pair.readings, pair.seqs), (3599, (1, 3599)), "the first is a second after noon");
    assert_eq!(store.beside(&co(), hours(1)).await.unwrap(), pair.value);
    assert_eq!(store.beside(&co(), Span::point(noon())).await.unwrap(), Some(1.0 / 7.0));
    assert_eq!(store.beside(&Id::new("co-2").unwrap(), hours(1)).await.unwrap(), None);
}

#[tokio::test]
async fn pairs_go_with_their_age_and_beyond_their_share_of_the_room() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(noon());
    let limited = Options { max_age: 100 * HOUR, max_size: 2 << 20, ..options(dir.path()) };
    let Opened { store, .. } = store::open(limited, clock.clone()).unwrap();
    store.insert_pairs((0..1000).map(|number| pair(number, 1.0)).collect()).await.unwrap();
    store.keep_references((0..10).map(|number| reference(number, 1.0)).collect()).await.unwrap();
    let commit = async |seq| {
        let now = clock.now();
        let mut readings = vec![Reading { time: now, received: now, ..reading(seq) }];
        store.append(&mut readings, &mut Vec::new()).await.unwrap();
        store.flush().await.unwrap();
    };
    for seq in 1..6 {
        commit(seq).await;
    }
    // An eighth of 2 MiB, 512 bytes each.
    let left = pairs(&store, 10_000).await;
    assert_eq!((left.len(), &left[0].reference), (512, &id(488)));
    for seq in 6..13 {
        clock.advance(100 * HOUR);
        commit(seq).await;
    }
    let left = pairs(&store, 10_000).await;
    assert_eq!(left[0].reference, id(600), "700 hours have passed, 100 may be kept");
    let kept = ReferenceRange { automatic: true, ..counting() };
    assert_eq!(listed(&store, kept).await, []);
}

#[tokio::test]
async fn a_standard_is_noted_once_and_the_last_word_counts() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, .. } = open(dir.path());
    let value = Certified { quantity: None, value: Some(40.0), unit: "mg/m3".into(), u: Some(0.4) };
    let standard = Standard {
        id: Id::new("gas-7").unwrap(),
        description: Some("carbon monoxide in nitrogen".into()),
        certificate: Some("PTB 17".into()),
        lot: None,
        values: vec![value],
        due: Some(noon()),
        comment: None,
    };
    assert!(store.add_standard(standard.clone(), "user:ann").await.unwrap());
    assert!(!store.add_standard(standard.clone(), "user:bob").await.unwrap());
    let renewed = Standard { due: Some(noon().saturating_add_micros(1)), ..standard.clone() };
    assert!(store.add_standard(renewed.clone(), "user:bob").await.unwrap());
    let other = Standard { id: Id::new("bath").unwrap(), ..standard };
    assert!(store.add_standard(other.clone(), "user:ann").await.unwrap());
    store.close(LONG).await.unwrap();
    let Opened { store, .. } = open(dir.path());
    let found = store.standards().await.unwrap();
    let told: Vec<_> = found.iter().map(|it| (&it.standard, it.actor.as_str(), it.at)).collect();
    assert_eq!(told, [(&other, "user:ann", noon()), (&renewed, "user:bob", noon())]);
    let done: Vec<_> = actions(dir.path()).into_iter().map(|(action, ..)| action).collect();
    assert_eq!(done, ["standard.added", "standard.changed", "standard.added"]);
}
