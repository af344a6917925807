//! `calibctl restore`

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use clap::Args;
use hyper::Method;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::client::{Question, begin, block_on, whole};
use super::show::{count, time};
use super::{Asked, Door};
use crate::ctl::output::{Failure, print_json, print_lines};
use crate::ctl::progress::Progress;
use crate::wire::control::{Restoring, TransformName};

const EXAMPLES: &str = "examples:
  sudo calibctl restore /mnt/usb/gw-1-ledger.db && sudo systemctl restart calibd

calibd checks the file and says what will change; it takes the ledger's place at the next start. The ledger in
use is kept beside it. Versions below which nothing is accepted, the proven time and sequence numbers do not
fall, whatever the backup says. Works with a broken ledger, too. To think better of it before the restart,
remove ledger-restore.db in store.dir.";

/// How long the file may take to be sent and checked.
const PATIENCE: Duration = Duration::from_secs(1800);
const PIECE: usize = 64 * 1024;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RestoreArgs {
    /// A file that `calibctl backup` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

pub fn run(args: &RestoreArgs) -> Result<ExitCode, Failure> {
    let fault = |fault| Failure::io(&args.file.display().to_string(), &fault);
    let file = File::open(&args.file).map_err(fault)?;
    let length = file.metadata().map_err(fault)?.len();
    let body = Sent { file, length, done: 0, progress: Progress::new("sending") };
    let question = Question::new(&args.asked, Door::Admin, Method::POST, "/v1/restore", body);
    let socket = args.asked.socket(Door::Admin);
    let bytes = block_on(async { whole(begin(question.patient(PATIENCE)).await?, socket).await })?;
    let unreadable = |fault| Failure::refused(format!("the answer of calibd cannot be read: {fault}"));
    let restoring: Restoring = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if args.asked.json {
        print_json(&restoring)?;
    } else {
        print_lines(&text(&restoring))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(restoring: &Restoring) -> String {
    let Restoring { audit, last, root_version, transforms, present, floors, changes } = restoring;
    let last = last.map_or(String::new(), |last| format!(", the last of {}", time(last)));
    let root = root_version.map_or("none".to_owned(), |version| format!("version {version}"));
    let now = present.map_or("broken".to_owned(), |now| format!("{} audit rows", count(now.rows)));
    let mut out = format!("backup   {} audit rows{last}\n", count(audit.rows));
    // Writing to a string cannot fail.
    let _ = writeln!(out, "root     {root}");
    let _ = writeln!(out, "holds    {} transforms", count(*transforms));
    let _ = writeln!(out, "ledger   {now}; it is kept beside the restored one");
    for floor in floors {
        let [epoch, version] = floor.kept;
        let _ = writeln!(out, "kept     nothing of {} below epoch {epoch}, version {version}", floor.id);
    }
    let name = |name: &Option<TransformName>| {
        name.as_ref().map_or("no transform".to_owned(), |name| format!("{} {}", name.id, name.version))
    };
    for change in changes {
        let _ = writeln!(
            out,
            "changes  {}: {} instead of {}",
            change.sensor,
            name(&change.then),
            name(&change.now)
        );
    }
    out + "restart calibd to apply it: systemctl restart calibd\n"
}

/// A file as the body of a request, as long as it was at the beginning.
struct Sent {
    file: File,
    length: u64,
    done: u64,
    progress: Progress,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = usize::try_from(self.length - self.done).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; left];
        // A file that cannot be read on ends the body early, which the daemon notices by its length.
        let read = self.file.read(&mut piece).unwrap_or(0);
        if read == 0 {
            return Poll::Ready(None);
        }
        piece.truncate(read);
        self.done += read as u64;
        let (done, length) = (self.done, self.length);
        self.progress.of(done, length);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.done == self.length
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.done)
    }
}
