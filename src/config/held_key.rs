//! `[recalibration]`: the maintenance key that the gateway holds, for technicians who have none of their own.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::reader::Section;
use crate::domain::trust::key::{KeyError, PrivateKey};

/// The most bytes that are read: a key in PEM has a hundred and some.
const MAX_FILE: usize = 16 << 10;

/// Why a key that is configured cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct HeldKeyError {
    /// The file and what is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// Reads `[recalibration]`; absent: the gateway signs nothing for technicians.
pub fn read_held_key(root: &mut Section<'_>) -> Option<PathBuf> {
    let mut section = root.table("recalibration")?;
    section.required("key_file", "\"/etc/calibd/maintenance.key.pem\"").path_buf("key_file")
}

/// Reads the key itself.
///
/// # Errors
/// A file that cannot be read, that others than its owner can open (but for a credential of systemd, whose folder is
/// closed to them), or that holds no Ed25519 key that is free of a passphrase.
pub fn held_key(path: &Path) -> Result<PrivateKey, HeldKeyError> {
    let shown = path.display();
    let error = |problem: String, remedy: String| HeldKeyError { problem, remedy };
    let unread = |fault: std::io::Error| {
        error(
            format!("{shown} cannot be read: {fault}"),
            "name a file that calibd's user can read".to_owned(),
        )
    };
    // Before it is opened: to open a pipe would be to wait for somebody at its other end.
    if !fs::metadata(path).map_err(unread)?.is_file() {
        return Err(error(format!("{shown} is no file"), "name a file with the key".to_owned()));
    }
    let file = File::open(path).map_err(unread)?;
    let found = file.metadata().map_err(unread)?;
    if found.permissions().mode() & 0o077 != 0 && !is_credential(path) {
        return Err(error(
            format!("{shown} can be opened by others than its owner, and whoever has the key can sign"),
            format!("run `chmod 600 {shown}`, or hand it over with systemd's LoadCredential"),
        ));
    }
    // Read without growing, which would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * MAX_FILE));
    file.take(MAX_FILE as u64).read_to_string(&mut text).map_err(unread)?;
    PrivateKey::from_pem(&text).map_err(|fault| match fault {
        KeyError::Encrypted => error(
            format!("{shown} is encrypted, and nobody is there to type its passphrase"),
            "name a key without one, best handed over with systemd's LoadCredentialEncrypted".to_owned(),
        ),
        other => error(format!("{shown} holds no key: {other}"), "name a file in PEM".to_owned()),
    })
}

/// Whether systemd has put the file there for one service alone: also by the word of somebody who checks the
/// configuration from outside of the service.
fn is_credential(path: &Path) -> bool {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").and_then(|folder| fs::canonicalize(folder).ok());
    let places = folder.into_iter().chain([PathBuf::from("/run/credentials")]);
    fs::canonicalize(path).is_ok_and(|path| places.into_iter().any(|place| path.starts_with(place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    #[test]
    fn the_table_has_a_key() {
        let read = |text: &str| read_str("a.toml", text, read_held_key);
        assert_eq!(read(""), (None, vec![]));
        let (path, faults) = read("[recalibration]\nkey_file = \"/k.pem\"\n");
        assert_eq!((path, faults.len()), (Some(PathBuf::from("/k.pem")), 0));
        let (path, faults) = read("[recalibration]\n");
        assert!(path.is_none() && faults[0].to_string().contains("key_file"), "{faults:?}");
    }

    #[test]
    fn only_its_owner_may_open_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.pem");
        let key = PrivateKey::from_seed(&[3; 32]).unwrap();
        fs::write(&path, key.to_pem()).unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match held_key(&path) {
                Ok(read) => assert!(good && read.public().id() == key.public().id(), "{mode:o}"),
                Err(error) => assert!(!good && error.remedy.contains("chmod 600"), "{mode:o}: {error}"),
            }
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.pem");
        assert!(held_key(&path).unwrap_err().problem.contains("cannot be read"));
        assert!(held_key(folder.path()).unwrap_err().problem.contains("is no file"));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (text, part) in [("", "holds no key"), (encrypted, "is encrypted")] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = held_key(&path).unwrap_err();
            assert!(error.problem.contains(part), "{error}");
        }
    }
}
