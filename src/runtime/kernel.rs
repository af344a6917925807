//! Asks the kernel whether its clock follows a better one.
//!
//! The answer is in `adjtimex(2)`, which safe code cannot call. systemd's `timedated` calls it for whoever asks,
//! whichever time daemon sets the clock: a greatest error under 16 s counts as synchronised.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::clock::{Clock, Discipline};

/// Between two questions while the clock has never been synchronised: readings may wait for it.
const SOON: Duration = Duration::from_secs(10);
/// Between two questions otherwise.
const LATER: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps `clock` informed, for ever.
pub async fn ask(clock: Clock) {
    let mut told = false;
    loop {
        match synchronised().await {
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
        let wait = if clock.discipline() == Discipline::Never { SOON } else { LATER };
        tokio::time::sleep(wait).await;
    }
}

/// The kernel's answer now; otherwise why there is none.
async fn synchronised() -> Result<bool, String> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]);
    // systemd's tools report their failures to NOTIFY_SOCKET, where they would pass for this process's own.
    command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.map_err(|_| "timedatectl gives no answer".to_owned())?;
    let output = output.map_err(|error| format!("timedatectl: {error}"))?;
    parse(&output.stdout).ok_or_else(|| {
        let text = String::from_utf8_lossy(&output.stderr);
        format!("timedatectl: {}", text.lines().next().unwrap_or("an answer that is neither yes nor no"))
    })
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
