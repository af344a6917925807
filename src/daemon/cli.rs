//! The command line of `calibd`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};

use crate::config::fault::Fault;
use crate::config::{Loaded, Refused, load};

/// Exit code for a configuration with faults (EX_CONFIG of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;
/// Exit code for a command line that makes no sense.
const EXIT_USAGE: u8 = 2;
const CONFIG: &str = "/etc/calibd/calibd.toml";

const HELP: &str = "\
Keeps field sensors truthful: reads raw measurements, applies signed calibration transforms,
keeps both with their uncertainty, and publishes them.

Usage: calibd [--config FILE]           run until SIGTERM; SIGHUP reads the configuration again
       calibd check [--config FILE]     check the configuration and report every fault at once
       calibd demo [OPTIONS]            the whole way with real data and nothing else set up, in half
                                        a minute; only in a calibd that was built with its demo

Options:
      --config FILE   the configuration [default: /etc/calibd/calibd.toml]; the files conf.d/*.toml
                      beside it are laid over it; relative paths in it are relative to the working
                      directory (of the service: /)
      --json          with check: print one JSON object to standard output and nothing else:
                      {\"valid\", \"faults\": [{\"file\", \"line\", \"key\", \"problem\", \"remedy\"}],
                      \"warnings\": [...]}
  -h, --help          print this
  -V, --version       print the version

CALIBD_LOG chooses what is logged: info unless said otherwise, debug, calibd::sync=debug, ...

Exit codes: 0 done, valid (warnings may be shown), 2 wrong usage, 74 stopped as asked, but the last
readings could not be stored, 78 bad configuration, 1 anything else";

const EXAMPLES: &str = "\
Examples:
  calibd --config /etc/calibd/calibd.toml        run until SIGTERM
  calibd check --config /etc/calibd/calibd.toml  report every fault of the configuration

Exit codes: 0 done, 2 wrong usage, 74 stopped as asked, but the last readings could not be stored, 78 bad configuration,
1 anything else";

const CHECK_EXAMPLES: &str = "\
Examples:
  calibd check
  calibd check --config calibd.toml --json

Relative paths in the configuration are relative to the working directory (of the service: `/`).
Exit codes: 0 valid (warnings may be shown), 78 bad configuration
--json prints {\"valid\", \"faults\": [{\"file\", \"line\", \"key\", \"problem\", \"remedy\"}], \"warnings\": [...]}";

/// calibd's command line, of which its manual pages are made. The program itself reads it with [`parse`].
pub fn command() -> Command {
    let config = Arg::new("config").long("config").value_name("FILE").global(true).default_value(CONFIG);
    let config = config.help("The configuration; the files conf.d/*.toml beside it are laid over it");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let json = json.help("Print one JSON object to standard output and nothing else");
    let check = Command::new("check").about("Check the configuration and report every fault at once");
    let demo = Command::new("demo")
        .about("Show the whole way with real data and nothing else set up, in half a minute")
        .hide(cfg!(not(feature = "demo")));
    Command::new("calibd")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Keeps field sensors truthful: reads raw measurements, applies signed calibration transforms, keeps \
             both with their uncertainty, and publishes them",
        )
        .after_help(EXAMPLES)
        .arg(config)
        .subcommand(check.after_help(CHECK_EXAMPLES).arg(json))
        .subcommand(demo)
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Asked {
    Run { config: PathBuf },
    Check { config: PathBuf, json: bool },
    Demo,
    Help,
    Version,
}

/// Reads the command line, the program's name left out; otherwise says what is wrong.
///
/// By hand: there are two options, and clap_builder alone had 160 kB of code.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut arguments = arguments.into_iter();
    let (mut config, mut check, mut json) = (None, false, false);
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        match (&*text, text.strip_prefix("--config=")) {
            ("-h" | "--help" | "help", _) => return Ok(Asked::Help),
            ("-V" | "--version", _) => return Ok(Asked::Version),
            ("demo" | "demo-broker" | "demo-calibctl", _) if !check => return Ok(Asked::Demo),
            ("check", _) if !check => check = true,
            ("--json", _) => json = true,
            ("--config", _) | (_, Some(_)) if config.is_some() => {
                return Err("--config can be given once".to_owned());
            }
            ("--config", _) => config = Some(arguments.next().ok_or("--config needs a FILE")?.into()),
            (_, Some(file)) => config = Some(PathBuf::from(file)),
            _ => return Err(format!("`{text}` is not known here")),
        }
    }
    let config = config.unwrap_or_else(|| PathBuf::from(CONFIG));
    match (check, json) {
        (true, json) => Ok(Asked::Check { config, json }),
        (false, true) => Err("--json goes with `calibd check`".to_owned()),
        (false, false) => Ok(Asked::Run { config }),
    }
}

/// Runs `calibd` with the arguments of the process.
pub fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)) {
        Ok(Asked::Run { config }) => run(&config),
        Ok(Asked::Check { config, json }) => check(&config, json),
        Ok(Asked::Demo) => demo(),
        Ok(Asked::Help) => {
            anstream::println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Asked::Version) => {
            anstream::println!("calibd {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            anstream::eprintln!("error: {problem}; see `calibd --help`");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

#[cfg(feature = "demo")]
fn demo() -> ExitCode {
    crate::demo::main()
}

#[cfg(not(feature = "demo"))]
fn demo() -> ExitCode {
    anstream::eprintln!(
        "error: this calibd was built without its demo; build it with `cargo build --features demo`"
    );
    ExitCode::from(EXIT_USAGE)
}

fn run(file: &Path) -> ExitCode {
    match load(file) {
        Ok(loaded) => {
            show(&loaded.warnings, "warning: ");
            super::run(file, loaded)
        }
        Err(refused) => {
            show_refused(file, &refused);
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn check(file: &Path, json: bool) -> ExitCode {
    let result = load(file);
    let code = if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) };
    match result {
        result if json => anstream::println!("{}", as_json(&result)),
        Ok(loaded) => {
            show(&loaded.warnings, "warning: ");
            anstream::println!("{}: valid, {}", file.display(), summary(&loaded));
        }
        Err(refused) => show_refused(file, &refused),
    }
    code
}

fn as_json(result: &Result<Loaded, Refused>) -> serde_json::Value {
    let (faults, warnings): (&[Fault], &[Fault]) = match result {
        Ok(loaded) => (&[], &loaded.warnings),
        Err(refused) => (&refused.faults, &refused.warnings),
    };
    serde_json::json!({ "valid": result.is_ok(), "faults": faults, "warnings": warnings })
}

fn summary(loaded: &Loaded) -> String {
    let config = &loaded.config;
    let mut parts = vec![
        counted(config.sources.len(), "source"),
        counted(config.sensors.len(), "sensor"),
        counted(config.templates.len(), "sensor template"),
        counted(config.sinks.len(), "sink"),
    ];
    if !loaded.warnings.is_empty() {
        parts.push(counted(loaded.warnings.len(), "warning"));
    }
    parts.join(", ")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn show(faults: &[Fault], prefix: &str) {
    for fault in faults {
        anstream::eprintln!("{prefix}{fault}");
    }
}

fn show_refused(file: &Path, refused: &Refused) {
    show(&refused.warnings, "warning: ");
    show(&refused.faults, "");
    let count = counted(refused.faults.len(), "fault");
    let rest = if refused.judged { "" } else { "; the rest is judged once the files can be read" };
    anstream::eprintln!("{}: not valid, {count}{rest}", file.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_configuration_can_stand_before_and_after_the_command() {
        for line in ["--config a check", "check --config a", "check --config=a"] {
            assert_eq!(asked(line), Ok(Asked::Check { config: "a".into(), json: false }), "{line}");
        }
        assert_eq!(asked("--config a"), Ok(Asked::Run { config: "a".into() }));
        assert_eq!(asked("--json check"), Ok(Asked::Check { config: CONFIG.into(), json: true }));
        assert_eq!(asked(""), Ok(Asked::Run { config: CONFIG.into() }));
    }

    #[test]
    fn help_version_and_the_demo_are_asked_for_by_a_word() {
        for line in ["-h", "--help", "help", "check --help", "--config a -h"] {
            assert_eq!(asked(line), Ok(Asked::Help), "{line}");
        }
        assert_eq!(asked("--version"), Ok(Asked::Version));
        assert_eq!(asked("demo --for 2m"), Ok(Asked::Demo));
        assert!(HELP.contains(CONFIG));
    }

    #[test]
    fn the_manual_and_the_help_show_what_is_read() {
        command().debug_assert();
        for line in ["", "check", "check --json", "--config a check", "check --config=a", "--config a demo"] {
            let shown = command().try_get_matches_from(format!("calibd {line}").split_whitespace());
            assert!(shown.is_ok() && asked(line).is_ok(), "{line}");
        }
        for line in ["--json", "chek", "--jsn", "check check", "check --config", "--config a --config=b"] {
            let shown = command().try_get_matches_from(format!("calibd {line}").split_whitespace());
            assert!(shown.is_err() && asked(line).is_err(), "{line}");
        }
        for (command, word) in command().get_subcommands().map(|c| (c, c.get_name())) {
            let options = command.get_arguments().filter_map(|argument| argument.get_long());
            for word in options.chain([word]) {
                assert!(HELP.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (line, says) in [
            ("chek", "`chek` is not known here"),
            ("--jsn", "`--jsn` is not known here"),
            ("check check", "`check` is not known here"),
            ("--json", "--json goes with `calibd check`"),
            ("check --config", "--config needs a FILE"),
            ("--config a --config=b", "--config can be given once"),
        ] {
            assert_eq!(asked(line), Err(says.to_owned()), "{line}");
        }
    }
}
