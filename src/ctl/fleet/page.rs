//! The state of a fleet as OpenMetrics text: few series, however many gateways there are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::book::Book;
use crate::domain::alert::Severity;
use crate::domain::drift::state::DriftState;

/// Versions of the root that are counted one by one; the oldest are left out.
const ROOTS: usize = 8;

/// What is counted since the exporter began.
#[derive(Debug, Default)]
pub struct Counts {
    /// Whether the broker is connected.
    pub up: bool,
    /// Connections that were lost.
    pub lost: u64,
    /// Answers of gateways by what they say.
    pub answers: BTreeMap<&'static str, u64>,
    /// Messages that were not understood, before the present connection.
    pub ignored: BTreeMap<&'static str, u64>,
}

struct Page(String);

impl Page {
    /// The head of a family.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn series(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A family with one label.
    fn by<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, usize)>,
    ) {
        self.family(name, "gauge", help);
        values.into_iter().for_each(|(value, count)| self.series(name, &[(label, value)], count));
    }

    fn one(&mut self, name: &str, help: &str, value: usize) {
        self.family(name, "gauge", help);
        self.series(name, &[], value);
    }

    fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (&'a str, u64)>,
    ) {
        self.family(name, "counter", help);
        let name = format!("{name}_total");
        values.for_each(|(value, count)| self.series(&name, &[(label, value)], count));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The page. Series of single gateways are of the first `most`, by their names.
pub fn page(book: &Book, counts: &Counts, most: usize) -> String {
    let mut page = Page(String::new());
    page.one("calibd_fleet_broker_up", "Whether the broker is connected.", usize::from(counts.up));
    page.family("calibd_fleet_broker_lost", "counter", "Connections to the broker that were lost.");
    page.series("calibd_fleet_broker_lost_total", &[], counts.lost);
    totals(&mut page, book);
    let answers = counts.answers.iter().map(|(name, count)| (*name, *count));
    let help = "Answers of gateways to artifacts, since the exporter began.";
    page.counter("calibd_fleet_answers", help, "verdict", answers);
    let mut ignored = counts.ignored.clone();
    for it in book.ignored.values() {
        *ignored.entry(it.problem).or_default() += it.count;
    }
    let help = "Messages that were not understood, since the exporter began.";
    let ignored = ignored.iter().map(|(problem, count)| (*problem, *count));
    page.counter("calibd_fleet_messages_ignored", help, "problem", ignored);
    single(&mut page, book, most);
    page.0.push_str("# EOF\n");
    page.0
}

fn totals(page: &mut Page, book: &Book) {
    let gateways = || book.gateways.values();
    let sensors = || gateways().flat_map(|it| it.reported().map(|(_, sensor)| sensor));
    let online = gateways().filter(|it| it.is_online()).count();
    let states = [("online", online), ("offline", gateways().count() - online)];
    page.by("calibd_fleet_gateways", "Gateways by whether they are connected.", "state", states);
    let enrolled = gateways().filter(|it| it.enrolled.as_ref().is_some_and(|it| it.verified)).count();
    let help = "Gateways whose enrolment the trust root verifies.";
    page.one("calibd_fleet_gateways_enrolled", help, enrolled);
    roots(page, book);
    let active = sensors().filter(|it| it.active.is_some()).count();
    let states = [("active", active), ("raw", sensors().count() - active)];
    page.by("calibd_fleet_sensors", "Sensors by whether a transform is in force.", "state", states);
    let candidates = sensors().filter(|it| it.candidate.is_some()).count();
    page.one("calibd_fleet_candidates", "Sensors with a candidate.", candidates);
    let unverified = sensors().filter(|it| !it.verified).count();
    let help = "Sensors whose report is not signed with the enrolled key.";
    page.one("calibd_fleet_sensors_unverified", help, unverified);
    let states = [DriftState::Ok, DriftState::Drifting, DriftState::OutOfTolerance, DriftState::Unknown];
    let counted = states.map(|state| {
        let here = sensors().filter(|it| it.drift.as_ref().is_some_and(|it| it.state == state));
        (state.as_str(), here.count())
    });
    page.by("calibd_fleet_drift", "Sensors by how they stand to their references.", "state", counted);
    let alerts = [Severity::Page, Severity::Ticket].map(|of| {
        (of.as_str(), gateways().flat_map(|it| it.standing()).filter(|it| it.severity == of).count())
    });
    page.by("calibd_fleet_alerts", "Alerts that stand.", "severity", alerts);
}

fn roots(page: &mut Page, book: &Book) {
    let mut versions: BTreeMap<u64, usize> = BTreeMap::new();
    for version in book.gateways.values().filter_map(|it| it.status.as_ref()?.root_version) {
        *versions.entry(version).or_default() += 1;
    }
    let named: Vec<(String, usize)> =
        versions.into_iter().rev().take(ROOTS).map(|(version, count)| (version.to_string(), count)).collect();
    let help = "Gateways by the trust root that they have, of the newest ones.";
    let values = named.iter().map(|(version, count)| (version.as_str(), *count));
    page.by("calibd_fleet_root_gateways", help, "version", values);
}

fn single(page: &mut Page, book: &Book, most: usize) {
    let some = || book.gateways.iter().take(most);
    let online = some().map(|(id, it)| (id.as_str(), usize::from(it.is_online())));
    page.by("calibd_fleet_gateway_online", "Whether a gateway is connected.", "gateway", online);
    let alerts = some().map(|(id, it)| (id.as_str(), it.standing().count()));
    page.by("calibd_fleet_gateway_alerts", "Alerts of a gateway that stand.", "gateway", alerts);
    let bad = some().map(|(id, it)| {
        let bad = |state| matches!(state, DriftState::Drifting | DriftState::OutOfTolerance);
        let sensors = it.reported().filter(|(_, it)| it.drift.as_ref().is_some_and(|it| bad(it.state)));
        (id.as_str(), sensors.count())
    });
    let help = "Sensors of a gateway that drift or are out of tolerance.";
    page.by("calibd_fleet_gateway_drifting", help, "gateway", bad);
    let left = book.gateways.len().saturating_sub(most);
    let help = "Gateways that have no series of their own here.";
    page.one("calibd_fleet_gateways_left_out", help, left);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::fleet::trusted::Trust;
    use crate::domain::id::Id;
    use crate::domain::time::Timestamp;

    #[test]
    fn the_series_are_bounded_and_the_totals_are_of_all() {
        let mut book = Book::new(Id::new("f").unwrap(), Trust::new(None), None);
        for number in 0..50 {
            let topic = format!("calibd/1/f/up/gw-{number:02}/status");
            let text = format!(r#"{{"online":{},"root_version":{number}}}"#, number % 2 == 0);
            book.take(topic.as_bytes(), text.as_bytes(), Timestamp::EPOCH);
        }
        book.take(b"calibd/1/f/up/gw-00/nonsense", b"", Timestamp::EPOCH);
        let text = page(&book, &Counts { up: true, ..Counts::default() }, 3);
        for line in [
            "calibd_fleet_broker_up 1",
            "calibd_fleet_gateways{state=\"online\"} 25",
            "calibd_fleet_gateways{state=\"offline\"} 25",
            "calibd_fleet_gateway_online{gateway=\"gw-02\"} 1",
            "calibd_fleet_gateways_left_out 47",
            "calibd_fleet_root_gateways{version=\"49\"} 1",
            "calibd_fleet_messages_ignored_total{problem=\"unknown topic\"} 1",
        ] {
            assert!(text.contains(&format!("\n{line}\n")) || text.starts_with(line), "{line}:\n{text}");
        }
        assert_eq!(text.matches("calibd_fleet_gateway_online{").count(), 3);
        assert_eq!(text.matches("calibd_fleet_root_gateways{").count(), ROOTS);
        assert!(text.ends_with("# EOF\n"));
    }
}
