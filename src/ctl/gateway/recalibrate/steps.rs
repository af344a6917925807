//! The way through a session, step by step, from wherever it is.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use super::super::client::{escaped, follow, get, post};
use super::super::events::Events;
use super::super::{Asked, Door};
use super::points::Points;
use super::prompt::{self, Action};
use super::show;
use crate::ctl::output::{Failure, ask, note, print_lines};
use crate::ctl::screen::Screen;
use crate::domain::session::{Mode, Session, Stage};
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::key::{KeyId, PrivateKey};
use crate::domain::uncertainty::decision::Outcome;
use crate::wire::control::{SessionCommand, SessionState, WholeSession};

/// Columns of the bar.
const BAR: usize = 20;

/// What the script says.
pub struct Script<'a> {
    pub asked: &'a Asked,
    pub points: Option<Points>,
    pub method: Option<String>,
    pub signer: Signer,
    /// Whether a certificate is wanted.
    pub certificate: bool,
    /// Whether nobody is to be asked.
    pub yes: bool,
}

/// What approves the new transform, and signs the certificate.
pub enum Signer {
    /// A private key at hand.
    Key(Box<PrivateKey>),
    /// The maintenance key of this id that the gateway holds.
    Gateway(KeyId),
    Nobody,
}

impl Script<'_> {
    /// Goes through a session to its end; gives it back as it is then, or where it needs somebody.
    pub fn go(&self, mut whole: WholeSession) -> Result<WholeSession, Failure> {
        if self.points.is_none() {
            return self.converse(whole);
        }
        loop {
            let session = &whole.session;
            whole = match session.stage {
                Stage::AsFound | Stage::AsLeft if session.measuring.is_some() => self.wait(&whole)?,
                Stage::AsFound | Stage::AsLeft => self.measure(&whole)?,
                Stage::Found => self.decide(&whole)?,
                Stage::Preview => self.approve(&whole)?,
                Stage::Approved | Stage::Reverting => self.wait(&whole)?,
                Stage::Left => self.end(&whole)?,
                Stage::Ended => return Ok(whole),
            };
        }
    }

    /// Goes through a session as somebody says on the terminal; gives it back at its end, or where it is paused.
    fn converse(&self, mut whole: WholeSession) -> Result<WholeSession, Failure> {
        loop {
            let session = &whole.session;
            let busy =
                session.measuring.is_some() || matches!(session.stage, Stage::Approved | Stage::Reverting);
            if busy && !session.paused {
                // What a point was given up for is told, and another one may be typed.
                whole = match self.wait(&whole) {
                    Ok(after) => after,
                    Err(failure) => self.told(failure, session)?,
                };
                continue;
            }
            if session.paused || session.stage == Stage::Ended {
                return Ok(whole);
            }
            whole = match self.said(&whole) {
                Ok(Some(after)) => self.shown(after)?,
                Ok(None) => return Ok(whole),
                Err(failure) => self.told(failure, session)?,
            };
        }
    }

    /// Does what somebody types; `None` if nobody does any more.
    fn said(&self, whole: &WholeSession) -> Result<Option<WholeSession>, Failure> {
        let session = &whole.session;
        let taken = if session.stage == Stage::AsLeft { &session.as_left } else { &session.as_found };
        let number = taken.len();
        ask(&format!(
            "{}: {}",
            session.stage.as_str(),
            prompt::question(session.stage, session.plan.mode, number)
        ));
        let mut line = String::new();
        // Where nothing can be read nobody types any more.
        if stdin().lock().read_line(&mut line).unwrap_or(0) == 0 {
            return Ok(None);
        }
        match prompt::parse(session.stage, line.trim()).map_err(Failure::refused)? {
            Action::Help => {
                note(prompt::HELP);
                self.whole(session).map(Some)
            }
            Action::Approve => self.approve(whole).map(Some),
            Action::Do("end", _) => self.end(whole).map(Some),
            Action::Do(name, command) => self.command(whole, name, *command).map(Some),
        }
    }

    /// Tells what was refused, and looks at the session again: it goes on. What makes no going on is no refusal.
    fn told(&self, failure: Failure, session: &Session) -> Result<WholeSession, Failure> {
        if !failure.is_refusal() {
            return Err(failure);
        }
        note(&format!("error: {}", failure.message()));
        self.whole(session)
    }

    /// Shows what has come of what was typed.
    fn shown(&self, whole: WholeSession) -> Result<WholeSession, Failure> {
        let session = &whole.session;
        match (&session.candidate, session.stage) {
            (Some(candidate), Stage::Preview) => show::preview(candidate, &session.plan.unit)?,
            (_, Stage::Found) => self.say(&format!("as found: {}\n", show::verdict(session.found())))?,
            (_, Stage::Left) => self.say(&format!("as left: {}\n", show::verdict(session.left())))?,
            _ => {}
        }
        Ok(whole)
    }

    /// Has something done with the session, as it was seen.
    pub fn command(
        &self,
        whole: &WholeSession,
        name: &str,
        command: SessionCommand,
    ) -> Result<WholeSession, Failure> {
        let path = format!("/v1/sessions/{}/{name}", escaped(whole.session.id.as_str()));
        let command = SessionCommand { revision: Some(whole.session.revision), ..command };
        post(self.asked, Door::Maintenance, &path, serde_json::json!(command).to_string())
    }

    /// The next point of the round, or its end.
    fn measure(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        let session = &whole.session;
        let points = self.points.as_ref().ok_or_else(|| {
            Failure::usage("no points to measure: give --points FILE or --reference-source R")
        })?;
        let (round, wanted, taken) = match session.stage {
            Stage::AsLeft => ("as left", &points.as_left, &session.as_left),
            _ => ("as found", &points.as_found, &session.as_found),
        };
        let Some(next) = wanted.get(taken.len()) else {
            if taken.is_empty() {
                return Err(Failure::usage(
                    "the file has no point to be measured as left: add one, then --resume",
                ));
            }
            let judged = self.command(whole, "finish", SessionCommand::default())?;
            let outcome = if round == "as left" { judged.session.left() } else { judged.session.found() };
            self.say(&format!("{round}: {}\n", show::verdict(outcome)))?;
            return Ok(judged);
        };
        let what = match (&next.reference, &next.source) {
            (Some(reference), _) => format!("apply {reference}"),
            (None, Some(source)) => format!("put it beside {source}"),
            (None, None) => "apply the reference".to_owned(),
        };
        let number = taken.len() + 1;
        self.confirm(&format!("{round}, point {number} of {}: {what}, then press Enter", wanted.len()))?;
        self.command(whole, "point", next.clone())
    }

    /// Waits for the point, the activation or the way back, with what is told meanwhile.
    fn wait(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        let (session, unit) = (&whole.session, &whole.session.plan.unit);
        let points = |session: &Session| session.as_found.len() + session.as_left.len();
        let path = format!("/v1/sessions/{}/events", escaped(session.id.as_str()));
        let (mut events, mut told) = (Events::default(), session.told.clone());
        let live = stderr().is_terminal() && !self.asked.json;
        let mut shown = 0;
        let followed = follow(self.asked, &path, |bytes| {
            for event in events.take(bytes)? {
                if event.name != "session" {
                    continue;
                }
                let state: SessionState = serde_json::from_str(&event.data).map_err(|fault| {
                    Failure::refused(format!("an event of calibd cannot be read: {fault}"))
                })?;
                if state.told != told {
                    told.clone_from(&state.told);
                    if let Some(told) = &told {
                        clear(&mut shown);
                        note(told);
                    }
                }
                if live {
                    line(&show::progress(&state, unit, BAR), &mut shown);
                }
                // A way back that fails is told, and tried again by whoever says so.
                let failed = session.stage == Stage::Reverting && told != session.told;
                if state.revision != session.revision || state.paused || failed {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        clear(&mut shown);
        followed?;
        let after = self.whole(session)?;
        if points(&after.session) > points(session) {
            let round =
                if session.stage == Stage::AsLeft { &after.session.as_left } else { &after.session.as_found };
            if let Some(point) = round.last() {
                self.say(&format!("{}\n", show::point(point, unit)))?;
            }
            return Ok(after);
        }
        let standing = after.session.stage == session.stage && after.session.measuring.is_none();
        let measured = matches!(session.stage, Stage::AsFound | Stage::AsLeft);
        match (&after.session.told, after.session.paused) {
            (_, true) => Err(Failure::refused("the session is paused: go on with --resume")),
            (Some(told), _)
                if (standing && measured)
                    || matches!(after.session.stage, Stage::Preview | Stage::Reverting) =>
            {
                Err(Failure::refused(told.clone()))
            }
            _ => Ok(after),
        }
    }

    fn whole(&self, session: &Session) -> Result<WholeSession, Failure> {
        get(self.asked, &format!("/v1/sessions/{}", escaped(session.id.as_str())))
    }

    /// As found is judged: a spot check ends here, and so does what cannot be adjusted.
    fn decide(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        let session = &whole.session;
        if session.plan.mode == Mode::SpotCheck {
            return self.end(whole);
        }
        let command = SessionCommand { method: self.method.clone(), ..SessionCommand::default() };
        let fitted = self.command(whole, "fit", command)?;
        if let Some(candidate) = fitted.session.candidate.as_ref().filter(|_| !self.asked.json) {
            show::preview(candidate, &session.plan.unit)?;
        }
        Ok(fitted)
    }

    /// Signs what is shown.
    fn approve(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        let Some(candidate) = &whole.session.candidate else {
            return Err(Failure::refused("the session has no preview: discard it and fit again"));
        };
        if !candidate.guards.is_empty() {
            if is_left_as_found(&whole.session) {
                note(
                    "guards stand against the new transform, and the sensor passes as found: nothing is adjusted",
                );
                let discarded = self.command(whole, "discard", SessionCommand::default())?;
                return self.end(&discarded);
            }
            let reasons = candidate.guards.join("; ");
            return Err(Failure::refused(format!(
                "guards stand against the new transform: {reasons}; go on with another --method and --resume, end it without adjustment on a terminal (--resume without --points, then `discard` and `end`), or --abort"
            )));
        }
        let command = match &self.signer {
            Signer::Key(key) => {
                self.confirm("sign it and put it in force? press Enter, or Ctrl-C to leave it")?;
                let keys = std::slice::from_ref(&**key);
                let envelope = sign(&payload_type("transform"), candidate.payload.as_bytes(), keys);
                let envelope = Some(String::from_utf8_lossy(&envelope).into_owned());
                SessionCommand { envelope, ..SessionCommand::default() }
            }
            Signer::Gateway(key) => {
                let by = whole.session.holder();
                self.confirm(&format!(
                    "have the gateway sign it with its maintenance key {key} on behalf of {by}, and put it in force? press Enter, or Ctrl-C to leave it"
                ))?;
                SessionCommand { gateway_key: true, ..SessionCommand::default() }
            }
            Signer::Nobody => {
                return Err(Failure::usage(
                    "no key to approve with, and this gateway holds none: give --key FILE and --resume, or --abort",
                ));
            }
        };
        let approved = self.command(whole, "approve", command)?;
        // It may have been decided by the time of the answer.
        match &approved.session.told {
            Some(told) if approved.session.stage == Stage::Preview => Err(Failure::refused(told.clone())),
            _ => {
                self.say(&self.on_behalf(&approved.session))?;
                Ok(approved)
            }
        }
    }

    /// With whose key the gateway has signed for whom, as a line; nothing if it has not.
    pub(super) fn on_behalf(&self, session: &Session) -> String {
        match &self.signer {
            Signer::Gateway(key) => {
                format!("signed with the gateway's maintenance key {key} on behalf of {}\n", session.holder())
            }
            _ => String::new(),
        }
    }

    /// Ends it, with a certificate if one is wanted and can be had.
    fn end(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        match self.certificate {
            true => self.certify(whole),
            false => self.command(whole, "end", SessionCommand::default()),
        }
    }

    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        if self.asked.json { Ok(()) } else { print_lines(text) }
    }

    /// Waits for Enter, unless nobody is to be asked.
    pub(super) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        ask(question);
        let mut line = String::new();
        match stdin().lock().read_line(&mut line) {
            Ok(0) => Err(Failure::refused("nobody answers: say --yes, or go on with --resume")),
            Ok(_) => Ok(()),
            Err(fault) => Err(Failure::io("stdin", &fault)),
        }
    }
}

/// Whether a sensor that no fit makes better is left as it was found: it is within tolerance beyond doubt. A conditional
/// pass is not, least of all one for want of a better uncertainty.
fn is_left_as_found(session: &Session) -> bool {
    session.found() == Some(Outcome::Pass)
}

/// Writes over the line before; a closed stderr is nobody's problem.
fn line(text: &str, shown: &mut usize) {
    let columns = Screen::stderr().columns.unwrap_or(80).saturating_sub(1);
    let text: String = text.chars().take(columns).collect();
    let width = text.chars().count();
    let _ = write!(stderr(), "\r{text}{:blanks$}", "", blanks = shown.saturating_sub(width));
    let _ = stderr().flush();
    *shown = width;
}

fn clear(shown: &mut usize) {
    if *shown > 0 {
        let _ = write!(stderr(), "\r{:width$}\r", "", width = *shown);
        *shown = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_left_as_it_was_found() {
        let answer =
            include_str!("../../../../tests/data/control/answers/GET_v1_sessions_s-6616033d0e7fb.json");
        let WholeSession { mut session, .. } = serde_json::from_str(answer).unwrap();
        for (outcome, left) in [
            (Outcome::Pass, true),
            (Outcome::ConditionalPass, false),
            (Outcome::ConditionalFail, false),
            (Outcome::Fail, false),
        ] {
            for stated in session.as_found.iter_mut().filter_map(|point| point.stated.as_mut()) {
                stated.outcome = Outcome::Pass;
            }
            session.as_found[1].stated.as_mut().unwrap().outcome = outcome;
            assert_eq!(is_left_as_found(&session), left, "{outcome:?}");
        }
    }
}
