//! Who this gateway is: its own key, and the trust root that it was given.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::activation::roots::Roots;
use crate::config::trust::TrustConfig;
use crate::domain::trust::key::PrivateKey;
use crate::domain::trust::root::Root;
use crate::runtime::random;
use crate::store::{RolloutStep, RootInstallation, Store, StoreError, StoredRoot};
use crate::telemetry::alarm::Alarms;

/// The gateway's private key in the store's directory.
pub const KEY_FILE: &str = "gateway.key.pem";
/// Its public half, for the enrolment.
pub const PUBLIC_FILE: &str = "gateway.pub.pem";

/// Says why the gateway has no key of its own.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{path}: {source}; the daemon must be able to write its store directory")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: {problem}; move the file away to have a new key made, and enrol the gateway again")]
    Key { path: PathBuf, problem: String },
    #[error("{0}")]
    Random(#[from] random::NoRandomness),
}

/// The gateway's key from `dir`; made at the first start, readable by its owner only.
pub fn gateway_key(dir: &Path) -> Result<PrivateKey, IdentityError> {
    let path = dir.join(KEY_FILE);
    let key_error = |problem: String| IdentityError::Key { path: path.clone(), problem };
    match fs::read_to_string(&path) {
        Ok(text) => PrivateKey::from_pem(&text).map_err(|e| key_error(e.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut seed = [0u8; 32];
            random::fill(&mut seed)?;
            let key = PrivateKey::from_seed(&seed).map_err(|e| key_error(e.to_string()))?;
            write(&dir.join(PUBLIC_FILE), key.public().to_pem().as_bytes(), 0o644)?;
            write(&path, key.to_pem().as_bytes(), 0o600)?;
            tracing::info!(
                "made the gateway's own key {}; {PUBLIC_FILE} beside it is for its enrolment",
                path.display()
            );
            Ok(key)
        }
        Err(source) => Err(IdentityError::File { path, source }),
    }
}

/// Writes a whole file or none: a torn key would lock the gateway out.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), IdentityError> {
    let error = |source| IdentityError::File { path: path.to_owned(), source };
    let partial = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(mode).open(&partial).map_err(error)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(error)?;
    fs::rename(&partial, path).map_err(error)
}

/// The installed trust root; the configured file is installed if there is none yet.
///
/// Without a usable one the gateway goes on: readings stay raw, and every artifact is `no_root`.
pub async fn trust_root(
    config: &TrustConfig,
    installed: &[StoredRoot],
    store: &Store,
    alarms: &Alarms,
) -> Result<Roots, StoreError> {
    let alarm = alarms.part("trust");
    if let Some((newest, former)) = installed.split_last() {
        let verified = |stored: &StoredRoot| Root::verify_first(&stored.envelope, None);
        let mut roots: Vec<_> = former.iter().filter_map(|stored| verified(stored).ok()).collect();
        match verified(newest) {
            Ok(root) => roots.push(root),
            Err(refusal) => {
                let message =
                    format!("the trust root in the ledger is not accepted ({refusal}); readings go out raw");
                alarm.raise("root_in_ledger", message, "restore the ledger from a backup");
                roots.clear();
            }
        }
        return Ok(Roots::new(roots));
    }
    let Some(path) = &config.root else {
        tracing::warn!("no trust root: readings go out raw; set trust.root");
        return Ok(Roots::new(Vec::new()));
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("trust.root {}: {error}; readings go out raw", path.display());
            alarm.raise("root_file", message, "put the fleet's root there and start calibd again");
            return Ok(Roots::new(Vec::new()));
        }
    };
    match Root::verify_first(&bytes, config.root_sha256) {
        Err(refusal) => {
            let message = format!("trust.root {} is refused: {refusal}; readings go out raw", path.display());
            alarm.raise("root_file", message, "put the fleet's root there and start calibd again");
            Ok(Roots::new(Vec::new()))
        }
        Ok((root, digest)) => {
            let stored = StoredRoot { version: root.version, envelope: bytes, digest };
            let actor = format!("file:{}", path.display());
            let time_floor = Some(root.issued_at);
            let installation =
                RootInstallation { root: stored, time_floor, actor, rollouts: RolloutStep::default() };
            store.install_root(installation).await?;
            tracing::info!("installed trust root version {} of fleet {}", root.version, root.fleet);
            Ok(Roots::new(vec![(root, digest)]))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = gateway_key(dir.path()).unwrap();
        let second = gateway_key(dir.path()).unwrap();
        assert_eq!(first.public().id(), second.public().id());
        let mode = fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_torn_key_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(KEY_FILE), "-----BEGIN PRIV").unwrap();
        let error = gateway_key(dir.path()).unwrap_err().to_string();
        assert!(error.contains(KEY_FILE) && error.contains("move the file away"), "{error}");
    }
}
