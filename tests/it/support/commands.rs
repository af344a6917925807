//! The commands of a command line.

use clap::Command;

/// Every command that is shown, itself among them, by the words that call it.
pub fn commands(of: &Command) -> Vec<(Vec<String>, Command)> {
    let mut found = vec![(Vec::new(), of.clone())];
    for it in of.get_subcommands().filter(|it| !it.is_hide_set()) {
        let below = commands(it).into_iter();
        found.extend(
            below.map(|(words, command)| ([vec![it.get_name().to_owned()], words].concat(), command)),
        );
    }
    found
}
