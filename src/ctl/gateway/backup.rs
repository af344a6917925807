//! `calibctl backup`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hyper::{HeaderMap, Method};
use serde::Serialize;

use super::client::{Question, begin, block_on, piece};
use super::show::count;
use super::{Asked, Door};
use crate::ctl::files::Beside;
use crate::ctl::output::{Failure, print_json, print_lines};
use crate::ctl::progress::Progress;
use crate::domain::digest::{Digest, Hasher};
use crate::wire::control::AuditHead;
use crate::wire::control::backup::{AUDIT_HEAD, AUDIT_ROWS, SHA256};

const EXAMPLES: &str = "examples:
  sudo calibctl backup /mnt/usb/gw-1-ledger.db
  sudo calibctl backup --force ledger.db --json

The copy is made while calibd runs, checked (pages, audit chain, every envelope), and written whole or not at
all, for its owner only. It holds no private key: keep gateway.key.pem of store.dir, the configuration and the
files that it names, too. `calibctl restore FILE` brings it back.";

/// How long the copy may take to be made and checked.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct BackupArgs {
    /// The file to write.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replaces a file that is there already.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    asked: Asked,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    bytes: u64,
    sha256: Digest,
    audit: AuditHead,
}

pub fn run(args: &BackupArgs) -> Result<ExitCode, Failure> {
    let written = fetch(args)?;
    if args.asked.json {
        print_json(&written)?;
    } else {
        let (bytes, rows) = (count(written.bytes), count(written.audit.rows));
        let (name, sha256, head) = (args.file.display(), written.sha256, written.audit.head);
        print_lines(&format!(
            "{name}: {bytes} bytes, {rows} audit rows, checked\nsha256 {sha256}\naudit  {head}\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(args: &BackupArgs) -> Result<Written, Failure> {
    let mut out = Beside::begin(&args.file, 0o600, args.force)?;
    let question =
        Question::new(&args.asked, Door::Admin, Method::GET, "/v1/backup", String::new()).patient(PATIENCE);
    let socket = args.asked.socket(Door::Admin);
    let (bytes, sha256, audit) = block_on(async {
        let mut answer = begin(question).await?;
        let promised = Promised::of(answer.headers())?;
        let (mut hasher, mut bytes, mut progress) = (Hasher::default(), 0, Progress::new("writing"));
        while let Some(piece) = piece(answer.body_mut(), socket).await? {
            out.file.write_all(&piece).map_err(|fault| out.fault(&fault))?;
            hasher.update(&piece);
            bytes += piece.len() as u64;
            progress.of(bytes, promised.length);
        }
        if hasher.finish() != promised.sha256 {
            return Err(Failure::refused("what came is not what calibd sent; try again"));
        }
        Ok((bytes, promised.sha256, promised.audit))
    })?;
    out.end()?;
    Ok(Written { file: args.file.clone(), bytes, sha256, audit })
}

/// What the answer's head says of its body.
struct Promised {
    length: u64,
    sha256: Digest,
    audit: AuditHead,
}

impl Promised {
    fn of(headers: &HeaderMap) -> Result<Promised, Failure> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let found = || {
            Some(Promised {
                length: text("content-length")?.parse().ok()?,
                sha256: Digest::parse(text(SHA256)?).ok()?,
                audit: AuditHead {
                    rows: text(AUDIT_ROWS)?.parse().ok()?,
                    head: Digest::parse(text(AUDIT_HEAD)?).ok()?,
                },
            })
        };
        found().ok_or_else(|| Failure::refused("the answer of calibd does not say what it holds"))
    }
}
