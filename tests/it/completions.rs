//! What shells complete.

use std::process::Command;

use clap::Command as Line;

use crate::support::commands::commands;

const CALIBCTL: &str = env!("CARGO_BIN_EXE_calibctl");

fn script(shell: &str) -> String {
    let output = Command::new(CALIBCTL).args(["completions", shell]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command line can go on with: subcommands and long options.
fn words(of: &Line) -> Vec<String> {
    let options = of.get_arguments().filter(|it| !it.is_hide_set());
    let options = options.filter_map(|it| it.get_long()).map(|long| format!("--{long}"));
    let names = of.get_subcommands().filter(|it| !it.is_hide_set()).map(|it| it.get_name().to_owned());
    names.chain(options).collect()
}

/// As somebody does who presses the tabulator behind each of the commands.
#[test]
fn bash_completes_every_command_and_option() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("calibctl.bash");
    std::fs::write(&file, script("bash")).unwrap();
    let commands = commands(&calibd::ctl::command());
    assert!(commands.len() > 20);
    // The words come from the command line itself: none needs to be quoted.
    let press = |path: &[String]| {
        let before = path.last().map_or("calibctl", String::as_str);
        let line = [&["calibctl".to_owned()], path].concat().join(" ");
        format!(
            "COMP_WORDS=({line} ''); COMP_CWORD={}; _calibctl calibctl '' {before}; echo \"${{COMPREPLY[*]}}\"\n",
            path.len() + 1
        )
    };
    let presses: String = commands.iter().map(|(path, _)| press(path)).collect();
    let bash = format!("set -e\nsource '{}'\n{presses}", file.display());
    let output = Command::new("bash").args(["--norc", "-c", &bash]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), commands.len());
    for ((path, line), completed) in commands.iter().zip(text.lines()) {
        let completed: Vec<&str> = completed.split(' ').collect();
        for word in words(line) {
            assert!(completed.contains(&word.as_str()), "no {word} behind {path:?}: {completed:?}");
        }
    }
}

#[test]
fn zsh_and_fish_know_every_command() {
    for (shell, head) in [("zsh", "#compdef calibctl\n"), ("fish", "# Print an optspec")] {
        let script = script(shell);
        assert!(script.starts_with(head), "{shell}: {script}");
        for (path, _) in commands(&calibd::ctl::command()) {
            if let Some(name) = path.last() {
                assert!(script.contains(name), "{shell} does not know {path:?}");
            }
        }
    }
}

#[test]
fn an_unknown_shell_is_told_the_known_ones() {
    let output = Command::new(CALIBCTL).args(["completions", "ksh"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("bash, zsh, fish"), "{text}");
}
