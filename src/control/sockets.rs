//! The three sockets, and who may connect to each.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

/// How long another daemon may take to show that it lives.
const ALIVE: Duration = Duration::from_secs(1);

/// What the users of a socket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Control,
    /// Record references, run sessions.
    Maintenance,
    /// Everything.
    Admin,
}

impl Role {
    /// All, from the least to the most.
    pub const ALL: [Role; 3] = [Role::Control, Role::Maintenance, Role::Admin];

    /// The socket's file name.
    pub fn file_name(self) -> &'static str {
        match self {
            Role::Control => "control.sock",
            Role::Maintenance => "maintenance.sock",
            Role::Admin => "admin.sock",
        }
    }

    /// The group whose members may connect, if the system has it.
    fn group(self) -> Option<&'static str> {
        match self {
            Role::Control => Some("calibd"),
            Role::Maintenance => Some("calibd-maintenance"),
            Role::Admin => None,
        }
    }
}

/// A socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("{path}: is in the way and no socket; move it away or choose another control.dir")]
    NotASocket { path: PathBuf },
    #[error("{path}: another calibd answers there; stop it or choose another control.dir")]
    InUse { path: PathBuf },
    #[error("{path}: {source}; make the directory writable for calibd or choose another control.dir")]
    Io { path: PathBuf, source: io::Error },
}

fn at(path: &Path) -> impl Fn(io::Error) -> SocketError + '_ {
    |source| SocketError::Io { path: path.to_owned(), source }
}

/// Binds the three sockets in `dir`, which is made if it does not exist.
///
/// Each is made in a directory that nobody else can enter, gets its mode and group there, and is then
/// moved to its place: it can never be connected to with rights that the umask happened to leave.
pub async fn bind(dir: &Path) -> Result<Vec<(Role, UnixListener)>, SocketError> {
    DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(at(dir))?;
    for role in Role::ALL {
        vacate(&dir.join(role.file_name())).await?;
    }
    let private = dir.join(".new");
    match fs::remove_dir_all(&private) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&private)(error)),
        _ => DirBuilder::new().mode(0o700).create(&private).map_err(at(&private))?,
    }
    let listeners = Role::ALL.into_iter().map(|role| Ok((role, place(role, &private, dir)?))).collect();
    // What is left of it is removed at the next start.
    let _ = fs::remove_dir(&private);
    listeners
}

/// Makes room for a socket: removes one that nobody listens at, and nothing else.
async fn vacate(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(path)(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match tokio::time::timeout(ALIVE, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(at(path))
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(SocketError::InUse { path: path.to_owned() }),
    }
}

fn place(role: Role, private: &Path, dir: &Path) -> Result<UnixListener, SocketError> {
    let path = dir.join(role.file_name());
    let made = private.join(role.file_name());
    let listener = UnixListener::bind(&made).map_err(at(&path))?;
    let group = role.group().and_then(|name| Some((name, group_id(name)?)));
    let shared = match group {
        None => role == Role::Control,
        Some((name, id)) => give(&made, name, id),
    };
    let mode = if shared { 0o660 } else { 0o600 };
    fs::set_permissions(&made, Permissions::from_mode(mode)).map_err(at(&path))?;
    fs::rename(&made, &path).map_err(at(&path))?;
    Ok(listener)
}

fn give(socket: &Path, name: &str, id: u32) -> bool {
    let given = chown(socket, None, Some(id));
    if let Err(error) = &given {
        let file = socket.file_name().unwrap_or_default().display();
        tracing::warn!("{file} cannot be given to the group {name} ({error}); make calibd a member of it");
    }
    given.is_ok()
}

fn group_id(name: &str) -> Option<u32> {
    id_in(&fs::read_to_string("/etc/group").ok()?, name)
}

/// The number of a group in the text of group(5).
fn id_in(groups: &str, name: &str) -> Option<u32> {
    let mut of_name = groups.lines().filter_map(|line| line.split_once(':')).filter(|(n, _)| *n == name);
    of_name.next()?.1.split(':').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as Std;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[tokio::test]
    async fn sockets_have_their_modes_and_nothing_else_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a/run");
        let listeners = bind(&run).await.unwrap();
        assert_eq!(listeners.len(), 3);
        assert_eq!(mode(&run.join("control.sock")), 0o660);
        assert_eq!(mode(&run.join("admin.sock")), 0o600);
        assert!([0o660, 0o600].contains(&mode(&run.join("maintenance.sock"))));
        assert_eq!(fs::read_dir(&run).unwrap().count(), 3);
        UnixStream::connect(run.join("control.sock")).await.unwrap();
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_left() {
        let dir = tempfile::tempdir().unwrap();
        drop(Std::bind(dir.path().join("admin.sock")).unwrap());
        let listeners = bind(dir.path()).await.unwrap();
        UnixStream::connect(dir.path().join("admin.sock")).await.unwrap();
        let again = bind(dir.path()).await;
        assert!(matches!(again, Err(SocketError::InUse { .. })), "{again:?}");
        UnixStream::connect(dir.path().join("control.sock")).await.unwrap();
        drop(listeners);
        bind(dir.path()).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_socket_is_never_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("precious");
        fs::write(&target, "kept").unwrap();
        let path = dir.path().join("maintenance.sock");
        fs::write(&path, "kept").unwrap();
        let text = bind(dir.path()).await.unwrap_err().to_string();
        assert!(text.starts_with(&path.display().to_string()) && text.contains("no socket"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(bind(dir.path()).await, Err(SocketError::NotASocket { .. })));
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }

    #[test]
    fn groups_are_found_by_their_whole_name() {
        let text = "calibd-maintenance:x:7:\ncalibd:x:12:ann,bob\nbroken\n";
        assert_eq!((id_in(text, "calibd"), id_in(text, "calib")), (Some(12), None));
    }
}
