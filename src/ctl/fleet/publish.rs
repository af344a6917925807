//! What came of a publication, for people and programs.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::artifact::Artifact;
use super::reach::Session;
use super::send::{self, Sending};
use super::tally::{Row, Standing, Tally};
use super::topic::{About, Branch};
use super::{ignored, or_dash, table};
use crate::config::scalar::parse_duration;
use crate::ctl::output::{Failure, print_json, print_lines, print_table};

/// How long answers are waited for.
#[derive(Args)]
pub struct Patience {
    /// How long to wait for answers, such as 60s; 0s: not at all.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    wait: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|wait| *wait <= Duration::from_secs(86_400))
        .ok_or_else(|| "write a time such as 60s or 10min, a day at most".to_owned())
}

/// The answer, as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: Option<crate::domain::id::Id>,
    version: Option<u64>,
    digest: crate::domain::digest::Digest,
    topic: String,
    /// Whether it was taken, by everybody who could answer and is concerned.
    accepted: bool,
    counts: Map<String, Value>,
    gateways: Vec<Row>,
    ignored: Vec<&'a super::book::Ignored>,
}

/// Checks, publishes, waits, and says what came of it.
pub async fn publish(
    mut session: Session,
    artifact: &Artifact,
    about: About,
    branch: Branch,
    patience: &Patience,
    json: bool,
) -> Result<ExitCode, Failure> {
    let expected = send::expected(&session, artifact, &branch)?;
    let sending = Sending { artifact, about, branch, wait: patience.wait };
    let tally = send::send(&mut session, &sending, expected).await?;
    if json {
        print_json(&report(&session, &sending, &tally))?;
    } else {
        say(&sending, &tally, patience.wait)?;
        session.notes();
    }
    session.link.leave().await;
    // Where nobody was to be waited for, nobody is missed.
    let good = tally.is_good() || patience.wait.is_zero();
    Ok(ExitCode::from(u8::from(!good)))
}

fn report<'a>(session: &'a Session, sending: &Sending<'a>, tally: &Tally) -> Report<'a> {
    let artifact = sending.artifact;
    let counts = tally.counted().into_iter();
    let counts = counts.map(|(standing, count)| (standing.words().replace(' ', "_"), json!(count)));
    Report {
        kind: &artifact.kind,
        id: artifact.about_id(),
        version: artifact.version(),
        digest: artifact.digest,
        topic: sending.about.topic(&session.book.fleet),
        accepted: tally.is_good(),
        counts: counts.collect(),
        gateways: tally.rows(),
        ignored: ignored(session),
    }
}

fn say(sending: &Sending<'_>, tally: &Tally, wait: Duration) -> Result<(), Failure> {
    let rows = tally.rows();
    if !rows.is_empty() {
        print_table(&table(["GATEWAY", "ANSWER", "STAGE", "MESSAGE"], rows.iter().map(cells)), 0)?;
    }
    let counts: Vec<String> =
        tally.counted().iter().map(|(standing, count)| format!("{count} {}", standing.words())).collect();
    let (name, to) = (sending.artifact.name(), sending.branch.words());
    let to = if matches!(sending.about, About::Enrolment(_)) { "its gateway".to_owned() } else { to };
    let counts = if counts.is_empty() {
        format!("nobody answered within {} s", wait.as_secs())
    } else {
        counts.join(", ")
    };
    print_lines(&format!("{name} for {to}: {counts}\n"))
}

fn cells(row: &Row) -> [String; 4] {
    let unverified = row.verified == Some(false) && row.standing != Standing::Unverified;
    let answer = format!("{}{}", row.standing.words(), if unverified { " (unverified)" } else { "" });
    let message = match (&row.reason, &row.message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (_, message) => message.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    [row.gateway.to_string(), answer, or_dash(row.stage.as_ref()), message]
}
