//! What a noisy source leaves in the log.

use crate::support::gateway::Gateway;
use crate::support::tty::Tty;

const BAD: i64 = 100_000;
const DROPPED: &str = "calibd_samples_dropped_total{source=\"line1\",reason=\"bad_number\"}";

#[test]
fn a_hundred_thousand_bad_lines_are_all_counted_and_hardly_logged() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().with(&format!(
        "[source.line1]\nkind = \"serial\"\nport = \"{}\"\nfirst_line = \"keep\"\nformat = {{ kind = \"csv\" }}\n\
         fields = {{ a = {{ column = 0 }} }}\n[sensor.a]\nsource = \"line1\"\nfield = \"a\"\nunit = \"nA\"\n",
        tty.path().display()
    ));
    let mut daemon = gateway.start();
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    let quiet = daemon.process.log().lines().count();
    let block = "noise\n".repeat(1000);
    (0..BAD / 1000).for_each(|_| tty.write(&block));
    daemon.reaches(DROPPED, BAD);
    assert_eq!(daemon.metric(DROPPED), BAD);
    // Five, and as many in the next minute with a sum of the first, if this takes so long.
    let lines = daemon.process.log().lines().count() - quiet;
    assert!((5..=11).contains(&lines), "{lines} lines");
    assert!(daemon.process.stop().success());
    let log = daemon.process.log();
    let held = log.lines().filter(|line| line.contains("more lines like: ")).map(|line| {
        let number = line.split("held_back=").nth(1).and_then(|rest| rest.split_whitespace().next());
        number.and_then(|number| number.parse::<i64>().ok()).unwrap_or_else(|| panic!("{line}"))
    });
    let shown =
        log.lines().filter(|line| line.contains("input dropped") && !line.contains("more lines")).count();
    assert_eq!(held.sum::<i64>() + shown as i64, BAD, "{log}");
}
