//! The table `fields`: where each field, the device's time and the event's name stand.

use std::sync::Arc;

use super::{Usage, frame};
use crate::config::reader::{Section, Value};
use crate::domain::id::Id;
use crate::wire::format::{FieldSpec, Layout, Locator, TimeSpec};
use crate::wire::number::Missing;
use crate::wire::time::{Pattern, TimeFormat, TimeUnit, parse_offset};

/// The field that is the device's time and no measurement.
const TIME: &str = "time";
/// The field that names the event which the others are about, and is no measurement.
const EVENT: &str = "event";

/// What the table says.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub fields: Vec<FieldSpec>,
    pub time: Option<TimeSpec>,
    pub event: Option<Locator>,
}

/// Reads all fields of a described format; `None` after a fault in any of them.
pub(super) fn read(source: &mut Section<'_>, kind: &str, usage: Usage) -> Option<Fields> {
    let example = match kind {
        "csv" => "fields = { co = { column = 3 } }",
        "json" => "fields = { co = { pointer = \"/co\" } }",
        "regex" => "fields = { co = { group = \"co\" } }",
        "raw" => "fields = { value = {} }",
        _ => "fields = { co = { offset = 2, width = 2, endian = \"big\" } }",
    };
    let mut table = source.required("fields", example).table("fields")?;
    let (mut found, mut good) = (Fields::default(), true);
    for name in table.keys() {
        let Some(mut section) = table.table(name) else {
            good = false;
            continue;
        };
        if name == TIME {
            found.time = time_spec(&mut section, kind, usage);
            good &= found.time.is_some();
            continue;
        }
        if name == EVENT {
            found.event = event(&mut section, kind, usage);
            good &= found.event.is_some();
            continue;
        }
        good &= is_name(&section, name);
        let missing = missing(&mut section);
        match locator(&mut section, kind, usage) {
            Some(at) => found.fields.push(FieldSpec { name: Arc::from(name), at, missing }),
            None => good = false,
        }
    }
    good.then_some(found)
}

/// The chosen fields of a preset, each with what means "no value" there.
pub(super) fn of_preset(source: &mut Section<'_>, layout: &Layout) -> Option<Vec<FieldSpec>> {
    let mut table = source.table("fields")?;
    let (mut chosen, mut good) = (Vec::new(), true);
    for name in table.keys() {
        let Some(mut section) = table.table(name) else {
            good = false;
            continue;
        };
        match layout.fields.iter().find(|field| &*field.name == name) {
            Some(field) => chosen.push(FieldSpec { missing: missing(&mut section), ..field.clone() }),
            None => {
                let names: Vec<_> = layout.fields.iter().map(|field| &*field.name).collect();
                let remedy = format!("use some of {}", names.join(", "));
                section.fault_here("is not a field of the preset", remedy);
                section.abandon();
                good = false;
            }
        }
    }
    good.then_some(chosen)
}

fn is_name(section: &Section<'_>, name: &str) -> bool {
    let good = Id::new(name).is_ok();
    if !good {
        section.fault_here("is not a name", "use letters, digits, `-` and `_`, the first a letter or digit");
    }
    good
}

fn missing(section: &mut Section<'_>) -> Missing {
    let mut missing = Missing::default();
    for value in section.list("missing").unwrap_or_default() {
        if value.is_string() {
            missing.texts.extend(value.string().map(|text| text.trim().to_owned()));
        } else {
            missing.numbers.extend(value.float(f64::NEG_INFINITY..=f64::INFINITY));
        }
    }
    missing
}

fn locator(section: &mut Section<'_>, kind: &str, usage: Usage) -> Option<Locator> {
    match kind {
        "csv" => {
            let value = section.required("column", "column = 3").value("column")?;
            column(&value, usage)
        }
        "json" => {
            let value = section.required("pointer", "pointer = \"/v\"").value("pointer")?;
            value.any_string().map(Locator::Pointer)
        }
        "regex" => section.required("group", "group = \"co\"").string("group").map(Locator::Group),
        "raw" => Some(Locator::Whole),
        _ => {
            let at = frame::integer(section);
            let any = f64::NEG_INFINITY..=f64::INFINITY;
            let scale = section.float("scale", any.clone()).unwrap_or(1.0);
            let add = section.float("add", any).unwrap_or(0.0);
            Some(Locator::Integer { at: at?, scale, add })
        }
    }
}

fn column(value: &Value<'_>, usage: Usage) -> Option<Locator> {
    if !value.is_string() {
        // Within the range, so it fits.
        return value.integer(0..=65_535).map(|column| Locator::Column(column as usize));
    }
    let name = value.string()?;
    if usage != Usage::File {
        value.fault(
            format!("there is no header in which to look for `{name}`"),
            "give the column's number, counted from 0",
        );
        return None;
    }
    Some(Locator::Header(name))
}

fn time_spec(section: &mut Section<'_>, kind: &str, usage: Usage) -> Option<TimeSpec> {
    let at = match kind {
        "csv" if section.has("columns") => pair(section, "columns", &|value| column(value, usage)),
        "regex" if section.has("groups") => {
            pair(section, "groups", &|value| value.string().map(Locator::Group))
        }
        "frame" => {
            let at = frame::integer(section);
            at.map(|at| vec![Locator::Integer { at, scale: 1.0, add: 0.0 }])
        }
        "raw" => {
            section.fault_here("a raw message holds one number and no time", "remove it, or use csv or json");
            section.abandon();
            None
        }
        _ => locator(section, kind, usage).map(|at| vec![at]),
    };
    let format = time_format(section, kind == "frame");
    Some(TimeSpec { at: at?, format: format? })
}

/// Where the event's name stands; of a frame an integer, as it is transmitted.
fn event(section: &mut Section<'_>, kind: &str, usage: Usage) -> Option<Locator> {
    match kind {
        "frame" => frame::integer(section).map(|at| Locator::Integer { at, scale: 1.0, add: 0.0 }),
        "raw" => {
            section
                .fault_here("a raw message holds one number and no event", "remove it, or use csv or json");
            section.abandon();
            None
        }
        _ => locator(section, kind, usage),
    }
}

fn pair(
    section: &mut Section<'_>,
    key: &str,
    read: &dyn Fn(&Value<'_>) -> Option<Locator>,
) -> Option<Vec<Locator>> {
    let items = section.list(key)?;
    if !(1..=2).contains(&items.len()) {
        section.fault(key, "must name one or two", "name the date's and the time's, in this order");
        return None;
    }
    items.iter().map(read).collect()
}

fn time_format(section: &mut Section<'_>, number: bool) -> Option<TimeFormat> {
    let units = [("s", TimeUnit::Seconds), ("ms", TimeUnit::Millis), ("us", TimeUnit::Micros)];
    if section.has("unit") || number {
        if section.has("format") {
            section.fault("format", "a time has a `unit` or a `format`, not both", "remove one of them");
        }
        section.value("format");
        let given = section.has("unit").then(|| section.choice("unit", &units));
        return given.unwrap_or(Some(TimeUnit::Seconds)).map(TimeFormat::Unix);
    }
    if !section.has("format") {
        return Some(TimeFormat::Rfc3339);
    }
    let pattern = section.string("format")?;
    if pattern == "rfc3339" {
        return Some(TimeFormat::Rfc3339);
    }
    let offset = offset(section)?;
    match Pattern::new(&pattern, offset) {
        Ok(pattern) => Some(TimeFormat::Pattern(pattern)),
        Err(problem) => {
            section.fault("format", problem, "write \"rfc3339\" or a pattern like \"%d/%m/%Y %H:%M:%S\"");
            None
        }
    }
}

fn offset(section: &mut Section<'_>) -> Option<i32> {
    if !section.has("offset") {
        return Some(0);
    }
    let text = section.string("offset")?;
    let seconds = parse_offset(&text);
    if seconds.is_none() {
        section.fault("offset", format!("`{text}` is not an offset from UTC"), "write it like \"+01:00\"");
    }
    seconds
}
