//! `calibctl transform install`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::{Asked, Door, client};
use super::answered;
use crate::ctl::files;
use crate::ctl::output::Failure;
use crate::domain::transform::artifact::Transform;

const EXAMPLES: &str = "examples:
  calibctl sign co-7.json --key fleet.key.pem -o co-7.dsse.json
  sudo calibctl transform install co-7.dsse.json

The gateway judges it exactly as one that comes from the broker, but what it refuses
does not wait there: install it again when its time has come.
exit codes: 0 accepted or in force already, 1 refused";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct InstallArgs {
    /// A signed transform; `-` is stdin.
    file: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &InstallArgs) -> Result<ExitCode, Failure> {
    let name = args.file.display();
    let bytes = files::read(&args.file)?;
    if Transform::parse(&bytes).is_ok() {
        return Err(Failure::refused(format!("{name}: not signed; sign it with `calibctl sign {name}`")));
    }
    let no_text = |_| Failure::refused(format!("{name}: no signed transform: not a text"));
    let envelope = String::from_utf8(bytes).map_err(no_text)?;
    answered(&client::post(&args.asked, Door::Admin, "/v1/transforms", envelope)?, args.asked.json)
}
