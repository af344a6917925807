//! A fleet's keys and the transforms that it signs, made with calibctl.

use std::path::{Path, PathBuf};
use std::process::Command;

use calibd::domain::time::Timestamp;
use calibd::domain::trust::envelope::{Envelope, type_name};
use calibd::domain::trust::key::PublicKey;
use calibd::runtime::clock::system_now;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::run;

/// Keys and the root of fleet `plant-7`.
pub struct Authority {
    dir: TempDir,
}

fn calibctl() -> Command {
    Command::new(env!("CARGO_BIN_EXE_calibctl"))
}

impl Authority {
    /// Makes the keys `root`, `fleet` and `stranger`, the last of which is in no root.
    pub fn new() -> Authority {
        Authority::made(false)
    }

    /// The same with the key `technician`, which may sign transforms made on site.
    pub fn with_technician() -> Authority {
        Authority::made(true)
    }

    fn made(technician: bool) -> Authority {
        let authority = Authority { dir: tempfile::tempdir().unwrap() };
        for name in ["root", "fleet", "stranger", "technician"] {
            run(calibctl().args(["key", "generate"]).arg(authority.path(name)));
        }
        let mut init = calibctl();
        init.args(["root", "init", "--fleet", "plant-7", "--key"]).arg(authority.path("root.key.pem"));
        init.arg("--fleet-key").arg(authority.path("fleet.pub.pem")).arg("-o").arg(authority.root());
        if technician {
            init.arg("--maintenance-key").arg(authority.path("technician.pub.pem"));
        }
        run(&mut init);
        authority
    }

    /// Runs calibctl in the folder of the keys.
    pub fn ctl(&self, words: &[&str]) {
        run(calibctl().current_dir(self.dir.path()).args(words));
    }

    /// A file in that folder.
    pub fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Makes root number `version`: each line is a command of `calibctl root` that changes it. It is signed by the
    /// root key.
    pub fn next_root(&self, version: u64, changes: &[&[&str]]) -> Vec<u8> {
        let name =
            |version| if version == 1 { "root.json".to_owned() } else { format!("root-{version}.json") };
        let (before, next) = (name(version - 1), name(version));
        self.ctl(&["root", "renew", &before, "-o", &next]);
        for change in changes {
            self.ctl(&[&["root", change[0], &next], &change[1..]].concat());
        }
        self.ctl(&["root", "sign", &next, "--before", &before, "--key", "root.key.pem"]);
        self.file(&next)
    }

    /// A path in the folder of the keys.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The signed root.
    pub fn root(&self) -> PathBuf {
        self.path("root.json")
    }

    /// Revokes the fleet's key, by a root that takes the place of the file.
    pub fn revoke_fleet(&self) {
        let envelope = Envelope::parse(&std::fs::read(self.root()).unwrap()).unwrap();
        let mut root: Value = serde_json::from_slice(&envelope.payload).unwrap();
        let fleet = std::fs::read_to_string(self.path("fleet.pub.pem")).unwrap();
        let id = PublicKey::from_pem(&fleet).unwrap().id().to_string();
        root["keys"][id.as_str()]["state"] = json!("revoked");
        let plain = self.path("revoking.json");
        std::fs::write(&plain, root.to_string()).unwrap();
        let mut sign = calibctl();
        sign.args(["sign", "--type", "root", "--key"]).arg(self.path("root.key.pem"));
        run(sign.arg("-o").arg(self.root()).arg(plain));
    }

    /// A transform signed by the fleet's key.
    pub fn signed(&self, transform: &Value) -> Vec<u8> {
        self.signed_by("fleet", transform)
    }

    /// A transform signed by one of the keys.
    pub fn signed_by(&self, key: &str, transform: &Value) -> Vec<u8> {
        self.signed_bytes(key, &serde_json::to_vec_pretty(transform).unwrap())
    }

    /// An artifact of this kind signed by one of the keys.
    pub fn signed_as(&self, kind: &str, key: &str, document: &Value) -> Vec<u8> {
        self.signed_kind(kind, key, &serde_json::to_vec_pretty(document).unwrap())
    }

    /// Anything at all, signed as a transform.
    pub fn signed_bytes(&self, key: &str, payload: &[u8]) -> Vec<u8> {
        self.signed_kind("transform", key, payload)
    }

    fn signed_kind(&self, kind: &str, key: &str, payload: &[u8]) -> Vec<u8> {
        let (plain, signed) = (self.path("plain.json"), self.path("signed.json"));
        std::fs::write(&plain, payload).unwrap();
        let key = self.path(format!("{key}.key.pem"));
        let mut sign = calibctl();
        sign.args(["sign", "--type", kind, "--key"]).arg(key).arg("-o").arg(&signed).arg(plain);
        run(&mut sign);
        std::fs::read(signed).unwrap()
    }
}

/// So many hours from now; before now if negative.
pub fn hours_from_now(hours: i64) -> String {
    let now: Timestamp = system_now();
    now.saturating_add_micros(hours * 3_600_000_000).to_string()
}

/// What [`transform`] makes of a raw value.
pub fn calibrated(raw: f64) -> f64 {
    0.5 + 2.0 * raw
}

/// A good transform of sensor `co-1` on gateway `gw-1`.
pub fn transform(version: u64) -> Value {
    json!({
        "schema": 1, "id": "co", "epoch": 1, "version": version, "replaces": [],
        "target": {"fleet": "plant-7", "gateways": ["gw-1"], "sensors": ["co-1"]},
        "quantity": "carbon monoxide mass concentration", "input_unit": "nA", "output_unit": "mg/m3",
        "pipeline": [{"kind": "affine", "offset": 0.5, "gain": 2.0, "covariance": [[0.01, 0.0], [0.0, 0.0001]]}],
        "domain": {"input": [0.0, 1e9]},
        "uncertainty": {"residual_std": 0.3},
        "issued_at": hours_from_now(-2), "not_before": null, "expires": hours_from_now(24),
    })
}

/// What a signed message of the gateway says; the envelope must be of this kind and by this key.
pub fn opened(message: &[u8], kind: &str, public: &Path) -> Value {
    let envelope = Envelope::parse(message).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(type_name(&envelope.payload_type), Some(kind));
    let key = PublicKey::from_pem(&std::fs::read_to_string(public).unwrap()).unwrap();
    assert!(envelope.is_signed_by(&key), "not signed by {}", key.id());
    serde_json::from_slice(&envelope.payload).unwrap()
}
