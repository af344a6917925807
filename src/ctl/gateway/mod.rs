//! Commands that ask the running daemon.

mod alerts;
mod audit;
mod backup;
mod bundle;
mod certificate;
mod client;
mod drift;
mod events;
mod instrument;
mod maintenance;
mod priors;
mod readings;
mod recalibrate;
mod reference;
mod reload;
mod reprocess;
mod restore;
mod sensors;
mod show;
mod sources;
mod standard;
mod status;
mod transforms;
mod watch;

pub use alerts::AlertsArgs;
pub use audit::AuditCommand;
pub use backup::BackupArgs;
pub use bundle::BundleArgs;
pub use certificate::CertificateCommand;
pub use client::block_on;
pub use drift::DriftArgs;
pub use instrument::InstrumentCommand;
pub use maintenance::MaintenanceCommand;
pub use priors::prior;
pub use readings::ReadingsArgs;
pub use recalibrate::RecalibrateArgs;
pub use reference::ReferenceCommand;
pub use reload::ReloadArgs;
pub use reprocess::ReprocessArgs;
pub use restore::RestoreArgs;
pub use sensors::{SensorArgs, SensorsArgs};
pub use sources::SourceCommand;
pub use standard::StandardCommand;
pub use status::StatusArgs;
pub use transforms::TransformCommand;
pub use watch::WatchArgs;

use std::path::{Path, PathBuf};

use clap::Args;

/// What a command needs to be allowed to do, and so which socket it uses.
#[derive(Clone, Copy)]
enum Door {
    /// Read.
    Control,
    /// Record what a technician did.
    Maintenance,
    /// Change the gateway.
    Admin,
}

impl Door {
    /// The socket where a package puts it.
    fn usual(self) -> &'static str {
        match self {
            Door::Control => "/run/calibd/control.sock",
            Door::Maintenance => "/run/calibd/maintenance.sock",
            Door::Admin => "/run/calibd/admin.sock",
        }
    }

    /// What somebody does who may not use it.
    fn key(self) -> &'static str {
        match self {
            Door::Control => "join the group calibd or use sudo",
            Door::Maintenance => "join the group calibd-maintenance or use sudo",
            Door::Admin => "use sudo",
        }
    }
}

/// Where the daemon is, and how its answers are shown.
#[derive(Args)]
pub struct Asked {
    /// Another socket of the daemon than the usual one in /run/calibd.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl Asked {
    fn socket(&self, door: Door) -> &Path {
        self.socket.as_deref().unwrap_or(Path::new(door.usual()))
    }
}

pub mod run {
    //! What each command does.

    pub use super::alerts::run as alerts;
    pub use super::audit::run as audit;
    pub use super::backup::run as backup;
    pub use super::bundle::run as bundle;
    pub use super::certificate::run as certificate;
    pub use super::drift::run as drift;
    pub use super::instrument::run as instrument;
    pub use super::maintenance::run as maintenance;
    pub use super::readings::run as readings;
    pub use super::recalibrate::run as recalibrate;
    pub use super::reference::run as reference;
    pub use super::reload::run as reload;
    pub use super::reprocess::run as reprocess;
    pub use super::restore::run as restore;
    pub use super::sensors::{all as sensors, one as sensor};
    pub use super::sources::run as source;
    pub use super::standard::run as standard;
    pub use super::status::run as status;
    pub use super::transforms::run as transform;
    pub use super::watch::run as watch;
}
