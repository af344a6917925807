//! Logs on standard error: plain lines with journald's priorities under systemd, readable ones elsewhere.

use std::fmt::{self, Debug, Write};
use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::clock::{Clock, system_now};
use super::quiet::Quiet;

/// What is logged by this process, and how that is changed.
static FILTER: OnceLock<(Targets, reload::Handle<Targets, Registry>)> = OnceLock::new();

/// Starts logging. `CALIBD_LOG` chooses levels (such as `info` or `calibd::sync=debug`); `info` is the default.
///
/// Answers with what holds lines back, to be asked for its sums. A second call in the same process changes nothing.
pub fn start() -> Quiet {
    let chosen = std::env::var("CALIBD_LOG");
    let filter = chosen.ok().and_then(|text| levels(&text).ok()).unwrap_or_else(usual);
    let quiet = Quiet::new(Clock::system());
    // systemd sets this when standard error goes to the journal, which adds the time itself.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let colours = !journal && std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = lines.fmt_fields(FieldsFirst).event_format(Lines { journal });
    let (layer, handle) = reload::Layer::new(filter.clone());
    // An error means that logging has been started before.
    if tracing_subscriber::registry().with(layer).with(quiet.clone()).with(lines).try_init().is_ok() {
        // Nobody else starts logging.
        let _ = FILTER.set((filter, handle));
    }
    quiet
}

/// Checks a choice of levels as `CALIBD_LOG` has them.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str) -> Result<(), String> {
    levels(text).map(drop).map_err(|error| error.to_string())
}

/// Logs by another choice of levels from now on; one that is not good changes nothing.
pub fn choose(text: &str) {
    levels(text).into_iter().for_each(replace);
}

/// Logs again by what was chosen at the start.
pub fn choose_usual() {
    FILTER.get().into_iter().for_each(|(filter, _)| replace(filter.clone()));
}

fn replace(filter: Targets) {
    if let Some((_, handle)) = FILTER.get() {
        // It fails only when nothing is logged any more.
        let _ = handle.reload(filter);
    }
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

/// `<priority>fields message` for the journal, `time LEVEL fields message` for others. The fields are those of the
/// spans around the line, from the outermost, and then its own.
struct Lines {
    journal: bool,
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "34",
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        if self.journal {
            write!(writer, "<{}>", priority(level))?;
        } else if writer.has_ansi_escapes() {
            write!(writer, "\x1b[2m{}\x1b[0m \x1b[{}m{level:>5}\x1b[0m ", system_now(), colour(level))?;
        } else {
            write!(writer, "{} {level:>5} ", system_now())?;
        }
        let spans =
            context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root);
        for span in spans {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                write!(writer, "{fields}")?;
            }
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// `name=value ` for each field, and then the message.
struct FieldsFirst;

impl<'writer> FormatFields<'writer> for FieldsFirst {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line::default();
        fields.record(&mut line);
        writer.write_str(&line.fields)?;
        writer.write_str(&line.message)
    }
}

#[derive(Default)]
struct Line {
    fields: String,
    message: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Names and codes look better without quotation marks; where they are needed they stay.
        if value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') {
            self.record_debug(field, &value);
        } else {
            self.record_debug(field, &format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(OneLine(&mut self.message), "{value:?}"),
            name => write!(OneLine(&mut self.fields), "{name}={value:?} "),
        };
    }
}

/// Text from outside can end no line and give a terminal no orders.
struct OneLine<'a>(&'a mut String);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c.is_control() { self.0.extend(c.escape_debug()) } else { self.0.push(c) }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

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

    /// What was written.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_fields_of_spans_and_line_stand_before_the_message() {
        let paper = Paper::default();
        let writer = paper.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let lines = lines.fmt_fields(FieldsFirst).event_format(Lines { journal: true });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let span = tracing::error_span!("source", source = "line1");
            tracing::warn!(parent: &span, reason = "bad number", count = 3, "input dropped: {}", "x\n<0>y\u{1b}[2J");
        });
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "<4>source=line1 reason=\"bad number\" count=3 input dropped: x\\n<0>y\\u{1b}[2J\n");
    }
}
