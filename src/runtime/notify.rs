//! Tells the service manager how the process is: `sd_notify`, as in systemd's `sd_notify(3)`.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A way to the service manager; without one everything told is dropped.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The service manager that the environment names, if it names one.
    pub fn from_env() -> Notifier {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Notifier::default() };
        let of = |name: &str| env::var(name).ok();
        let watchdog = watchdog(of("WATCHDOG_USEC"), of("WATCHDOG_PID"), std::process::id());
        match connect(&name) {
            Ok(socket) => Notifier { socket: Some(socket), watchdog },
            Err(error) => {
                tracing::warn!("the service manager cannot be told anything: NOTIFY_SOCKET: {error}");
                Notifier::default()
            }
        }
    }

    /// The longest time between two signs of life; `None`: nobody waits for them.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Whether there is anybody to tell.
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// Tells that the configuration is read again; `READY=1` says that it is done.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // systemd tells by the time which of several reloads this is.
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// Tells assignments, one a line, such as `READY=1`.
    pub fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            tracing::warn!("the service manager was not told `{}`: {error}", state.escape_debug());
        }
    }
}

/// A datagram socket connected to `name`: a path, or after an `@` a name of Linux's abstract namespace.
///
/// It never blocks: a service manager that does not read must not stop the readings.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The watchdog's time in `WATCHDOG_USEC`, where `WATCHDOG_PID` is absent or this process.
fn watchdog(micros: Option<String>, pid: Option<String>, own: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_watchdog_is_ours_only_where_it_says_so() {
        let minute = Some(Duration::from_secs(60));
        assert_eq!(watchdog(text("60000000"), None, 7), minute);
        assert_eq!(watchdog(text("60000000"), text("7"), 7), minute);
        assert_eq!(watchdog(text("60000000"), text("8"), 7), None);
        for nonsense in ["", "0", "-1", "soon"] {
            assert_eq!(watchdog(text(nonsense), None, 7), None, "{nonsense}");
        }
        assert_eq!(watchdog(None, text("7"), 7), None);
    }

    #[test]
    fn abstract_sockets_and_paths_are_reached() {
        let name = format!("calibd-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listeners = [UnixDatagram::bind_addr(&address).unwrap(), UnixDatagram::bind(&path).unwrap()];
        for (listener, name) in listeners.iter().zip([OsStr::new(&format!("@{name}")), path.as_os_str()]) {
            let notifier = Notifier { socket: Some(connect(name).unwrap()), watchdog: None };
            notifier.tell("READY=1");
            let mut buffer = [0; 32];
            let length = listener.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1");
        }
    }

    #[test]
    fn a_manager_that_does_not_read_blocks_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let _listener = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier { socket: Some(connect(path.as_os_str()).unwrap()), watchdog: None };
        (0..5000).for_each(|_| notifier.tell("WATCHDOG=1"));
    }
}
