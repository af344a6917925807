//! `calibctl reload`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hyper::Method;

use super::client::{self, Question};
use super::show::clean;
use super::{Asked, Door};
use crate::ctl::output::{Failure, note, print_json, print_lines};
use crate::wire::control::Reloaded;

const EXAMPLES: &str = "examples:
  calibd check && sudo calibctl reload

What identifies the gateway, its paths and [store] need a restart instead.
Exit codes: 0 taken over, 1 refused: the configuration before stays in force";

/// Longer than the daemon takes at most: what is refused here in vain would be taken over all the same.
const PATIENCE: Duration = Duration::from_secs(50);

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ReloadArgs {
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &ReloadArgs) -> Result<ExitCode, Failure> {
    let question = Question::new(&args.asked, Door::Admin, Method::POST, "/v1/reload", String::new());
    let reloaded: Reloaded = client::answer(question.patient(PATIENCE))?;
    if args.asked.json {
        print_json(&reloaded)?;
    } else {
        show(&reloaded)?;
    }
    Ok(if reloaded.applied { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn show(reloaded: &Reloaded) -> Result<(), Failure> {
    for warning in &reloaded.warnings {
        note(&format!("warning: {}", clean(warning)));
    }
    if !reloaded.applied {
        reloaded.faults.iter().for_each(|fault| note(&clean(fault)));
        note("error: refused; the configuration before stays in force");
        return Ok(());
    }
    let text: String = reloaded.changes.iter().map(|change| format!("{}\n", clean(change))).collect();
    print_lines(&text)?;
    note(match reloaded.changes.len() {
        0 => "nothing has changed",
        _ => "taken over",
    });
    Ok(())
}
