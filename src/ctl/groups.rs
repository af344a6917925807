//! `calibctl --help`: the commands by what they are about.

use clap::Command;

use super::screen::Screen;

/// Where a command stands that is in none of the others.
const USUAL: &str = "On the gateway";
const GROUPS: [(&str, &[&str]); 5] = [
    (USUAL, &[]),
    ("Fleet", &["fleet"]),
    ("Files", &["apply", "detect", "evaluate", "fit", "plot"]),
    ("Keys and trust", &["key", "root", "sign", "verify"]),
    ("This program", &["completions"]),
];
/// Lines of the help are not longer, however wide the terminal: as clap has it.
const WIDEST: usize = 100;

/// The command with a help that lists its subcommands in groups.
pub fn grouped(command: Command) -> Command {
    let header = *command.get_styles().get_header();
    let groups: String = GROUPS
        .iter()
        .map(|(name, _)| format!("\n{header}{name}:{header:#}\n{}", listed(&command, name)))
        .collect();
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n{header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

/// The group of a command.
fn group(name: &str) -> &'static str {
    let named = GROUPS.iter().find(|(_, names)| names.contains(&name));
    named.map_or(USUAL, |(group, _)| group)
}

fn listed(command: &Command, wanted: &str) -> String {
    let shown = || command.get_subcommands().filter(|it| !it.is_hide_set());
    let longest = shown().map(|it| it.get_name().len()).max().unwrap_or(0);
    let columns = Screen::stdout().columns.map_or(WIDEST, |columns| columns.min(WIDEST));
    let screen = Screen { columns: Some(columns), rows: None };
    let literal = *command.get_styles().get_literal();
    let line = |it: &Command| {
        let (name, about) = (it.get_name(), it.get_about().map(ToString::to_string).unwrap_or_default());
        let blanks = longest - name.len() + 2;
        format!("  {literal}{name}{literal:#}{:blanks$}{}\n", "", screen.wrapped(&about, longest + 4))
    };
    shown().filter(|it| group(it.get_name()) == wanted).map(line).collect()
}
