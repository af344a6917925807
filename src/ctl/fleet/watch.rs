//! `calibctl fleet watch`

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::book::Book;
use super::link::Heard;
use super::reach::{Reach, Session, come_back};
use super::said::{Alert, Answer, Reply, Status, Text, read};
use super::topic::About;
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_lines};
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::runtime::clock::system_now;
use crate::wire::message::{Ack, Verdict};

const EXAMPLES: &str = "examples:
  calibctl fleet watch --root root.json --broker mqtts://broker.example:8884 --fleet plant-7 --ca gateways-ca.pem \\
      --cert reader.pem --key reader.key
  calibctl fleet watch --broker mqtt://127.0.0.1 --fleet plant-7 --json | jq 'select(.kind == \"ack\")'

Status, answers, events, alerts and replies, as they come; what was said before is not shown. Ends with Ctrl-C; when the
connection is lost it is made again.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// Ends after so many messages.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    reach: Reach,
}

/// A message, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Said {
    time: Timestamp,
    gateway: Id,
    kind: &'static str,
    /// The id of the alert.
    about: Option<Id>,
    /// Whether the enrolled key signed it; null of what is not signed.
    verified: Option<bool>,
    /// What it says; null: nothing any more.
    message: Value,
}

pub fn run(args: &WatchArgs) -> Result<ExitCode, Failure> {
    let mut left = args.limit.unwrap_or(u64::MAX);
    block_on(async {
        // Who can't come in at first need not try again.
        let mut session = listening(args).await?;
        loop {
            let lost = follow(&mut session, args.reach.json, &mut left).await;
            let Err(fault) = lost else { return Ok(ExitCode::SUCCESS) };
            session = come_back(fault, async || listening(args).await).await;
        }
    })
}

async fn listening(args: &WatchArgs) -> Result<Session, Failure> {
    let mut session = args.reach.open(None).await?;
    let below =
        ["up/+/status", "up/+/ack", "up/+/event", "up/+/alert/+", "up/+/reply", "down/gw/+/enrolment"];
    let filters = session.filters(&below);
    let Session { link, book, now } = &mut session;
    // What comes before the subscription is granted is not shown: nobody can tell where it begins.
    link.listen(&filters, &mut |heard| {
        book.take(heard.topic, heard.payload, *now);
    })
    .await?;
    note(&format!("watching fleet {}", session.book.fleet));
    Ok(session)
}

/// Shows messages until enough were, or the connection is lost.
async fn follow(session: &mut Session, json: bool, left: &mut u64) -> Result<(), Failure> {
    let Session { link, book, .. } = session;
    while *left > 0 {
        let mut shown = Ok(());
        link.next(&mut |heard| {
            let now = system_now();
            book.take(heard.topic, heard.payload, now);
            if let Some(said) = said(book, heard, now) {
                *left -= 1;
                shown = show(&said, json);
            }
        })
        .await?;
        shown?;
    }
    Ok(())
}

fn said(book: &Book, heard: &Heard<'_>, time: Timestamp) -> Option<Said> {
    let topic = String::from_utf8_lossy(heard.topic);
    let About::Up(gateway, up, about) = About::parse(&book.fleet, &topic)? else { return None };
    let opened = if up.is_signed() { Some(book.open(&gateway, up, heard.payload)?) } else { None };
    let payload = opened.as_ref().map_or(heard.payload, |opened| &opened.payload);
    let message = if payload.is_empty() { Value::Null } else { read(payload)? };
    let verified = opened.map(|opened| opened.verified);
    Some(Said { time, gateway, kind: up.name(), about, verified, message })
}

fn show(said: &Said, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(said);
    }
    let time = said.time.to_string();
    let time = time.get(11..19).unwrap_or(&time);
    let unverified = if said.verified == Some(false) { " (unverified)" } else { "" };
    print_lines(&format!(
        "{time}  {:<12}  {:<6}  {}{unverified}\n",
        said.gateway.as_str(),
        said.kind,
        words(said)
    ))
}

/// What a message says, in a line.
fn words(said: &Said) -> String {
    let bytes = said.message.to_string();
    let text = match said.kind {
        "status" => read::<Status>(bytes.as_bytes()).map(|it| status(&it)),
        "ack" => read::<Ack>(bytes.as_bytes()).map(|it| answer(&it.into())),
        "reply" => read::<Reply>(bytes.as_bytes()).map(|it| answer(&it.into())),
        "alert" => read::<Alert>(bytes.as_bytes()).map(|it| alert(&it)),
        _ => None,
    };
    text.unwrap_or_else(|| Text::new(&bytes).to_string())
}

fn status(it: &Status) -> String {
    let mut parts = vec![if it.online { "online" } else { "offline" }.to_owned()];
    parts.extend(it.version.as_ref().map(|version| format!("version {version}")));
    parts.extend(it.clock.as_ref().map(|clock| format!("clock {clock}")));
    parts.extend(it.root_version.map(|version| format!("root {version}")));
    parts.join(", ")
}

fn answer(it: &Answer) -> String {
    let verdict = match it.verdict {
        Verdict::Accepted => "accepted",
        Verdict::Refused => "refused",
        Verdict::AlreadyApplied => "already applied",
    };
    let version = it.version.map(|version| format!(" {version}")).unwrap_or_default();
    let reason = it.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{verdict} {}{version}{reason}: {}", it.id, it.message)
}

fn alert(it: &Alert) -> String {
    let over = if it.cleared.is_some() { ", over" } else { "" };
    format!("{}{over}: {}: {}", it.severity.as_str(), it.cause, it.message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(kind: &'static str, message: Value) -> String {
        let gateway = Id::new("g").unwrap();
        words(&Said { time: Timestamp::EPOCH, gateway, kind, about: None, verified: None, message })
    }

    #[test]
    fn messages_are_shown_in_a_line() {
        assert_eq!(line("status", json!({"online": false})), "offline");
        assert_eq!(
            line(
                "alert",
                json!({"severity": "page", "cause": "drift co-1", "cleared": null, "message": "it drifts"})
            ),
            "page: drift co-1: it drifts"
        );
        assert_eq!(line("event", json!({"event": "gap\n"})), r#"{"event":"gap\n"}"#);
        assert_eq!(line("status", json!([])), "[]");
    }
}
