//! `calibctl support-bundle`

mod config;
mod machine;
mod redact;
mod tar;

use std::collections::VecDeque;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::show::{clean, count};
use super::{Asked, client};
use crate::ctl::files::Beside;
use crate::ctl::output::{Failure, print_json, print_lines};
use crate::ctl::progress::Progress;
use crate::domain::audit::AuditRow;
use crate::runtime::clock::Clock;
use crate::wire::control::Audit;

const EXAMPLES: &str = "examples:
  sudo calibctl support-bundle gw-0042.tar
  sudo calibctl support-bundle gw-0042.tar --json | jq .missing

A tar archive for its owner only: status, health, sensors, what is in force, the last 1,000 rows of the audit, metrics,
the configuration, names and sizes of the files in store.dir, the last 2,000 lines of calibd's journal, and what
the machine says of itself. It is made also while calibd does not run; missing.txt says what could not be had.

No private key, no password and no comment of the configuration is in it. Names are: of the gateway, its sensors,
its broker, its files and of who did what. Look through it before you send it: `sudo tar -xf gw-0042.tar`. Made
without sudo, it holds only what you may read yourself.";

/// The newest rows of the audit that are taken along.
const ROWS: usize = 1000;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct BundleArgs {
    /// The archive to write.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replaces a file that is there already.
    #[arg(long)]
    force: bool,
    /// The configuration file of calibd.
    #[arg(long, value_name = "FILE", default_value = "/etc/calibd/calibd.toml")]
    config: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

/// One file of the archive.
#[derive(Serialize)]
struct Entry {
    name: &'static str,
    bytes: usize,
}

/// What could not be had.
#[derive(Serialize)]
struct Missing {
    name: &'static str,
    why: String,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    bytes: u64,
    entries: Vec<Entry>,
    missing: Vec<Missing>,
}

pub fn run(args: &BundleArgs) -> Result<ExitCode, Failure> {
    // Before the work, so that a name that is taken costs no waiting.
    let out = Beside::begin(&args.file, 0o600, args.force)?;
    let clock = Clock::system();
    let bundle = gathered(args, &clock);
    let time = u64::try_from(clock.now().as_micros() / 1_000_000).unwrap_or(0);
    let bytes = write(&out, &bundle, time).map_err(|fault| out.fault(&fault))?;
    out.end()?;
    let entries = bundle.held.iter().map(|(name, bytes)| Entry { name, bytes: bytes.len() }).collect();
    let written = Written { file: args.file.clone(), bytes, entries, missing: bundle.missing };
    match args.asked.json {
        true => print_json(&written)?,
        false => print_lines(&shown(&written))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(written: &Written) -> String {
    let (name, bytes, files) = (written.file.display(), count(written.bytes), written.entries.len());
    let mut text = format!("{name}: {bytes} bytes, {files} files, for its owner only\n");
    for Missing { name, why } in &written.missing {
        text.push_str(&format!("without {name}: {}\n", clean(why)));
    }
    text + "Names of the gateway, its sensors and its broker are in it: look through it before you send it.\n"
}

/// What is found, without what must not leave the gateway.
#[derive(Default)]
struct Bundle {
    held: Vec<(&'static str, Vec<u8>)>,
    missing: Vec<Missing>,
}

impl Bundle {
    fn add(&mut self, name: &'static str, found: Result<Vec<u8>, String>) {
        match found {
            Ok(bytes) => self.held.push((name, redact::text(&String::from_utf8_lossy(&bytes)).into_bytes())),
            Err(why) => self.missing.push(Missing { name, why: redact::text(&why) }),
        }
    }
}

/// What the daemon answers that needs no work.
const ANSWERS: [(&str, &str); 6] = [
    ("status.json", "/v1/status"),
    ("health.json", "/v1/health"),
    ("sensors.json", "/v1/sensors"),
    ("transforms.json", "/v1/transforms"),
    ("alerts.json", "/v1/alerts"),
    ("metrics.txt", "/v1/metrics"),
];

fn gathered(args: &BundleArgs, clock: &Clock) -> Bundle {
    let (mut bundle, mut progress) = (Bundle::default(), Progress::new("collecting"));
    let steps = ANSWERS.len() as u64 + 3;
    bundle.add("about.txt", Ok(machine::about(clock).into_bytes()));
    for (done, (name, path)) in (1..).zip(ANSWERS) {
        let answer = client::get_bytes(&args.asked, path);
        bundle.add(name, answer.map_err(|fault| fault.message().to_owned()));
        progress.of(done, steps);
    }
    bundle.add("audit.json", audit(&args.asked).map_err(|fault| fault.message().to_owned()));
    progress.of(steps - 2, steps);
    let files = config::collected(&args.config);
    let store = config::store_dir(&files).ok_or_else(|| "the configuration names no store.dir".to_owned());
    let listed = |dir: PathBuf| machine::files(&dir).map_err(|fault| format!("{}: {fault}", dir.display()));
    bundle.add("configuration.json", pretty(&files));
    bundle.add("store.txt", store.and_then(listed).map(String::into_bytes));
    progress.of(steps - 1, steps);
    bundle.add("journal.txt", machine::journal());
    bundle
}

/// The newest rows of the audit.
fn audit(asked: &Asked) -> Result<Vec<u8>, Failure> {
    let (mut rows, mut after): (VecDeque<AuditRow>, _) = (VecDeque::new(), Some(0));
    while let Some(from) = after {
        let page: Audit = client::get(asked, &format!("/v1/audit?after={from}&limit=10000"))?;
        rows.extend(page.rows);
        rows.drain(..rows.len().saturating_sub(ROWS));
        after = page.after;
    }
    let page = Audit { rows: rows.into(), after: None };
    let value = serde_json::to_value(&page).map_err(|fault| Failure::refused(fault.to_string()))?;
    pretty(&value).map_err(Failure::refused)
}

fn pretty(value: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec_pretty(value).map_err(|fault| fault.to_string())
}

/// Writes the archive; answers with its bytes.
fn write(out: &Beside, bundle: &Bundle, time: u64) -> std::io::Result<u64> {
    let lines: Vec<String> = bundle.missing.iter().map(|it| format!("{}: {}\n", it.name, it.why)).collect();
    let missing = lines.concat().into_bytes();
    let mut archive = BufWriter::new(&out.file);
    for (name, bytes) in bundle.held.iter().chain([&("missing.txt", missing)]) {
        tar::entry(&mut archive, &format!("calibd-support/{name}"), time, bytes)?;
    }
    tar::end(&mut archive)?;
    archive.flush()?;
    Ok(out.file.metadata()?.len())
}
