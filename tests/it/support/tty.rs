//! A serial port that can be unplugged.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};
use tokio_serial::{SerialPort, SerialStream};

/// A name that is plugged into one pseudo-terminal after the other.
pub struct Tty {
    runtime: Runtime,
    dir: TempDir,
    device: Option<SerialStream>,
}

impl Tty {
    /// A plugged port.
    pub fn new() -> Tty {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut tty = Tty { runtime, dir: tempfile::tempdir().unwrap(), device: None };
        tty.plug();
        tty
    }

    /// The port's name.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("tty")
    }

    /// Plugs a fresh device in.
    pub fn plug(&mut self) {
        let (device, port) = {
            let _inside = self.runtime.enter();
            SerialStream::pair().unwrap()
        };
        let fresh = self.dir.path().join("fresh");
        symlink(port.name().unwrap(), &fresh).unwrap();
        std::fs::rename(fresh, self.path()).unwrap();
        self.device = Some(device);
    }

    /// Takes the device away, and its name before it, as udev does: the system gives the number of this
    /// terminal to the next one that anybody opens.
    pub fn unplug(&mut self) {
        let _inside = self.runtime.enter();
        if self.device.is_some() {
            std::fs::remove_file(self.path()).unwrap();
        }
        self.device = None;
    }

    /// The device says something.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let device = self.device.as_mut().expect("a device that is plugged in");
        self.runtime.block_on(device.write_all(bytes.as_ref())).unwrap();
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.unplug();
    }
}
