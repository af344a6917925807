//! What is typed at the terminal without being shown.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroize as _;

use super::{MAX_LENGTH, Secret};

const END_OF_TEXT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const KILL_LINE: u8 = 0x15;
const DELETE: u8 = 0x7f;

/// A terminal that shows nothing of what is typed until this is dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Quiet<'_> {
    /// What was typed ahead is forgotten: it was meant for something else, and was shown.
    fn begin(terminal: &File) -> io::Result<Quiet<'_>> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        // Ctrl-C is read as a byte: ended by the signal, calibctl would leave a terminal that shows nothing.
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Quiet { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
        let _ = (&mut &*self.terminal).write_all(b"\n");
    }
}

/// Asks at the terminal of the process, whatever stdin and stderr are; `None`: there was no answer.
///
/// An error means that there is no terminal.
pub fn asked(question: &str) -> io::Result<Option<Secret>> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let quiet = Quiet::begin(&terminal)?;
    let mut ends = quiet.terminal;
    ends.write_all(format!("{question}: ").as_bytes())?;
    typed(std::iter::from_fn(|| next(&mut ends)))
}

/// The next byte, or none at the end.
fn next(ends: &mut &File) -> Option<io::Result<u8>> {
    let mut byte = [0];
    loop {
        match ends.read(&mut byte) {
            Ok(0) => return None,
            Ok(_) => return Some(Ok(byte[0])),
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Some(Err(fault)),
        }
    }
}

/// The line that these keys make; `None` if it is given up.
fn typed(keys: impl Iterator<Item = io::Result<u8>>) -> io::Result<Option<Secret>> {
    // One more than may be: whoever asked tells it from one that is as long as that.
    let mut line = Secret::new(Vec::with_capacity(MAX_LENGTH + 1));
    for key in keys {
        match key? {
            b'\n' | b'\r' => return Ok(Some(line)),
            END_OF_TEXT => return Ok(None),
            END_OF_INPUT if line.is_empty() => return Ok(None),
            END_OF_INPUT => return Ok(Some(line)),
            KILL_LINE => line.zeroize(),
            // All bytes of a character of UTF-8.
            BACKSPACE | DELETE => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // More would have to be copied elsewhere.
            key if line.len() <= MAX_LENGTH => line.push(key),
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(keys: &str) -> Option<String> {
        let typed = typed(keys.bytes().map(Ok)).unwrap();
        typed.map(|line| String::from_utf8(line.to_vec()).unwrap())
    }

    #[test]
    fn keys_edit_the_line() {
        assert_eq!(line("horse\nmore").as_deref(), Some("horse"));
        assert_eq!(line("hörx\u{7f}\u{7f}\u{7f}orse\r").as_deref(), Some("horse"));
        assert_eq!(line("\u{8}\u{7f}wrong\u{15}horse\n").as_deref(), Some("horse"));
        assert_eq!(line("\n").as_deref(), Some(""));
        assert_eq!(line("horse\u{4}").as_deref(), Some("horse"));
    }

    #[test]
    fn it_may_be_given_up_and_never_grows() {
        for keys in ["hor\u{3}se\n", "\u{4}", "hor"] {
            assert_eq!(line(keys), None, "{keys:?}");
        }
        let long = typed("x".repeat(5000).bytes().chain(*b"\n").map(Ok)).unwrap().unwrap();
        assert_eq!((long.len(), long.capacity()), (MAX_LENGTH + 1, MAX_LENGTH + 1));
    }
}
