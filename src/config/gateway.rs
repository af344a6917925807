//! `[gateway]`, `[http]` and `[control]`: who this gateway is and where it can be reached locally.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::reader::Section;
use crate::domain::id::Id;

/// Sensors whose values are metrics of their own, unless said otherwise and at most.
const USUAL_SENSORS: usize = 200;
const MOST_SENSORS: i64 = 100_000;

/// Who this gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Its identifier, unique in the fleet.
    pub id: Id,
    /// The fleet it belongs to.
    pub fleet: Id,
    /// Groups whose `down/` topics it listens to; they route and grant nothing.
    pub groups: Vec<Id>,
    /// Whether the clock is believed before it has been synchronised, because a good battery-backed one sets it.
    pub rtc_good: bool,
}

/// Where metrics and the health are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Sensors whose values are metrics of their own, at most.
    pub max_sensors: usize,
}

/// Where the control sockets stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlConfig {
    /// The directory.
    pub dir: PathBuf,
    /// Whether somebody chose it: calibd then does not start without it.
    pub chosen: bool,
}

/// Reads `[gateway]`.
pub fn read_gateway(root: &mut Section<'_>) -> Option<GatewayConfig> {
    let mut section = root.required("gateway", "[gateway]").table("gateway")?;
    let id = section.required("id", "id = \"gw-1\"").id("id");
    let fleet = section.required("fleet", "fleet = \"plant-7\"").id("fleet");
    let groups = groups(&mut section);
    let rtc_good = section.boolean("rtc_good").unwrap_or(false);
    Some(GatewayConfig { id: id?, fleet: fleet?, groups, rtc_good })
}

fn groups(section: &mut Section<'_>) -> Vec<Id> {
    let mut groups = Vec::new();
    for item in section.list("groups").unwrap_or_default() {
        let Some(id) = item.id() else { continue };
        if groups.contains(&id) {
            item.fault(format!("`{id}` is listed twice"), "keep one of them");
        }
        groups.push(id);
    }
    groups
}

/// Reads `[http]`; absent means that nothing is served.
pub fn read_http(root: &mut Section<'_>) -> Option<HttpConfig> {
    let mut section = root.table("http")?;
    let max_sensors = section.integer("max_sensors", 0..=MOST_SENSORS);
    let text = section.required("listen", "listen = \"127.0.0.1:9110\"").string("listen")?;
    let Ok(listen) = text.parse::<SocketAddr>() else {
        section.fault(
            "listen",
            format!("`{text}` is not an address with a port"),
            "write an IP address and a port, like \"127.0.0.1:9110\" or \"[::1]:9110\"",
        );
        return None;
    };
    if !listen.ip().is_loopback() {
        let problem = format!("{listen} can be reached from the network, without encryption or login");
        section.warn("listen", problem, "listen on 127.0.0.1 unless the network is trusted");
    }
    let max_sensors = max_sensors.and_then(|most| usize::try_from(most).ok()).unwrap_or(USUAL_SENSORS);
    Some(HttpConfig { listen, max_sensors })
}

/// Reads `[control]`.
pub fn read_control(root: &mut Section<'_>) -> ControlConfig {
    let dir = root.table("control").and_then(|mut section| section.path_buf("dir"));
    let chosen = dir.is_some();
    ControlConfig { dir: dir.unwrap_or_else(|| PathBuf::from("/run/calibd")), chosen }
}
