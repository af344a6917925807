//! A session at a terminal.

use std::process::Command;

use serde_json::json;

use super::bench::Bench;
use crate::support::terminal::Conversation;
use crate::support::wait::until_true;

const PASSPHRASE: &str = "correct horse battery";

/// The technician's key under a passphrase.
fn locked(bench: &Bench) -> String {
    let (from, pass) = (bench.key("technician"), bench.file("pass", PASSPHRASE));
    let (to, pass) = (bench.path("locked.pem"), format!("file:{pass}"));
    let mut openssl = Command::new("openssl");
    openssl.args(["pkcs8", "-topk8", "-in", &from, "-out", &to, "-passout", &pass]);
    let output = openssl.output().unwrap();
    assert!(output.status.success(), "{}", super::stderr(&output));
    to
}

#[test]
fn a_technician_types_a_session() {
    let bench = Bench::new();
    let key = locked(&bench);
    let mut terminal = Conversation::start(&bench.command(&["recalibrate", "co-1", "--key", &key]));
    // Before anything is measured; and then no more.
    terminal.sees("locked.pem:");
    terminal.types("another horse");
    terminal.sees("wrong passphrase: type it again");
    terminal.sees("locked.pem:");
    terminal.types(PASSPHRASE);
    terminal.sees("apply a reference and type it");
    terminal.types("?");
    terminal.sees("VALUE UNIT [STANDARD]");
    terminal.types("20,0 mg/m3 co-20");
    terminal.sees("write the number with a point");
    terminal.types("20");
    terminal.sees("`20` has no unit");
    terminal.types("20 mg/m3 old-20");
    terminal.sees("take one that is not overdue");
    terminal.types("20 mg/m3 co-20");
    // The bar and the value, while it settles.
    terminal.sees("mg/m3 [");
    terminal.sees("error 4.8");
    terminal.types("undo");
    terminal.sees("apply a reference and type it");
    terminal.types("zero 0 mg/m3 zero-air");
    terminal.sees("zero at 0.00");
    terminal.sees("the next reference");
    terminal.types("span 20 mg/m3 co-20");
    terminal.sees("span at 20.00");
    terminal.types("done");
    terminal.sees("as found: fail");
    terminal.types("fit");
    terminal.sees("errors in mg/m3:");
    // What was typed before the question is no answer to it, and whatever is no empty line says no.
    terminal.types("approve\n");
    terminal.sees("sign it and put it in force?");
    terminal.types("no");
    terminal.sees("nothing was signed");
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["id"], json!("co"));
    terminal.sees("preview: `approve`");
    terminal.types("approve");
    terminal.sees("sign it and put it in force?");
    terminal.types("");
    terminal.sees("as_left: apply a reference");
    terminal.types("20 mg/m3 co-20");
    terminal.sees(": pass");
    terminal.types("pause");
    terminal.sees("rests; go on with");
    assert_eq!(terminal.ends().code(), Some(0));
    let shown = terminal.shown();
    let mut terminal = Conversation::start(&bench.command(&["recalibrate", "co-1", "--resume"]));
    terminal.sees("as found: zero at 0.00");
    terminal.sees("as found: fail");
    terminal.sees("as left: linearity at 20.00");
    terminal.sees("as_left: the next reference");
    terminal.types("done");
    terminal.sees("as left: pass");
    terminal.types("end");
    terminal.sees("as found fail, as left pass");
    assert_eq!(terminal.ends().code(), Some(0));
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["id"], json!("local-co-1"));
    assert!(!shown.contains("horse"), "{shown}");
}

/// A session without adjustment, each point of which takes a minute.
const SLOW: [&str; 5] = ["recalibrate", "co-1", "--spot-check", "--t90", "20s"];

#[test]
fn ctrl_c_takes_a_point_back_and_then_leaves() {
    let bench = Bench::new();
    let mut terminal = Conversation::start(&bench.command(&SLOW));
    terminal.sees("apply a reference and type it");
    terminal.types("from co-1");
    terminal.sees("co-1 is no reference for itself");
    terminal.types("20 mg/m3 co-20");
    terminal.sees("mg/m3 [");
    terminal.interrupts();
    terminal.sees("is taken back");
    terminal.sees("apply a reference and type it");
    let state = bench.get("/v1/sessions")["sessions"][0].take();
    assert_eq!((&state["progress"], &state["points"]), (&json!(null), &json!([0, 0])), "{state}");
    terminal.interrupts();
    terminal.sees("rests; go on with `calibctl recalibrate co-1 --resume`");
    assert_eq!(terminal.ends().code(), Some(1));
    assert_eq!(bench.get("/v1/sessions")["sessions"][0]["id"], state["id"]);
}

#[test]
fn whoever_resumes_in_the_preview_sees_what_is_to_be_signed() {
    let bench = Bench::new();
    bench.previewed();
    let key = bench.key("technician");
    let mut terminal =
        Conversation::start(&bench.command(&["recalibrate", "co-1", "--key", &key, "--resume"]));
    for shown in ["opened 2", "as found: span at 20.00", "as found: fail", "errors in mg/m3:", "digest "] {
        terminal.sees(shown);
    }
    terminal.sees("preview: `approve`");
    terminal.types("approve");
    terminal.sees("sign it and put it in force?");
    terminal.interrupts();
    terminal.sees("nothing was signed");
    terminal.sees("the session stays open");
    assert_eq!(terminal.ends().code(), Some(1));
    assert_eq!(bench.get("/v1/sessions")["sessions"][0]["stage"], "preview");
}

#[test]
fn a_daemon_that_dies_in_a_session_leaves_it_open_and_so_it_is_said() {
    let mut bench = Bench::new();
    let points = bench.file("points.csv", super::POINTS);
    let running = bench.spawn(&[&SLOW[..], &["--points", &points, "--yes"]].concat());
    until_true("a point", || bench.get("/v1/sessions")["sessions"][0]["progress"].is_object());
    bench.daemon.take().unwrap().process.kill();
    let output = running.join().unwrap();
    let told = super::stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("calibd has ended the connection"), "{told}");
    assert!(told.contains("the session stays open: `calibctl recalibrate co-1 --resume`"), "{told}");
}
