//! Binary frames: finding them in a stream, checking them, reading their fields.

use super::cells::Cells;
use super::fault::{DecodeError, FaultKind};
use super::format::{
    ChecksumSpec, FrameLength, FrameSpec, IntegerSpec, Layout, Locator, SpecError, Target, wrong_locator,
};

/// Longest frame that can be configured, in bytes.
pub const MAX_FRAME: usize = 4096;
/// The scanner takes a stream in pieces of this size, so that its memory is bounded.
const PIECE: usize = 4096;

/// Reads an integer; the caller has checked that the frame holds it.
fn integer(frame: &[u8], at: IntegerSpec) -> i64 {
    let bytes = &frame[at.offset..at.offset + at.width];
    let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = if at.little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) };
    let spare = 64 - 8 * at.width as u32;
    if at.signed { ((number << spare) as i64) >> spare } else { number as i64 }
}

/// What a frame's bytes are, once enough of them are there.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Incomplete,
    /// Rejected, by its first so many bytes.
    Bad(FaultKind, usize),
    Good(usize),
}

impl FrameSpec {
    /// Judges the bytes from a frame's start on.
    fn judge(&self, bytes: &[u8], needed: usize) -> Verdict {
        let length = match self.length {
            FrameLength::Fixed(length) => length,
            FrameLength::Stated { at, adds, max } => {
                if bytes.len() < at.offset + at.width {
                    return Verdict::Incomplete;
                }
                match usize::try_from(integer(bytes, at).saturating_add(adds)) {
                    Ok(length) if (needed..=max).contains(&length) => length,
                    _ => return Verdict::Bad(FaultKind::BadLength, at.offset + at.width),
                }
            }
        };
        let Some(frame) = bytes.get(..length) else { return Verdict::Incomplete };
        if !frame.ends_with(&self.tail) {
            return Verdict::Bad(FaultKind::BadTail, length);
        }
        match self.checksum.map(|checksum| checksum.holds(frame)) {
            None | Some(Some(true)) => Verdict::Good(length),
            Some(Some(false)) => Verdict::Bad(FaultKind::BadChecksum, length),
            Some(None) => Verdict::Bad(FaultKind::BadLength, length),
        }
    }

    /// The shortest frame that holds all that is configured.
    fn needed(&self, fields: &[Reader]) -> usize {
        let integers = fields.iter().map(|field| field.at);
        let length = match self.length {
            FrameLength::Stated { at, .. } => Some(at),
            FrameLength::Fixed(_) => None,
        };
        let ends = integers.chain(length).map(|at| at.offset.saturating_add(at.width));
        let least = self.start.len() + self.tail.len() + self.checksum.map_or(0, |c| c.kind.width());
        ends.fold(least, usize::max)
    }

    fn check(&self, needed: usize) -> Result<(), SpecError> {
        if self.start.is_empty() || self.start.len() > 16 {
            return Err(SpecError::format(
                "start",
                "is not 1 to 16 bytes",
                "write hexadecimal, like \"aa c0\"",
            ));
        }
        let longest = match self.length {
            FrameLength::Fixed(length) => length,
            FrameLength::Stated { at, max, .. } => {
                check_integer(at).map_err(|problem| SpecError::format("length", problem, INTEGER))?;
                max
            }
        };
        if !(needed..=MAX_FRAME).contains(&longest) {
            let problem = format!("{longest} bytes cannot hold what is configured, or are over {MAX_FRAME}");
            return Err(SpecError::format("length", problem, format!("at least {needed} are needed")));
        }
        let fits = |checksum: ChecksumSpec| checksum.places(longest).is_some();
        if !self.checksum.is_none_or(fits) {
            let problem = "the checksum or what it covers lies outside the frame";
            return Err(SpecError::format("checksum", problem, "negative positions count from the end"));
        }
        Ok(())
    }
}

const INTEGER: &str = "use an offset below 4096 and a width of 1 to 6 bytes";

fn check_integer(at: IntegerSpec) -> Result<(), String> {
    if (1..=6).contains(&at.width) && at.offset < MAX_FRAME {
        return Ok(());
    }
    Err(format!("{} bytes at offset {} cannot be read", at.width, at.offset))
}

impl ChecksumSpec {
    /// From, to and at as positions in a frame of `length` bytes.
    fn places(&self, length: usize) -> Option<(usize, usize, usize)> {
        let place = |position: i32| {
            let distance = position.unsigned_abs() as usize;
            if position < 0 { length.checked_sub(distance) } else { Some(distance) }
        };
        let (from, to, at) = (place(self.from)?, place(self.to)?, place(self.at)?);
        (from <= to && to <= length && at + self.kind.width() <= length).then_some((from, to, at))
    }

    /// Whether the checksum is right; `None` if the frame is too short for it.
    fn holds(&self, frame: &[u8]) -> Option<bool> {
        let (from, to, at) = self.places(frame.len())?;
        Some(self.kind.matches(&frame[from..to], &frame[at..at + self.kind.width()]))
    }
}

/// What is done with each frame.
pub(super) type Each<'a> = dyn FnMut(Result<&[u8], DecodeError>) + 'a;

/// Finds frames in a stream of bytes.
///
/// Inside a rejected frame the search goes on from its second byte, so that a true frame that
/// begins there is not lost.
#[derive(Debug)]
pub(super) struct Scanner {
    spec: FrameSpec,
    needed: usize,
    pending: Vec<u8>,
    in_garbage: bool,
}

impl Scanner {
    pub(super) fn reset(&mut self) {
        self.pending.clear();
        self.in_garbage = false;
    }

    pub(super) fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) {
        for piece in bytes.chunks(PIECE) {
            self.pending.extend_from_slice(piece);
            let used = self.scan(each);
            self.pending.drain(..used);
        }
    }

    /// Returns how many bytes need not be looked at again.
    fn scan(&mut self, each: &mut Each<'_>) -> usize {
        let mut at = 0;
        while at < self.pending.len() {
            let bytes = &self.pending[at..];
            let head = bytes.len().min(self.spec.start.len());
            if bytes[..head] != self.spec.start[..head] {
                if !std::mem::replace(&mut self.in_garbage, true) {
                    each(Err(DecodeError::new(FaultKind::Garbage, &bytes[..1])));
                }
                at += 1;
                continue;
            }
            if head < self.spec.start.len() {
                break;
            }
            match self.spec.judge(bytes, self.needed) {
                Verdict::Incomplete => break,
                Verdict::Good(length) => {
                    each(Ok(&bytes[..length]));
                    self.in_garbage = false;
                    at += length;
                }
                Verdict::Bad(kind, seen) => {
                    each(Err(DecodeError::new(kind, &bytes[..seen])));
                    // What follows the rejected start is counted with it.
                    self.in_garbage = true;
                    at += 1;
                }
            }
        }
        at
    }
}

/// One field of a frame.
#[derive(Debug)]
struct Reader {
    target: Target,
    at: IntegerSpec,
    scale: Scale,
    add: f64,
}

/// A scale such as 0.1 is a division by 10, whose result is the nearest to the decimal number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Times(f64),
    Over(f64),
}

impl Scale {
    fn new(scale: f64) -> Scale {
        let divisor = (1.0 / scale).round();
        if scale.abs() < 1.0 && 1.0 / divisor == scale { Scale::Over(divisor) } else { Scale::Times(scale) }
    }

    fn of(self, raw: f64) -> f64 {
        match self {
            Scale::Times(factor) => raw * factor,
            Scale::Over(divisor) => raw / divisor,
        }
    }
}

/// Reads the fields of complete frames.
#[derive(Debug)]
pub(super) struct FrameReader {
    spec: FrameSpec,
    needed: usize,
    fields: Vec<Reader>,
}

impl FrameReader {
    pub(super) fn new(spec: &FrameSpec, layout: &Layout) -> Result<FrameReader, SpecError> {
        let mut fields = Vec::new();
        for (target, name, locator) in layout.locators() {
            let Locator::Integer { at, scale, add } = *locator else {
                return Err(wrong_locator(name, "offset", "frame"));
            };
            check_integer(at).map_err(|problem| SpecError::field(name, "offset", problem, INTEGER))?;
            if !(scale.is_finite() && add.is_finite() && scale != 0.0) {
                let problem = "scale and add must be finite, and scale not 0";
                return Err(SpecError::field(name, "scale", problem, "write `scale = 0.1`"));
            }
            fields.push(Reader { target, at, scale: Scale::new(scale), add });
        }
        let needed = spec.needed(&fields);
        spec.check(needed)?;
        Ok(FrameReader { spec: spec.clone(), needed, fields })
    }

    pub(super) fn scanner(&self) -> Scanner {
        Scanner { spec: self.spec.clone(), needed: self.needed, pending: Vec::new(), in_garbage: false }
    }

    /// Checks a message that must be one frame and no more.
    pub(super) fn whole<'a>(&self, message: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        let refuse = |kind| DecodeError::new(kind, message);
        if !message.starts_with(&self.spec.start) {
            return Err(refuse(FaultKind::Garbage));
        }
        match self.spec.judge(message, self.needed) {
            Verdict::Good(length) if length == message.len() => Ok(message),
            Verdict::Good(_) | Verdict::Incomplete => Err(refuse(FaultKind::BadLength)),
            Verdict::Bad(kind, _) => Err(refuse(kind)),
        }
    }

    /// Reads a frame that was judged good.
    pub(super) fn read(&self, frame: &[u8], cells: &mut Cells) {
        for field in &self.fields {
            let raw = integer(frame, field.at);
            match field.target {
                Target::Field(index) => {
                    cells.scaled(index, raw as f64, |raw| field.scale.of(raw) + field.add);
                }
                Target::Time => cells.time_integer(Some(raw)),
                Target::Event => cells.event(&raw.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(offset: usize, width: usize, little: bool, signed: bool) -> IntegerSpec {
        IntegerSpec { offset, width, little, signed }
    }

    #[test]
    fn integers_of_any_width_order_and_sign() {
        let bytes = [0xff, 0xfe, 0x01, 0x02, 0x03, 0x04];
        let cases = [
            (at(0, 1, false, false), 255),
            (at(0, 1, false, true), -1),
            (at(0, 2, false, true), -2),
            (at(0, 2, true, false), 0xfeff),
            (at(1, 3, false, true), -0x1_fefe),
            (at(0, 6, false, true), -0x0001_fefd_fcfc),
            (at(2, 4, true, false), 0x0403_0201),
        ];
        for (spec, want) in cases {
            assert_eq!(integer(&bytes, spec), want, "{spec:?}");
        }
    }

    proptest! {
        #[test]
        fn a_written_integer_is_read(number in any::<i64>(), width in 1usize..=6, little: bool, signed: bool) {
            let spare = 64 - 8 * width as u32;
            let want = if signed { number << spare >> spare } else { ((number as u64) << spare >> spare) as i64 };
            let mut bytes = if little { want.to_le_bytes() } else { want.to_be_bytes() };
            if !little {
                bytes.rotate_left(8 - width);
            }
            prop_assert_eq!(integer(&bytes, at(0, width, little, signed)), want);
        }
    }

    #[test]
    fn decimal_scales_give_decimal_numbers() {
        assert_eq!(Scale::new(0.1).of(6.0), 0.6);
        assert_eq!(Scale::new(0.01).of(-2943.0), -29.43);
        assert_eq!(Scale::new(2.5).of(3.0), 7.5);
        assert_eq!(Scale::new(0.3), Scale::Times(0.3));
    }
}
