//! How to reach the broker: options, credentials, TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;
use rumqttc::v5::{AsyncClient, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::link::{IN_FLIGHT, REQUESTS};

/// The largest MQTT packet taken from the broker.
pub const MAX_PACKET: u32 = 512 * 1024;
/// QoS 1 messages that the broker may have on their way to us.
pub const RECEIVE_MAXIMUM: u16 = 1000;

/// A broker and how to log in.
#[derive(Debug, Clone, PartialEq)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The MQTT client id; names the session.
    pub client_id: String,
    /// TLS, unless the connection is plain.
    pub tls: Option<TlsFiles>,
    /// User name, with the file that holds the password.
    pub login: Option<(String, Option<PathBuf>)>,
    /// Silence after which a ping is sent.
    pub keep_alive: Duration,
    /// How long the broker keeps the session of an absent gateway.
    pub session_expiry: Duration,
    /// Topic and payload that the broker publishes, retained, when we vanish.
    pub will: Option<(String, Vec<u8>)>,
}

/// PEM files for TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsFiles {
    /// Certificates of the authorities to trust.
    pub ca: PathBuf,
    /// The client's certificate chain and private key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Says why a connection cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{path}: {source}; make it readable")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: no usable PEM {what}: {problem}")]
    Pem { path: PathBuf, what: &'static str, problem: String },
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A fresh client and its event loop for a session that lasts. Files are read anew each time, so that renewed ones
/// take effect.
pub fn client(broker: &Broker) -> Result<(AsyncClient, EventLoop), ConnectError> {
    let mut options = options(broker)?;
    let expiry = u32::try_from(broker.session_expiry.as_secs()).unwrap_or(u32::MAX);
    options.set_clean_start(false).set_session_expiry_interval(Some(expiry)).set_manual_acks(true);
    if let Some((topic, payload)) = &broker.will {
        options.set_last_will(LastWill::new(topic.as_str(), payload.clone(), QoS::AtLeastOnce, true, None));
    }
    Ok(AsyncClient::new(options, REQUESTS))
}

/// How to connect, whatever the session is for: address, credentials, limits.
pub fn options(broker: &Broker) -> Result<MqttOptions, ConnectError> {
    let mut options = MqttOptions::new(&broker.client_id, &broker.host, broker.port);
    options
        .set_keep_alive(broker.keep_alive.max(Duration::from_secs(5)))
        .set_connection_timeout(10)
        .set_max_packet_size(Some(MAX_PACKET))
        .set_receive_maximum(Some(RECEIVE_MAXIMUM))
        .set_outgoing_inflight_upper_limit(IN_FLIGHT);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    if let Some((user, password)) = &broker.login {
        let secret = match password {
            Some(path) => {
                let text = read(path)?;
                String::from_utf8_lossy(&text).trim_end_matches(['\r', '\n']).to_owned()
            }
            None => String::new(),
        };
        options.set_credentials(user.as_str(), secret);
    }
    if let Some(files) = &broker.tls {
        let config = tls(files)?;
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))));
    }
    Ok(options)
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::Read { path: path.to_owned(), source })
}

fn pem_error(path: &Path, what: &'static str, problem: impl ToString) -> ConnectError {
    ConnectError::Pem { path: path.to_owned(), what, problem: problem.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let text = read(path)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = parsed.map_err(|e| pem_error(path, "certificate", e))?;
    if found.is_empty() { Err(pem_error(path, "certificate", "the file holds none")) } else { Ok(found) }
}

/// Checks the files and makes the TLS configuration of them.
pub fn tls(files: &TlsFiles) -> Result<rustls::ClientConfig, ConnectError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(match &files.client {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let pem = read(key)?;
            let key_der =
                PrivateKeyDer::from_pem_slice(&pem).map_err(|e| pem_error(key, "private key", e))?;
            builder.with_client_auth_cert(certificates(cert)?, key_der)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        let files = TlsFiles { ca: ca.clone(), client: None };
        assert!(tls(&files).unwrap_err().to_string().contains("ca.pem"));
        fs::write(&ca, "not a certificate").unwrap();
        assert!(tls(&files).unwrap_err().to_string().contains("ca.pem: no usable PEM certificate"));
    }
}
