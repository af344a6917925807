//! `calibctl instrument`

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{escaped, get, post};
use super::show::{clean, time};
use super::{Asked, Door};
use crate::ctl::output::{Failure, note, print_json, print_lines, print_table};
use crate::domain::sensor::Instrument;
use crate::wire::control::{Instruments, Mount, Mounted, Transform};

const MOUNT_EXAMPLES: &str = "examples:
  calibctl instrument mount co-1 --model alphasense-co-b4 --serial 162742
  calibctl instrument mount co-1 --model alphasense-co-b4 --serial 162742 --element-serial 88 --comment \"repaired\"

From then on this serial number counts instead of the configuration's, until that one is changed: transforms
that are bound to another serial number go out of force, those that are bound to this one come into force again.";

const HISTORY_EXAMPLES: &str = "examples:
  calibctl instrument history co-1
  calibctl instrument history co-1 --json | jq '.mounts[-1].instrument.serial'";

#[derive(Subcommand)]
#[command(after_help = MOUNT_EXAMPLES)]
pub enum InstrumentCommand {
    /// Notes that another instrument is mounted at a sensor's position.
    Mount(MountArgs),
    /// Shows the instruments that were mounted, from the oldest.
    History(HistoryArgs),
}

#[derive(Args)]
#[command(after_help = MOUNT_EXAMPLES)]
pub struct MountArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    /// The instrument's model.
    #[arg(long)]
    model: String,
    /// Its serial number.
    #[arg(long)]
    serial: String,
    /// Who made it.
    #[arg(long)]
    make: Option<String>,
    /// Serial number of the sensing element in it.
    #[arg(long, value_name = "SERIAL")]
    element_serial: Option<String>,
    /// Version of its firmware.
    #[arg(long, value_name = "VERSION")]
    firmware: Option<String>,
    /// Whatever else is to be remembered.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
#[command(after_help = HISTORY_EXAMPLES)]
pub struct HistoryArgs {
    /// The sensor.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(command: InstrumentCommand) -> Result<ExitCode, Failure> {
    match command {
        InstrumentCommand::Mount(args) => mount(args)?,
        InstrumentCommand::History(args) => history(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn mount(args: MountArgs) -> Result<(), Failure> {
    let MountArgs { id, model, serial, make, element_serial, firmware, comment, asked } = args;
    let instrument = Instrument { model, serial, make, element_serial, firmware, comment };
    let path = format!("/v1/sensors/{}/instrument", escaped(&id));
    let body = serde_json::json!(instrument).to_string();
    let mounted: Mounted = post(&asked, Door::Maintenance, &path, body)?;
    if asked.json { print_json(&mounted) } else { print_lines(&told(&mounted)) }
}

fn told(mounted: &Mounted) -> String {
    let Instrument { model, serial, .. } = &mounted.mount.instrument;
    let name = |transform: &Transform| format!("{} {}", transform.id, transform.version);
    let effect = match (&mounted.before, &mounted.transform) {
        (None, None) => "no transform is in force".to_owned(),
        (Some(gone), None) => format!("{} is for another instrument: readings go out raw now", name(gone)),
        (Some(before), Some(now)) if before.digest == now.digest => format!("{} stays in force", name(now)),
        (_, Some(now)) => format!("{} is in force now", name(now)),
    };
    format!("{}: {} {} is mounted; {effect}\n", mounted.sensor, clean(model), clean(serial))
}

fn history(args: &HistoryArgs) -> Result<(), Failure> {
    let found: Instruments = get(&args.asked, &format!("/v1/sensors/{}/instruments", escaped(&args.id)))?;
    if args.asked.json {
        return print_json(&found);
    }
    if found.mounts.is_empty() {
        let serial = found.serial.as_deref().map_or("none".to_owned(), clean);
        note(&format!("nothing was mounted yet; the configuration's serial number is {serial}"));
        return Ok(());
    }
    let head = ["MOUNTED", "MODEL", "SERIAL", "BY", "MORE"].map(str::to_owned).to_vec();
    print_table(&[head].into_iter().chain(found.mounts.iter().map(row)).collect::<Vec<_>>(), 0)
}

fn row(mount: &Mount) -> Vec<String> {
    let Instrument { model, serial, make, element_serial, firmware, comment } = &mount.instrument;
    let more = [("make", make), ("element", element_serial), ("firmware", firmware), ("comment", comment)];
    let more = more.iter().filter_map(|(name, value)| Some(format!("{name} {}", clean(value.as_ref()?))));
    let more = more.collect::<Vec<_>>().join(", ");
    vec![time(mount.mounted), clean(model), clean(serial), clean(&mount.actor), more]
}
