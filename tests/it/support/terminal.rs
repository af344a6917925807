//! A terminal of any size.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::wait::until;

/// What marks the end of what was shown: no command shows this byte.
const END: u8 = 0;

/// Runs a command with stdout and stderr in a terminal of this size; gives what it shows.
///
/// A terminal that nobody has open any more may end before its last bytes were read. So this end
/// stays open, and what is written to it last, after the command has ended, says that all was read.
pub fn shown_in(columns: u16, rows: u16, command: &mut Command) -> String {
    let (ours, mut theirs) = opened(columns, rows);
    let (out, err) = (theirs.try_clone().unwrap(), theirs.try_clone().unwrap());
    let mut child =
        command.env("TERM", "xterm").stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        BufReader::new(ours).read_until(END, &mut shown).unwrap();
        assert_eq!(shown.pop(), Some(END), "the terminal ended by itself");
        shown
    });
    child.wait().unwrap();
    theirs.write_all(&[END]).unwrap();
    String::from_utf8(reader.join().unwrap()).unwrap().replace("\r\n", "\n")
}

/// Both ends of a terminal: ours, and the program's.
fn opened(columns: u16, rows: u16) -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).unwrap();
    (File::from(ours), theirs)
}

/// The command as the leader of a session, whose terminal is what it has as stdin.
fn leading(command: &Command) -> Command {
    let mut leading = Command::new("setsid");
    leading.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => leading.env(name, value),
            None => leading.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        leading.current_dir(folder);
    }
    leading
}

/// A program at a terminal, with somebody who types.
pub struct Conversation {
    child: Child,
    ours: File,
    shown: Arc<Mutex<Vec<u8>>>,
    /// How much of what was shown has been waited for.
    read: usize,
    /// Held open: a terminal that nobody has open may end before its last bytes were read.
    _theirs: File,
}

impl Conversation {
    /// Starts a program at a terminal of 80 columns, which is its `/dev/tty`.
    pub fn start(command: &Command) -> Conversation {
        let (ours, theirs) = opened(80, 24);
        let end = || theirs.try_clone().unwrap();
        let mut command = leading(command);
        let child = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let shown: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (mut reader, kept) = (ours.try_clone().unwrap(), shown.clone());
        // It ends with the terminal.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Conversation { child, ours, shown, read: 0, _theirs: theirs }
    }

    /// What was shown so far, its words with one blank between them: lines end where the terminal does.
    pub fn shown(&self) -> String {
        let shown = self.shown.lock().unwrap();
        String::from_utf8_lossy(&shown).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until this is shown, after what was waited for before.
    pub fn sees(&mut self, text: &str) {
        let found = until(&format!("`{text}` on the terminal"), || {
            let shown = self.shown();
            let at = shown.get(self.read..)?.find(text)?;
            Some(self.read + at + text.len())
        });
        self.read = found;
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.ours.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Types Ctrl-C.
    pub fn interrupts(&mut self) {
        self.ours.write_all(&[0x03]).unwrap();
    }

    /// Waits until the program has ended.
    pub fn ends(&mut self) -> ExitStatus {
        until("the end of the program", || self.child.try_wait().unwrap())
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
