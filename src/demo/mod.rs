//! `calibd demo`: the whole way on one machine, with real data and nothing else set up.
//!
//! This process is the operator and the observer: it signs, pushes and counts what arrives. A broker and
//! `calibd` itself run as children of it; every reading and every verdict shown was made by them.

pub mod alerts;
pub mod args;
pub mod broker;
pub mod children;
pub mod dataset;
pub mod error;
pub mod fleet;
pub mod messages;
pub mod operator;
pub mod reach;
pub mod sensor;
pub mod site;
pub mod story;
pub mod table;
pub mod tally;
pub mod visit;
pub mod voice;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use args::{Arguments, Command};
use children::{Children, Gateway};
use error::DemoError;
use site::Site;
use story::Story;
use voice::{Tone, Voice};

use crate::ctl;

/// How long the children may take to end.
const FAREWELL: Duration = Duration::from_secs(15);

/// Runs `calibd demo` with the arguments of the process.
pub fn main() -> ExitCode {
    match Command::parse() {
        Command::Demo(arguments) => run(&arguments),
        Command::DemoBroker(arguments) => broker::run(&arguments),
        Command::DemoCalibctl(arguments) => ctl::run(arguments.words),
    }
}

/// Runs the demo. Exit code 0 if everything was as it should be, 1 if not, 2 for a directory in use.
fn run(arguments: &Arguments) -> ExitCode {
    let voice = Voice::new();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            voice.complain(&format!("the asynchronous runtime cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(perform(arguments, &voice)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.exit_code()),
    }
}

async fn perform(arguments: &Arguments, voice: &Voice) -> Result<(), DemoError> {
    let site = Site::create(arguments.data_dir.as_deref())
        .inspect_err(|error| voice.complain(&error.to_string()))?;
    let mut children = Children::default();
    let told = tokio::select! {
        told = Story::new(&site, arguments.lines_per_second(), voice).tell(&mut children) => told,
        interrupted = interruption() => Err(interrupted),
    };
    match &told {
        Ok(()) => {}
        Err(DemoError::Interrupted) => voice.says(Tone::Step, "interrupted: what was started is stopped"),
        Err(error) => {
            voice.complain(&error.to_string());
            if let Some(status) = children.gateway.as_mut().and_then(Gateway::ended) {
                voice.complain(&format!("calibd ended by itself: {status}"));
            }
            site.show_log(voice);
            voice.complain(&format!("the log and all else is in {}", site.keep().display()));
        }
    }
    // A second interruption does not wait: what still runs then is killed with its handle.
    tokio::select! {
        () = children.end(FAREWELL) => {}
        _ = interruption() => {}
    }
    told
}

async fn interruption() -> DemoError {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        // Without handlers the signals end the process as they always did.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    DemoError::Interrupted
}
