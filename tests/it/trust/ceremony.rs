//! The next root, made and signed with files only.

use std::process::{Command, Output};

use serde_json::{Value, json};

/// A folder with the keys of three people, one fleet key and a first root that two of them must replace.
struct Table {
    folder: tempfile::TempDir,
}

impl Table {
    fn new() -> Table {
        let table = Table { folder: tempfile::tempdir().unwrap() };
        for name in ["ann", "bob", "eve", "fleet"] {
            table.done(&["key", "generate", name]);
        }
        let keys = ["--key", "ann.key.pem", "--key", "bob.key.pem", "--threshold", "2"];
        let base = ["root", "init", "--fleet", "plant-7", "--fleet-key", "fleet.pub.pem", "-o", "root.json"];
        table.done(&[&base[..], &keys, &["--issued-at", "2026-11-01T00:00:00Z"]].concat());
        table
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_calibctl"))
            .current_dir(self.folder.path())
            .args(words)
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed; answers with what it says.
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{words:?}: {said}");
        said
    }

    /// Runs a command that must not; answers with its exit code and what it says.
    fn fails(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = self.run(words);
        assert!(!output.status.success(), "{words:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_slice(&self.run(&[words, &["--json"]].concat()).stdout).unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }
}

#[test]
fn two_people_replace_a_third_ones_key_and_raise_the_threshold() {
    let table = Table::new();
    let first = table.read("root.json");
    let said = table.done(&[
        "root",
        "add-key",
        "root.json",
        "--role",
        "root",
        "--key",
        "eve.pub.pem",
        "-o",
        "2.json",
    ]);
    assert!(said.contains("draft of root 2") && said.contains("root sign"), "{said}");
    table.done(&["root", "set-threshold", "2.json", "--role", "root", "--threshold", "3"]);
    let verify = ["verify", "2.json", "--root", "root.json"];
    assert_eq!(table.json(&verify)["reason"], "threshold_not_met");
    for (key, complete) in [("ann", false), ("bob", false), ("eve", true)] {
        let file = format!("{key}.key.pem");
        let report = table.json(&["root", "sign", "2.json", "--before", "root.json", "--key", &file]);
        assert_eq!(report["complete"], complete, "{report}");
        assert_eq!(table.json(&verify)["verdict"] == "accepted", complete);
    }
    let report = table.json(&verify);
    assert_eq!((&report["role"], &report["version"]), (&json!("root"), &json!(2)));
    assert_eq!((report["keyids"].as_array().unwrap().len(), &report["not_checked"]), (2, &json!([])));
    let shown = table.json(&["root", "show", "2.json"]);
    assert_eq!(shown["root"]["roles"]["root"]["threshold"], 3);
    assert_eq!(table.read("root.json"), first, "a signed root stays as it is");
}

#[test]
fn keys_are_retired_revoked_and_removed_by_file_label_or_id() {
    let table = Table::new();
    let state = |file: &str| {
        let envelope: Value = serde_json::from_slice(&table.read(file)).unwrap();
        assert_eq!(envelope["signatures"], json!([]), "a draft is not signed");
        let payload = calibd::domain::trust::envelope::Envelope::parse(&table.read(file)).unwrap().payload;
        serde_json::from_slice::<Value>(&payload).unwrap()
    };
    let id = table.json(&["key", "show", "fleet.pub.pem"])["keyid"].as_str().unwrap().to_owned();
    table.done(&["root", "retire-key", "root.json", "--key", "fleet.pub.pem", "-o", "2.json"]);
    assert_eq!(state("2.json")["keys"][&id]["state"], "retired");
    let said = table.done(&["root", "revoke-key", "2.json", "--key", "fleet"]);
    assert!(said.contains("warning: role fleet has 0 active keys"), "{said}");
    assert_eq!(state("2.json")["keys"][&id]["state"], "revoked");
    assert_eq!(state("2.json")["roles"]["fleet"]["keyids"], json!([id]), "it keeps its role");
    let (code, said) = table.fails(&["root", "retire-key", "2.json", "--key", &id[..8]]);
    assert!(code == Some(2) && said.contains("which is final"), "{said}");
    let again = ["root", "add-key", "2.json", "--role", "enrol", "--key", "fleet.pub.pem"];
    assert!(table.fails(&again).1.contains("is revoked in this root"));
    table.done(&["root", "remove-key", "2.json", "--key", &id]);
    let root = state("2.json");
    assert_eq!((root["keys"].get(&id), root["roles"].get("fleet")), (None, None));
    assert_eq!(root["version"], 2);
}

#[test]
fn a_root_that_could_never_be_replaced_is_not_written() {
    let table = Table::new();
    let (code, said) = table.fails(&["root", "revoke-key", "root.json", "--key", "ann", "-o", "2.json"]);
    assert!(code == Some(2) && said.contains("role root has 1 active keys, and 2 must sign"), "{said}");
    assert!(!table.folder.path().join("2.json").exists());
    let (_, said) = table.fails(&[
        "root",
        "set-threshold",
        "root.json",
        "--role",
        "fleet",
        "--threshold",
        "2",
        "-o",
        "2.json",
    ]);
    assert!(said.contains("roles.fleet.threshold"), "{said}");
}

#[test]
fn a_draft_is_named_and_one_that_some_have_signed_is_not_changed() {
    let table = Table::new();
    let (code, said) = table.fails(&["root", "renew", "root.json"]);
    assert!(code == Some(2) && said.contains("-o"), "{said}");
    table.done(&["root", "renew", "root.json", "--expires", "30d", "--epoch", "2", "-o", "2.json"]);
    table.done(&["root", "sign", "2.json", "--before", "root.json", "--key", "ann.key.pem"]);
    let (code, said) = table.fails(&["root", "renew", "2.json"]);
    assert!(code == Some(1) && said.contains("not changed any more"), "{said}");
    let (_, said) = table.fails(&["root", "sign", "2.json", "--before", "root.json", "--key", "eve.key.pem"]);
    assert!(said.contains("eve.key.pem: is no active key of role root"), "{said}");
    let (code, said) = table.fails(&["root", "sign", "2.json", "--key", "bob.key.pem"]);
    assert!(code == Some(2) && said.contains("--before"), "{said}");
    let (_, said) = table.fails(&["root", "sign", "2.json", "--before", "2.json", "--key", "bob.key.pem"]);
    assert!(said.contains("threshold_not_met"), "{said}");
    let said = table.done(&["root", "sign", "2.json", "--before", "root.json", "--key", "bob.key.pem"]);
    assert!(said.contains("2 of 2 keys of root 1, 2 of 2 keys of its own: complete"), "{said}");
    let (_, said) = table.fails(&["root", "renew", "2.json", "--epoch", "1", "-o", "3.json"]);
    assert!(said.contains("never falls"), "{said}");
}
