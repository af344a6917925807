//! Ten thousand damaged envelopes: none gets in.

use calibd::domain::id::Id;
use calibd::domain::time::Timestamp;
use calibd::domain::trust::envelope::Envelope;
use calibd::domain::trust::root::Root;
use calibd::domain::trust::slot::Slot;
use calibd::domain::trust::target::SensorFacts;
use calibd::domain::trust::time::TimeView;
use calibd::domain::trust::verify::{Context, Refused, Verified, verify_transform};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::world::*;

struct Gateway {
    root: Root,
    id: Id,
    fleet: Id,
}

impl Gateway {
    fn new() -> Gateway {
        let mut document = root_with("fleet", 1, &[FLEET], json!([]));
        // Few keys: what a wrong signature costs is a curve operation for each of them.
        document["roles"] = json!({"root": document["roles"]["root"], "fleet": document["roles"]["fleet"]});
        let keys = document["keys"].as_object_mut().unwrap();
        keys.retain(|id, _| [keyid(ROOT), keyid(FLEET)].contains(id));
        let root = Root::verify_first(&signed_root(&document), None).unwrap().0;
        Gateway { root, id: Id::new("gw-1").unwrap(), fleet: Id::new("plant-7").unwrap() }
    }

    fn verify(&self, bytes: &[u8]) -> Result<Verified, Refused> {
        let now = Timestamp::parse(NOW).unwrap();
        let context = Context {
            root: Some(&self.root),
            fleet: &self.fleet,
            gateway: Some(&self.id),
            enrolment: None,
            sensors: &|_| Some(SensorFacts { unit: "nA".to_owned(), ..SensorFacts::default() }),
            time: TimeView { now, trusted: true, floor: now },
            slots: &|_| Slot::default(),
            floors: &|_| None,
            accepted: &|_| false,
            freshness: None,
        };
        verify_transform(bytes, &context)
    }
}

/// One piece of damage to a byte string.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
    Repeat(Index, Index),
    Swap(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Damage::Repeat(a, b)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Damage::Swap(a, b)),
    ]
}

fn damaged(bytes: &[u8], damage: &Damage) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let at = |index: &Index| index.index(bytes.len());
    match damage {
        Damage::Flip(index, bit) => out[at(index)] ^= 1 << bit,
        Damage::Set(index, byte) => out[at(index)] = *byte,
        Damage::Insert(index, byte) => out.insert(at(index), *byte),
        Damage::Remove(index) => drop(out.remove(at(index))),
        Damage::Cut(index) => out.truncate(at(index)),
        Damage::Repeat(a, b) => {
            let (low, high) = (at(a).min(at(b)), at(a).max(at(b)));
            let piece = bytes[low..high].to_vec();
            out.splice(high..high, piece);
        }
        Damage::Swap(a, b) => out.swap(at(a), at(b)),
    }
    out
}

fn ten_thousand() -> TestRunner {
    TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() })
}

/// Whatever happens to the envelope's text, what gets in was signed exactly so.
#[test]
fn damaged_text_never_smuggles_anything_in() {
    let gateway = Gateway::new();
    let good = signed(&transform(), &[FLEET]);
    let digest = gateway.verify(&good).unwrap().digest;
    let run = ten_thousand().run(&prop::collection::vec(damage(), 1..4), |all| {
        let bytes = all
            .iter()
            .fold(good.clone(), |bytes, one| if bytes.is_empty() { bytes } else { damaged(&bytes, one) });
        if let Ok(verified) = gateway.verify(&bytes) {
            // Only the hint, white space or base64 padding can have changed.
            prop_assert_eq!(verified.digest, digest);
        }
        Ok(())
    });
    run.unwrap();
}

/// Damage behind the base64, where every bit counts: payload, type and signature.
#[test]
fn damaged_content_is_never_accepted() {
    let gateway = Gateway::new();
    let good = Envelope::parse(&signed(&transform(), &[FLEET])).unwrap();
    let run = ten_thousand().run(&(damage(), 0..3u8), |(one, part)| {
        let mut envelope = good.clone();
        match part {
            0 => envelope.payload = damaged(&good.payload, &one),
            1 => envelope.signatures[0].sig = damaged(&good.signatures[0].sig, &one),
            _ => {
                let kind = damaged(good.payload_type.as_bytes(), &one);
                envelope.payload_type = String::from_utf8_lossy(&kind).into_owned();
            }
        }
        prop_assert!(envelope == good || gateway.verify(&envelope.to_json()).is_err());
        Ok(())
    });
    run.unwrap();
}
