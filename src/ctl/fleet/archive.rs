//! `calibctl fleet archive`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::book::{Book, Ignored};
use super::ignored;
use super::link::Heard;
use super::reach::Reach;
use super::said::Text;
use super::topic::{About, Up};
use crate::ctl::files::Beside;
use crate::ctl::gateway::block_on;
use crate::ctl::output::{Failure, note, print_json, print_lines};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::domain::trust::envelope::Envelope;

const EXAMPLES: &str = "examples:
  calibctl fleet archive /srv/fleet/plant-7 --root root-1.json --broker mqtts://broker.example:8884 --fleet plant-7 \\
      --ca gateways-ca.pem --cert reader.pem --key reader.key

Roots, enrolments, transforms, proposals, orders, manifests, priors and checkpoints are named by their digests too, so that earlier ones stay; of
states, metrics and alerts the last one is kept. What is there already is not written again, and nothing is ever deleted. With --root, which is best
the fleet's first one, signatures are verified: exit code 1 if one is not good.";

/// Digits of a digest in a file's name.
const DIGITS: usize = 16;
/// Topics that are named of those that are not verified.
const NAMED: usize = 20;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ArchiveArgs {
    /// The folder; it is made if it is not there.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    reach: Reach,
}

/// What was done.
#[derive(Debug, Default)]
struct Archive {
    written: u64,
    unchanged: u64,
    unverified: u64,
    topics: Vec<Text>,
    /// The first fault; nothing is written after it.
    fault: Option<Failure>,
}

#[derive(Serialize)]
struct Report<'a> {
    written: u64,
    unchanged: u64,
    /// Signed messages whose signature is not good; null: no root was given.
    unverified: Option<u64>,
    unverified_topics: &'a [Text],
    ignored: Vec<&'a Ignored>,
}

pub fn run(args: &ArchiveArgs) -> Result<ExitCode, Failure> {
    let mut archive = Archive::default();
    block_on(async {
        let mut session = args.reach.open(None).await?;
        // What is fetched below is counted once.
        session.book.ignored = BTreeMap::new();
        let mut read = |book: &mut Book, heard: &Heard<'_>, now: Timestamp| {
            archive.take(&args.dir, book, heard, now);
        };
        session.fetch_by(&["down/#"], &mut read).await?;
        let about = [Up::Status, Up::Reported, Up::Metrics, Up::Alert, Up::Checkpoint, Up::Proposal];
        session.gateways_by(&about, &mut read).await?;
        if let Some(fault) = archive.fault.take() {
            return Err(fault);
        }
        let verifies = session.book.trust.root().is_some();
        let Archive { written, unchanged, unverified, topics, .. } = &archive;
        if args.reach.json {
            print_json(&Report {
                written: *written,
                unchanged: *unchanged,
                unverified: verifies.then_some(*unverified),
                unverified_topics: if verifies { topics } else { &[] },
                ignored: ignored(&session),
            })?;
        } else {
            print_lines(&format!("{written} files written, {unchanged} unchanged\n"))?;
            if verifies && *unverified > 0 {
                let topics: Vec<&str> = topics.iter().map(Text::as_str).collect();
                note(&format!("warning: {unverified} signatures are not good: {}", topics.join(", ")));
            }
            session.notes();
        }
        session.link.leave().await;
        let good = !verifies || (*unverified == 0 && session.book.ignored.is_empty());
        Ok(ExitCode::from(u8::from(!good)))
    })
}

impl Archive {
    fn take(&mut self, dir: &Path, book: &mut Book, heard: &Heard<'_>, now: Timestamp) {
        let before: u64 = book.ignored.values().map(|it| it.count).sum();
        book.take(heard.topic, heard.payload, now);
        let after: u64 = book.ignored.values().map(|it| it.count).sum();
        let topic = String::from_utf8_lossy(heard.topic);
        let Some(about) = About::parse(&book.fleet, &topic) else { return };
        if after > before || heard.payload.is_empty() || self.fault.is_some() {
            return;
        }
        let signed = signed(&about);
        let digest = signed.and_then(|_| Envelope::parse(heard.payload).ok()).map(|it| it.digest());
        if signed.is_some() && digest.is_none() {
            book.ignore("unreadable", &topic);
            return;
        }
        let good = signed.is_none_or(|kind| is_good(book, &about, kind, heard.payload, digest, now));
        if !good {
            self.unverified += 1;
            let topic = Text::new(&topic);
            if self.topics.len() < NAMED && !self.topics.contains(&topic) {
                self.topics.push(topic);
            }
        }
        match keep(&dir.join(name(&about, digest)), heard.payload, good || is_replaced(&about)) {
            Ok(true) => self.written += 1,
            Ok(false) => self.unchanged += 1,
            Err(fault) => self.fault = Some(fault),
        }
    }
}

/// The short type name of what is signed.
fn signed(about: &About) -> Option<&'static str> {
    match about {
        About::Root(_) => Some("root"),
        About::Enrolment(_) => Some("enrolment"),
        About::Transform(..) => Some("transform"),
        About::Order(..) => Some("order"),
        About::Manifest(_) => Some("manifest"),
        About::Command(_) => Some("command"),
        About::Prior(_) => Some("prior"),
        About::Up(_, Up::Proposal, _) => Some("transform"),
        About::Up(_, up, _) => up.is_signed().then(|| up.name()),
    }
}

fn is_good(
    book: &Book,
    about: &About,
    kind: &str,
    payload: &[u8],
    digest: Option<Digest>,
    now: Timestamp,
) -> bool {
    match about {
        About::Root(_) => digest.is_some_and(|digest| book.trust.is_known(digest)),
        About::Enrolment(gateway) => book.trust.enrolment(gateway, payload).is_some_and(|it| it.verified),
        About::Up(_, Up::Proposal, _) => book.is_by_the_fleet(kind, payload, now),
        About::Up(gateway, up, _) => book.open(gateway, *up, payload).is_some_and(|opened| opened.verified),
        _ => book.is_by_the_fleet(kind, payload, now),
    }
}

/// Whether only the last one is kept.
fn is_replaced(about: &About) -> bool {
    matches!(about, About::Up(_, Up::Reported, _))
}

/// The file of a message below the folder. Every level of the topic is an id or a word of ours: it leads nowhere else, and
/// no file is where another one needs a folder, for ids have no dots.
fn name(about: &About, digest: Option<Digest>) -> PathBuf {
    let digest = digest.filter(|_| !is_replaced(about)).map(|digest| digest.to_string());
    let digest = digest.and_then(|text| Some(format!(".{}", text.get(..DIGITS)?))).unwrap_or_default();
    PathBuf::from(format!("{}{digest}.json", about.path()))
}

/// Writes a file unless it is there with the same bytes; says whether it did. What does not verify takes no other's place.
fn keep(path: &Path, bytes: &[u8], replaces: bool) -> Result<bool, Failure> {
    if std::fs::read(path).is_ok_and(|before| !replaces || before == bytes) {
        return Ok(false);
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|fault| Failure::io(&parent.display().to_string(), &fault))?;
    }
    let mut file = Beside::begin(path, 0o644, true)?;
    file.file.write_all(bytes).map_err(|fault| file.fault(&fault))?;
    file.end()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Id;

    #[test]
    fn files_are_named_by_their_topics() {
        let fleet = Id::new("f").unwrap();
        let digest = Digest::of(&[b"x"]);
        let short = &digest.to_string()[..DIGITS];
        let named = |path: &str, digest| {
            let about = About::parse(&fleet, &format!("calibd/1/f/{path}"))?;
            Some(name(&about, digest).display().to_string())
        };
        assert_eq!(
            named("down/all/transform/co", Some(digest)),
            Some(format!("down/all/transform/co.{short}.json"))
        );
        assert_eq!(named("up/g/checkpoint", Some(digest)), Some(format!("up/g/checkpoint.{short}.json")));
        assert_eq!(named("up/g/reported/s", Some(digest)), Some("up/g/reported/s.json".to_owned()));
        assert_eq!(named("up/g/status", None), Some("up/g/status.json".to_owned()));
        assert_eq!(named("up/../status", None), None);
    }

    #[test]
    fn the_same_bytes_are_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("down/root/1.json");
        assert!(keep(&path, b"a", false).unwrap());
        assert!(!keep(&path, b"a", true).unwrap());
        assert!(!keep(&path, b"b", false).unwrap(), "bad signatures take no other's place");
        assert_eq!(std::fs::read(&path).unwrap(), b"a");
        assert!(keep(&path, b"b", true).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"b");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
