//! From installing the package to removing it.

use serde_json::json;

use super::SENSOR_FILE;
use super::machine::Machine;
use crate::support::wait::until_true;

const BROKEN_FILE: &str = "/etc/calibd/conf.d/90-broken.toml";
const UNITS: [&str; 4] =
    ["calibd.service", "calibd-backup.service", "calibd-backup.timer", "calibd-retry.timer"];

fn answers(machine: &Machine) {
    until_true("calibctl to be answered", || !machine.status().is_null());
}

#[test]
fn a_freshly_installed_calibd_serves_those_it_should() {
    let machine = Machine::installed(&[]);
    // `dpkg -i` returns once the service is ready.
    assert_eq!(
        (machine.shows("ActiveState"), machine.shows("SubState")),
        ("active".into(), "running".into())
    );
    assert_eq!(machine.shows("UnitFileState"), "enabled");
    assert!(machine.runs("calibd-backup.timer"));
    machine.does(&["calibd", "check"]);
    for user in [&["-G", "calibd", "ann"][..], &["bob"], &["-G", "calibd-maintenance", "tec"]] {
        machine.does(&[&["useradd"], user].concat());
    }
    let asks = |user| ["runuser", "-u", user, "--", "calibctl", "status", "--json"];
    let told: serde_json::Value = serde_json::from_str(&machine.does(&asks("ann"))).unwrap();
    assert_eq!(
        (&told["gateway"], &told["fleet"], &told["link"]),
        (&json!("gateway"), &json!("local"), &json!(null))
    );
    let (code, said) = machine.refuses(&asks("bob"));
    assert!(code == 4 && said.contains("join the group calibd or use sudo"), "{code} {said}");
    let sets = |user| ["runuser", "-u", user, "--", "calibctl", "maintenance", "on", "nothing"];
    let (code, said) = machine.refuses(&sets("tec"));
    assert!(code == 1 && said.contains("there is no sensor `nothing`"), "{code} {said}");
    let (code, said) = machine.refuses(&sets("ann"));
    assert!(code == 4 && said.contains("calibd-maintenance"), "{code} {said}");
    // Nobody else looks at its data.
    machine.refuses(&["runuser", "-u", "ann", "--", "ls", "/var/lib/calibd"]);

    completes(&machine);
    is_sandboxed(&machine);
    knows_of_its_clock(&machine);
    copies_its_ledger(&machine);
}

fn completes(machine: &Machine) {
    let press =
        "source /usr/share/bash-completion/completions/calibctl; COMP_WORDS=(calibctl ''); COMP_CWORD=1
        _calibctl calibctl '' calibctl; echo \"${COMPREPLY[*]}\"";
    let words = machine.does(&["bash", "-c", press]);
    assert!(words.split_whitespace().any(|word| word == "backup"), "{words}");
}

fn is_sandboxed(machine: &Machine) {
    let paths: Vec<String> = UNITS.iter().map(|unit| format!("/usr/lib/systemd/system/{unit}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let output = machine.ask(&[&["systemd-analyze", "verify", "--man=no"], &paths[..]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    for (unit, tenths) in [("calibd.service", "15"), ("calibd-backup.service", "5")] {
        machine.does(&["systemd-analyze", "security", "--no-pager", &format!("--threshold={tenths}"), unit]);
    }
}

/// The sandbox lets it ask timedated, which comes over the system's bus. Not asked, the clock would be `holdover`.
fn knows_of_its_clock(machine: &Machine) {
    let known = || matches!(machine.status()["clock"].as_str(), Some("synced" | "untrusted"));
    until_true("the clock to be known", known);
    let journal = machine.journal();
    assert!(!journal.contains("whether the clock is synchronised is not known"), "{journal}");
}

fn copies_its_ledger(machine: &Machine) {
    machine.does(&["systemctl", "start", "calibd-backup.service"]);
    let copies = machine.does(&["sh", "-c", "head -qc 15 /var/lib/calibd-backup/ledger-[1-7].db"]);
    assert_eq!(copies, "SQLite format 3");
}

#[test]
fn a_reload_takes_over_what_is_right_and_nothing_else() {
    let machine = Machine::installed(&[]);
    let process = machine.shows("MainPID");
    machine.measures();
    machine.write(BROKEN_FILE, "[sensor.s1]\nunit = 7\n");
    machine.refuses(&["systemctl", "reload", "calibd.service"]);
    machine.says("90-broken.toml:2: sensor.s1.unit");
    // As somebody does who knows no systemctl.
    machine.does(&["systemctl", "kill", "-s", "HUP", "calibd.service"]);
    machine.says("the one before stays in force");
    machine.does(&["rm", BROKEN_FILE]);
    machine.does(&["systemctl", "reload", "calibd.service"]);
    assert_eq!(machine.shows("MainPID"), process);
    let written = || machine.status()["store"]["written"].as_u64();
    let before = written();
    until_true("more readings", || written() > before);
}

#[test]
fn it_comes_back_after_a_kill_on_a_read_only_etc_and_reads_its_credentials() {
    let machine = Machine::installed(&[]);
    machine.measures();
    let process = machine.shows("MainPID");
    machine.does(&["systemctl", "kill", "-s", "KILL", "calibd.service"]);
    machine.says("Main process exited, code=killed, status=9/KILL");
    answers(&machine);
    assert!(machine.shows("MainPID") != process && machine.shows("NRestarts") == "1");
    machine.stores();

    machine.write("/etc/calibd/credentials/password", "secret\n");
    machine.does(&["chmod", "0600", "/etc/calibd/credentials/password"]);
    let broker = "[mqtt]\nurl = \"mqtt://127.0.0.1:1\"\nusername = \"gw\"\n\
        password_file = \"/run/credentials/calibd.service/calibd_password\"\n";
    machine.write("/etc/calibd/conf.d/20-fleet.toml", broker);
    machine.does(&[
        "sh",
        "-ec",
        "mount --bind /etc /etc; mount -o remount,bind,ro /etc; ! touch /etc/any 2>/dev/null",
    ]);
    machine.does(&["systemctl", "restart", "calibd.service"]);
    machine.says("broker 127.0.0.1:1");
    machine.stores();
    machine.does(&["systemctl", "reload", "calibd.service"]);
    // Nor is it missed while the service does not run; once it is gone, it is.
    machine.does(&["systemctl", "stop", "calibd.service"]);
    machine.does(&["calibd", "check", "--config", "/etc/calibd/calibd.toml"]);
    machine.does(&["umount", "/etc"]);
    machine.does(&["rm", "/etc/calibd/credentials/password"]);
    machine.refuses(&["calibd", "check", "--config", "/etc/calibd/calibd.toml"]);
    machine.refuses(&["systemctl", "start", "calibd.service"]);
    machine.says("put it into /etc/calibd/credentials/password");
}

#[test]
fn it_is_tried_again_after_many_starts_that_failed_unless_somebody_stopped_it() {
    let machine = Machine::installed(&[]);
    let hasty = "[Unit]\nStartLimitIntervalSec=20s\nStartLimitBurst=3\n[Service]\nRestartSec=100ms\n";
    machine.override_unit("calibd.service", hasty);
    machine.override_unit("calibd-retry.timer", "[Timer]\nOnActiveSec=\nOnActiveSec=1h\n");
    machine.write(BROKEN_FILE, "[gateway]\nid = 7\n");
    machine.refuses(&["systemctl", "restart", "calibd.service"]);
    machine.says("Triggering OnFailure= dependencies");
    until_true("the timer", || machine.runs("calibd-retry.timer"));
    machine.does(&["systemctl", "stop", "calibd.service"]);
    assert!(!machine.runs("calibd-retry.timer"));
    // There is nobody to make a copy, and that is a failure.
    machine.refuses(&["systemctl", "start", "calibd-backup.service"]);
    machine.does(&["systemctl", "is-failed", "calibd-backup.service"]);

    machine.override_unit("calibd-retry.timer", "[Timer]\nOnActiveSec=\nOnActiveSec=21s\n");
    machine.does(&["systemctl", "reset-failed", "calibd.service"]);
    machine.refuses(&["systemctl", "start", "calibd.service"]);
    until_true("the timer", || machine.runs("calibd-retry.timer"));
    machine.does(&["rm", BROKEN_FILE]);
    answers(&machine);
    assert_eq!(machine.shows("ActiveState"), "active");
}

#[test]
fn removing_the_package_keeps_what_it_measured_and_purging_it_too() {
    let machine = Machine::installed(&[]);
    machine.measures();
    let incarnation = machine.status()["incarnation"].clone();
    machine.does(&["dpkg", "-r", "calibd"]);
    assert!(!machine.runs("calibd.service") && !machine.runs("calibd-backup.timer"));
    machine.refuses(&["test", "-e", "/usr/bin/calibd"]);
    machine.does(&["test", "-s", "/var/lib/calibd/ledger.db", "-a", "-s", SENSOR_FILE]);
    // Installed again, it goes on where it was.
    machine.does(&["dpkg", "-i", "/packages/new.deb"]);
    machine.stores();
    assert_eq!(machine.status()["incarnation"], incarnation);

    let output = machine.ask(&["dpkg", "-P", "calibd"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("/var/lib/calibd is kept; delete it by hand"), "{said}");
    machine.does(&["test", "-s", "/var/lib/calibd/ledger.db", "-a", "-s", SENSOR_FILE]);
    machine.refuses(&["test", "-e", "/etc/calibd/calibd.toml"]);
    let failed = machine.does(&["systemctl", "list-units", "--failed", "--no-legend", "--plain"]);
    assert_eq!(failed, "");
}
