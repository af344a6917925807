//! How many transforms a core verifies in a second, beside the signature verifications of OpenSSL in the same run.
//! `cargo bench --bench verify`

#![expect(clippy::print_stdout, reason = "its table is its product")]

use std::process::Command;
use std::time::Duration;

use calibd::domain::id::Id;
use calibd::domain::time::Timestamp;
use calibd::domain::trust::envelope::{payload_type, sign};
use calibd::domain::trust::key::PrivateKey;
use calibd::domain::trust::root::Root;
use calibd::domain::trust::slot::Slot;
use calibd::domain::trust::target::SensorFacts;
use calibd::domain::trust::time::TimeView;
use calibd::domain::trust::verify::{Context, verify_transform};
use calibd::runtime::clock::Clock;
use serde_json::json;

/// Different artifacts.
const ARTIFACTS: u64 = 2_000;
/// How long each measurement takes.
const SPAN: Duration = Duration::from_secs(3);
/// Measurements, each beside one of OpenSSL.
const ROUNDS: usize = 3;

type Fault = Box<dyn std::error::Error>;

fn root(key: &PrivateKey) -> Result<Root, Fault> {
    let public = key.public();
    let id = public.id().to_string();
    let role = json!({"threshold": 1, "keyids": [id]});
    let document = json!({
        "schema": 1, "fleet": "plant-7", "version": 1, "epoch": 1,
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2028-01-01T00:00:00Z",
        "keys": {id.as_str(): {"public_key": public.to_pem()}}, "roles": {"root": role, "fleet": role},
    });
    let envelope = sign(&payload_type("root"), document.to_string().as_bytes(), std::slice::from_ref(key));
    Ok(Root::verify_first(&envelope, None)?.0)
}

fn transform(version: u64) -> String {
    let document = json!({
        "schema": 1, "id": "co-electrochemical", "epoch": 1, "version": version, "replaces": [],
        "target": {"fleet": "plant-7", "gateways": ["gw-1"], "sensors": ["co-1"]},
        "quantity": "carbon monoxide mass concentration", "input_unit": "nA", "output_unit": "mg/m3",
        "pipeline": [{"kind": "affine", "offset": -0.42, "gain": 0.034, "covariance": [[1.2e-4, 0.0], [0.0, 8e-7]]}],
        "domain": {"input": [120.0, 980.0]}, "uncertainty": {"residual_std": 0.08, "degrees_of_freedom": 34},
        "issued_at": "2026-11-01T00:00:00Z", "not_before": null, "expires": "2027-11-22T00:00:00Z",
    });
    document.to_string()
}

/// Whole verifications a second: envelope, signature, strict parse, scope, target, time, floor and content.
fn ours(envelopes: &[Vec<u8>], context: &Context<'_>) -> Result<f64, Fault> {
    let clock = Clock::system();
    let (begun, mut count) = (clock.monotonic(), 0);
    while clock.monotonic() - begun < SPAN {
        for envelope in envelopes {
            verify_transform(envelope, context)?;
        }
        count += envelopes.len();
    }
    Ok(count as f64 / (clock.monotonic() - begun).as_secs_f64())
}

/// `openssl speed`: signature verifications a second, of one message that is shorter than any artifact.
fn openssl() -> Result<f64, Fault> {
    let seconds = SPAN.as_secs().to_string();
    let output = Command::new("openssl").args(["speed", "-mr", "-seconds", &seconds, "ed25519"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    // `+F6:N:BITS:NAME:SECONDS A SIGNATURE:SECONDS A VERIFICATION`
    let line = text.lines().find(|line| line.starts_with("+F6:")).ok_or("openssl speed gave no figure")?;
    let each: f64 = line.rsplit(':').next().ok_or("openssl speed gave no figure")?.parse()?;
    Ok(if each > 1.0 { each } else { 1.0 / each })
}

fn main() -> Result<(), Fault> {
    let key = PrivateKey::from_seed(&[7; 32])?;
    let root = root(&key)?;
    let keys = std::slice::from_ref(&key);
    let envelope = |version| sign(&payload_type("transform"), transform(version).as_bytes(), keys);
    let envelopes: Vec<_> = (1..=ARTIFACTS).map(envelope).collect();
    let (fleet, gateway) = (Id::new("plant-7")?, Id::new("gw-1")?);
    let now = Timestamp::parse("2026-11-22T12:00:00Z")?;
    let context = Context {
        root: Some(&root),
        fleet: &fleet,
        gateway: Some(&gateway),
        enrolment: None,
        sensors: &|_| Some(SensorFacts { unit: "nA".to_owned(), ..SensorFacts::default() }),
        time: TimeView { now, trusted: true, floor: now },
        slots: &|_| Slot::default(),
        floors: &|_| None,
        accepted: &|_| false,
        freshness: None,
    };
    println!(
        "| artifacts verified a second | Ed25519 verifications a second by OpenSSL | ratio |\n| --- | --- | --- |"
    );
    for _ in 0..ROUNDS {
        let (ours, openssl) = (ours(&envelopes, &context)?, openssl()?);
        println!("| {ours:.0} | {openssl:.0} | {:.2} |", ours / openssl);
    }
    Ok(())
}
