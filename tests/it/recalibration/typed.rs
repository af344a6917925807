//! A session at a terminal.

use serde_json::json;

use super::bench::Bench;
use crate::support::terminal::Conversation;

#[test]
fn a_technician_types_a_session() {
    let bench = Bench::new();
    let key = bench.key("technician");
    let mut terminal = Conversation::start(&mut bench.command(&["recalibrate", "co-1", "--key", &key]));
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
    let mut terminal = Conversation::start(&mut bench.command(&["recalibrate", "co-1", "--resume"]));
    terminal.sees("as_left: the next reference");
    terminal.types("done");
    terminal.sees("as left: pass");
    terminal.types("end");
    terminal.sees("as found fail, as left pass");
    assert_eq!(terminal.ends().code(), Some(0));
    assert_eq!(bench.get("/v1/sensors/co-1")["transform"]["id"], json!("local-co-1"));
}
