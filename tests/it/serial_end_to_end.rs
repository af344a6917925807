//! From a serial line to the history and the broker.

use serde_json::json;

use crate::support::broker::Broker;
use crate::support::gateway::{DOWN, Gateway, UP, UPLINK};
use crate::support::mqtt::{Publisher, Subscriber};
use crate::support::trust::{Authority, calibrated, transform};
use crate::support::tty::Tty;
use crate::support::wait::until_true;

fn line(tty: &Tty) -> String {
    format!(
        r#"
[source.line1]
kind = "serial"
port = "{}"
format = {{ kind = "csv", separator = ";" }}
fields = {{ co = {{ column = 1, missing = [-200] }}, t = {{ column = 2 }} }}

[sensor.co-1]
source = "line1"
field = "co"
unit = "nA"

[sensor.t-1]
source = "line1"
field = "t"
unit = "Cel"
"#,
        tty.path().display()
    )
}

const UP_LINE1: &str = "calibd_source_up{source=\"line1\"}";

#[test]
fn good_lines_arrive_garbage_is_counted_and_what_is_missing_stays_missing() {
    let (broker, mut tty) = (Broker::start(), Tty::new());
    let gateway = Gateway::new().linked_to(&broker).with(&line(&tty)).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/reading/+")]);
    let mut daemon = gateway.start();
    daemon.reaches(UP_LINE1, 1);
    tty.write("cut off;9;9\nx;1.5;20.5\n");
    tty.write("\x00\x7f!!\n");
    tty.write(b"x;\xff\xfe;3\n");
    tty.write("x;-200;21\nx;;22\nx;nan;23\nx;1e999;24\n");
    tty.write(vec![b'9'; 1 << 20]);
    tty.write("\nx;2.5;-0.5\n");
    let co = [Some(1.5), None, None, None, None, Some(2.5)];
    until_true("the last line to be stored", || gateway.history().raw_of("co-1").len() >= co.len());
    assert_eq!(gateway.history().raw_of("co-1"), co, "never 0 for what is missing");
    let t = [20.5, 21.0, 22.0, 23.0, 24.0, -0.5].map(Some);
    assert_eq!(gateway.history().raw_of("t-1"), t);
    for (reason, count) in [("no_such_field", 1), ("bad_utf8", 1), ("not_finite", 2), ("too_long", 1)] {
        let series = format!("calibd_samples_dropped_total{{source=\"line1\",reason=\"{reason}\"}}");
        assert_eq!(daemon.metric(&series), count, "{reason}");
    }
    until_true("every reading to be published", || above.readings_by_seq().len() >= 12);
    let published = above.readings_by_seq();
    let missing: Vec<_> = published.values().filter(|reading| reading["raw"].is_null()).collect();
    assert_eq!(missing.len(), 4);
    assert!(missing.iter().all(|reading| reading["state"] == "missing" && reading["value"].is_null()));
}

#[test]
fn a_line_is_calibrated_like_any_other_source() {
    let (broker, authority, mut tty) = (Broker::start(), Authority::new(), Tty::new());
    let gateway = Gateway::new().linked_to(&broker).trusting(&authority).with(&line(&tty)).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/#")]);
    let mut daemon = gateway.start();
    daemon.linked();
    daemon.reaches(UP_LINE1, 1);
    Publisher::new(&broker).retain(&format!("{DOWN}/co"), authority.signed(&transform(1)));
    above.await_on(&format!("{UP}/reported/co-1"), |_| Some(()));
    tty.write("\nx;4.5;20\n");
    let reading = above.await_on(&format!("{UP}/reading/co-1"), |message| Some(message.json()));
    assert_eq!((&reading["raw"], &reading["value"]), (&json!(4.5), &json!(calibrated(4.5))));
    let other = above.await_on(&format!("{UP}/reading/t-1"), |message| Some(message.json()));
    assert!(other["value"].is_null() && other["transform"].is_null(), "{other}");
}

#[test]
fn an_unplugged_port_is_opened_again_and_stops_nobody_else() {
    let (mut first, mut second) = (Tty::new(), Tty::new());
    let other = line(&second).replace("line1", "line2").replace("co-1", "co-2").replace("t-1", "t-2");
    let gateway = Gateway::new().with(&line(&first)).with(&other);
    let mut daemon = gateway.start();
    daemon.reaches(UP_LINE1, 1);
    daemon.reaches("calibd_source_up{source=\"line2\"}", 1);
    first.write("\nx;1;1\n");
    daemon.reaches("calibd_readings_total{source=\"line1\"}", 2);
    first.unplug();
    daemon.reaches("calibd_source_reconnects_total{source=\"line1\"}", 1);
    assert_eq!(daemon.metric(UP_LINE1), 0);
    second.write("\nx;5;5\n");
    until_true("the other line to go on", || gateway.history().raw_of("co-2") == [Some(5.0)]);
    first.plug();
    daemon.reaches(UP_LINE1, 1);
    first.write("\nx;2;2\n");
    until_true("the port to be read again", || gateway.history().raw_of("co-1") == [1.0, 2.0].map(Some));
}
