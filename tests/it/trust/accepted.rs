//! What must get in, however odd it looks.

use calibd::domain::trust::envelope::{Envelope, Signature};
use calibd::domain::trust::reason::Reason;
use serde_json::{Value, json};

use super::fixtures::Fixture;
use super::transform_attacks::late_local;
use super::world::*;

pub fn fixtures() -> Vec<Fixture> {
    [envelopes(), states()].into_iter().flatten().collect()
}

fn good(name: &'static str) -> Fixture {
    Fixture::new(name, None, signed(&transform(), &[FLEET]))
}

fn envelope() -> Envelope {
    Envelope::parse(&signed(&transform(), &[FLEET])).unwrap()
}

fn hinted(hint: Option<&str>) -> Vec<u8> {
    let sig = envelope().signatures[0].sig.clone();
    let signatures = vec![Signature { keyid: hint.map(str::to_owned), sig }];
    Envelope { signatures, ..envelope() }.to_json()
}

fn envelopes() -> Vec<Fixture> {
    let text = String::from_utf8(signed(&transform(), &[FLEET])).unwrap();
    let mut url_safe: Value = serde_json::from_str(&text).unwrap();
    for pointer in ["/payload", "/signatures/0/sig"] {
        let field = url_safe.pointer_mut(pointer).unwrap();
        let text = field.as_str().unwrap().replace('+', "-").replace('/', "_");
        *field = json!(text.trim_end_matches('='));
    }
    let extra = text.replacen('{', "{\"note\": [1, {}], ", 1);
    let mut spare = envelope();
    spare.add_signatures(&[key(STRANGER), key(REVOKED)]);
    let wrong_hint = keyid(FLEET_2);
    let two = root_with("fleet", 2, &[FLEET, FLEET_2], json!([]));
    vec![
        good("good"),
        Fixture::new("good_without_keyid", None, hinted(None)),
        Fixture::new("good_with_wrong_keyid", None, hinted(Some(&wrong_hint))),
        Fixture::new("good_with_foreign_keyid", None, hinted(Some("the blue one"))),
        Fixture::new("good_url_safe_base64", None, url_safe.to_string().into_bytes()),
        Fixture::new("good_unknown_envelope_field", None, extra.into_bytes()),
        Fixture::new("good_with_useless_signatures", None, spare.to_json()),
        Fixture::new("good_two_of_two", None, signed(&transform(), &[FLEET_2, FLEET])).root(&two),
        Fixture::new("good_maintenance", None, signed(&local(), &[MAINTENANCE])),
    ]
}

fn states() -> Vec<Fixture> {
    let at = |version: u64, digest: &str| json!({"floors": {"co-electrochemical": {"epoch": 1, "version": version, "digest": digest}}});
    let old = "0".repeat(64);
    let slot = |value| json!({"slots": {"co-1": value}});
    let document = changed(&[("/replaces", json!(["co-other"])), ("/supersedes", json!([old]))]);
    let narrow = json!([{"sensors": ["no2-1"]}, {"gateways": ["gw-1"], "sensors": ["co-1"]}]);
    vec![
        good("good_next_version").context(at(6, &old)),
        good("good_already_applied").context(at(7, "self")),
        good("good_in_second_scope").root(&root_with("fleet", 1, &[FLEET], narrow)),
        good("good_without_clock")
            .context(json!({"trusted": false, "now": "1970-01-01T00:00:10Z"}))
            // With a trusted clock 1970 lies before everything, and nothing has expired.
            .offline(None),
        Fixture::new("good_replaces_and_supersedes", None, signed(&document, &[FLEET]))
            .context(slot(json!({"active_id": "co-other", "local": old}))),
        Fixture::new("good_maintenance_over_fleet", None, signed(&local(), &[MAINTENANCE]))
            .context(slot(json!({"active_id": "co-electrochemical"}))),
        Fixture::new("good_maintenance_root_expired", None, signed(&late_local(), &[MAINTENANCE]))
            .context(json!({"now": "2028-03-30T00:00:00Z"})),
        Fixture::new("good_retired_key_accepted_before", None, signed(&transform(), &[RETIRED]))
            .context(json!({"accepted_before": true}))
            .offline(Reason::KeyRetired),
    ]
}
