//! The operator's week of the handbook, block by block, with a clock that goes faster.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::house::files::repository;
use crate::rollout::Trial;
use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UP};
use crate::support::process::run;
use crate::support::trust::{Authority, opened};
use crate::support::wait::until_true;

/// The commands below `<!-- week: NAME -->`.
fn block(name: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/fleet/tutorial.md")).unwrap();
    let (_, after) = text.split_once(&format!("<!-- week: {name} -->\n```bash\n")).unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

/// A folder in which the week is lived through.
struct Week {
    desk: tempfile::TempDir,
    broker: u16,
}

impl Week {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.desk.path().join(name)
    }

    /// Runs a block in the shell of the days before, and gives what it says on stdout.
    fn day(&mut self, name: &str) -> String {
        let commands =
            block(name).replace("mqtt://127.0.0.1:1883", &format!("mqtt://127.0.0.1:{}", self.broker));
        let programs = Path::new(env!("CARGO_BIN_EXE_calibctl")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        // What a shell would still know the next day.
        let script = format!(
            "if [ -e ../known ]; then source ../known; fi\n{commands}\n{{ declare -f; declare -p canary 2>/dev/null || true; }} > ../known"
        );
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &script]).current_dir(self.path("desk")).env("PATH", path);
        run(&mut bash)
    }
}

#[test]
fn the_week_goes_as_the_handbook_says() {
    let broker = Broker::start();
    let mut week = Week { desk: tempfile::tempdir().unwrap(), broker: broker.port };
    fs::create_dir(week.path("desk")).unwrap();
    week.day("keys");
    let trust = format!("[trust]\nroot = \"{}\"\n", week.path("desk/root.json").display());
    let gateway = Gateway::new().in_group("north").with(&trust);
    let mut trial = Trial::at(broker, Authority::new(), gateway);
    fs::copy(trial.gateway.store().join("gateway.pub.pem"), week.path("desk/gateway.pub.pem")).unwrap();
    let said = week.day("enrol");
    assert!(said.contains("its gateway: 1 accepted"), "{said}");
    assert!(said.contains("online") && said.contains("yes"), "{said}");

    let said = week.day("first");
    assert!(said.contains("transform co 1 for group north: 1 accepted"), "{said}");
    reads(&mut trial, 1, &[]);

    let said = week.day("canary");
    assert!(said.contains("shadow") && said.contains("1 accepted"), "{said}");
    compare_until(&mut trial, "canary");
    compare_until(&mut trial, "active");
    let said = week.day("passed");
    assert!(said.lines().any(|line| line.starts_with("2 ") && line.contains(" active ")), "{said}");

    let said = week.day("failing");
    assert!(said.contains("canary") && said.contains("1 accepted"), "{said}");
    compare_until_back(&mut trial);
    reads(&mut trial, 2, &[]);
    let said = week.day("failed");
    assert!(said.lines().any(|line| line.starts_with("2 ") && line.contains(" active ")), "{said}");

    let said = week.day("rotation");
    assert!(said.contains("root 2") && said.contains("1 accepted"), "{said}");
    reads(&mut trial, 2, &["transform_revoked"]);
    week.day("revoked");
    let said = week.day("again");
    assert!(said.contains("transform co 4 for group north: 1 accepted"), "{said}");
    reads(&mut trial, 4, &[]);

    let said = week.day("rollback");
    assert!(said.contains("transform co 5 for group north: 1 accepted"), "{said}");
    assert!(said.contains("order rollback co 1 for group north: 1 accepted"), "{said}");
    reads(&mut trial, 4, &[]);

    // On the gateway.
    let socket = trial.gateway.path("run/control.sock");
    let on_it = format!("calibctl() {{ command calibctl \"$@\" --socket '{}'; }}\n", socket.display());
    let known = fs::read_to_string(week.path("known")).unwrap();
    fs::write(week.path("known"), format!("{known}\n{on_it}")).unwrap();
    let said = week.day("audit");
    for action in ["enrolment", "rollout.settled", "rollout.rolled_back", "root.", "order.followed"] {
        assert!(said.contains(action), "{action}: {said}");
    }
    fs::write(week.path("known"), known).unwrap();
    let said = week.day("archive");
    assert!(said.contains("files written, 0 unchanged"), "{said}");
    assert!(week.path("desk/kept/down/group/north").is_dir());
}

/// Readings with their references, until version 2 is in force at this stage.
fn compare_until(trial: &mut Trial, stage: &str) {
    let key = trial.gateway.store().join("gateway.pub.pem");
    let (topic, mut reported) = (format!("{UP}/reported/co-1"), serde_json::Value::Null);
    for _ in 0..40 {
        // A bake counts what is seen: so much time at once, and no more before it was taken in.
        let seen = trial.above.on(&topic).len();
        trial.compare(5);
        until_true("a report", || trial.above.on(&topic).len() > seen);
        let told = trial.above.on(&topic);
        reported = opened(&told.last().unwrap().payload, "reported", &key);
        let active = &reported["active"];
        if active["version"] == 2 && active["stage"] == stage {
            return;
        }
    }
    panic!("version 2 does not come to {stage}: {reported}");
}

/// Readings with their references, until the version on trial is taken back.
fn compare_until_back(trial: &mut Trial) {
    let is_back = |event: serde_json::Value| event["action"] == "rollout.rolled_back";
    for _ in 0..40 {
        trial.compare(5);
        if trial.above.on(&format!("{UP}/event")).iter().any(|message| is_back(message.json())) {
            return;
        }
    }
    panic!("version 3 is not taken back");
}

/// Goes on until a reading is by this version, with these reasons: what the gateway has accepted is in force soon.
fn reads(trial: &mut Trial, version: u64, reasons: &[&str]) {
    let mut last = serde_json::Value::Null;
    for _ in 0..40 {
        trial.compare(1);
        let mut readings = trial.above.readings().into_iter().rev();
        last = readings.find(|reading| reading["sensor"] == "co-1").unwrap();
        if last["transform"]["version"] == version && last["reasons"] == json!(reasons) {
            return;
        }
    }
    panic!("expected version {version}, {reasons:?}: {last}");
}
