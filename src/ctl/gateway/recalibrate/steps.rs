//! The way through a session, step by step, from wherever it is.

use super::super::client::{escaped, get, post};
use super::super::{Asked, Door};
use super::points::Points;
use super::prompt::{self, Action};
use super::show;
use super::terminal::Terminal;
use crate::ctl::output::{Failure, ask, note, print_lines};
use crate::domain::session::{Mode, Session, Stage};
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::key::{KeyId, PrivateKey};
use crate::domain::uncertainty::decision::Outcome;
use crate::wire::control::{SessionCommand, WholeSession};

/// Why nothing can be approved.
pub const NO_KEY: &str = "no key to approve with, and this gateway holds none: give --key FILE";
/// What has not happened where somebody did not say yes.
pub const UNSIGNED: &str = "nothing was signed";

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
    /// Who sits there.
    pub terminal: Terminal,
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
        let Some(line) = self.terminal.line() else { return Ok(None) };
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

    /// Tells what was refused, and looks at the session again: it goes on. What makes no going on is no refusal, and
    /// nobody is told who has left.
    fn told(&self, failure: Failure, session: &Session) -> Result<WholeSession, Failure> {
        if !failure.is_refusal() || self.terminal.is_left() {
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
            let judged = self.command(whole, "finish", SessionCommand::default())?;
            let outcome = if round == "as left" { judged.session.left() } else { judged.session.found() };
            self.say(&format!("{round}: {}\n", show::verdict(outcome)))?;
            return Ok(judged);
        };
        let what = match (&next.command.reference, &next.command.source) {
            (Some(reference), _) => format!("apply {reference}"),
            (None, Some(source)) => format!("put it beside {source}"),
            (None, None) => "apply the reference".to_owned(),
        };
        let number = taken.len() + 1;
        let question = format!("{round}, point {number} of {}: {what}, then press Enter", wanted.len());
        self.confirm(&question, "the point is not measured")?;
        self.command(whole, "point", next.command.clone()).map_err(|failure| match failure.is_refusal() {
            true => points.placed(next, failure),
            false => failure,
        })
    }

    /// The session as it is now.
    pub(super) fn whole(&self, session: &Session) -> Result<WholeSession, Failure> {
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
                "guards stand against the new transform: {reasons}; take another --method, or end it without adjustment on a terminal (--resume without --points, then `discard` and `end`)"
            )));
        }
        let command = match &self.signer {
            Signer::Key(key) => {
                let question = "sign it and put it in force? press Enter, or Ctrl-C to leave it";
                self.confirm(question, UNSIGNED)?;
                let keys = std::slice::from_ref(&**key);
                let envelope = sign(&payload_type("transform"), candidate.payload.as_bytes(), keys);
                let envelope = Some(String::from_utf8_lossy(&envelope).into_owned());
                SessionCommand { envelope, ..SessionCommand::default() }
            }
            Signer::Gateway(key) => {
                let by = whole.session.holder();
                let question = format!(
                    "have the gateway sign it with its maintenance key {key} on behalf of {by}, and put it in force? press Enter, or Ctrl-C to leave it"
                );
                self.confirm(&question, UNSIGNED)?;
                SessionCommand { gateway_key: true, ..SessionCommand::default() }
            }
            Signer::Nobody => {
                return Err(Failure::usage(NO_KEY));
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

    /// Waits for Enter and nothing else, unless nobody is to be asked. Whatever else is typed says no, and so does what
    /// was typed before the question stood.
    pub(super) fn confirm(&self, question: &str, not_done: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        self.terminal.forget();
        ask(question);
        match self.terminal.line() {
            Some(line) if line.trim().is_empty() => Ok(()),
            Some(_) => Err(Failure::refused(format!("{not_done}: only Enter alone does that"))),
            None => Err(Failure::refused(format!("{not_done}: nobody answers (--yes asks nothing)"))),
        }
    }
}

/// Whether a sensor that no fit makes better is left as it was found: it is within tolerance beyond doubt. A conditional
/// pass is not, least of all one for want of a better uncertainty.
fn is_left_as_found(session: &Session) -> bool {
    session.found() == Some(Outcome::Pass)
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
