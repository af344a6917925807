//! Private keys, also those under a passphrase: it is typed at the terminal, or stands in a file. Never on the command
//! line or in the environment, which others can read.

mod sealed;
mod typed;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::{Zeroize as _, Zeroizing};

use self::sealed::OpenError;
use super::files;
use super::output::{Failure, note, printable};
use crate::domain::trust::key::{KeyError, PrivateKey};

/// The longest passphrase, in bytes.
const MAX_LENGTH: usize = 1024;
/// The shortest one that is taken for a new key, in characters.
const SHORTEST: usize = 8;
/// How often a passphrase is asked for.
const TRIES: usize = 3;

/// A passphrase; its memory is wiped when it is dropped.
type Secret = Zeroizing<Vec<u8>>;

/// Where passphrases come from.
#[derive(Args)]
pub struct PassphraseArgs {
    /// The file whose first line is the passphrase of an encrypted private key; absent: asked for on the terminal.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// Reads private keys, and opens those that are encrypted.
    pub fn private_keys(&self, paths: &[PathBuf]) -> Result<Vec<PrivateKey>, Failure> {
        paths.iter().map(|path| self.private_key(path)).collect()
    }

    /// Reads a private key, and opens it if it is encrypted.
    pub fn private_key(&self, path: &Path) -> Result<PrivateKey, Failure> {
        let text = Zeroizing::new(files::read_text(path)?);
        match PrivateKey::from_pem(&text) {
            Err(KeyError::Encrypted) => self.opened(path, &text),
            read => read.map_err(files::key_failure(path)),
        }
    }

    /// Opens the encrypted private key in the text of a file.
    pub fn opened(&self, path: &Path, text: &str) -> Result<PrivateKey, Failure> {
        let name = path.display();
        let Some(file) = &self.passphrase_file else { return opened_at_terminal(path, text) };
        sealed::open(text, &from_file(file)?).map_err(|fault| match fault {
            OpenError::Wrong => Failure::refused(format!(
                "{name}: the passphrase in {} does not open it; without --passphrase-file each key's is asked for",
                file.display()
            )),
            other => Failure::refused(format!("{name}: {other}")),
        })
    }

    /// Whether a file is named.
    pub fn is_given(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// A private key in PEM under a passphrase that is read, or asked for twice.
    pub fn sealed(&self, path: &Path, key: &PrivateKey) -> Result<String, Failure> {
        let secret = match &self.passphrase_file {
            Some(file) => from_file(file)?,
            None => chosen(path)?,
        };
        if secret.iter().any(u8::is_ascii_control) {
            return Err(Failure::usage(
                "the passphrase holds a key that writes nothing, like an arrow or a tab, and might not be typed again; nothing was written",
            ));
        }
        if String::from_utf8_lossy(&secret).chars().count() < SHORTEST {
            return Err(Failure::usage(format!(
                "the passphrase has fewer than {SHORTEST} characters; nothing was written"
            )));
        }
        let mut random = [[0; 16]; 2];
        getrandom::fill(random.as_flattened_mut())
            .map_err(|fault| Failure::usage(format!("random numbers: {fault}")))?;
        let [salt, start] = random;
        sealed::seal(key, &secret, salt, start)
            .map_err(|fault| Failure::usage(format!("{}: {fault}", path.display())))
    }
}

fn opened_at_terminal(path: &Path, text: &str) -> Result<PrivateKey, Failure> {
    let name = path.display();
    let question = format!("passphrase of {name}");
    for left in (0..TRIES).rev() {
        let secret = typed(path, &question)?;
        match sealed::open(text, &secret) {
            Err(OpenError::Wrong) if left > 0 => note("wrong passphrase: type it again"),
            result => return result.map_err(|fault| Failure::refused(format!("{name}: {fault}"))),
        }
    }
    Err(Failure::refused(format!("{name}: {}", OpenError::Wrong)))
}

/// What somebody types for this file.
fn typed(path: &Path, question: &str) -> Result<Secret, Failure> {
    let name = path.display();
    match typed::asked(&printable(question)) {
        Ok(Some(secret)) if secret.len() > MAX_LENGTH => {
            Err(Failure::usage(format!("{name}: the passphrase has more than {MAX_LENGTH} bytes")))
        }
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => Err(Failure::refused(format!("{name}: no passphrase was typed"))),
        Err(_) => Err(Failure::usage(format!(
            "{name}: its passphrase is needed, and there is no terminal to ask for it: write it into a file and give --passphrase-file FILE"
        ))),
    }
}

/// A new passphrase.
fn chosen(path: &Path) -> Result<Secret, Failure> {
    let first = typed(path, &format!("passphrase for {}", path.display()))?;
    let second = typed(path, "the same once more")?;
    match first == second {
        true => Ok(first),
        false => Err(Failure::usage("the two passphrases differ; nothing was written")),
    }
}

/// The first line of a file.
fn from_file(path: &Path) -> Result<Secret, Failure> {
    let name = path.display();
    // One more than may be there, and read at once: what grows leaves copies behind.
    let mut line = Secret::new(Vec::with_capacity(2 * MAX_LENGTH));
    let opened = File::open(path);
    opened
        .and_then(|file| file.take(MAX_LENGTH as u64 + 2).read_to_end(&mut line))
        .map_err(|fault| Failure::io(&name.to_string(), &fault))?;
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    line[end..].zeroize();
    line.truncate(end);
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    match line.len() {
        0 => Err(Failure::usage(format!("{name}: its first line is empty; write the passphrase there"))),
        1..=MAX_LENGTH => Ok(line),
        _ => Err(Failure::usage(format!("{name}: its first line has more than {MAX_LENGTH} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = folder.path().join("p");
            std::fs::write(&path, text).unwrap();
            from_file(&path).map(|line| String::from_utf8(line.to_vec()).unwrap())
        };
        for text in ["correct horse", "correct horse\n", "correct horse\r\n", "correct horse\nmore\n"] {
            assert_eq!(read(text).unwrap(), "correct horse", "{text:?}");
        }
        assert_eq!(read(" two  blanks \n").unwrap(), " two  blanks ");
        let longest = "x".repeat(MAX_LENGTH);
        assert_eq!(read(&format!("{longest}\r\n")).unwrap(), longest);
        for (text, part) in
            [("", "is empty"), ("\nx", "is empty"), (&*format!("{longest}x"), "more than 1024")]
        {
            assert!(read(text).unwrap_err().message().contains(part), "{text:?}");
        }
    }
}
