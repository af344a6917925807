//! Reads a recorded file row by row: preamble, header, rows, the pace between them.

use std::time::Duration;

use super::config::{ReplayConfig, Speed, Times};
use crate::domain::time::Timestamp;
use crate::wire::csv;
use crate::wire::decoder::{Decoder, Record};
use crate::wire::fault::{DecodeError, FaultKind};
use crate::wire::format::SpecError;
use crate::wire::line::{Lines, TooLong};
use crate::wire::number::Value;

/// What a line of the file gives.
#[derive(Debug)]
pub(super) enum Row<'a> {
    /// Values at a time.
    Values(Record<'a>, Timestamp),
    /// Nothing of use.
    Fault(DecodeError),
    /// The header lacks columns; the file is of no use.
    Unusable(Vec<SpecError>),
}

/// Reads the lines of one pass through the file.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    config: &'a ReplayConfig,
    lines: Lines,
    before: usize,
    header: bool,
    decoder: Option<Decoder>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(config: &'a ReplayConfig) -> Reader<'a> {
        let lines = Lines::new(config.layout.max_length);
        Reader { config, lines, before: config.skip, header: config.header, decoder: None }
    }

    /// Takes the next bytes of the file; none at its end.
    pub(super) fn push(&mut self, bytes: &[u8], each: &mut dyn FnMut(Row<'_>)) {
        let Reader { config, lines, before, header, decoder } = self;
        let mut take = |line: Result<&[u8], TooLong<'_>>| match line {
            _ if *before > 0 => *before -= 1,
            Err(long) => each(Row::Fault(DecodeError::new(FaultKind::TooLong, long.0))),
            Ok(line) if *header => {
                *header = false;
                *decoder = with_header(config, line, each);
            }
            Ok(line) => {
                if decoder.is_none() && !config.header {
                    *decoder = Decoder::new(&config.layout).map_err(|e| each(Row::Unusable(vec![e]))).ok();
                }
                if let Some(decoder) = decoder {
                    row(decoder, line, each);
                }
            }
        };
        if bytes.is_empty() {
            lines.finish(&mut take);
        } else {
            lines.push(bytes, &mut take);
        }
    }
}

fn with_header(config: &ReplayConfig, line: &[u8], each: &mut dyn FnMut(Row<'_>)) -> Option<Decoder> {
    let mut layout = config.layout.clone();
    let resolved = csv::resolve(&mut layout, &String::from_utf8_lossy(line));
    let decoder = resolved.and_then(|()| Decoder::new(&layout).map_err(|error| vec![error]));
    decoder.map_err(|errors| each(Row::Unusable(errors))).ok()
}

fn row(decoder: &mut Decoder, line: &[u8], each: &mut dyn FnMut(Row<'_>)) {
    match decoder.message(line) {
        Ok(record) => match record.device_time {
            Some(time) => each(Row::Values(record, time)),
            // Spreadsheets leave rows of separators behind.
            None if record.faults.is_empty() && record.values.iter().all(|v| *v == Value::Missing) => {}
            None => {
                let first = record.faults.iter().find(|fault| fault.kind == FaultKind::BadTime).cloned();
                each(Row::Fault(first.unwrap_or_else(|| DecodeError::new(FaultKind::BadTime, line))));
            }
        },
        Err(fault) => each(Row::Fault(fault)),
    }
}

/// Keeps the pace of the recording, and its times from one pass to the next.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    times: Times,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    step: i64,
    shift: i64,
}

impl Pace {
    pub(super) fn new(config: &ReplayConfig) -> Pace {
        Pace { speed: config.speed, times: config.times, first: None, last: None, step: 0, shift: 0 }
    }

    /// When the row of this time is due, counted from the beginning of the replay, and which time
    /// its readings get.
    pub(super) fn place(&mut self, time: Timestamp) -> (Duration, Option<Timestamp>) {
        let time = time.saturating_add_micros(self.shift);
        let first = *self.first.get_or_insert(time);
        if let Some(last) = self.last {
            let step = time.micros_since(last);
            self.step = if step > 0 { step } else { self.step };
        }
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        let since = time.micros_since(first).max(0) as f64 / 1e6;
        let due = match self.speed {
            // Longer than the process will live is as good as never.
            Speed::Times(times) => Duration::try_from_secs_f64(since / times).unwrap_or(Duration::MAX),
            Speed::Max => Duration::ZERO,
        };
        (due, (self.times == Times::File).then_some(time))
    }

    /// Begins another pass: its times follow those of the last one by one more step.
    pub(super) fn again(&mut self) {
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let unshifted = first.as_micros();
            self.shift = last.as_micros().saturating_add(self.step.max(1)).saturating_sub(unshifted);
        }
    }
}

#[cfg(test)]
mod tests;
