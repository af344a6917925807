//! The decoder: a source's bytes in, records out.

use super::cells::Cells;
use super::csv::CsvReader;
use super::fault::{DecodeError, FaultKind};
use super::format::{FormatSpec, Layout, Locator, SpecError, Target, wrong_locator};
use super::frame::{FrameReader, Scanner};
use super::json::JsonReader;
use super::line::Lines;
use super::number::{Decimal, Value};
use super::regex::RegexReader;
use crate::domain::time::Timestamp;

/// The values of one line, frame or message.
#[derive(Debug)]
pub struct Record<'a> {
    /// The line, frame or message.
    pub input: &'a [u8],
    /// One for each field of the layout, in its order.
    pub values: &'a [Value],
    /// When the device says it measured.
    pub device_time: Option<Timestamp>,
    /// The event that the values are about.
    pub event: Option<&'a str>,
    /// Named texts that are no field: they name parts of template sensors.
    pub captures: Vec<(&'a str, &'a str)>,
    /// Fields that gave no value although the record has them.
    pub faults: &'a [DecodeError],
}

impl Record<'_> {
    /// The readings by index of the field; `None` is a reading without a value.
    pub fn readings(&self) -> impl Iterator<Item = (usize, Option<f64>)> {
        self.values.iter().enumerate().filter_map(|(field, value)| Some((field, value.reading()?)))
    }
}

#[derive(Debug)]
enum Reader {
    Csv(CsvReader),
    Json(JsonReader),
    Regex(Box<RegexReader>),
    Frame(FrameReader),
    Raw(Vec<Target>),
}

#[derive(Debug)]
enum Framing {
    Lines(Lines),
    Frames(Scanner),
}

/// What is done with each record.
pub type Each<'a> = dyn FnMut(Result<Record<'_>, DecodeError>) + 'a;

/// Decodes a stream or single messages.
///
/// Allocates nothing for a good record without captures; to skip a nested list or object, JSON takes one small
/// allocation.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    reader: Reader,
    cells: Cells,
    max_length: usize,
}

impl Decoder {
    /// Checks the layout and prepares a decoder for it.
    pub fn new(layout: &Layout) -> Result<Decoder, SpecError> {
        if layout.fields.is_empty() {
            return Err(SpecError::format("fields", "there is no field", "name at least one"));
        }
        if !(1..=1 << 24).contains(&layout.max_length) {
            let problem = "is not between 1 byte and 16 MiB";
            return Err(SpecError::format("max_length", problem, "write a size such as \"64KiB\""));
        }
        let mut decimal = Decimal::Point;
        let reader = match &layout.format {
            FormatSpec::Csv(spec) => {
                decimal = spec.decimal;
                Reader::Csv(CsvReader::new(spec, layout)?)
            }
            FormatSpec::Json => Reader::Json(JsonReader::new(layout)?),
            FormatSpec::Regex { pattern } => Reader::Regex(Box::new(RegexReader::new(pattern, layout)?)),
            FormatSpec::Frame(spec) => Reader::Frame(FrameReader::new(spec, layout)?),
            FormatSpec::Raw => Reader::Raw(raw_targets(layout)?),
        };
        let framing = match &reader {
            Reader::Frame(frame) => Framing::Frames(frame.scanner()),
            _ => Framing::Lines(Lines::new(layout.max_length)),
        };
        let cells = Cells::new(decimal, &layout.fields, layout.time.as_ref());
        Ok(Decoder { framing, reader, cells, max_length: layout.max_length })
    }

    /// The names of the captures that records of this layout can have.
    pub fn capture_names(&self) -> Vec<&str> {
        match &self.reader {
            Reader::Regex(regex) => regex.capture_names().collect(),
            _ => Vec::new(),
        }
    }

    /// Forgets a half-received line or frame, as after opening a port again.
    ///
    /// With `drop_first`, the first line is dropped, because a stream that is joined in the middle
    /// begins with a cut line whose numbers look right and are wrong. Frames need no such care.
    pub fn reset(&mut self, drop_first: bool) {
        match &mut self.framing {
            Framing::Lines(lines) => lines.reset(drop_first),
            Framing::Frames(scanner) => scanner.reset(),
        }
    }

    /// Takes the next bytes of a stream and hands over every record, or fault, that they complete.
    pub fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) {
        let Decoder { framing, reader, cells, .. } = self;
        match framing {
            Framing::Lines(lines) => lines.push(bytes, &mut |line| match line {
                Ok(line) => each(read(reader, cells, line)),
                Err(long) => each(Err(DecodeError::new(FaultKind::TooLong, long.0))),
            }),
            Framing::Frames(scanner) => scanner.push(bytes, &mut |frame| match frame {
                Ok(frame) => each(read(reader, cells, frame)),
                Err(error) => each(Err(error)),
            }),
        }
    }

    /// Hands over a last line that has no line end.
    pub fn finish(&mut self, each: &mut Each<'_>) {
        let Decoder { framing, reader, cells, .. } = self;
        if let Framing::Lines(lines) = framing {
            lines.finish(&mut |line| {
                if let Ok(line) = line {
                    each(read(reader, cells, line));
                }
            });
        }
    }

    /// Decodes one whole message.
    pub fn message<'a>(&'a mut self, payload: &'a [u8]) -> Result<Record<'a>, DecodeError> {
        if payload.len() > self.max_length {
            return Err(DecodeError::new(FaultKind::TooLong, payload));
        }
        match &self.reader {
            Reader::Frame(frame) => {
                frame.whole(payload)?;
                read(&mut self.reader, &mut self.cells, payload)
            }
            Reader::Json(_) => read(&mut self.reader, &mut self.cells, payload),
            _ => {
                let line = payload.trim_ascii_end();
                if memchr::memchr2(b'\n', b'\r', line).is_some() {
                    return Err(DecodeError::new(FaultKind::Garbage, payload));
                }
                read(&mut self.reader, &mut self.cells, line)
            }
        }
    }
}

fn raw_targets(layout: &Layout) -> Result<Vec<Target>, SpecError> {
    let take = |(target, name, locator): (Target, &str, &Locator)| match (target, locator) {
        (Target::Field(_), Locator::Whole) => Ok(target),
        (Target::Field(_), _) => Err(wrong_locator(name, "missing", "raw")),
        (Target::Time, _) => {
            let problem = "a raw message holds one number and no time";
            Err(SpecError::field(name, "kind", problem, "leave the time away, or use csv or json"))
        }
        (Target::Event, _) => {
            let problem = "a raw message holds one number and no event";
            Err(SpecError::field(name, "kind", problem, "leave the event away, or use csv or json"))
        }
    };
    layout.locators().map(take).collect()
}

fn read<'a>(
    reader: &'a mut Reader,
    cells: &'a mut Cells,
    bytes: &'a [u8],
) -> Result<Record<'a>, DecodeError> {
    cells.clear();
    let captures = match reader {
        Reader::Csv(csv) => csv.read(text(bytes)?, cells).map(|()| Vec::new())?,
        Reader::Json(json) => json.read(text(bytes)?, cells).map(|()| Vec::new())?,
        Reader::Regex(regex) => regex.read(bytes, cells)?,
        Reader::Frame(frame) => {
            frame.read(bytes, cells);
            Vec::new()
        }
        Reader::Raw(targets) => {
            let text = text(bytes)?;
            for target in targets.iter() {
                if let Target::Field(field) = target {
                    cells.text(*field, text);
                }
            }
            Vec::new()
        }
    };
    cells.finish(bytes)?;
    Ok(Record {
        input: bytes,
        values: &cells.values,
        device_time: cells.time,
        event: cells.event_name(),
        captures,
        faults: &cells.faults,
    })
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::new(FaultKind::BadUtf8, bytes))?;
    Ok(text.trim_start_matches('\u{feff}'))
}
