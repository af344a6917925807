//! The service on a disk that hangs, and on one that is full.

use super::machine::Machine;
use crate::support::disk::Disk;
use crate::support::wait::until_true;

const STATE: &str = "/var/lib/calibd";

#[test]
fn a_store_that_hangs_is_found_by_the_watchdog() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::ext4(&dir.path().join("state"), 64);
    let machine = Machine::installed(&[(&dir.path().join("state"), STATE)]);
    machine.override_unit("calibd.service", "[Service]\nWatchdogSec=10s\nRestartSec=1s\n");
    machine.does(&["systemctl", "restart", "calibd.service"]);
    machine.measures();
    let process = machine.shows("MainPID");
    {
        let _frozen = disk.frozen();
        machine.says("stuck: store; the watchdog is not fed");
        machine.says("Watchdog timeout (limit 10s)!");
    }
    machine.says("Failed with result 'watchdog'");
    until_true("another process", || machine.runs("calibd.service") && machine.shows("MainPID") != process);
    machine.stores();
}

#[test]
fn a_full_disk_is_survived_and_so_are_stop_and_start_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::ext4(&dir.path().join("state"), 64);
    let machine = Machine::installed(&[(&dir.path().join("state"), STATE)]);
    machine.measures();
    // A start that has little to write: what SQLite maps has not been touched when the disk is full.
    machine.does(&["systemctl", "restart", "calibd.service"]);
    machine.stores();
    let process = machine.shows("MainPID");
    disk.fill();
    let needs = |what: &str| {
        machine.status()["attention"].as_array().is_some_and(|entries| {
            entries.iter().any(|entry| entry["message"].as_str().is_some_and(|said| said.contains(what)))
        })
    };
    until_true("the full disk to be told", || needs("MiB are free on the disk of store.dir"));
    assert_eq!((machine.shows("ActiveState"), machine.shows("MainPID")), ("active".into(), process));

    // Whether the last readings found room or not: a stop is a stop.
    machine.does(&["systemctl", "stop", "calibd.service"]);
    assert_eq!(machine.shows("ActiveState"), "inactive");
    assert!(!machine.runs("calibd-retry.timer"));
    machine.does(&["systemctl", "start", "calibd.service"]);
    until_true("the full disk to be told again", || needs("MiB are free on the disk of store.dir"));

    disk.leave(48 << 20);
    until_true("room to be found", || !needs("MiB are free on the disk") && !needs("cannot be written"));
    machine.stores();
}
