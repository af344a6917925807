//! The manual pages in `docs/man` say what `--help` and the reference of the configuration say. `CALIBD_RECORD=1`
//! writes them anew.

use std::collections::BTreeMap;
use std::env;
use std::fs;

use clap::Command;
use clap_mangen::Man;

use crate::house::files::{files, repository};
use crate::support::commands::commands;

/// Defines the apostrophe.
const QUOTE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// What calibd has to do with besides its command line.
const SURROUNDINGS: &str = r".SH FILES
.TP
.I /etc/calibd/calibd.toml
The configuration: see
.BR calibd.toml (5);
a commented example is /usr/share/doc/calibd/examples/calibd.toml
.TP
.I /etc/calibd/conf.d/*.toml
Laid over it, key by key, in the order of their names
.TP
.I /etc/calibd/credentials
Passwords and keys, for root alone; the service finds the file NAME as /run/credentials/calibd.service/calibd_NAME, as it was at the start
.TP
.I /run/calibd
The control sockets: control.sock for the group calibd, maintenance.sock for calibd\-maintenance, admin.sock for root
.TP
.I /var/lib/calibd
The store: history, ledger, the gateway\(aqs own key
.TP
.I /var/lib/calibd\-backup
Copies of the ledger, one for each day of the week
.SH SIGNALS
.TP
.B HUP
Read the configuration again, as
.BR calibctl\-reload (1)
does; with a fault in it nothing changes
.TP
.B TERM, INT
Commit and publish what is held, for 10 s at most, and end
";

/// Every page, by its file's name.
fn pages() -> BTreeMap<String, String> {
    // The demo is in no program that is installed.
    let daemon = calibd::daemon::cli::command().mut_subcommand("demo", |demo| demo.hide(true));
    let mut pages = BTreeMap::from([("calibd.toml.5".to_owned(), crate::reference::page::page())]);
    for (command, section) in [(daemon, "8"), (calibd::ctl::command(), "1")] {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        let program = format!("{} {}", command.get_name(), env!("CARGO_PKG_VERSION"));
        for (_, command) in commands(&command) {
            let man = Man::new(command.clone()).section(section).source(&program);
            pages.insert(man.get_filename(), page(&man, &command));
        }
    }
    pages
}

/// A page as clap_mangen makes it, but with examples that keep their lines.
fn page(man: &Man, command: &Command) -> String {
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    if command.get_subcommands().any(|it| !it.is_hide_set()) {
        man.render_subcommands_section(&mut page).unwrap();
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // Each section brings the definition along.
    let page = String::from_utf8(page).unwrap().replace(QUOTE, "");
    QUOTE.to_owned() + &page + &examples(&help) + &see_also(command)
}

/// What else a reader of the first pages may want.
fn see_also(command: &Command) -> String {
    match command.get_name() {
        "calibd" => SURROUNDINGS.to_owned() + ".SH SEE ALSO\n.BR calibctl (1),\n.BR calibd.toml (5)\n",
        "calibctl" => ".SH SEE ALSO\n.BR calibd (8),\n.BR calibd.toml (5)\n".to_owned(),
        _ => String::new(),
    }
}

fn examples(help: &str) -> String {
    let (title, text) = help.split_once('\n').unwrap();
    assert!(title.eq_ignore_ascii_case("examples:"), "{help}");
    let mut out = ".SH EXAMPLES\n".to_owned();
    let mut verbatim = false;
    for line in text.lines() {
        let example = line.starts_with("  ");
        if example != verbatim {
            out.push_str(if example { ".nf\n" } else { ".fi\n" });
            verbatim = example;
        }
        out.push_str(&if line.is_empty() { ".PP\n".to_owned() } else { escaped(line) + "\n" });
    }
    out.push_str(if verbatim { ".fi\n" } else { "" });
    out
}

/// A line that roff shows as it is.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[test]
fn the_manual_pages_are_those_of_the_command_lines() {
    let pages = pages();
    let dir = repository().join("docs/man");
    if env::var_os("CALIBD_RECORD").is_some() {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        for (name, page) in &pages {
            fs::write(dir.join(name), page).unwrap();
        }
    }
    let name = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let kept: BTreeMap<String, String> =
        files(&dir).iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    let differ: Vec<&String> =
        pages.keys().chain(kept.keys()).filter(|name| pages.get(*name) != kept.get(*name)).collect();
    assert!(
        differ.is_empty(),
        "`CALIBD_RECORD=1 tests/run --test it manual` writes docs/man anew; not as `--help` or docs/reference/configuration.md says it: {differ:?}"
    );
}
