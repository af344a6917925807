//! Publishing something, and waiting for what the gateways say to it.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::artifact::Artifact;
use super::book::{Gateway, News};
use super::link::Heard;
use super::reach::Session;
use super::tally::{self, Tally};
use super::topic::{About, Branch, Up};
use crate::ctl::output::{Failure, note};
use crate::ctl::progress::Progress;
use crate::ctl::verify::{self, Report};
use crate::domain::id::Id;
use crate::domain::trust::reason::Reason;
use crate::domain::trust::scope::Place;

/// Something on its way.
pub struct Sending<'a> {
    /// What.
    pub artifact: &'a Artifact,
    /// Where.
    pub about: About,
    /// For whom.
    pub branch: Branch,
    /// How long to wait for answers.
    pub wait: Duration,
}

/// Refuses what gateways would refuse, as far as that can be told here; gives the gateways that should answer.
///
/// # Errors
/// The refusal, of one gateway, or of each.
pub fn expected(session: &Session, artifact: &Artifact, branch: &Branch) -> Result<Vec<Id>, Failure> {
    let named = artifact.gateways();
    let mut ids = session.book.on(branch);
    match branch {
        _ if named.is_empty() => {}
        Branch::Gateway(id) if !named.contains(id) => {
            note(&format!("warning: {} does not name {}", artifact.name(), branch.words()));
        }
        Branch::Gateway(_) => {}
        Branch::Group(_) => ids.retain(|id| named.contains(id)),
        Branch::All => ids = named,
    }
    if session.book.trust.root().is_none() {
        return Ok(ids);
    }
    let any = judged(session, artifact, None);
    if let Some(failure) = failure(&any) {
        return Err(failure);
    }
    if let Some(reason) = any.reason {
        note(&format!("note: gateways will wait with it: {reason}: {}", any.message));
    }
    if artifact.kind == "prior" {
        ids.retain(|id| may_have(session, id, artifact.about_id().as_ref()));
        return Ok(ids);
    }
    // Of other artifacts, none is judged by who the gateway is.
    if artifact.kind == "transform" { at_each(session, artifact, branch, ids) } else { Ok(ids) }
}

/// Whether a gateway may have a sensor of a model: one that is enrolled with none answers that it has none, if it knows
/// priors at all.
fn may_have(session: &Session, gateway: &Id, model: Option<&Id>) -> bool {
    let Some(enrolment) = session.book.enrolment(gateway) else { return true };
    let model = model.map(Id::as_str);
    enrolment.sensors.values().any(|sensor| sensor.model.is_none() || sensor.model.as_deref() == model)
}

/// The same at each gateway whose enrolment is verified; the others may be concerned.
fn at_each(
    session: &Session,
    artifact: &Artifact,
    branch: &Branch,
    ids: Vec<Id>,
) -> Result<Vec<Id>, Failure> {
    let (mut concerned, mut refusals) = (Vec::new(), Vec::new());
    for id in ids {
        let known = session.book.key(&id).is_some() || matches!(branch, Branch::Gateway(_));
        let report = known.then(|| judged(session, artifact, Some(&id)));
        match report.as_ref().and_then(failure) {
            Some(refusal) => refusals.push((id, refusal, report.and_then(|report| report.reason))),
            None => concerned.push(id),
        }
    }
    if concerned.is_empty() && !refusals.is_empty() {
        return Err(refusals.swap_remove(0).1);
    }
    // Who would refuse it for another reason than that it is for others has to answer.
    let elsewhere = |reason: &Option<Reason>| reason.is_some_and(tally::is_elsewhere);
    concerned.extend(refusals.into_iter().filter(|(.., reason)| !elsewhere(reason)).map(|(id, ..)| id));
    Ok(concerned)
}

fn judged(session: &Session, artifact: &Artifact, gateway: Option<&Id>) -> Report {
    let enrolment = gateway.and_then(|id| session.book.enrolment(id));
    let whose = Place { gateway, enrolment };
    verify::report(&artifact.bytes, session.book.trust.given(), whose, session.now)
}

fn failure(report: &Report) -> Option<Failure> {
    let reason = report.reason.filter(|reason| !reason.waits())?;
    Some(Failure::refused(format!("not sent: gateways refuse it: {reason}: {}", report.message)))
}

/// Publishes, and collects the answers of those that should give one until all have, or the time is over.
pub async fn send(session: &mut Session, what: &Sending<'_>, expected: Vec<Id>) -> Result<Tally, Failure> {
    let Sending { artifact, about, branch, wait } = what;
    let broad = !matches!(branch, Branch::Gateway(_));
    let online = |id: Id| {
        let known = session.book.gateways.get(&id);
        let online = known.is_some_and(Gateway::is_online);
        (id, online)
    };
    let mut tally = Tally::new(artifact.digest, broad, expected.into_iter().map(online));
    let whose = if let Branch::Gateway(id) = branch { id.to_string() } else { "+".to_owned() };
    let below = ["ack", "reply", "status"].map(|up| format!("up/{whose}/{up}"));
    let filters = session.filters(&below.each_ref().map(String::as_str));
    let topic = about.topic(&session.book.fleet);
    let Session { link, book, now } = session;
    let state = Cell::new((tally.progress(), tally.is_complete()));
    let mut take = |heard: &Heard<'_>| {
        if let News::Answer(gateway, answer, verified) = book.take(heard.topic, heard.payload, *now) {
            tally.take(&gateway, answer, book.key(&gateway).is_some(), verified);
        }
        let about = About::parse(&book.fleet, &String::from_utf8_lossy(heard.topic));
        if let Some(About::Up(gateway, Up::Status, _)) = about {
            tally.online(&gateway, book.gateways.get(&gateway).is_some_and(Gateway::is_online));
        }
        state.set((tally.progress(), tally.is_complete()));
    };
    link.listen(&filters, &mut take).await?;
    link.publish(&topic, artifact.is_retained(), &artifact.bytes, &mut take).await?;
    let (end, mut progress) = (Instant::now() + *wait, Progress::new("answers"));
    while let ((answered, able), false) = state.get() {
        progress.of(answered, able);
        let Ok(heard) = timeout_at(end, link.next(&mut take)).await else { break };
        heard?;
    }
    drop(progress);
    Ok(tally)
}
