//! Reading both databases page by page beside the store's thread, which goes on committing meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags};

use super::mailbox::Mailbox;

/// Between two looks at whether an interrupted check has ended.
const PAUSE: Duration = Duration::from_millis(2);

/// What was found in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Whole,
    /// It is damaged: what SQLite says.
    Broken(String),
    /// It could not be read to its end, for another reason.
    Unknown(String),
}

/// What was found in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub history: Verdict,
    pub ledger: Verdict,
}

impl Report {
    /// Whether both were read to their end, or found damaged before.
    pub fn is_complete(&self) -> bool {
        ![&self.history, &self.ledger].into_iter().any(|verdict| matches!(verdict, Verdict::Unknown(_)))
    }
}

/// A check at work. It ends when this is dropped.
pub struct Check {
    end: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    interrupts: Vec<InterruptHandle>,
    thread: Option<JoinHandle<Report>>,
}

impl Check {
    /// Starts checking both files; wakes the store's thread when that is done.
    pub fn start(history: &Path, ledger: &Path, mailbox: Arc<Mailbox>) -> std::io::Result<Check> {
        let opened = [open(history), open(ledger)];
        let interrupts = opened.iter().flatten().map(Connection::get_interrupt_handle).collect();
        let (end, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (ended, is_done) = (Arc::clone(&end), Arc::clone(&done));
        let thread = std::thread::Builder::new().name("store-check".to_owned()).spawn(move || {
            let [history, ledger] = opened.map(|db| db.map_or_else(judge, |db| check(&db, &ended)));
            is_done.store(true, Ordering::SeqCst);
            mailbox.nudge();
            Report { history, ledger }
        })?;
        Ok(Check { end, done, interrupts, thread: Some(thread) })
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst) || self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What it found. `None`: a fault of the program ended it.
    pub fn report(mut self) -> Option<Report> {
        self.thread.take()?.join().ok()
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            // Again and again: an interrupt between two statements is lost.
            self.interrupts.iter().for_each(InterruptHandle::interrupt);
            pause();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the store's thread is its own, and is closing")]
fn pause() {
    std::thread::sleep(PAUSE);
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(Duration::from_secs(2))?;
    Ok(db)
}

fn check(db: &Connection, ended: &AtomicBool) -> Verdict {
    if ended.load(Ordering::SeqCst) {
        return Verdict::Unknown("ended".to_owned());
    }
    match db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)) {
        Ok(answer) if answer == "ok" => Verdict::Whole,
        Ok(fault) => Verdict::Broken(fault),
        Err(error) => judge(error),
    }
}

fn judge(error: rusqlite::Error) -> Verdict {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Verdict::Broken(error.to_string()),
        _ => Verdict::Unknown(error.to_string()),
    }
}
