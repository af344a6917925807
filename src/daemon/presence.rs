//! What the gateway says of itself: that it is there, and how it is.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::domain::trust::root::InstalledRoot;
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::sync::link::Link;
use crate::wire::message::{ClockState, Status, StoreStatus};

/// What the status messages of one run have in common.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Where the status stands.
    pub topic: String,
    pub started: Timestamp,
    pub incarnation: Arc<str>,
    pub root: watch::Receiver<Option<InstalledRoot>>,
    pub time: TimeCheck,
    pub clock: Clock,
}

impl Presence {
    /// Version of the installed trust root.
    pub fn root_version(&self) -> Option<u64> {
        self.root.borrow().map(|root| root.version)
    }

    /// How far the clock is believed now.
    pub fn clock_state(&self) -> ClockState {
        self.time.of(&self.clock)
    }

    /// The status now; what the store holds is not in it yet.
    pub fn status(&self, online: bool) -> Status {
        Status {
            online,
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            clock: self.clock_state(),
            root_version: self.root_version(),
            incarnation: self.incarnation.clone(),
            store: StoreStatus { backlog: 0, oldest: None },
        }
    }

    /// What the broker publishes when we vanish: topic and payload.
    pub fn will(&self) -> (String, Vec<u8>) {
        (self.topic.clone(), self.payload(false))
    }

    /// Says at the broker whether we are there.
    pub fn tell(&self, link: &Link, online: bool) {
        link.retain(self.topic.clone(), self.payload(online));
    }

    fn payload(&self, online: bool) -> Vec<u8> {
        // Flat structs of texts and numbers always serialise.
        serde_json::to_vec(&self.status(online)).unwrap_or_default()
    }
}

/// Below which the gateway's own messages are.
pub fn up_branch(config: &Config) -> String {
    format!("calibd/1/{}/up/{}", config.gateway.fleet, config.gateway.id)
}

/// The topic of one of the gateway's own messages.
pub fn up_topic(config: &Config, name: &str) -> String {
    format!("{}/{name}", up_branch(config))
}
