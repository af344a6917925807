//! `kind = "serial"`: the port and how to read it.

use std::path::PathBuf;

use crate::config::reader::Section;
use crate::source::layout::{self, OnFull, Usage, read_on_full};
use crate::wire::format::{FormatSpec, Layout};
use crate::wire::preset;

/// Parity of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

/// Flow control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// None.
    None,
    /// XON and XOFF.
    Software,
    /// RTS and CTS.
    Hardware,
}

/// A serial line.
#[derive(Debug, Clone, PartialEq)]
pub struct SerialConfig {
    /// The device, best below `/dev/serial/by-id`.
    pub port: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// 5 to 8.
    pub data_bits: u8,
    /// The parity.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
    /// The flow control.
    pub flow: Flow,
    /// What happens while the pipeline takes no more.
    pub on_full: OnFull,
    /// Drop what comes before the first line end after opening: it may be half a line.
    pub drop_first_line: bool,
    /// How its bytes are read.
    pub layout: Layout,
}

impl SerialConfig {
    /// A line of 9600 baud, 8 data bits, no parity, 1 stop bit.
    pub fn new(port: PathBuf, layout: Layout) -> SerialConfig {
        SerialConfig {
            port,
            baud: 9600,
            data_bits: 8,
            parity: Parity::None,
            stop_bits: 1,
            flow: Flow::None,
            on_full: OnFull::Block,
            drop_first_line: true,
            layout,
        }
    }

    /// Reads the keys of a serial source; `None` after faults.
    pub fn read(section: &mut Section<'_>) -> Option<SerialConfig> {
        let example = "port = \"/dev/serial/by-id/usb-FTDI-0\"";
        let port = section.required("port", example).path_buf("port");
        let usual = usual_baud(section);
        // Within the ranges, so they fit.
        let baud = section.integer("baud", 50..=4_000_000).map_or(usual, |baud| baud as u32);
        let data_bits = section.integer("data_bits", 5..=8).map_or(8, |bits| bits as u8);
        let stop_bits = section.integer("stop_bits", 1..=2).map_or(1, |bits| bits as u8);
        let parities = [("none", Parity::None), ("even", Parity::Even), ("odd", Parity::Odd)];
        let parity = section.choice("parity", &parities).unwrap_or(Parity::None);
        let flows = [("none", Flow::None), ("software", Flow::Software), ("hardware", Flow::Hardware)];
        let flow = section.choice("flow", &flows).unwrap_or(Flow::None);
        let on_full = read_on_full(section);
        let first_line = section.choice("first_line", &[("drop", true), ("keep", false)]);
        let layout = layout::read(section, Usage::Stream)?;
        if section.has("first_line") && matches!(layout.format, FormatSpec::Frame(_)) {
            section.fault("first_line", "is for lines, and this is a format of frames", "remove it");
        }
        let drop_first_line = first_line.unwrap_or(true);
        let basic = SerialConfig::new(port?, layout);
        Some(SerialConfig { baud, data_bits, parity, stop_bits, flow, on_full, drop_first_line, ..basic })
    }
}

/// The baud rate of the preset's instrument, else 9600.
fn usual_baud(section: &mut Section<'_>) -> u32 {
    // A missing format, or one that is no table, is reported where the layout is read.
    let format = section.has("format").then(|| section.value("format")).flatten();
    let format = format.filter(|format| format.is_table()).and_then(|format| format.section());
    let Some(mut format) = format else { return 9600 };
    format.abandon();
    if !format.has("preset") {
        return 9600;
    }
    let name = format.value("preset").filter(|value| value.is_string()).and_then(|value| value.string());
    name.and_then(|name| preset::baud(&name)).unwrap_or(9600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    fn read(text: &str) -> (Option<SerialConfig>, Vec<String>) {
        let (config, faults) = read_str("a.toml", text, SerialConfig::read);
        (config, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn everything_has_a_default_but_the_port_and_the_format() {
        let (config, faults) = read("port = \"/dev/ttyUSB0\"\nformat = { preset = \"sds011\" }");
        assert_eq!(faults, [""; 0]);
        let config = config.unwrap();
        assert_eq!(config, SerialConfig::new("/dev/ttyUSB0".into(), preset::preset("sds011").unwrap()));
        let (_, faults) = read("");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn every_key_is_read_and_held_in_its_range() {
        let text = r#"
            port = "/dev/ttyUSB0"
            baud = 19200
            data_bits = 7
            stop_bits = 2
            parity = "even"
            flow = "hardware"
            on_full = "drop"
            first_line = "keep"
            format = { kind = "raw" }
            fields = { value = {} }
        "#;
        let config = read(text).0.unwrap();
        assert_eq!((config.baud, config.data_bits, config.stop_bits), (19200, 7, 2));
        assert_eq!(
            (config.parity, config.flow, config.on_full),
            (Parity::Even, Flow::Hardware, OnFull::Drop)
        );
        assert!(!config.drop_first_line);
        for (right, wrong) in
            [("19200", "0"), ("= 7", "= 9"), ("even", "mark"), ("drop", "wait"), ("keep", "yes")]
        {
            assert_eq!(read(&text.replace(right, wrong)).1.len(), 1, "{wrong}");
        }
        let frames = text.replace("{ kind = \"raw\" }", "{ preset = \"sds011\" }").replace("value", "pm25");
        assert!(read(&frames).1[0].contains("first_line"));
    }
}
