//! A terminal of any size.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What marks the end of what was shown: no command shows this byte.
const END: u8 = 0;

/// Runs a command with stdout and stderr in a terminal of this size; gives what it shows.
///
/// A terminal that nobody has open any more may end before its last bytes were read. So this end
/// stays open, and what is written to it last, after the command has ended, says that all was read.
pub fn shown_in(columns: u16, rows: u16, command: &mut Command) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let mut theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).unwrap();
    let (out, err) = (theirs.try_clone().unwrap(), theirs.try_clone().unwrap());
    let mut child =
        command.env("TERM", "xterm").stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        BufReader::new(File::from(ours)).read_until(END, &mut shown).unwrap();
        assert_eq!(shown.pop(), Some(END), "the terminal ended by itself");
        shown
    });
    child.wait().unwrap();
    theirs.write_all(&[END]).unwrap();
    String::from_utf8(reader.join().unwrap()).unwrap().replace("\r\n", "\n")
}
