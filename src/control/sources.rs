//! `GET /v1/sources/{name}/test`: what a source takes in and makes of it, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};

use super::answer::{Answer, Problem};
use super::gateway::Gateway;
use super::stream::{self, Shown};
use crate::domain::time::Timestamp;
use crate::runtime::clients::Seat;
use crate::telemetry::tap::{self, Seen};
use crate::wire::control::{FieldValue, Tested};

/// A source is silent when nothing comes for so long.
const SILENCE: Duration = Duration::from_secs(5);

/// Shows what a source sees from now on, and hints while it sees nothing.
pub async fn test(
    State(gateway): State<Gateway>,
    Extension(seat): Extension<Arc<Seat>>,
    name: Result<Path<String>, PathRejection>,
) -> Answer {
    let known = gateway.sources.borrow().clone();
    let found = name.ok().and_then(|Path(name)| known.iter().find(|(source, _)| source.as_str() == name));
    let Some((source, kind)) = found.cloned() else {
        let names: Vec<&str> = known.iter().map(|(source, _)| source.as_str()).collect();
        return Err(Problem::unknown(match &names[..] {
            [] => "there is no such source: none is configured".to_owned(),
            names => format!("there is no such source; there are: {}", names.join(", ")),
        }));
    };
    let (connection, seen) = gateway.metrics.taps.of(&source).watch();
    let mut connected = matches!(connection, Some(Seen::Connected(_)));
    let clock = gateway.clock.clone();
    stream::answer(&gateway, seat, seen, Some(SILENCE), move |outlet, shown| {
        let now = clock.now();
        match shown {
            Shown::Begin => {
                let name = source.to_string();
                outlet.offer(|| event(&Tested::Source { time: now, name, kind: kind.to_owned() }));
                connection.iter().for_each(|seen| outlet.offer(|| event(&told(seen, now))));
            }
            Shown::Silence => outlet.offer(|| event(&silence(kind, connected))),
            Shown::New(seen) => {
                match *seen {
                    Seen::Connected(_) => connected = true,
                    Seen::Disconnected(_) => connected = false,
                    Seen::Record { .. } | Seen::Fault { .. } => {}
                }
                outlet.offer(|| event(&told(&seen, now)));
            }
        }
    })
}

fn event(tested: &Tested) -> Bytes {
    // Texts, numbers and structs of them always serialise.
    let text = serde_json::to_string(tested).unwrap_or_default();
    format!("event: test\ndata: {text}\n\n").into()
}

fn told(seen: &Seen, time: Timestamp) -> Tested {
    let value = |value: &tap::Value| FieldValue {
        field: value.field.clone(),
        raw: value.raw,
        sensors: value.sensors.clone(),
    };
    match seen {
        Seen::Record { topic, input, values } => Tested::Record {
            time,
            topic: topic.clone(),
            input: input.clone(),
            values: values.iter().map(value).collect(),
        },
        Seen::Fault { reason, detail } => {
            Tested::Fault { time, reason: (*reason).to_owned(), message: detail.clone() }
        }
        Seen::Connected(what) => Tested::Connected { time, message: what.clone() },
        Seen::Disconnected(problem) => Tested::Disconnected { time, message: problem.clone() },
    }
}

fn silence(kind: &str, connected: bool) -> Tested {
    let hints: &[&str] = match (kind, connected) {
        ("serial", true) => &[
            "is the device on, and does it send by itself or only when it is asked?",
            "do baud, parity and stop bits fit the device? A wrong rate gives nothing, or garbage",
            "is its transmit line on our receive line, with a common ground, A and B not exchanged?",
            "does the line end, or the frame begin, as `format` says? Nothing is shown before it is whole",
        ],
        ("serial", false) => &[
            "is the device plugged in? `ls -l /dev/serial/by-id` lists what is there; compare it with `port`",
            "may the daemon use the port? Its user has to be in the port's group, usually dialout",
            "does another program hold the port?",
        ],
        ("mqtt", true) => &[
            "does anybody publish? `mosquitto_sub -v -t FILTER` with the filter of `topic` shows it",
            "do the levels of `topic` fit, capitals included, without a `/` at the beginning?",
            "do the broker's access rules let this client read the topic?",
        ],
        ("mqtt", false) => &[
            "is the broker's address in `url` right, and can it be reached from here?",
            "do user, password and certificates fit? The log of calibd says what the broker answers",
        ],
        ("synthetic", _) => &[
            "are all fields in a gap, or has the time of `for` passed?",
            "how long is `period`? At `speed` below 1 it takes longer",
        ],
        _ => &[
            "has the file been replayed to its end? `loop = true` begins again",
            "does `speed` stretch the recorded times? The next row may be due much later",
        ],
    };
    let hints = hints.iter().map(|hint| (*hint).to_owned()).collect();
    Tested::Silence { seconds: SILENCE.as_secs(), hints }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_fit_the_kind_and_whether_it_is_connected() {
        for (kind, connected, word) in [
            ("serial", true, "baud"),
            ("serial", false, "dialout"),
            ("mqtt", true, "publish"),
            ("mqtt", false, "url"),
            ("replay", true, "loop"),
            ("synthetic", true, "gap"),
        ] {
            let Tested::Silence { hints, .. } = silence(kind, connected) else { panic!("no silence") };
            assert!(hints.iter().any(|hint| hint.contains(word)), "{kind} {hints:?}");
        }
    }
}
