//! calibctl's commands for keys, roots and envelopes, as a person or a script meets them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::world::{NOW, changed, pretty, signed, transform};

/// A folder to run calibctl in.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// A folder with a root key, two fleet keys and the good transform.
    fn new() -> Desk {
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        for name in ["root", "fleet", "second"] {
            desk.done(&["key", "generate", name]);
        }
        desk.write("t.json", &pretty(&transform()));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
        command.current_dir(self.folder.path()).args(args).output().unwrap()
    }

    /// Runs a command that must succeed.
    fn done(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        output
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.run(&[args, &["--json"]].concat()).stdout).unwrap()
    }

    fn root(&self, more: &[&str]) {
        let base = ["root", "init", "--fleet", "plant-7", "--key", "root.key.pem", "-o", "root.json"];
        self.done(&[&base[..], &["--issued-at", "2026-11-01T00:00:00Z"], more].concat());
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_is_made_once_and_kept_secret() {
    let desk = Desk::new();
    assert_eq!(mode(&desk.path("fleet.key.pem")), 0o600);
    let before = fs::read(desk.path("fleet.key.pem")).unwrap();
    let again = desk.run(&["key", "generate", "fleet"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("exists already"));
    assert_eq!(fs::read(desk.path("fleet.key.pem")).unwrap(), before);
    let (public, private) = ("fleet.pub.pem", "fleet.key.pem");
    let shown = desk.json(&["key", "show", public]);
    assert_eq!(shown["keyid"], desk.json(&["key", "show", private])["keyid"]);
    assert_eq!((&shown["kind"], &shown["algorithm"]), (&json!("public"), &json!("ed25519")));
    assert!(!String::from_utf8(desk.done(&["key", "show", private]).stdout).unwrap().contains("PRIVATE"));
}

#[test]
fn from_keys_to_an_accepted_transform() {
    let desk = Desk::new();
    desk.root(&["--fleet-key", "fleet.pub.pem"]);
    let shown = desk.json(&["root", "show", "root.json"]);
    assert_eq!(shown["root"]["fleet"], "plant-7");
    assert_eq!(shown["root"]["expires"], "2027-11-01T00:00:00.000000Z");
    let text = String::from_utf8(desk.done(&["root", "show", "root.json"]).stdout).unwrap();
    assert!(text.contains("fleet: 1 of 1 keys") && text.contains("fleet (active)"), "{text}");
    let signed = desk.json(&["sign", "t.json", "--key", "fleet.key.pem", "-o", "t.dsse.json"]);
    let verify = ["verify", "t.dsse.json", "--root", "root.json", "--gateway", "gw-1", "--now", NOW];
    let report = desk.json(&verify);
    assert_eq!(report["verdict"], "accepted", "{report}");
    assert_eq!(report["digest"], signed["digest"]);
    assert_eq!((&report["id"], &report["version"]), (&json!("co-electrochemical"), &json!(7)));
    assert_eq!((&report["role"], &report["reason"]), (&json!("fleet"), &Value::Null));
    assert!(report["not_checked"].as_array().unwrap().contains(&json!("conflict")));
    let text = String::from_utf8(desk.done(&verify).stdout).unwrap();
    assert!(text.starts_with("accepted\n") && text.contains("not checked"), "{text}");
}

#[test]
fn two_signers_one_after_the_other() {
    let desk = Desk::new();
    let keys = ["--fleet-key", "fleet.pub.pem", "--fleet-key", "second.pub.pem", "--fleet-threshold", "2"];
    desk.root(&keys);
    desk.done(&["sign", "t.json", "--key", "fleet.key.pem", "-o", "t.dsse.json"]);
    let verify = ["verify", "t.dsse.json", "--root", "root.json", "--now", NOW];
    let refused = desk.run(&verify);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stdout).unwrap().starts_with("refused: threshold_not_met\n"));
    desk.done(&["sign", "t.dsse.json", "--key", "second.key.pem", "-o", "t.dsse.json"]);
    assert_eq!(desk.json(&verify)["keyids"].as_array().unwrap().len(), 2);
    let wrong = desk.run(&["sign", "t.dsse.json", "--type", "order", "--key", "second.key.pem"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn an_envelope_goes_through_pipes() {
    let desk = Desk::new();
    let output = desk.done(&["sign", "t.json", "--key", "fleet.key.pem"]);
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(envelope["payloadType"], "application/vnd.calibd.transform+json");
    assert_eq!(desk.run(&["sign", "t.json", "--key", "fleet.key.pem", "--json"]).status.code(), Some(2));
}

#[test]
fn the_signer_is_told_what_gateways_will_refuse() {
    let desk = Desk::new();
    desk.write("bad.json", &pretty(&changed(&[("/domain/input", json!([2.0, 1.0]))])));
    let output = desk.done(&["sign", "bad.json", "--key", "fleet.key.pem", "-o", "bad.dsse.json"]);
    assert!(stderr(&output).contains("warning: bad.json"), "{}", stderr(&output));
    desk.write("what.json", "{}");
    let unknown = desk.run(&["sign", "what.json", "--key", "fleet.key.pem"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("--type"));
}

#[test]
fn scopes_are_read_and_enforced() {
    let desk = Desk::new();
    desk.write("scopes.json", r#"[{"sensors": ["no2-1"]}]"#);
    desk.root(&["--fleet-key", "fleet.pub.pem", "--fleet-scopes", "scopes.json"]);
    desk.done(&["sign", "t.json", "--key", "fleet.key.pem", "-o", "t.dsse.json"]);
    let report = desk.json(&["verify", "t.dsse.json", "--root", "root.json", "--now", NOW]);
    assert_eq!(report["reason"], "out_of_scope");
}

#[test]
fn a_root_that_no_gateway_would_take_is_not_written() {
    let desk = Desk::new();
    let base = ["root", "init", "--fleet", "plant-7", "--key", "root.key.pem", "-o", "root.json"];
    let output = desk.run(&[&base[..], &["--threshold", "2"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("roles.root.threshold"), "{}", stderr(&output));
    assert!(!desk.path("root.json").exists());
    desk.root(&[]);
    let again = desk.run(&base);
    assert!(stderr(&again).contains("exists already"));
}

#[test]
fn roots_and_other_artifacts_are_checked_by_their_roles() {
    let desk = Desk::new();
    desk.root(&["--fleet-key", "fleet.pub.pem"]);
    let verify = |file: &str| desk.json(&["verify", file, "--root", "root.json", "--now", NOW]);
    assert_eq!(verify("root.json")["role"], "root");
    let order = json!({
        "schema": 1, "fleet": "plant-7", "id": "co", "serial": 4, "action": "retire", "digest": "ab".repeat(32),
        "targets": {}, "issued_at": "2026-11-01T00:00:00Z",
    });
    desk.write("order.json", &order.to_string());
    desk.done(&["sign", "order.json", "--key", "fleet.key.pem", "-o", "order.dsse.json"]);
    let report = verify("order.dsse.json");
    assert_eq!(
        (&report["verdict"], &report["id"], &report["version"]),
        (&json!("accepted"), &json!("co"), &json!(4))
    );
    assert!(report["not_checked"].as_array().unwrap().contains(&json!("rolled_back_version")), "{report}");
    desk.write("bad.json", &order.to_string().replace("retire", "explode"));
    desk.done(&["sign", "bad.json", "--type", "order", "--key", "fleet.key.pem", "-o", "bad.dsse.json"]);
    assert_eq!(verify("bad.dsse.json")["reason"], "malformed");
    desk.done(&["sign", "order.json", "--type", "manifest", "--key", "fleet.key.pem", "-o", "m.dsse.json"]);
    assert_eq!(verify("m.dsse.json")["reason"], "role_not_allowed");
    desk.done(&["sign", "order.json", "--type", "checkpoint", "--key", "fleet.key.pem", "-o", "c.dsse.json"]);
    assert_eq!(verify("c.dsse.json")["reason"], "wrong_type");
}

#[test]
fn faults_name_the_file_and_the_remedy() {
    let desk = Desk::new();
    let missing = desk.run(&["verify", "none.json"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).starts_with("error: none.json: "));
    let no_key = desk.run(&["sign", "t.json", "--key", "t.json"]);
    assert_eq!(no_key.status.code(), Some(1));
    assert!(stderr(&no_key).contains("calibctl key generate"));
    let no_root = desk.run(&["root", "show", "t.json"]);
    assert_eq!(no_root.status.code(), Some(1));
    fs::write(desk.path("e.json"), signed(&transform(), &[2])).unwrap();
    assert_eq!(desk.json(&["verify", "e.json"])["reason"], "no_root");
    assert!(String::from_utf8(desk.done(&["root", "init", "--help"]).stdout).unwrap().contains("examples:"));
}
