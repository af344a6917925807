//! The daemon: command line, start, wiring, reload, drain.

pub mod cli;
pub mod commits;
pub mod control;
pub mod drives;
pub mod files;
pub mod identity;
pub mod page;
pub mod presence;
pub mod reload;
pub mod run;
pub mod service;
pub mod sources;
pub mod stop;
pub mod tick;
pub mod wiring;

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use self::files::Files;
use self::run::Event;
use crate::config::Loaded;
use crate::control::gateway::Reload;
use crate::runtime::clock::Clock;
use crate::runtime::notify::Notifier;
use crate::runtime::quiet::Quiet;
use crate::runtime::{kernel, logging};

/// Exit code of a stop that was asked for, and after which readings are missing on the disk (EX_IOERR of sysexits.h).
///
/// The service manager must not take it for a crash, and start again what somebody has stopped.
const EXIT_NOT_STORED: u8 = 74;

/// Runs until SIGTERM or SIGINT, with the configuration that was loaded from `file`.
pub fn run(file: &Path, loaded: Loaded) -> ExitCode {
    let quiet = logging::start();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("the asynchronous runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(work(file, loaded, &quiet));
    quiet.summarise(Duration::ZERO);
    code
}

async fn work(file: &Path, loaded: Loaded, quiet: &Quiet) -> ExitCode {
    let notifier = Notifier::from_env();
    let (mut terminate, mut interrupt, mut hangup) = match signals() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!("signals cannot be received: {error}");
            return ExitCode::FAILURE;
        }
    };
    let clock = Clock::system();
    let question = kernel::Question::put();
    let Loaded { config, tree, .. } = loaded;
    let mut running = match run::start(config, clock.clone(), question.noted(&clock)).await {
        Ok(running) => running,
        Err(error) => {
            tracing::error!("not started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut files = Files { main: file.to_owned(), tree };
    notifier.tell("READY=1");
    let vitals = running.vitals.clone();
    let held_back = running.metrics.held_back.clone();
    let tell = |lines| held_back.inner().store(lines, Ordering::Relaxed);
    let mut summaries = pin!(quiet.summaries(tell));
    let mut kernel = pin!(kernel::ask(clock));
    let mut attend = pin!(service::attend(&notifier, &vitals));
    let mut healthy = true;
    loop {
        let (actor, answer) = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => ("signal".to_owned(), None),
            // These have no end.
            () = &mut attend => continue,
            () = &mut kernel => continue,
            () = &mut summaries => continue,
            event = running.event() => match event {
                Event::Reload(Reload { actor, answer }) => (actor, Some(answer)),
                Event::Failed(problem) => {
                    tracing::error!("stopping: {problem}");
                    healthy = false;
                    break;
                }
            }
        };
        tokio::select! {
            reloaded = files.reload(&mut running, &notifier, &actor) => {
                // Whoever asked may have given up waiting.
                let _ = answer.map(|answer| answer.send(reloaded));
            }
            // A reload that takes long is no reason to be started again, nor to wait with the stop.
            () = &mut attend => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping");
    // The last sign of life: the drain has a deadline of its own.
    notifier.tell("STOPPING=1\nSTATUS=committing and publishing what is left\nWATCHDOG=1");
    let drained = running.stop(run::DRAIN).await;
    match (healthy, drained.closed) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(EXIT_NOT_STORED),
        (false, _) => ExitCode::FAILURE,
    }
}

type Signals = (tokio::signal::unix::Signal, tokio::signal::unix::Signal, tokio::signal::unix::Signal);

fn signals() -> std::io::Result<Signals> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?))
}
