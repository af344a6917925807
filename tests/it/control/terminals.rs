//! calibctl's commands for the gateway in terminals of any width, against recorded answers.

use std::fs::File;
use std::process::{Command, Stdio};

use super::recorded::{Recorded, transcripts};
use crate::support::commands::commands;
use crate::support::terminal::shown_in;

/// The escape character, with which every colour begins.
const ESCAPE: char = '\x1b';
/// More lines than any answer has.
const ROWS: u16 = 1000;

/// The commands of the transcripts that show something for people.
fn transcribed() -> Vec<String> {
    // What these ask for is for programs.
    let for_programs = ["--json", "--format", "--envelope", "reprocess"];
    let mut found = Vec::new();
    for file in std::fs::read_dir(transcripts()).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("$ calibctl ")) {
            if !line.split(' ').any(|word| for_programs.contains(&word)) {
                found.push(line.to_owned());
            }
        }
    }
    assert!(found.len() > 20, "the transcripts have commands: {found:?}");
    found
}

/// A shell takes the quotes away.
fn command(recorded: &Recorded, words: &str) -> Command {
    let mut command = Command::new("sh");
    let line = format!("exec '{}' {words}", recorded.calibctl().display());
    // Which bars are drawn goes by the locale; without a terminal they are those of UTF-8.
    command.env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
    command.args(["-c", &line]).current_dir(crate::house::files::repository());
    command
}

/// What the command shows where there is no terminal, stdout and stderr in their order.
fn shown_in_a_file(command: &mut Command) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let out = File::options().create(true).append(true).open(&path).unwrap();
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).status().unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// All but the blanks.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn whatever_the_terminal_nothing_is_cut_and_no_line_too_long() {
    let recorded = Recorded::start();
    for words in transcribed() {
        let plain = shown_in_a_file(&mut command(&recorded, &words));
        // What clap says about wrong options is not ours to break.
        if plain.ends_with("For more information, try '--help'.\n") {
            continue;
        }
        assert!(!plain.contains(ESCAPE), "{words:?} has colours without a terminal: {plain}");
        let without = shown_in_a_file(command(&recorded, &words).env("NO_COLOR", "1"));
        assert_eq!(without, plain, "{words:?}");
        for columns in [40, 80, 200] {
            let shown = shown_in(columns, ROWS, command(&recorded, &words).env("NO_COLOR", "1"));
            assert!(!shown.contains(ESCAPE), "{words:?} has colours against NO_COLOR: {shown}");
            let wide = shown.lines().find(|line| line.chars().count() > columns.into());
            assert_eq!(wide, None, "{words:?} in {columns} columns: {shown}");
            assert_eq!(squeezed(&shown), squeezed(&plain), "{words:?} in {columns} columns: {shown}");
        }
    }
}

#[test]
fn the_help_of_every_command_fits_and_has_examples() {
    for (words, _) in commands(&calibd::ctl::command()) {
        for columns in [40, 80] {
            let mut help = Command::new(env!("CARGO_BIN_EXE_calibctl"));
            let shown = shown_in(columns, ROWS, help.args(&words).arg("--help").env("NO_COLOR", "1"));
            // clap breaks neither the usage nor words, and an example may have a long one.
            let whole = |line: &str| line.starts_with("Usage: ") || !line.trim().contains(' ');
            let wide = |line: &&str| line.chars().count() > columns.into() && !whole(line);
            let wide = shown.lines().find(wide);
            assert_eq!(wide, None, "{words:?} in {columns} columns: {shown}");
            assert!(shown.to_lowercase().contains("\nexamples:\n"), "{words:?}: {shown}");
        }
    }
}

#[test]
fn a_terminal_has_colours() {
    let recorded = Recorded::start();
    let status = "status";
    let shown = shown_in(80, ROWS, &mut command(&recorded, status));
    assert!(shown.contains("\x1b[1;31m!!"), "{shown:?}");
    let empty = shown_in(80, ROWS, command(&recorded, status).env("NO_COLOR", ""));
    assert_eq!(empty, shown, "an empty NO_COLOR says nothing");
}
