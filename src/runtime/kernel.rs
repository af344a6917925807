//! Asks the kernel whether its clock follows a better one.
//!
//! The answer is in `adjtimex(2)`, which safe code cannot call. systemd's `timedated` calls it for whoever asks,
//! whichever time daemon sets the clock: a greatest error under 16 s counts as synchronised.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::clock::{Clock, Discipline};

/// Between two questions while the clock has never been synchronised: readings may wait for it.
const SOON: Duration = Duration::from_secs(10);
/// Between two questions otherwise.
const LATER: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long readings wait for the first answer: systemd may have to start `timedated` for it.
const FIRST: Duration = Duration::from_secs(2);

/// Keeps `clock` informed, for ever.
pub async fn ask(clock: Clock) {
    let mut told = false;
    // What the start has learnt just now is not asked again.
    if clock.discipline() != Discipline::Unknown {
        pause(&clock).await;
    }
    loop {
        match Question::put().answer(PATIENCE).await {
            Ok(now) => clock.disciplined(now),
            Err(problem) if !told => {
                told = true;
                tracing::warn!(
                    "whether the clock is synchronised is not known: {problem}; it is believed as long as it is not \
                     before a proven time"
                );
            }
            Err(_) => {}
        }
        pause(&clock).await;
    }
}

/// Until the next question.
async fn pause(clock: &Clock) {
    let wait = if clock.discipline() == Discipline::Never { SOON } else { LATER };
    tokio::time::sleep(wait).await;
}

/// A question to the kernel, which is on its way.
#[derive(Debug)]
pub struct Question(Result<Child, String>);

impl Question {
    /// Asks, and waits for nothing.
    pub fn put() -> Question {
        let mut command = Command::new("timedatectl");
        command.args(["show", "--property=NTPSynchronized", "--value"]);
        // systemd's tools report their failures to NOTIFY_SOCKET, where they would pass for this process's own.
        command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Question(command.spawn().map_err(|error| format!("timedatectl: {error}")))
    }

    /// Tells the clock the answer, if there is one soon; [`ask`] asks again if not.
    pub async fn noted(self, clock: &Clock) {
        if let Ok(now) = self.answer(FIRST).await {
            clock.disciplined(now);
        }
    }

    /// The kernel's answer; otherwise why there is none.
    async fn answer(self, patience: Duration) -> Result<bool, String> {
        let output = tokio::time::timeout(patience, self.0?.wait_with_output()).await;
        let output = output.map_err(|_| "timedatectl gives no answer".to_owned())?;
        let output = output.map_err(|error| format!("timedatectl: {error}"))?;
        parse(&output.stdout).ok_or_else(|| {
            let text = String::from_utf8_lossy(&output.stderr);
            format!("timedatectl: {}", text.lines().next().unwrap_or("an answer that is neither yes nor no"))
        })
    }
}

fn parse(answer: &[u8]) -> Option<bool> {
    match answer.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_and_no_are_answers() {
        assert_eq!(parse(b"yes\n"), Some(true));
        assert_eq!(parse(b"no\n"), Some(false));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"n/a\n"), None);
    }
}
