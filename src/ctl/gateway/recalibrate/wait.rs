//! Waiting: for a point, for a transform to be in force, for what ran before; with Ctrl-C as the way out.

use std::io::{IsTerminal as _, Write as _, stderr};

use super::super::client::{escaped, follow_until};
use super::super::events::Events;
use super::show;
use super::steps::Script;
use crate::ctl::output::{Failure, note};
use crate::ctl::screen::Screen;
use crate::domain::session::{Session, Stage};
use crate::wire::control::{SessionCommand, SessionState, WholeSession};

/// Columns of the bar.
const BAR: usize = 20;

/// What is seen of a session that is waited for.
struct Seen<'a> {
    session: &'a Session,
    /// Whether progress is shown.
    live: bool,
    /// Columns of the line that progress is shown in.
    shown: usize,
    told: Option<String>,
    /// What was told with the last step, and not yet to whoever waits.
    last: Option<String>,
}

impl Seen<'_> {
    /// Takes a state; whether to wait for more.
    fn take(&mut self, state: &SessionState) -> bool {
        let session = self.session;
        let news = state.told != self.told;
        // A way back that fails is told; the gateway tries again, but nobody has to wait for that.
        let failed = session.stage == Stage::Reverting && state.told != session.told;
        let ends = state.revision != session.revision || state.paused || failed;
        if news {
            self.told.clone_from(&state.told);
            self.last = state.told.clone().filter(|_| ends);
            if let Some(told) = self.told.as_deref().filter(|_| !ends) {
                clear(&mut self.shown);
                note(told);
            }
        }
        if self.live {
            line(&show::progress(state, &session.plan.unit, BAR), &mut self.shown);
        }
        !ends
    }
}

impl Script<'_> {
    /// Waits for the point, the activation or the way back, with what is told meanwhile. Ctrl-C takes a point back.
    pub(super) fn wait(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        let session = &whole.session;
        let live = stderr().is_terminal() && !self.asked.json;
        let mut seen = Seen { session, live, shown: 0, told: session.told.clone(), last: None };
        let path = format!("/v1/sessions/{}/events", escaped(session.id.as_str()));
        let mut events = Events::default();
        let followed = follow_until(self.terminal.interrupted(), self.asked, &path, |bytes| {
            for event in events.take(bytes)?.iter().filter(|event| event.name == "session") {
                let state = serde_json::from_str(&event.data).map_err(|fault| {
                    Failure::refused(format!("an event of calibd cannot be read: {fault}"))
                })?;
                if !seen.take(&state) {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        clear(&mut seen.shown);
        if followed? {
            note("");
            return self.given_up(whole);
        }
        let outcome = self.came(session, self.whole(session)?);
        let said = outcome.as_ref().err().map(Failure::message);
        if let Some(last) = seen.last.as_deref().filter(|last| said != Some(last)) {
            note(last);
        }
        outcome
    }

    /// What has come of what was waited for.
    fn came(&self, before: &Session, after: WholeSession) -> Result<WholeSession, Failure> {
        let points = |session: &Session| session.as_found.len() + session.as_left.len();
        let session = &after.session;
        if points(session) > points(before) {
            let round = if before.stage == Stage::AsLeft { &session.as_left } else { &session.as_found };
            if let Some(point) = round.last() {
                self.say(&format!("{}\n", show::point(point, &session.plan.unit)))?;
            }
            return Ok(after);
        }
        let standing = session.stage == before.stage && session.measuring.is_none();
        let measured = matches!(before.stage, Stage::AsFound | Stage::AsLeft);
        let back = matches!(session.stage, Stage::Preview | Stage::Reverting);
        match &session.told {
            _ if session.paused => Err(Failure::refused("the session is paused")),
            Some(told) if (standing && measured) || back => Err(Failure::refused(told.clone())),
            _ => Ok(after),
        }
    }

    /// Takes back the point that is being measured; anything else goes on by itself.
    fn given_up(&self, whole: &WholeSession) -> Result<WholeSession, Failure> {
        let session = &whole.session;
        if session.measuring.is_none() {
            self.terminal.leave();
            return Err(Failure::refused("it goes on by itself, and was not waited for"));
        }
        match self.command(whole, "undo", SessionCommand::default()) {
            Ok(_) if self.yes => Err(Failure::refused("the point that was being measured is taken back")),
            Ok(after) => {
                note("the point that was being measured is taken back; Ctrl-C once more leaves the session");
                Ok(after)
            }
            // It was taken, or given up, at this very moment.
            Err(failure) if failure.is_refusal() => self.came(session, self.whole(session)?),
            Err(failure) => Err(failure),
        }
    }
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
