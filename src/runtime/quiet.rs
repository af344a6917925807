//! A noisy part must not flood the journal: of lines that are alike only a few a minute pass, and one says how many did not.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::clock::Clock;

/// Lines that are alike and pass within [`WINDOW`].
pub const LINES: u32 = 5;
/// How long lines are counted together.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Between two looks for windows that are over.
const LOOK: Duration = Duration::from_secs(5);
/// Kinds of lines told apart by what they are about; beyond it only by their place in the program.
const KINDS: usize = 1024;
/// Fields that say what a line is about.
const SUBJECTS: [&str; 7] = ["source", "sensor", "sink", "task", "part", "transform", "reason"];
/// The target of the lines that say how many others were held back: they always pass.
const SUMMARY: &str = "calibd::held_back";

/// Holds lines back. Cheap to clone; clones are one.
///
/// Only what is logged is limited: counters count all. Lines below `info` pass, whoever turned them on wants them.
#[derive(Clone, Debug)]
pub struct Quiet {
    clock: Clock,
    windows: Arc<Mutex<Windows>>,
    held_back: Arc<AtomicU64>,
}

impl Quiet {
    /// Holds nothing back yet.
    pub fn new(clock: Clock) -> Quiet {
        Quiet { clock, windows: Arc::default(), held_back: Arc::default() }
    }

    /// How many lines were held back since the start.
    pub fn held_back(&self) -> u64 {
        self.held_back.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Windows> {
        // Nothing panics while holding the lock.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how many lines were held back, a window after the first of each kind, for ever; `tell` is told
    /// now and then how many there were in all.
    pub async fn summaries(&self, tell: impl Fn(u64)) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.summarise(WINDOW);
            tell(self.held_back());
        }
    }

    /// Says how many lines were held back in windows that are at least `age` old.
    pub fn summarise(&self, age: Duration) {
        let over = self.lock().over(self.clock.monotonic(), age);
        for Held { level, held_back, like } in over {
            match level {
                Level::ERROR => tracing::error!(target: SUMMARY, held_back, "more lines like: {like}"),
                Level::WARN => tracing::warn!(target: SUMMARY, held_back, "more lines like: {like}"),
                _ => tracing::info!(target: SUMMARY, held_back, "more lines like: {like}"),
            }
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Quiet {
    /// Keeps what the span's lines are about.
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut subject = Subject::default();
        attributes.record(&mut subject);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(subject);
        }
    }

    fn event_enabled(&self, event: &Event<'_>, context: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == SUMMARY {
            return true;
        }
        let kind = (metadata.callsite(), subject(event, &context));
        let held = || Held::of(event, subject(event, &context));
        let admitted = self.lock().admits(kind, self.clock.monotonic(), held);
        self.held_back.fetch_add(u64::from(!admitted), Ordering::Relaxed);
        admitted
    }
}

/// What a line is about, by the spans around it and by itself.
fn subject<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, context: &Context<'_, S>) -> String {
    let mut subject = Subject::default();
    for span in context.event_scope(event).into_iter().flatten() {
        let extensions = span.extensions();
        extensions.get::<Subject>().into_iter().for_each(|of_span| subject.0.push_str(&of_span.0));
    }
    event.record(&mut subject);
    subject.0
}

/// What a line is about: `source=line1 reason=bad_number `.
#[derive(Default)]
struct Subject(String);

impl Visit for Subject {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if SUBJECTS.contains(&field.name()) {
            // Writing to a string cannot fail.
            let _ = write!(self.0, "{}={value:?} ", field.name());
        }
    }
}

/// The message of a line.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

type Kind = (Identifier, String);

/// Lines that did not pass.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    level: Level,
    held_back: u64,
    like: String,
}

impl Held {
    fn of(event: &Event<'_>, subject: String) -> Held {
        let mut message = Message::default();
        event.record(&mut message);
        Held { level: *event.metadata().level(), held_back: 0, like: subject + &message.0 }
    }
}

#[derive(Debug)]
struct Window {
    since: Duration,
    lines: u32,
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Windows(HashMap<Kind, Window>);

impl Windows {
    /// Whether a line passes; `held` describes the first of a window that does not.
    fn admits(&mut self, kind: Kind, now: Duration, held: impl FnOnce() -> Held) -> bool {
        let crowded = self.0.len() >= KINDS && !self.0.contains_key(&kind);
        let kind = if crowded { (kind.0, String::new()) } else { kind };
        let window = self.0.entry(kind).or_insert(Window { since: now, lines: 0, held: None });
        if now.saturating_sub(window.since) >= WINDOW {
            // Nobody has summed it up: what was held back is added to the next sum.
            (window.since, window.lines) = (now, 0);
        }
        if window.lines < LINES {
            window.lines += 1;
            return true;
        }
        window.held.get_or_insert_with(held).held_back += 1;
        false
    }

    /// Ends windows that are at least `age` old; answers what was held back in them.
    fn over(&mut self, now: Duration, age: Duration) -> Vec<Held> {
        let ended = self.0.extract_if(|_, window| now.saturating_sub(window.since) >= age);
        ended.filter_map(|(_, window)| window.held).collect()
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Counts the lines that pass, and remembers the last.
    #[derive(Clone, Default)]
    struct Journal(Arc<AtomicU64>, Arc<Mutex<String>>);

    impl<S: Subscriber> Layer<S> for Journal {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            let mut text = String::new();
            event.record(&mut |field: &Field, value: &dyn Debug| {
                write!(text, "{}={value:?} ", field.name()).unwrap();
            });
            *self.1.lock().unwrap() = text;
        }
    }

    impl Journal {
        fn lines(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn journal() -> (Quiet, Journal, impl Subscriber) {
        let (quiet, journal) = (Quiet::new(Clock::system()), Journal::default());
        let subscriber = tracing_subscriber::registry().with(quiet.clone()).with(journal.clone());
        (quiet, journal, subscriber)
    }

    #[test]
    fn a_noisy_part_gets_a_few_lines_and_a_sum_and_hides_no_other() {
        let (quiet, journal, subscriber) = journal();
        tracing::subscriber::with_default(subscriber, || {
            let say = |source: &str, n| tracing::warn!(source, "line {n}: not a number");
            (0..100_000).for_each(|n| say("line1", n));
            assert_eq!(journal.lines(), u64::from(LINES));
            say("line2", 0);
            assert_eq!(journal.lines(), u64::from(LINES) + 1);
            quiet.summarise(WINDOW);
            assert_eq!(journal.lines(), u64::from(LINES) + 1);
            quiet.summarise(Duration::ZERO);
            assert_eq!(journal.lines(), u64::from(LINES) + 2);
            let sum = journal.1.lock().unwrap().clone();
            assert!(
                sum.contains("held_back=99995") && sum.contains(r#"source="line1" line 5: not a number"#)
            );
            say("line1", 0);
            assert_eq!(journal.lines(), u64::from(LINES) + 3);
            assert_eq!(quiet.held_back(), 99_995);
        });
    }

    #[test]
    fn spans_tell_lines_apart_as_fields_do() {
        let (quiet, journal, subscriber) = journal();
        tracing::subscriber::with_default(subscriber, || {
            // A source that is opened again has a new span, and is the same source.
            let spans = ["line1", "line2", "line1"].map(|source| tracing::error_span!("source", source));
            for number in 0..100 {
                let say = |span| tracing::warn!(parent: span, number, "not a number");
                spans.iter().for_each(say);
            }
            assert_eq!(journal.lines(), u64::from(LINES) * 2);
            assert_eq!(quiet.held_back(), 300 - u64::from(LINES) * 2);
            quiet.summarise(Duration::ZERO);
            assert!(journal.1.lock().unwrap().contains("source=\"line"));
        });
    }

    #[test]
    fn lines_that_were_turned_on_for_a_search_all_pass() {
        let (_, journal, subscriber) = journal();
        tracing::subscriber::with_default(subscriber, || {
            (0..100).for_each(|n| tracing::debug!("line {n}"));
        });
        assert_eq!(journal.lines(), 100);
    }

    fn kind(subject: impl ToString) -> Kind {
        struct Place;
        static PLACE: Place = Place;
        impl tracing::Callsite for Place {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &tracing::Metadata<'_> {
                panic!("nobody asks")
            }
        }
        (Identifier(&PLACE), subject.to_string())
    }

    fn held() -> Held {
        Held { level: Level::WARN, held_back: 0, like: String::new() }
    }

    #[test]
    fn a_new_window_lets_lines_pass_and_forgets_no_count() {
        let mut windows = Windows::default();
        let mut admits = |now| windows.admits(kind("a"), now, held);
        let passed = (0..20).filter(|_| admits(Duration::ZERO)).count() as u32;
        assert_eq!(passed, LINES);
        assert!(!admits(WINDOW - Duration::from_secs(1)));
        assert!(admits(WINDOW));
        assert_eq!(windows.over(WINDOW * 2, WINDOW), [Held { held_back: 16, ..held() }]);
        assert_eq!(windows.over(WINDOW * 3, WINDOW), []);
        assert!(windows.0.is_empty());
    }

    #[test]
    fn ever_new_subjects_take_no_more_memory_and_share_their_lines() {
        let mut windows = Windows::default();
        let passed = (0..100_000).filter(|n| windows.admits(kind(n), Duration::ZERO, held)).count();
        assert_eq!(windows.0.len(), KINDS + 1);
        assert_eq!(passed, KINDS + LINES as usize);
    }
}
