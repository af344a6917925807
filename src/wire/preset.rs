//! Layouts of common instruments, ready to use by name.

use std::sync::Arc;

use super::checksum::ChecksumKind;
use super::format::{
    ChecksumSpec, FieldSpec, FormatSpec, FrameLength, FrameSpec, IntegerSpec, Layout, Locator,
};
use super::line::DEFAULT_MAX;
use super::number::Missing;

/// The names of all presets.
pub const NAMES: [&str; 3] = ["sds011", "pms5003", "pmsx003"];

/// The layout of this name, if there is one.
///
/// - `sds011` (Nova SDS011, SDS018, SDS021): `pm25`, `pm10` in ug/m3.
/// - `pms5003`, `pmsx003` (Plantower PMS1003, PMS5003, PMS7003, PMSA003): `pm1`, `pm25`, `pm10` in
///   ug/m3 as corrected for ambient air, `pm1_cf1`, `pm25_cf1`, `pm10_cf1` in ug/m3 for standard
///   particles, `n0_3` to `n10_0` in 1/cm3 (particles above that size in um), `error_code`.
pub fn preset(name: &str) -> Option<Layout> {
    match name {
        "sds011" => Some(sds011()),
        "pms5003" | "pmsx003" => Some(plantower()),
        _ => None,
    }
}

/// The usual baud rate of a preset's instrument.
pub fn baud(name: &str) -> Option<u32> {
    NAMES.contains(&name).then_some(9600)
}

fn sds011() -> Layout {
    let frame = FrameSpec {
        start: vec![0xaa, 0xc0],
        length: FrameLength::Fixed(10),
        checksum: Some(ChecksumSpec { kind: ChecksumKind::Sum8, from: 2, to: 8, at: 8 }),
        tail: vec![0xab],
    };
    let field =
        |name, offset| integer(name, IntegerSpec { offset, width: 2, little: true, signed: false }, 0.1);
    layout(frame, vec![field("pm25", 2), field("pm10", 4)])
}

fn plantower() -> Layout {
    let frame = FrameSpec {
        // Length 28 is the same in all frames of these models: taken as part of the start, a
        // garbled length cannot swallow the next frames.
        start: vec![0x42, 0x4d, 0x00, 0x1c],
        length: FrameLength::Fixed(32),
        checksum: Some(ChecksumSpec { kind: ChecksumKind::Sum16Be, from: 0, to: 30, at: 30 }),
        tail: Vec::new(),
    };
    let word = |name, offset, scale| {
        integer(name, IntegerSpec { offset, width: 2, little: false, signed: false }, scale)
    };
    let mut fields = Vec::new();
    for (index, name) in ["pm1_cf1", "pm25_cf1", "pm10_cf1", "pm1", "pm25", "pm10"].into_iter().enumerate() {
        fields.push(word(name, 4 + 2 * index, 1.0));
    }
    // Transmitted per 0.1 litre.
    for (index, name) in ["n0_3", "n0_5", "n1_0", "n2_5", "n5_0", "n10_0"].into_iter().enumerate() {
        fields.push(word(name, 16 + 2 * index, 0.01));
    }
    let error = IntegerSpec { offset: 29, width: 1, little: false, signed: false };
    fields.push(integer("error_code", error, 1.0));
    layout(frame, fields)
}

fn integer(name: &str, at: IntegerSpec, scale: f64) -> FieldSpec {
    let at = Locator::Integer { at, scale, add: 0.0 };
    FieldSpec { name: Arc::from(name), at, missing: Missing::default() }
}

fn layout(frame: FrameSpec, fields: Vec<FieldSpec>) -> Layout {
    Layout { format: FormatSpec::Frame(frame), fields, time: None, event: None, max_length: DEFAULT_MAX }
}
