//! Every command of `calibd` and `calibctl` that a document or a help text shows is one of the real command lines.

mod shell;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Command;
use clap::error::ErrorKind;

use crate::house::files::{documents, shown};
use crate::support::commands::commands;

/// The programs' command lines.
struct Programs {
    daemon: Command,
    people: Command,
}

impl Programs {
    fn new() -> Programs {
        Programs { daemon: calibd::daemon::cli::command(), people: calibd::ctl::command() }
    }

    /// What is wrong with a command of ours. In prose only what names something that isn't there:
    /// values are placeholders, and arguments are left out.
    fn fault(&self, words: &[String], prose: bool) -> Option<String> {
        let program = if words.first()? == "calibd" { &self.daemon } else { &self.people };
        let elided = prose || words.iter().any(|word| word == "...");
        let words = words.iter().filter(|word| *word != "...");
        let fault = program.clone().try_get_matches_from(words.clone()).err()?;
        let is_one = match fault.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand => elided,
            ErrorKind::ValueValidation | ErrorKind::InvalidValue => prose,
            // `calibctl help COMMAND` stands for all of them.
            ErrorKind::InvalidSubcommand => prose && words.clone().nth(1).is_some_and(|word| word == "help"),
            _ => false,
        };
        let line = words.map(String::as_str).collect::<Vec<_>>().join(" ");
        (!is_one).then(|| format!("`{line}`: {}", fault.to_string().lines().next().unwrap_or_default()))
    }
}

fn is_ours(words: &[String]) -> bool {
    words.first().is_some_and(|first| first == "calibctl" || first == "calibd")
}

/// The fenced blocks of a document that may hold commands, as they would be typed.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(open) = lines.find(|line| line.trim_start().starts_with("```")) {
        let block: Vec<&str> =
            lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        if !matches!(open.trim_start().trim_start_matches('`'), "" | "bash" | "sh" | "console") {
            continue;
        }
        // Where prompts stand, everything else is what a command says.
        let prompted: Vec<&str> =
            block.iter().filter_map(|line| line.trim_start().strip_prefix("$ ")).collect();
        found.push(if prompted.is_empty() { block.join("\n") } else { prompted.join("\n") });
    }
    found
}

/// The words of each command that stands between backticks: of `a|b` both, of lists with commas each.
fn inline(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence {
            continue;
        }
        let pieces = line.split('`').skip(1).step_by(2).map(|piece| piece.trim_start_matches("sudo "));
        for piece in pieces.filter(|piece| piece.starts_with("calibctl ") || piece.starts_with("calibd ")) {
            let (program, rest) = piece.split_once(' ').unwrap();
            // `\|` in a table is a pipe.
            let rest = rest.replace("\\|", " ; ").replace(" | ", " ; ");
            for command in rest.split(';').next().unwrap().split(", ") {
                found.extend(alternatives(&format!("{program} {command}")));
            }
        }
    }
    found
}

fn alternatives(command: &str) -> Vec<Vec<String>> {
    let plain = command.replace('|', "\u{1}").replace(['[', ']'], " ").replace("...", " ");
    let words = shell::commands(&plain).into_iter().next().unwrap_or_default();
    let most = words.iter().map(|word| word.split('\u{1}').count()).max().unwrap_or(0);
    let nth = |n: usize| {
        words
            .iter()
            .map(move |word| word.split('\u{1}').cycle().nth(n).unwrap_or_default().to_owned())
            .collect()
    };
    (0..most).map(nth).collect()
}

/// What is wrong with the commands of a document, and how many there are.
fn faults(programs: &Programs, path: &Path) -> (Vec<String>, usize) {
    let text = fs::read_to_string(path).unwrap();
    // Some pages write `fleet` for what all commands of a fleet have in common.
    let short = text.contains("\nfleet() {\n");
    let mut found: Vec<(Vec<String>, bool)> = Vec::new();
    for block in blocks(&text) {
        for mut words in shell::commands(&block) {
            if short && words[0] == "fleet" {
                words.insert(0, "calibctl".to_owned());
                words.push("...".to_owned());
            }
            // What a function passes on is checked where the function is called.
            if !words.iter().any(|word| word == "$@") {
                found.push((words, false));
            }
        }
    }
    found.extend(inline(&text).into_iter().map(|words| (words, true)));
    found.retain(|(words, _)| is_ours(words));
    let wrong = found.iter().filter_map(|(words, prose)| programs.fault(words, *prose));
    (wrong.map(|fault| format!("{}: {fault}", shown(path))).collect(), found.len())
}

#[test]
fn every_command_of_the_documents_is_one() {
    let programs = Programs::new();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    // A record tells what was thought of, too.
    for path in documents().iter().filter(|path| !shown(path).starts_with("docs/decisions/")) {
        let (faults, count) = faults(&programs, path);
        wrong.extend(faults);
        seen += count;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 200, "found {seen} commands");
}

#[test]
fn every_example_of_a_help_text_is_a_command() {
    let programs = Programs::new();
    let mut wrong = BTreeSet::new();
    for program in [&programs.daemon, &programs.people] {
        // The demo is in no program that is installed.
        for (words, command) in commands(program).into_iter().filter(|(words, _)| *words != ["demo"]) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            // Behind two blanks stands what an example does.
            let examples = help.lines().skip(1).take_while(|line| line.starts_with("  "));
            let script: Vec<&str> =
                examples.map(|line| line.trim_start().split("  ").next().unwrap()).collect();
            let found = shell::commands(&script.join("\n"));
            assert!(found.iter().any(|words| is_ours(words)), "{words:?} has no example: {help}");
            let ours = found.iter().filter(|words| is_ours(words));
            wrong.extend(ours.filter_map(|words| programs.fault(words, false)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_command_that_is_none_is_found() {
    let programs = Programs::new();
    let text =
        "`calibctl sensor co-1`, `calibctl sensr co-1`\n```bash\ncalibctl readings co-1 --sinse 2h\n```\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.md");
    fs::write(&path, text).unwrap();
    let (wrong, seen) = faults(&programs, &path);
    assert_eq!((wrong.len(), seen), (2, 3), "{wrong:?}");
}
