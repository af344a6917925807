//! How the broker is reached: the options that all commands for the fleet have.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::book::Book;
use super::link::{Heard, Link};
use super::said::Text;
use super::topic::{Up, prefix};
use super::trusted::Trust;
use crate::config::broker::parse_url;
use crate::ctl::files;
use crate::ctl::output::{Failure, note};
use crate::ctl::progress::Progress;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::runtime::backoff::full_jitter;
use crate::runtime::clock::system_now;
use crate::runtime::random;
use crate::sync::connect::{Broker, TlsFiles};

/// Gateways whose messages are asked for at a time: what waits for us at the broker stays far below its limits.
const AT_A_TIME: usize = 200;
/// Between two attempts to connect again, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Where the broker is, and whom to believe.
#[derive(Args)]
pub struct Reach {
    /// The broker, such as mqtts://broker.example:8884.
    #[arg(long, value_name = "URL", help_heading = "Broker")]
    broker: String,
    /// The fleet.
    #[arg(long, value_name = "NAME", help_heading = "Broker")]
    fleet: Id,
    /// Certificates of the authority that signed the broker's; in PEM.
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    ca: Option<PathBuf>,
    /// Our certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Broker")]
    cert: Option<PathBuf>,
    /// Its private key, in PEM; not one that signs artifacts.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Broker")]
    key: Option<PathBuf>,
    /// The user name, where the broker asks for one.
    #[arg(long, value_name = "NAME", help_heading = "Broker")]
    username: Option<String>,
    /// The file with the password.
    #[arg(long, value_name = "FILE", requires = "username", help_heading = "Broker")]
    password_file: Option<PathBuf>,
    /// The trust root, this or an earlier one: what gateways say is verified by it, and what they would refuse is not sent.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}

impl Reach {
    /// The fleet.
    pub fn fleet(&self) -> &Id {
        &self.fleet
    }

    /// The broker with the credentials for it.
    fn broker(&self) -> Result<Broker, Failure> {
        let address = parse_url(&self.broker)
            .map_err(|(problem, remedy)| Failure::usage(format!("--broker: {problem}; {remedy}")))?;
        if !address.tls && (self.ca.is_some() || self.cert.is_some()) {
            return Err(Failure::usage(
                "--ca and --cert have no use without encryption; write --broker mqtts://...",
            ));
        }
        let tls = match (&self.ca, address.tls) {
            (Some(ca), true) => {
                Some(TlsFiles { ca: ca.clone(), client: self.cert.clone().zip(self.key.clone()) })
            }
            (None, true) => {
                return Err(Failure::usage("mqtts needs --ca, the authority of the broker's certificate"));
            }
            (_, false) => None,
        };
        Ok(Broker {
            host: address.host,
            port: address.port,
            client_id: format!("calibctl-{:016x}", random::bits()),
            tls,
            login: self.username.clone().map(|name| (name, self.password_file.clone())),
            keep_alive: Duration::from_secs(30),
            session_expiry: Duration::ZERO,
            will: None,
        })
    }

    /// The root that was given.
    fn trust(&self) -> Result<Trust, Failure> {
        let given = self.root.as_deref().map(files::root).transpose()?;
        if let Some((root, _)) = given.as_ref().filter(|(root, _)| root.fleet != self.fleet) {
            let (theirs, ours) = (&root.fleet, &self.fleet);
            return Err(Failure::usage(format!("--root is of fleet {theirs}, --fleet says {ours}")));
        }
        Ok(Trust::new(given))
    }

    /// Connects, and fetches who is there, the roots and the enrolments. Verdicts are kept of the transform `about`.
    pub async fn open(&self, about: Option<Id>) -> Result<Session, Failure> {
        let book = Book::new(self.fleet.clone(), self.trust()?, about);
        let link = Link::connect(&self.broker()?).await?;
        let mut session = Session { link, book, now: system_now() };
        session.fetch(&["up/+/status"]).await?;
        if session.book.trust.root().is_some() {
            session.fetch(&["down/root/+"]).await?;
        }
        session.fetch(&["down/gw/+/enrolment"]).await?;
        Ok(session)
    }
}

/// Connects anew, however long that takes, and says on stderr what is the matter. The waits are spread, for all that
/// follow a fleet lose its broker at once.
pub async fn come_back<T>(mut fault: Failure, connect: impl AsyncFn() -> Result<T, Failure>) -> T {
    let lost = Instant::now();
    loop {
        note(&format!("warning: {}; trying again", fault.message()));
        tokio::time::sleep(full_jitter(lost.elapsed(), FIRST_WAIT, LONGEST_WAIT, random::bits())).await;
        match connect().await {
            Ok(made) => return made,
            Err(next) => fault = next,
        }
    }
}

/// Whoever reads messages into the book; the time judges the keys of orders.
pub type Read<'r> = &'r mut dyn FnMut(&mut Book, &Heard<'_>, Timestamp);

fn into_book(book: &mut Book, heard: &Heard<'_>, now: Timestamp) {
    book.take(heard.topic, heard.payload, now);
}

/// A connection, and what has been read over it.
pub struct Session {
    /// The connection.
    pub link: Link,
    /// What has been read.
    pub book: Book,
    /// When it began.
    pub now: Timestamp,
}

impl Session {
    /// Topics or filters below the fleet's.
    pub fn filters(&self, below: &[&str]) -> Vec<String> {
        let prefix = prefix(&self.book.fleet);
        below.iter().map(|path| format!("{prefix}{path}")).collect()
    }

    /// Fetches what is retained into the book.
    pub async fn fetch(&mut self, below: &[&str]) -> Result<(), Failure> {
        self.fetch_by(below, &mut into_book).await
    }

    /// Fetches what is retained, through `read`.
    pub async fn fetch_by(&mut self, below: &[&str], read: Read<'_>) -> Result<(), Failure> {
        let filters = self.filters(below);
        let (book, now) = (&mut self.book, self.now);
        self.link.fetch(&filters, &mut |heard| read(book, heard, now)).await
    }

    /// Fetches what the gateways that are known say of these.
    pub async fn gateways(&mut self, about: &[Up]) -> Result<(), Failure> {
        self.gateways_by(about, &mut into_book).await
    }

    /// The same, through `read`.
    pub async fn gateways_by(&mut self, about: &[Up], read: Read<'_>) -> Result<(), Failure> {
        let ids: Vec<Id> = self.book.gateways.keys().cloned().collect();
        let mut progress = Progress::new("reading");
        for (number, some) in ids.chunks(AT_A_TIME).enumerate() {
            let filter = |id: &Id, up: Up| {
                let one = if up.is_about_one() { "/+" } else { "" };
                format!("up/{id}/{}{one}", up.name())
            };
            let below: Vec<String> =
                some.iter().flat_map(|id| about.iter().map(move |up| filter(id, *up))).collect();
            let below: Vec<&str> = below.iter().map(String::as_str).collect();
            self.fetch_by(&below, read).await?;
            progress.of(((number + 1) * AT_A_TIME) as u64, ids.len() as u64);
        }
        Ok(())
    }

    /// Says on stderr what was not understood, and what nobody verified.
    pub fn notes(&self) {
        for ignored in self.book.ignored.values() {
            let topics: Vec<&str> = ignored.topics.iter().map(Text::as_str).collect();
            let (count, problem, topics) = (ignored.count, ignored.problem, topics.join(", "));
            note(&format!("warning: {count} messages are left out, {problem}: {topics}"));
        }
        if self.book.trust.root().is_none() {
            note("note: nothing of this is verified: name the trust root with --root");
        }
    }
}
