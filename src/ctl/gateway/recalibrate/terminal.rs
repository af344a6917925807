//! Whoever sits at the terminal: lines, and Ctrl-C.

use std::cell::Cell;
use std::io::{BufRead as _, IsTerminal as _, stdin};
use std::sync::Arc;

use rustix::termios::{QueueSelector, tcflush};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};

use crate::ctl::gateway::client::block_on;
use crate::ctl::output::{Failure, note};

/// Somebody who may type, and may want to leave.
#[derive(Debug, Default)]
pub struct Terminal {
    /// Ctrl-C that nobody has heeded yet.
    interrupted: Arc<Notify>,
    left: Cell<bool>,
}

impl Terminal {
    /// From now on Ctrl-C does not end the process, but [`Terminal::interrupted`] and [`Terminal::line`].
    ///
    /// # Errors
    /// The system does not say when it is typed.
    pub fn new() -> Result<Terminal, Failure> {
        let failed = |fault| Failure::io("signals", &fault);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let guard = runtime.enter();
        let mut typed = signal(SignalKind::interrupt()).map_err(failed)?;
        drop(guard);
        let interrupted = Arc::new(Notify::new());
        let tell = interrupted.clone();
        // It ends with the process.
        std::thread::spawn(move || {
            runtime.block_on(async {
                while typed.recv().await.is_some() {
                    tell.notify_one();
                }
            });
        });
        Ok(Terminal { interrupted, left: Cell::new(false) })
    }

    /// Waits for Ctrl-C; one that came before counts.
    pub async fn interrupted(&self) {
        self.interrupted.notified().await;
    }

    /// The next line; `None` where nothing can be read, or Ctrl-C is typed: then nobody types any more.
    pub fn line(&self) -> Option<String> {
        let (send, typed) = oneshot::channel();
        // Reading can't be given up; where it waits still the process is about to end.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stdin().lock().read_line(&mut line).unwrap_or(0);
            // An error means that nobody waits any more.
            let _ = send.send((read > 0).then_some(line));
        });
        let line = block_on(async {
            tokio::select! {
                biased;
                () = self.interrupted() => {
                    note("");
                    Ok(None)
                }
                line = typed => Ok(line.unwrap_or(None)),
            }
        });
        let line = line.unwrap_or(None);
        self.left.set(line.is_none());
        line
    }

    /// Forgets what was typed before: it was no answer to the question that comes.
    pub fn forget(&self) {
        if stdin().is_terminal() {
            // A terminal that has gone is found gone by the next line.
            let _ = tcflush(stdin(), QueueSelector::IFlush);
        }
    }

    /// Notes that nobody is there any more.
    pub fn leave(&self) {
        self.left.set(true);
    }

    /// Whether nobody is there any more.
    pub fn is_left(&self) -> bool {
        self.left.get()
    }
}
