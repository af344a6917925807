//! Asks the kernel whether its clock follows a better one.
//!
//! The answer is in `adjtimex(2)`, which safe code cannot call. systemd's `timedated` calls it for whoever asks,
//! whichever time daemon sets the clock: a greatest error under 16 s counts as synchronised.

use std::env;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};

use super::clock::{Clock, Discipline};

/// Between two questions while the clock has never been synchronised: readings may wait for it.
const SOON: Duration = Duration::from_secs(10);
/// Between two questions otherwise.
const LATER: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at whether it is there.
const LOOK: Duration = Duration::from_millis(50);
/// More bytes than this are no answer.
const LONGEST: u64 = 4096;

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
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error: io::Error| format!("timedatectl: {error}");
    let mut asked = Asked(command.spawn().map_err(failed)?);
    let ended = tokio::time::timeout(PATIENCE, asked.ended()).await;
    ended.map_err(|_| "timedatectl gives no answer".to_owned())?.map_err(failed)?;
    let answer = written(asked.0.stdout.take()).map_err(failed)?;
    let error = written(asked.0.stderr.take()).map_err(failed)?;
    parse(&answer).ok_or_else(|| {
        let text = String::from_utf8_lossy(&error);
        format!("timedatectl: {}", text.lines().next().unwrap_or("an answer that is neither yes nor no"))
    })
}

/// A process that does not outlive the question. The runtime has its own kind, which is 15 kB of the program.
struct Asked(Child);

impl Asked {
    /// Returns when it has ended.
    async fn ended(&mut self) -> io::Result<()> {
        while self.0.try_wait()?.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill, and nothing to wait for.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What an ended process has left in a pipe.
fn written(pipe: Option<impl Read + AsFd>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(pipe) = pipe else { return Ok(bytes) };
    // A process that it has left behind may hold the other end open: only what is there is read.
    fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
    match pipe.take(LONGEST).read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(bytes),
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
