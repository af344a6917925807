//! The demo's broker: rumqttd in a process of its own, so that it can be stopped like a real one.
//!
//! rumqttd keeps nothing over a restart: no session, no retained message, and none of what it has confirmed
//! but not yet passed on. A fleet's broker keeps these on disk. So that the demo shows calibd and not this
//! difference, there are two listeners: the operator's is open from the start, the gateways' opens on the
//! word `open`, once the operator has subscribed again, and closes on `close`, so that what was confirmed
//! to a gateway can be passed on before the process is killed.

use std::collections::VecDeque;
use std::io::{BufRead as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::thread::JoinHandle;

use rumqttd::protocol::v5::V5;
use rumqttd::{ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};
use tokio::sync::oneshot;

use super::args::BrokerArguments;

/// The largest packet, well above the largest artifact.
const MAX_PACKET: usize = 1024 * 1024;
const MIB: usize = 1024 * 1024;

/// Serves until standard input ends, which it does with the process that started this one.
pub fn run(arguments: &BrokerArguments) -> ExitCode {
    let router = RouterConfig {
        max_connections: 16,
        max_outgoing_packet_count: 200,
        max_segment_size: MIB,
        max_segment_count: 32,
        ..RouterConfig::default()
    };
    let router = Router::new(0, router).spawn();
    let server = |name: &str, port| Server::new(settings(name, port), router.clone(), V5);
    let operator = Listener::open(server("operator", arguments.operator));
    let mut gateways = VecDeque::new();
    for line in std::io::stdin().lock().lines() {
        match line.as_deref() {
            Ok("open") => gateways.push_back(Listener::open(server("gateways", arguments.gateways))),
            Ok("close") => gateways.drain(..).for_each(Listener::close),
            _ => break,
        }
        // Nobody to answer to means that the end is near anyway.
        let _ = writeln!(std::io::stdout(), "done");
    }
    gateways.drain(..).for_each(Listener::close);
    operator.close();
    ExitCode::SUCCESS
}

fn settings(name: &str, port: u16) -> ServerSettings {
    let connections = ConnectionSettings {
        connection_timeout_ms: 10_000,
        max_payload_size: MAX_PACKET,
        max_inflight_count: 200,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    ServerSettings { name: name.to_owned(), listen, tls: None, next_connection_delay_ms: 1, connections }
}

/// A server with a thread and a runtime of its own: when they end, so do its connections.
struct Listener {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Listener {
    fn open(mut server: Server<V5>) -> Listener {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async {
                tokio::select! {
                    // An error is a port in use: whoever waits for this broker says so.
                    _ = server.start(LinkType::Remote) => {}
                    _ = stopped => {}
                }
            });
        });
        Listener { stop, thread }
    }

    fn close(self) {
        // The thread may have ended by itself.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}
