//! What goes along for whoever is asked for help, and what never does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::ctl::{calibctl, prints};
use super::{gateway, socket, started};

const PASSWORD: &str = "planted-password-8361";
const COMMENT: &str = "planted-comment-5177";

/// The files of an archive, as `tar` finds them.
fn unpacked(archive: &Path, into: &Path) -> Vec<(String, String)> {
    let tar = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(into).output().unwrap();
    assert!(tar.status.success() && tar.stderr.is_empty(), "{}", String::from_utf8_lossy(&tar.stderr));
    let entries = fs::read_dir(into.join("calibd-support")).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (named(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn a_bundle_holds_what_helps_and_no_secret() {
    let gateway = gateway();
    let daemon = started(&gateway);
    let dir = tempfile::tempdir().unwrap();
    let (archive, config) = (dir.path().join("gw-1.tar"), gateway.path("calibd.toml"));
    // What must not stand there, but may: this calibd took its configuration before.
    let drop_in = gateway.path("conf.d/90-planted.toml");
    fs::create_dir_all(drop_in.parent().unwrap()).unwrap();
    let planted = format!(
        "# {COMMENT}\n[mqtt]\nurl = \"mqtt://user:{PASSWORD}@b.example\"\npassword = \"{PASSWORD}\"\n\
         password_file = \"/etc/calibd/password\"\n"
    );
    fs::write(drop_in, planted).unwrap();
    let (to, of) = (archive.to_str().unwrap(), config.to_str().unwrap());
    let told: Value =
        serde_json::from_str(&prints(&["support-bundle", to, "--config", of, "--json"], &socket(&gateway)))
            .unwrap();
    let length = fs::metadata(&archive).unwrap().len();
    assert_eq!((told["bytes"].as_u64(), length % 512), (Some(length), 0), "{told}");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o7777, 0o600);

    let files = unpacked(&archive, dir.path());
    let key = fs::read_to_string(gateway.store().join("gateway.key.pem")).unwrap();
    let body = key.lines().nth(1).unwrap();
    for (name, text) in &files {
        for secret in [PASSWORD, COMMENT, body] {
            assert!(!text.contains(secret), "{name} holds `{secret}`");
        }
    }
    let of =
        |name: &str| &files.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}")).1;
    let json = |name: &str| -> Value { serde_json::from_str(of(name)).unwrap() };
    assert_eq!(json("status.json")["gateway"], "gw-1");
    assert_eq!(json("sensors.json")["sensors"].as_array().unwrap().len(), 2);
    assert!(!json("audit.json")["rows"].as_array().unwrap().is_empty());
    let held = json("configuration.json").as_object().unwrap().values().cloned().collect::<Vec<_>>();
    assert_eq!(held[1]["mqtt"]["password"], "(left out)");
    assert_eq!(held[1]["mqtt"]["password_file"], "/etc/calibd/password");
    assert_eq!(held[0]["gateway"]["id"], "gw-1");
    assert!(of("metrics.txt").contains("calibd_readings_total{source=\"live\"}"));
    assert!(of("store.txt").contains("history.db") && of("about.txt").contains("/proc/meminfo"));
    // No service calibd runs where tests do, so at most the journal is missing.
    assert!(of("missing.txt").lines().all(|line| line.starts_with("journal.txt: ")), "{}", of("missing.txt"));

    let again = calibctl(&["support-bundle", to], &socket(&gateway));
    assert_eq!(again.status.code(), Some(2), "it would have replaced {to}");
    drop(daemon);
    without_calibd(&dir.path().join("off.tar"), &socket(&gateway));
}

/// Where calibd does not run, a bundle is most wanted.
fn without_calibd(archive: &Path, socket: &Path) {
    let to = archive.to_str().unwrap();
    let told = prints(&["support-bundle", to, "--config", "/nonexistent/calibd.toml"], socket);
    assert!(told.contains("without status.json: ") && told.contains("does not run"), "{told}");
    assert!(told.contains("without store.txt: the configuration names no store.dir"), "{told}");
    let dir = tempfile::tempdir().unwrap();
    let files = unpacked(archive, dir.path());
    let held = |name: &str| files.iter().any(|(file, text)| file == name && !text.is_empty());
    assert!(held("about.txt") && held("missing.txt") && !held("status.json"));
}
