//! Commands that ask the running daemon.

mod audit;
mod client;
mod readings;
mod sensors;
mod show;
mod status;
mod transforms;
mod watch;

pub use audit::AuditCommand;
pub use readings::ReadingsArgs;
pub use sensors::{SensorArgs, SensorsArgs};
pub use status::StatusArgs;
pub use transforms::TransformCommand;
pub use watch::WatchArgs;

use std::path::PathBuf;

use clap::Args;

/// Where the daemon is, and how its answers are shown.
#[derive(Args)]
pub struct Asked {
    /// The daemon's control socket.
    #[arg(long, value_name = "PATH", default_value = "/run/calibd/control.sock")]
    socket: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

pub mod run {
    //! What each command does.

    pub use super::audit::run as audit;
    pub use super::readings::run as readings;
    pub use super::sensors::{all as sensors, one as sensor};
    pub use super::status::run as status;
    pub use super::transforms::run as transform;
    pub use super::watch::run as watch;
}
