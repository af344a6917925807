//! A session at a terminal.

use std::process::Command;

use serde_json::json;

use super::bench::Bench;
use crate::support::terminal::Conversation;

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
    terminal.types("approve");
    terminal.sees("sign it and put it in force?");
    terminal.types("");
    terminal.sees("as_left: apply a reference");
    terminal.types("20 mg/m3 co-20");
    terminal.sees(": pass");
    terminal.types("pause");
    terminal.sees("rests; go on with");
    assert_eq!(terminal.ends().code(), Some(1));
    let shown = terminal.shown();
    let mut terminal = Conversation::start(&bench.command(&["recalibrate", "co-1", "--resume"]));
    terminal.sees("as_left: the next reference");
    terminal.types("done");
    terminal.sees("as left: pass");
    terminal.types("end");
    terminal.sees("as found fail, as left pass");
    assert_eq!(terminal.ends().code(), Some(0));
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["id"], json!("local-co-1"));
    assert!(!shown.contains("horse"), "{shown}");
}
