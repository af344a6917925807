//! Asking calibd over its sockets, as anybody would.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use super::children::Gateway;
use super::error::DemoError;
use crate::wire::control::{Drift, SensorDrift};

/// How long anything awaited may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at something that tells nobody.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits until somebody listens at a port.
pub async fn reachable(port: u16, claim: &str) -> Result<(), DemoError> {
    let connected = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(GLANCE).await;
        }
    };
    timeout(PATIENCE, connected).await.map_err(|_| DemoError::NotSo(claim.to_owned()))
}

/// Waits until calibd says, in its metrics, that it has opened the serial line.
pub async fn listening(port: u16, gateway: &mut Gateway) -> Result<(), DemoError> {
    const UP: &str = "calibd_source_up{source=\"line1\"} 1";
    let up = async {
        while !metrics(port).await.unwrap_or_default().contains(UP) {
            if gateway.ended().is_some() {
                return Err(DemoError::NotSo("calibd starts (it ended at once)".to_owned()));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    };
    let late = |_| DemoError::NotSo("calibd opens the serial line within 20 s".to_owned());
    timeout(PATIENCE, up).await.map_err(late)?
}

async fn metrics(port: u16) -> std::io::Result<String> {
    get(TcpStream::connect(("127.0.0.1", port)).await?, "/metrics").await
}

/// What calibd says, on its control socket, of a sensor beside its reference, as `calibctl drift` asks it.
pub async fn drift(socket: &Path, sensor: &str) -> Result<SensorDrift, DemoError> {
    let asked =
        async { get(UnixStream::connect(socket).await?, &format!("/v1/drift?sensor={sensor}")).await };
    let answer = timeout(PATIENCE, asked).await.map_err(|_| DemoError::NotSo("calibd answers".to_owned()))?;
    let answer = answer.map_err(DemoError::io(socket.display().to_string()))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let said: Drift = serde_json::from_str(body)
        .map_err(|fault| DemoError::NotSo(format!("what calibd says of drift can be read ({fault})")))?;
    let first = said.sensors.into_iter().next();
    first.ok_or_else(|| DemoError::NotSo(format!("{sensor} has been compared with its reference")))
}

async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
