//! Attacks on the envelope and its signatures.

use calibd::domain::trust::envelope::{Envelope, Signature, payload_type, sign};
use calibd::domain::trust::reason::Reason;
use serde_json::{Value, json};

use super::fixtures::Fixture;
use super::world::*;

pub fn fixtures() -> Vec<Fixture> {
    [form(), json_text(), signatures(), roles(), keys()].into_iter().flatten().collect()
}

fn good() -> Vec<u8> {
    signed(&transform(), &[FLEET])
}

fn envelope() -> Envelope {
    Envelope::parse(&good()).unwrap()
}

/// The good envelope as text, with one piece replaced that must be there.
fn replaced(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(good()).unwrap();
    assert!(text.contains(from));
    text.replacen(from, to, 1).into_bytes()
}

fn form() -> Vec<Fixture> {
    let malformed = Reason::Malformed;
    let padded = changed(&[("/provenance", json!({"comment": "x".repeat(256 * 1024)}))]);
    let many: Vec<Signature> = (0..17).map(|_| envelope().signatures[0].clone()).collect();
    let many = Envelope { signatures: many, ..envelope() };
    vec![
        Fixture::new("too_large", Reason::TooLarge, signed(&padded, &[FLEET])),
        Fixture::new("not_an_envelope", malformed, pretty(&transform()).into_bytes()),
        Fixture::new("not_json", malformed, b"calibrate, please\n".to_vec()),
        Fixture::new("not_utf8", malformed, vec![0xff, 0xfe, b'{', b'}']),
        Fixture::new("empty", malformed, Vec::new()),
        Fixture::new("bad_base64", malformed, replaced("\"payload\":\"ew", "\"payload\":\"!w")),
        Fixture::new("seventeen_signatures", malformed, many.to_json()),
        Fixture::new(
            "envelope_duplicate_keys",
            malformed,
            replaced("{\"payload\":", "{\"payload\":\"\",\"payload\":"),
        ),
        Fixture::new("envelope_trailing_bytes", malformed, [good(), b"{}".to_vec()].concat()),
        Fixture::new("envelope_deep_nesting", malformed, replaced("{\"payload\":", &deep_field())),
        // Away from the gateway an order is as welcome as a transform, but this is none.
        Fixture::new("wrong_type", Reason::WrongType, other_type("order")).offline(Reason::Malformed),
        Fixture::new("foreign_type", Reason::WrongType, foreign_type()),
    ]
}

fn deep_field() -> String {
    format!("{{\"x\":{}{},\"payload\":", "[".repeat(200), "]".repeat(200))
}

fn other_type(name: &str) -> Vec<u8> {
    sign(&payload_type(name), pretty(&transform()).as_bytes(), &[key(FLEET)])
}

fn foreign_type() -> Vec<u8> {
    sign("application/vnd.in-toto+json", pretty(&transform()).as_bytes(), &[key(FLEET)])
}

/// Faults of the payload's JSON, properly signed.
fn json_text() -> Vec<Fixture> {
    let text = pretty(&transform());
    let swap = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        signed_bytes(text.replacen(from, to, 1).as_bytes(), &[FLEET])
    };
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let field = |pointer, value| signed(&changed(&[(pointer, value)]), &[FLEET]);
    let unscoped = json!({"fleet": "plant-7", "gateways": ["gw-1"]});
    let malformed = |name, envelope| Fixture::new(name, Reason::Malformed, envelope);
    vec![
        malformed("duplicate_json_keys", swap("\"gain\": 0.034", "\"gain\": 0.034, \"gain\": 3.4")),
        malformed("trailing_bytes", signed_bytes(format!("{text} {{}}").as_bytes(), &[FLEET])),
        malformed("deep_nesting", swap("\"version\": 7", &format!("\"version\": 7, \"x\": {deep}"))),
        malformed("unknown_field", field("/comment", json!("for later"))),
        malformed("unknown_field_in_stage", field("/pipeline/0/ofset", json!(1.0))),
        malformed("integer_above_2_53", field("/version", json!(9_007_199_254_740_993_u64))),
        malformed("missing_field", swap("\"expires\": \"2027-11-22T00:00:00Z\",", "")),
        malformed("not_a_number", swap("\"gain\": 0.034", "\"gain\": NaN")),
        malformed("bad_id", field("/id", json!("../../etc/passwd"))),
        malformed("no_sensor_selected", field("/target", unscoped)),
        Fixture::new("unknown_schema", Reason::UnknownSchema, field("/schema", json!(2))),
        Fixture::new("unknown_stage", Reason::UnknownStage, field("/pipeline", json!([{"kind": "magic"}]))),
    ]
}

fn signatures() -> Vec<Fixture> {
    let bad = |name, envelope: Envelope| Fixture::new(name, Reason::BadSignature, envelope.to_json());
    let tampered = pretty(&changed(&[("/pipeline/0/gain", json!(3.4))])).into_bytes();
    let mut flipped = envelope();
    flipped.signatures[0].sig[10] ^= 1;
    let mut short = envelope();
    short.signatures[0].sig.truncate(63);
    let mut malleable = envelope();
    add_order(&mut malleable.signatures[0].sig[32..]);
    let mut confused = Envelope::parse(&other_type("order")).unwrap();
    confused.payload_type = payload_type("transform");
    vec![
        bad("bad_signature", flipped),
        bad("tampered_payload", Envelope { payload: tampered, ..envelope() }),
        bad("short_signature", short),
        bad("malleable_signature", malleable),
        bad("type_confusion", confused),
        bad("signature_over_payload_only", payload_only()),
        Fixture::new("unknown_key", Reason::UnknownKey, signed(&transform(), &[STRANGER])),
        Fixture::new("unsigned", Reason::ThresholdNotMet, signed(&transform(), &[])),
    ]
}

/// A signature over the bare payload, without the type.
fn payload_only() -> Envelope {
    let mut envelope = envelope();
    envelope.signatures[0].sig = key(FLEET).sign(&envelope.payload).to_vec();
    envelope
}

/// Adds the order of the curve's group to the scalar of a signature (RFC 8032, section 5.1.7): lax verifiers
/// take the sum as another valid signature.
fn add_order(scalar: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in scalar.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

fn roles() -> Vec<Fixture> {
    let two = || root_with("fleet", 2, &[FLEET, FLEET_2], json!([]));
    let threshold = |name, envelope: Envelope| {
        Fixture::new(name, Reason::ThresholdNotMet, envelope.to_json()).root(&two())
    };
    let parse = |seeds: &[u8]| Envelope::parse(&signed(&transform(), seeds)).unwrap();
    let mut twice = parse(&[FLEET]);
    let copy = Signature { keyid: Some(keyid(FLEET_2)), ..twice.signatures[0].clone() };
    twice.signatures.push(copy);
    let mut one_bad = parse(&[FLEET, FLEET_2]);
    one_bad.signatures[1].sig[0] ^= 1;
    let no_role = Reason::RoleNotAllowed;
    vec![
        threshold("threshold_not_met", parse(&[FLEET])),
        threshold("one_key_twice", twice),
        threshold("one_bad_signature_of_two", one_bad),
        threshold("roles_summed", parse(&[FLEET, MAINTENANCE])).root(&roles_summed_root()),
        // Maintenance alone has reached its threshold, but may not sign for the fleet.
        threshold("other_role_fills_up", parse(&[FLEET, MAINTENANCE])),
        threshold("stranger_counted", parse(&[FLEET, STRANGER])),
        Fixture::new("role_not_allowed", no_role, signed(&transform(), &[ENROL])),
        Fixture::new("root_key_signs_transform", no_role, signed(&transform(), &[ROOT])),
        Fixture::new("maintenance_signs_for_fleet", no_role, signed(&transform(), &[MAINTENANCE])),
        Fixture::new("fleet_signs_local", no_role, signed(&local(), &[FLEET])),
    ]
}

/// Both roles ask for two keys, so that one of each reaches neither.
fn roles_summed_root() -> Value {
    let mut root = root_with("fleet", 2, &[FLEET, FLEET_2], json!([]));
    let maintenance = root_with("maintenance", 2, &[MAINTENANCE, FLEET_2], json!([]));
    root["roles"]["maintenance"] = maintenance["roles"]["maintenance"].clone();
    root
}

fn keys() -> Vec<Fixture> {
    let by = |name, reason, seed| Fixture::new(name, reason, signed(&transform(), &[seed]));
    vec![
        by("key_retired", Reason::KeyRetired, RETIRED),
        by("key_revoked", Reason::KeyRevoked, REVOKED),
        by("key_revoked_after_acceptance", Reason::KeyRevoked, REVOKED)
            .context(json!({"accepted_before": true})),
        by("key_not_valid_yet", Reason::KeyNotValidNow, FUTURE),
        by("key_not_valid_any_more", Reason::KeyNotValidNow, PAST),
        by("key_not_valid_yet_perhaps", Reason::ClockUntrusted, FUTURE)
            .context(json!({"trusted": false, "now": "2031-01-01T00:00:00Z"}))
            // With a trusted clock that time lies past everything.
            .offline(Reason::RootExpired),
    ]
}
