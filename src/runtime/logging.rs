//! Logs on standard error: plain lines with journald's priorities under systemd, readable ones elsewhere.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::EnvFilter;
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
    // The client logs its own inner affairs at these levels; ours are in the link's events.
    let default = "info,rumqttc=off,rumqttd=off";
    let chosen =
        std::env::var("CALIBD_LOG").map_or_else(|_| default.to_owned(), |l| format!("{l},rumqttc=off"));
    let filter = EnvFilter::try_new(&chosen).unwrap_or_else(|_| EnvFilter::new(default));
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
    fn levels_are_syslog_priorities() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(priority), [3, 4, 6, 7, 7]);
    }
}
