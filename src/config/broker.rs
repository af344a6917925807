//! The connection to an MQTT broker: `[mqtt]`, and MQTT sources that have their own.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Section;

/// How to reach a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Encryption; `None` for plain TCP.
    pub tls: Option<TlsConfig>,
    /// User name and the file with the password.
    pub login: Option<LoginConfig>,
    /// Silence after which a ping is sent; at least 5 s.
    pub keep_alive: Duration,
    /// How long the broker keeps the session of an absent gateway.
    pub session_expiry: Duration,
}

/// Whom to believe, and what to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM file with the certificates of the authorities that may sign the broker's.
    pub ca_file: PathBuf,
    /// The client's certificate and key.
    pub client: Option<ClientCertificate>,
}

/// The files of a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file with the certificate chain.
    pub cert_file: PathBuf,
    /// PEM file with the private key.
    pub key_file: PathBuf,
}

/// User name and the file with the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginConfig {
    /// The user name.
    pub username: String,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
}

impl BrokerConfig {
    /// The files that must be readable, with the keys that name them.
    pub fn files(&self) -> Vec<(&'static str, &PathBuf)> {
        let mut files = Vec::new();
        if let Some(tls) = &self.tls {
            files.push(("ca_file", &tls.ca_file));
            if let Some(client) = &tls.client {
                files.push(("cert_file", &client.cert_file));
                files.push(("key_file", &client.key_file));
            }
        }
        if let Some(path) = self.login.as_ref().and_then(|login| login.password_file.as_ref()) {
            files.push(("password_file", path));
        }
        files
    }
}

/// Scheme, host and port of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether it is encrypted.
    pub tls: bool,
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Reads the keys `url`, `ca_file`, `cert_file`, `key_file`, `username`, `password_file`,
/// `keep_alive` and `session_expiry` of `section`.
pub fn read_broker(section: &mut Section<'_>) -> Option<BrokerConfig> {
    let address = section.required("url", "url = \"mqtts://broker.example:8883\"").string("url");
    let address = address.and_then(|url| match parse_url(&url) {
        Ok(address) => Some(address),
        Err((problem, remedy)) => {
            section.fault("url", problem, remedy);
            None
        }
    });
    refuse_inline_password(section);
    let tls = read_tls(section, address.as_ref());
    let login = read_login(section, address.as_ref());
    let keep_alive = section
        .duration("keep_alive", Duration::from_secs(5)..=Duration::from_secs(65_535))
        .unwrap_or(Duration::from_secs(30));
    let session_expiry = section
        .duration("session_expiry", Duration::from_secs(60)..=Duration::from_secs(u32::MAX.into()))
        .unwrap_or(Duration::from_secs(7 * 86_400));
    let Address { host, port, .. } = address?;
    Some(BrokerConfig { host, port, tls: tls?, login: login?, keep_alive, session_expiry })
}

fn refuse_inline_password(section: &mut Section<'_>) {
    if section.value("password").is_some() {
        section.fault(
            "password",
            "a password must not stand in the configuration",
            "write it to a file of mode 0600 and name that in password_file",
        );
    }
}

/// `None` after a fault; `Some(None)` for plain TCP.
fn read_tls(section: &mut Section<'_>, address: Option<&Address>) -> Option<Option<TlsConfig>> {
    let (cert, key) = (section.path_buf("cert_file"), section.path_buf("key_file"));
    let ca = section.path_buf("ca_file");
    if !address?.tls {
        for key in ["ca_file", "cert_file", "key_file"] {
            if section.has(key) {
                section.fault(
                    key,
                    "has no use without encryption",
                    "write url = \"mqtts://...\" or remove it",
                );
            }
        }
        return Some(None);
    }
    let ca = section.required("ca_file", "ca_file = \"/etc/calibd/ca.pem\"").has("ca_file").then_some(ca)?;
    let pair = [("cert_file", "key_file"), ("key_file", "cert_file")];
    for (present, absent) in pair {
        if section.has(present) && !section.has(absent) {
            section.fault(present, format!("stands without {absent}"), format!("add {absent} or remove it"));
            return None;
        }
    }
    let client = match (cert, key) {
        (Some(cert_file), Some(key_file)) => Some(ClientCertificate { cert_file, key_file }),
        _ => None,
    };
    Some(Some(TlsConfig { ca_file: ca?, client }))
}

/// `None` after a fault; `Some(None)` for an anonymous connection.
fn read_login(section: &mut Section<'_>, address: Option<&Address>) -> Option<Option<LoginConfig>> {
    let password_file = section.path_buf("password_file");
    let username = section.string("username");
    if section.has("password_file") && !section.has("username") {
        section.fault("password_file", "stands without username", "add username or remove it");
        return None;
    }
    if let Some(address) = address
        && password_file.is_some()
        && !address.tls
        && !is_loopback(&address.host)
    {
        section.warn(
            "password_file",
            "the password is sent without encryption",
            "write url = \"mqtts://...\" with ca_file",
        );
    }
    Some(username.map(|username| LoginConfig { username, password_file }))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const EXAMPLE: &str = "write it like \"mqtts://broker.example:8883\" or \"mqtt://127.0.0.1:1883\"";

/// Reads a broker's url; the error says what is wrong and what would be right.
pub fn parse_url(url: &str) -> Result<Address, (String, &'static str)> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err((format!("`{url}` has no scheme"), EXAMPLE));
    };
    let tls = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        "ws" | "wss" => return Err(("MQTT over WebSocket is not available in this version".into(), EXAMPLE)),
        _ => return Err((format!("`{scheme}` is not a known scheme"), EXAMPLE)),
    };
    if rest.contains('@') {
        return Err((
            "a user or password must not stand in the url".into(),
            "use username and password_file instead",
        ));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let default = if tls { 8883 } else { 1883 };
    let (host, port) =
        host_and_port(rest, default).ok_or((format!("`{url}` is not a broker's url"), EXAMPLE))?;
    Ok(Address { tls, host: host.to_owned(), port })
}

fn host_and_port(text: &str, default: u16) -> Option<(&str, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(named) {
        return None;
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None => default,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    fn address(tls: bool, host: &str, port: u16) -> Address {
        Address { tls, host: host.into(), port }
    }

    #[test]
    fn reads_urls() {
        for (url, wanted) in [
            ("mqtt://127.0.0.1:21883", address(false, "127.0.0.1", 21883)),
            ("mqtts://broker.example", address(true, "broker.example", 8883)),
            ("mqtt://[::1]:1884/", address(false, "::1", 1884)),
            ("mqtt://localhost", address(false, "localhost", 1883)),
        ] {
            assert_eq!(parse_url(url), Ok(wanted), "{url}");
        }
        for bad in [
            "",
            "broker",
            "http://x",
            "ws://x",
            "mqtt://",
            "mqtt://:1",
            "mqtt://x:0",
            "mqtt://x:70000",
            "mqtt://x:",
            "mqtt://a b",
            "mqtt://u:p@x",
            "mqtt://x/path",
            "mqtt://[::1",
            "mqtt://[x]:1",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    fn keys(text: &str) -> Vec<String> {
        read_str("a.toml", text, read_broker).1.into_iter().map(|fault| fault.key).collect()
    }

    #[test]
    fn asks_for_what_encryption_needs() {
        assert_eq!(keys("url = \"mqtts://x\""), ["ca_file"]);
        assert_eq!(keys("url = \"mqtts://x\"\nca_file = \"a\"\ncert_file = \"b\""), ["cert_file"]);
        assert_eq!(keys("url = \"mqtt://x\"\nca_file = \"a\""), ["ca_file"]);
        assert_eq!(keys("url = \"mqtt://x\"\npassword = \"a\""), ["password"]);
        assert_eq!(keys("url = \"mqtt://x\"\npassword_file = \"a\""), ["password_file"]);
        assert_eq!(keys("url = \"mqtt://x\"\nkeep_alive = \"1s\""), ["keep_alive"]);
    }

    #[test]
    fn reads_a_client_certificate() {
        let text = "url = \"mqtts://x\"\nca_file = \"a\"\ncert_file = \"b\"\nkey_file = \"c\"\n";
        let (broker, faults) = read_str("a.toml", text, read_broker);
        assert_eq!(faults, []);
        let broker = broker.unwrap();
        let names: Vec<_> = broker.files().into_iter().map(|(key, _)| key).collect();
        assert_eq!(names, ["ca_file", "cert_file", "key_file"]);
    }
}
