//! How a source's bytes are read: the tables `format` and `fields` of a source, and `on_full`.
//!
//! Shared by every kind of source that reads bytes: serial lines, files, MQTT payloads.

mod fields;
mod frame;

use self::fields::Fields;
use crate::config::reader::Section;
use crate::wire::decoder::Decoder;
use crate::wire::format::{CsvSpec, FormatSpec, Layout, Locator, SpecError};
use crate::wire::line::DEFAULT_MAX;
use crate::wire::number::Decimal;
use crate::wire::preset;

/// What the layout is for; not every format fits everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A stream that may be joined in the middle.
    Stream,
    /// Whole messages.
    Message,
    /// A CSV file; columns may be named as in its header.
    File,
    /// A CSV file without a header.
    FileWithoutHeader,
}

impl Usage {
    fn is_file(self) -> bool {
        matches!(self, Usage::File | Usage::FileWithoutHeader)
    }
}

/// What happens while the pipeline takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// The source waits; the operating system's buffer fills next.
    Block,
    /// The sample is dropped and counted.
    Drop,
}

const KINDS: [&str; 5] = ["csv", "json", "regex", "frame", "raw"];

/// Reads `on_full`: `block`, unless said otherwise.
pub fn read_on_full(section: &mut Section<'_>) -> OnFull {
    section.choice("on_full", &[("block", OnFull::Block), ("drop", OnFull::Drop)]).unwrap_or(OnFull::Block)
}

/// Reads the layout of messages.
pub fn read_layout(source: &mut Section<'_>) -> Option<Layout> {
    read(source, Usage::Message)
}

/// Reads the tables `format` and `fields` of a source's section.
///
/// `None` after faults, which are reported at their places.
pub fn read(source: &mut Section<'_>, usage: Usage) -> Option<Layout> {
    if !usage.is_file() {
        source.required("format", "format = { kind = \"csv\" }");
    }
    let mut format = source.table("format");
    if format.is_none() && (!usage.is_file() || source.has("format")) {
        source.value("fields");
        return None;
    }
    let layout = match format.as_mut() {
        Some(section) if section.has("preset") => preset_layout(section, source, usage)?,
        section => described(section, source, usage)?,
    };
    match Decoder::new(&without_header(&layout, usage)) {
        Ok(_) => Some(layout),
        Err(error) => {
            report(&error, format.as_ref(), source);
            None
        }
    }
}

/// The layout with named columns taken for the first: their names are looked up in the file later.
fn without_header(layout: &Layout, usage: Usage) -> Layout {
    let mut layout = layout.clone();
    if usage == Usage::File {
        let fields = layout.fields.iter_mut().map(|field| &mut field.at);
        let times = layout.time.iter_mut().flat_map(|time| &mut time.at);
        for at in fields.chain(times).chain(&mut layout.event) {
            if matches!(at, Locator::Header(_)) {
                *at = Locator::Column(0);
            }
        }
    }
    layout
}

fn report(error: &SpecError, format: Option<&Section<'_>>, source: &mut Section<'_>) {
    match (&error.field, format) {
        (Some(field), _) => {
            let Some(mut fields) = source.table("fields") else { return };
            fields.abandon();
            match fields.table(field) {
                Some(mut section) => {
                    section.abandon();
                    section.fault(error.key, &error.problem, &error.remedy);
                }
                None => fields.fault_here(&error.problem, &error.remedy),
            }
        }
        (None, Some(format)) if error.key != "fields" => {
            format.fault(error.key, &error.problem, &error.remedy);
        }
        (None, _) => source.fault(error.key, &error.problem, &error.remedy),
    }
}

fn preset_layout(format: &mut Section<'_>, source: &mut Section<'_>, usage: Usage) -> Option<Layout> {
    let options = preset::NAMES.map(|name| (name, name));
    let name = format.choice("preset", &options);
    if usage.is_file() {
        format.fault("preset", "is for instruments, not for files", "remove it; a file is read as CSV");
        return None;
    }
    let mut layout = preset::preset(name?)?;
    if source.has("fields") {
        layout.fields = fields::of_preset(source, &layout)?;
    }
    Some(layout)
}

fn described(mut format: Option<&mut Section<'_>>, source: &mut Section<'_>, usage: Usage) -> Option<Layout> {
    let kind = match &mut format {
        Some(section) if !usage.is_file() => {
            section.required("kind", "kind = \"csv\"").choice("kind", &KINDS.map(|kind| (kind, kind)))
        }
        Some(section) => section.choice("kind", &[("csv", "csv")]).or(Some("csv")),
        None => Some("csv"),
    };
    let Some(kind) = kind else {
        if let Some(section) = format {
            section.abandon();
        }
        source.value("fields");
        return None;
    };
    let largest = DEFAULT_MAX as u64;
    let max_length =
        format.as_mut().and_then(|section| section.size("max_length", 1..=16 << 20)).unwrap_or(largest);
    let spec = match (kind, format) {
        ("csv", Some(section)) => csv(section).map(FormatSpec::Csv),
        ("csv", None) => Some(FormatSpec::Csv(CsvSpec::default())),
        ("regex", Some(section)) => pattern(section),
        ("frame", Some(section)) => frame::spec(section).map(FormatSpec::Frame),
        ("raw", _) => Some(FormatSpec::Raw),
        _ => Some(FormatSpec::Json),
    };
    let Fields { fields, time, event } = fields::read(source, kind, usage)?;
    // At most 16 MiB by the range above.
    Some(Layout { format: spec?, fields, time, event, max_length: max_length as usize })
}

fn pattern(format: &mut Section<'_>) -> Option<FormatSpec> {
    let example = r"pattern = 'CO=(?P<co>\S+)'";
    let pattern = format.required("pattern", example).string("pattern")?;
    Some(FormatSpec::Regex { pattern })
}

fn csv(format: &mut Section<'_>) -> Option<CsvSpec> {
    let words = [(".", Decimal::Point), (",", Decimal::Comma)];
    let decimal = if format.has("decimal") { format.choice("decimal", &words) } else { Some(Decimal::Point) };
    let fallback = if decimal == Some(Decimal::Comma) { b';' } else { b',' };
    let separator = if format.has("separator") { separator(format) } else { Some(fallback) };
    let columns = format.integer("columns", 1..=65_536).map(|columns| columns as usize);
    Some(CsvSpec { separator: separator?, decimal: decimal?, columns })
}

fn separator(format: &mut Section<'_>) -> Option<u8> {
    let text = format.string("separator")?;
    match text.as_bytes() {
        [byte] => Some(*byte),
        _ => {
            format.fault("separator", format!("`{text}` is not one character"), "write one, such as \";\"");
            None
        }
    }
}

#[cfg(test)]
mod tests;
