//! What the service manager is told: ready, alive, how it goes, stopping.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use calibd::runtime::clock::Clock;

use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UPLINK};
use crate::support::wait::PATIENCE;

/// A part that is silent for longer is stuck, where the watchdog's time is this short.
const SILENCE: Duration = Duration::from_secs(6);

/// The service manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &SocketAddr) -> Manager {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager(socket)
    }

    /// The next message.
    fn hears(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// The first message that holds `text`.
    fn hears_of(&self, text: &str) -> String {
        let clock = Clock::system();
        loop {
            let message = self.hears();
            if message.contains(text) {
                return message;
            }
            assert!(clock.monotonic() < PATIENCE, "in vain for {text}; the last was {message}");
        }
    }
}

#[test]
fn systemd_hears_of_the_start_the_life_and_the_stop() {
    let mut broker = Broker::start();
    let gateway = Gateway::new().linked_to(&broker).with(UPLINK);
    let path = gateway.path("notify");
    let manager = Manager::at(&SocketAddr::from_pathname(&path).unwrap());
    let path = path.to_str().unwrap();
    let mut daemon = gateway.start_with(&[("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "600000")]);
    assert_eq!(manager.hears(), "READY=1");
    manager.hears_of("link up, backlog 0");
    let clock = Clock::system();
    for _ in 0..5 {
        let message = manager.hears();
        assert_eq!(message, "STATUS=0 sensors, 0 readings/s, link up, backlog 0\nWATCHDOG=1");
    }
    let took = clock.monotonic();
    assert!((Duration::from_millis(1000)..Duration::from_secs(3)).contains(&took), "five in {took:?}");
    // A broker that is gone, and longer than a part may be silent, is no reason to be started again.
    broker.stop();
    manager.hears_of("link down");
    let clock = Clock::system();
    while clock.monotonic() < SILENCE {
        assert_eq!(manager.hears(), "STATUS=0 sensors, 0 readings/s, link down, backlog 0\nWATCHDOG=1");
    }
    daemon.process.terminate();
    let last = manager.hears_of("STOPPING=1");
    assert!(last.ends_with("\nWATCHDOG=1"), "{last}");
    assert!(daemon.process.ended().success());
}

#[test]
fn systemd_hears_of_a_reload_and_of_its_end() {
    let gateway = Gateway::new();
    let path = gateway.path("notify");
    let manager = Manager::at(&SocketAddr::from_pathname(&path).unwrap());
    let mut daemon = gateway.start_with(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    manager.hears_of("STATUS=");
    gateway.rewrite("no configuration");
    daemon.process.signal("HUP");
    let message = manager.hears_of("RELOADING=1");
    let micros = message.split_once("\nMONOTONIC_USEC=").unwrap().1;
    assert!(micros.parse::<u64>().unwrap() > 0);
    assert_eq!(manager.hears(), "READY=1");
    daemon.says("the one before stays in force");
    assert!(daemon.process.stop().success());
}

#[test]
fn an_abstract_socket_is_told_without_a_watchdog() {
    let name = format!("calibd-it-{}", std::process::id());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let gateway = Gateway::new();
    let mut daemon = gateway.start_with(&[("NOTIFY_SOCKET", &format!("@{name}"))]);
    assert_eq!(manager.hears(), "READY=1");
    manager.hears_of("STATUS=0 sensors, 0 readings/s, local only");
    assert!(daemon.process.stop().success());
    manager.hears_of("STOPPING=1");
}

#[test]
fn a_socket_that_nobody_holds_is_no_reason_not_to_work() {
    let gateway = Gateway::new();
    let mut daemon = gateway.start_with(&[("NOTIFY_SOCKET", "/nonexistent/notify")]);
    daemon.says("NOTIFY_SOCKET");
    daemon.says("started: gateway gw-1");
    assert!(daemon.process.stop().success());
}
