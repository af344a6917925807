//! Keys, signatures and envelopes go both ways between calibctl and OpenSSL, and Python's securesystemslib
//! with pyca/cryptography.
//!
//! The interpreter is `$CALIBD_TEST_PYTHON`, else `target/test-venv/bin/python`; `tests/run` sets it up.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use calibd::domain::digest::Digest;
use calibd::domain::trust::envelope::{Envelope, Signature, pae, payload_type};
use calibd::domain::trust::key::{PrivateKey, PublicKey};
use calibd::domain::trust::root::Root;
use calibd::domain::trust::signers::signing_keys;
use serde_json::json;

use super::world::*;

/// Runs a program, which must succeed, and gives what it printed.
fn run(program: impl AsRef<OsStr>, args: &[&dyn AsRef<OsStr>]) -> Vec<u8> {
    let name = program.as_ref().to_string_lossy().into_owned();
    let mut command = Command::new(program);
    command.args(args.iter().map(|arg| arg.as_ref()));
    let output = command.output().unwrap_or_else(|fault| {
        panic!("{name}: {fault}; install openssl, and run tests/run for the Python environment")
    });
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn openssl(args: &[&dyn AsRef<OsStr>]) -> Vec<u8> {
    run("openssl", args)
}

fn python(args: &[&dyn AsRef<OsStr>]) -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let usual = || top.join("target/test-venv/bin/python");
    let program = std::env::var_os("CALIBD_TEST_PYTHON").map_or_else(usual, PathBuf::from);
    let script = top.join("tests/it/trust/interop.py");
    let mut all: Vec<&dyn AsRef<OsStr>> = vec![&script];
    all.extend(args);
    String::from_utf8(run(program, &all)).unwrap().trim().to_owned()
}

fn calibctl(args: &[&dyn AsRef<OsStr>]) -> Vec<u8> {
    run(env!("CARGO_BIN_EXE_calibctl"), args)
}

/// Files of one test.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// A root whose fleet key is the one given.
fn root_trusting(public: &PublicKey) -> Root {
    let mut document = root();
    document["keys"][public.id().to_string()] = json!({"public_key": public.to_pem()});
    document["roles"]["fleet"]["keyids"] = json!([public.id()]);
    Root::verify_first(&signed_root(&document), None).unwrap().0
}

#[test]
fn openssl_makes_keys_that_are_read() {
    let bench = Bench::new();
    let private = bench.path("k.pem");
    openssl(&[&"genpkey", &"-algorithm", &"ed25519", &"-out", &private]);
    let der = openssl(&[&"pkey", &"-in", &private, &"-pubout", &"-outform", &"DER"]);
    let pem = openssl(&[&"pkey", &"-in", &private, &"-pubout"]);
    let key = PrivateKey::from_pem(&bench.text("k.pem")).unwrap();
    assert_eq!(key.public().id(), Digest::of(&[&der]));
    assert_eq!(key.public().to_pem().as_bytes(), pem);
    assert_eq!(key.to_pem(), bench.text("k.pem"));
}

#[test]
fn openssl_reads_the_keys_that_calibctl_makes() {
    let bench = Bench::new();
    calibctl(&[&"key", &"generate", &bench.path("k")]);
    let public = openssl(&[&"pkey", &"-in", &bench.path("k.key.pem"), &"-pubout"]);
    assert_eq!(public, bench.text("k.pub.pem").into_bytes());
}

#[test]
fn openssl_checks_our_signatures_and_we_check_its_own() {
    let bench = Bench::new();
    let payload = pretty(&transform());
    let private = bench.write("k.key.pem", key(FLEET).to_pem());
    let public = bench.write("k.pub.pem", key(FLEET).public().to_pem());
    let document = bench.write("t.json", &payload);
    let out = bench.path("t.dsse.json");
    calibctl(&[&"sign", &document, &"--key", &private, &"-o", &out]);
    let envelope = Envelope::parse(&fs::read(&out).unwrap()).unwrap();
    let message = bench.write("pae", envelope.pae());
    let ours = bench.write("ours", &envelope.signatures[0].sig);
    let theirs = bench.path("theirs");
    let common: [&dyn AsRef<OsStr>; 4] = [&"pkeyutl", &"-rawin", &"-in", &message];
    let with = |more: &[&dyn AsRef<OsStr>]| openssl(&[&common[..], more].concat());
    with(&[&"-verify", &"-pubin", &"-inkey", &public, &"-sigfile", &ours]);
    with(&[&"-sign", &"-inkey", &private, &"-out", &theirs]);
    let kind = payload_type("transform");
    assert_eq!(fs::read(&message).unwrap(), pae(&kind, payload.as_bytes()));
    let signatures = vec![Signature { keyid: None, sig: fs::read(&theirs).unwrap() }];
    let signed = Envelope { payload_type: kind, payload: payload.into_bytes(), signatures };
    let found = signing_keys(&signed, &root_trusting(key(FLEET).public()));
    assert!(found.contains(&key(FLEET).public().id()));
}

#[test]
fn securesystemslib_checks_our_envelopes() {
    let bench = Bench::new();
    let public = bench.write("k.pub.pem", key(FLEET).public().to_pem());
    let bytes = signed(&transform(), &[FLEET]);
    let envelope = bench.write("t.dsse.json", &bytes);
    let digest = python(&[&"verify", &public, &envelope]);
    assert_eq!(digest, Envelope::parse(&bytes).unwrap().digest().to_string());
}

#[test]
fn calibctl_verifies_what_securesystemslib_signed_with_its_own_key() {
    let bench = Bench::new();
    let (private, public) = (bench.path("p.key.pem"), bench.path("p.pub.pem"));
    let keyid = python(&[&"keygen", &private, &public]);
    let shown: serde_json::Value =
        serde_json::from_slice(&calibctl(&[&"key", &"show", &private, &"--json"])).unwrap();
    assert_eq!(shown["keyid"], json!(keyid));
    let root_key = bench.write("root.key.pem", key(ROOT).to_pem());
    let (root, out) = (bench.path("root.json"), bench.path("t.dsse.json"));
    calibctl(&[
        &"root",
        &"init",
        &"--fleet",
        &"plant-7",
        &"--key",
        &root_key,
        &"--fleet-key",
        &public,
        &"--issued-at",
        &"2026-11-01T00:00:00Z",
        &"-o",
        &root,
    ]);
    let document = bench.write("t.json", pretty(&transform()));
    python(&[&"sign", &private, &payload_type("transform"), &document, &out]);
    let report =
        calibctl(&[&"verify", &out, &"--root", &root, &"--gateway", &"gw-1", &"--now", &NOW, &"--json"]);
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&report["verdict"], &report["keyids"]), (&json!("accepted"), &json!([keyid])));
    // And the other way round, with the key that Python made.
    let ours = bench.path("ours.dsse.json");
    calibctl(&[&"sign", &document, &"--key", &private, &"-o", &ours]);
    assert_eq!(json!(python(&[&"verify", &public, &ours])), report["digest"]);
}
