//! The keys that describe a binary frame.

use crate::config::reader::Section;
use crate::wire::checksum;
use crate::wire::format::{ChecksumSpec, FrameLength, FrameSpec, IntegerSpec};
use crate::wire::frame::MAX_FRAME;

const LARGEST: i64 = MAX_FRAME as i64;

/// Reads `start`, `length`, `checksum` and `tail` of a format.
pub(super) fn spec(format: &mut Section<'_>) -> Option<FrameSpec> {
    let start = format.required("start", "start = \"aa c0\"").string("start");
    let start = start.and_then(|text| hex(format, "start", &text));
    let tail = match format.string("tail") {
        Some(text) => hex(format, "tail", &text),
        None => (!format.has("tail")).then(Vec::new),
    };
    format.required("length", "length = 10");
    let length = length(format);
    let checksum = match format.table("checksum") {
        Some(mut section) => checksum(&mut section, tail.as_ref().map_or(0, Vec::len)).map(Some),
        None => (!format.has("checksum")).then_some(None),
    };
    Some(FrameSpec { start: start?, length: length?, checksum: checksum?, tail: tail? })
}

fn hex(format: &Section<'_>, key: &str, text: &str) -> Option<Vec<u8>> {
    let digits: Vec<_> = text.chars().filter(|c| *c != ' ').map(|c| c.to_digit(16)).collect();
    let pairs = digits.chunks(2).map(|pair| match pair {
        // Two digits below 16 make a number below 256.
        [Some(high), Some(low)] => Some((high * 16 + low) as u8),
        _ => None,
    });
    let bytes: Option<Vec<u8>> = pairs.collect();
    if bytes.is_none() {
        let problem = format!("`{text}` is not hexadecimal bytes");
        format.fault(key, problem, "write two digits a byte, like \"aa c0\"");
    }
    bytes
}

fn length(format: &mut Section<'_>) -> Option<FrameLength> {
    let value = format.value("length")?;
    if !value.is_table() {
        // At most MAX_FRAME by the range.
        return value.integer(1..=LARGEST).map(|length| FrameLength::Fixed(length as usize));
    }
    let mut stated = value.section()?;
    let at = integer(&mut stated);
    let adds = stated.integer("adds", -LARGEST..=LARGEST).unwrap_or(0);
    let max = stated.integer("max", 1..=LARGEST).unwrap_or(256) as usize;
    Some(FrameLength::Stated { at: at?, adds, max })
}

/// Reads `offset`, `width`, `endian` and `signed`.
pub(super) fn integer(section: &mut Section<'_>) -> Option<IntegerSpec> {
    let offset = section.required("offset", "offset = 2").integer("offset", 0..=LARGEST - 1);
    let width = if section.has("width") { section.integer("width", 1..=6) } else { Some(1) };
    let endian = [("big", false), ("little", true)];
    let little = match width {
        Some(1) if !section.has("endian") => Some(false),
        _ => section.required("endian", "endian = \"big\"").choice("endian", &endian),
    };
    let signed = section.boolean("signed").unwrap_or(false);
    Some(IntegerSpec { offset: offset? as usize, width: width? as usize, little: little?, signed })
}

fn checksum(section: &mut Section<'_>, tail: usize) -> Option<ChecksumSpec> {
    let kind = section.required("kind", "kind = \"sum8\"").choice("kind", &checksum::KINDS);
    let range = -LARGEST..=LARGEST;
    // All within the range, so they fit.
    let from = section.integer("from", range.clone()).unwrap_or(0) as i32;
    let at = section.integer("at", range.clone()).map(|at| at as i32);
    let to = section.integer("to", range).map(|to| to as i32);
    let kind = kind?;
    let at = at.unwrap_or(-((kind.width() + tail) as i32));
    Some(ChecksumSpec { kind, from, to: to.unwrap_or(at), at })
}
