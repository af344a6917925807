//! Logs on standard error: plain lines with journald's priorities under systemd, readable ones elsewhere.

use std::io::IsTerminal;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::clock::Clock;
use super::quiet::Quiet;

/// Starts logging. `CALIBD_LOG` chooses levels (such as `info` or `calibd::sync=debug`); `info` is the default.
///
/// Answers with what holds lines back, to be asked for its sums. A second call in the same process changes nothing.
pub fn start() -> Quiet {
    let chosen = std::env::var("CALIBD_LOG");
    let filter = chosen.ok().and_then(|text| levels(&text).ok()).unwrap_or_else(usual);
    let quiet = Quiet::new(Clock::system());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry().with(filter).with(quiet.clone());
    // systemd sets this when standard error goes to the journal, which adds the time itself.
    let result = if std::env::var_os("JOURNAL_STREAM").is_some() {
        subscriber.with(lines.event_format(Journal)).try_init()
    } else {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        subscriber.with(lines.with_ansi(colours).with_target(false).compact()).try_init()
    };
    // An error means that logging has been started before.
    drop(result);
    quiet
}

/// What is logged unless something else is chosen.
fn usual() -> Targets {
    without_clients(Targets::new().with_default(Level::INFO))
}

/// Reads what `CALIBD_LOG` chooses, parts with commas between them. Nothing at all chooses what is usual.
fn levels(text: &str) -> Result<Targets, ParseError> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Ok(usual());
    }
    parts.join(",").parse().map(without_clients)
}

/// The clients log their own inner affairs at these levels; ours are in the link's events.
fn without_clients(targets: Targets) -> Targets {
    targets.with_target("rumqttc", LevelFilter::OFF).with_target("rumqttd", LevelFilter::OFF)
}

/// `<priority>span fields message`: the priority is that of syslog.
struct Journal;

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        for span in context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                write!(writer, "{fields} ")?;
            }
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_chosen_by_part_of_the_program() {
        let targets = levels("warn, calibd::sync=debug,,").unwrap();
        let passes = |target: &str, level: Level| targets.would_enable(target, &level);
        assert!(
            passes("calibd::sync::driver", Level::DEBUG) && !passes("calibd::sync::driver", Level::TRACE)
        );
        assert!(passes("calibd::store", Level::WARN) && !passes("calibd::store", Level::INFO));
        assert!(!passes("rumqttc::v5", Level::ERROR));
    }

    #[test]
    fn nothing_chooses_what_is_usual_and_nonsense_is_refused() {
        for text in ["", " , "] {
            assert_eq!(levels(text).unwrap().to_string(), usual().to_string(), "{text:?}");
        }
        assert!(
            usual().would_enable("calibd", &Level::INFO) && !usual().would_enable("calibd", &Level::DEBUG)
        );
        assert!(levels("calibd=loud").is_err());
    }

    #[test]
    fn levels_are_syslog_priorities() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(priority), [3, 4, 6, 7, 7]);
    }
}
