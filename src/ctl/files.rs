//! Reading and writing of keys, roots and artifacts.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::output::{Failure, print_by};
use crate::domain::digest::Digest;
use crate::domain::trust::key::{KeyError, PrivateKey, PublicKey};
use crate::domain::trust::root::Root;

/// The most bytes that are read of any file: enough to see that it is too large for an artifact.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads a whole file; `-` is stdin.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let result = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
    };
    result.map_err(|fault| Failure::io(&path.display().to_string(), &fault))?;
    Ok(bytes)
}

/// Reads a whole text file; `-` is stdin.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?)
        .map_err(|_| Failure::refused(format!("{}: not a text file in PEM", path.display())))
}

/// Writes a new file with these permission bits; an existing one is left alone.
pub fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    opened.and_then(|mut file| file.write_all(bytes)).map_err(|fault| match fault.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("{} exists already; it was left as it is", path.display()))
        }
        _ => Failure::io(&path.display().to_string(), &fault),
    })
}

/// Writes bytes to a file, or to stdout if there is none or it is `-`.
///
/// The file appears whole or not at all: it is written beside its place and then moved there.
pub fn write_out(path: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    write_out_by(path, |out| out.write_all(bytes))
}

/// The same with what `write` writes, which need not fit into memory.
pub fn write_out_by(
    path: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
        return print_by(write);
    };
    let out = Beside::begin(path, 0o666, true)?;
    let mut file = BufWriter::new(&out.file);
    write(&mut file).and_then(|()| file.flush()).map_err(|fault| out.fault(&fault))?;
    drop(file);
    out.end()
}

/// A file that appears whole or not at all: it is written beside its place, then moved there.
pub struct Beside {
    place: PathBuf,
    beside: PathBuf,
    /// Where to write.
    pub file: File,
}

impl Beside {
    /// Begins a file of these permission bits; one that is there already is replaced only with `force`.
    pub fn begin(place: &Path, mode: u32, force: bool) -> Result<Beside, Failure> {
        if !force && place.exists() {
            let name = place.display();
            return Err(Failure::usage(format!("{name} exists already; choose another name or say --force")));
        }
        let mut beside = place.as_os_str().to_owned();
        beside.push(format!(".{}.tmp", std::process::id()));
        let beside = PathBuf::from(beside);
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside);
        let file = opened.map_err(|fault| Failure::io(&place.display().to_string(), &fault))?;
        Ok(Beside { place: place.to_owned(), beside, file })
    }

    /// Puts the file into its place, to survive a power cut.
    pub fn end(self) -> Result<(), Failure> {
        let parent = self.place.parent().filter(|parent| !parent.as_os_str().is_empty());
        let moved = self.file.sync_all().and_then(|()| {
            std::fs::rename(&self.beside, &self.place)?;
            File::open(parent.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all())
        });
        moved.map_err(|fault| self.fault(&fault))
    }

    /// A fault while it is written.
    pub fn fault(&self, fault: &std::io::Error) -> Failure {
        Failure::io(&self.place.display().to_string(), fault)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // What was moved is not there any more; otherwise the message about the real fault is what matters.
        let _ = std::fs::remove_file(&self.beside);
    }
}

/// What is wrong with the key in a file.
pub fn key_failure(path: &Path) -> impl Fn(KeyError) -> Failure + '_ {
    move |fault| Failure::refused(format!("{}: {fault}", path.display()))
}

/// Reads a public key, from its own file or from the private key's.
pub fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    public_key_in(path, &read_text(path)?)
}

/// The same from the text of the file.
pub fn public_key_in(path: &Path, text: &str) -> Result<PublicKey, Failure> {
    let name = path.display();
    match PublicKey::from_pem(text) {
        Err(KeyError::NoBlock(_)) => match PrivateKey::from_pem(text) {
            Ok(key) => Ok(key.public().clone()),
            Err(KeyError::Encrypted) => {
                Err(Failure::refused(format!("{name}: is an encrypted private key; name its public one")))
            }
            Err(_) => Err(Failure::refused(format!("{name}: holds no key in PEM"))),
        },
        result => result.map_err(key_failure(path)),
    }
}

/// Reads a root, signed by itself, with its digest.
pub fn root(path: &Path) -> Result<(Root, Digest), Failure> {
    let verified = Root::verify_first(&read(path)?, None);
    verified.map_err(|fault| Failure::refused(format!("{}: {fault}", path.display())))
}
