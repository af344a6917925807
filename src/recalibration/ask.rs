//! What is asked of the sessions.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::domain::id::Id;
use crate::domain::session::Fault;
use crate::domain::trust::key::KeyId;
use crate::store::StoreError;
use crate::wire::control::{
    CertificateOffer, OpenSession, SessionCommand, SessionState, Sessions, WholeSession,
};

/// States that a watcher may be behind before it loses some.
const BEHIND: usize = 64;

/// Where an answer goes.
pub type Answer = oneshot::Sender<Result<WholeSession, Refused>>;

/// Why what was asked was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The session says why.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// What was sent makes no sense.
    #[error("{0}")]
    Bad(String),
    /// The thing asked about is not there.
    #[error("{0}")]
    Unknown(String),
    /// The ledger does not take it: nothing has changed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Another part of calibd does not answer.
    #[error("{0}")]
    Unavailable(&'static str),
}

/// What is to be done with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desire {
    Point,
    Undo,
    Finish,
    Fit,
    Discard,
    Approve,
    Pause,
    Resume,
    Abort,
    End,
}

impl Desire {
    /// All, with their names in paths.
    pub const ALL: [(&'static str, Desire); 10] = [
        ("point", Desire::Point),
        ("undo", Desire::Undo),
        ("finish", Desire::Finish),
        ("fit", Desire::Fit),
        ("discard", Desire::Discard),
        ("approve", Desire::Approve),
        ("pause", Desire::Pause),
        ("resume", Desire::Resume),
        ("abort", Desire::Abort),
        ("end", Desire::End),
    ];
}

/// Something asked of the sessions.
#[derive(Debug)]
pub enum Ask {
    /// Open one, and who does.
    Open(Box<OpenSession>, String, Answer),
    /// Do something with one, and who does.
    Do(Id, Desire, Box<SessionCommand>, String, Answer),
    /// Give what technicians with these keys have to sign for one to end with a certificate.
    Offer(Id, Vec<KeyId>, oneshot::Sender<Result<CertificateOffer, Refused>>),
    /// End one with the certificate that was signed, or that the gateway's key is to sign for whoever says so.
    Certify(Id, Bytes, bool, String, Answer),
    /// Show one that is not over.
    Show(Id, oneshot::Sender<Option<Box<WholeSession>>>),
    /// Show where those are that are not over; and with which key the gateway signs, if that is wanted.
    List(bool, oneshot::Sender<Sessions>),
}

/// Where sessions are asked, and watched. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recalibration {
    /// Where they are asked.
    pub asks: mpsc::Sender<Ask>,
    shown: broadcast::Sender<Arc<SessionState>>,
}

impl Recalibration {
    /// Nobody watches yet; what is asked comes out at the other end.
    pub fn new() -> (Recalibration, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(16);
        (Recalibration { asks, shown: broadcast::Sender::new(BEHIND) }, asked)
    }

    /// Where those sessions are that are not over, and the gateway's key if that is wanted, for which its file is read;
    /// `None`: calibd is ending.
    pub async fn open(&self, key: bool) -> Option<Sessions> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::List(key, answer)).await.ok()?;
        answered.await.ok()
    }

    /// Shows where a session is to everybody who watches; never waits.
    pub(super) fn show(&self, state: impl FnOnce() -> SessionState) {
        if self.shown.receiver_count() > 0 {
            // An error means that the last watcher has just left.
            let _ = self.shown.send(Arc::new(state()));
        }
    }

    /// Watches all sessions from now on.
    pub fn watch(&self) -> broadcast::Receiver<Arc<SessionState>> {
        self.shown.subscribe()
    }
}
