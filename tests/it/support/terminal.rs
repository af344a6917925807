//! A terminal of any size.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Runs a command with stdout and stderr in a terminal of this size; gives what it shows.
pub fn shown_in(columns: u16, rows: u16, command: &mut Command) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).unwrap();
    // The command closes it when it ends; nobody else has it open.
    let (out, err) = (theirs.try_clone().unwrap(), theirs);
    let mut child =
        command.env("TERM", "xterm").stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut shown = Vec::new();
    // The end of a terminal that nobody has open any more is an error.
    let _ = File::from(ours).read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}
