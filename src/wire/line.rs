//! Cuts a stream of bytes into lines, with bounded memory.

/// Longest line unless configured otherwise, in bytes.
pub const DEFAULT_MAX: usize = 64 * 1024;

/// A line that outgrew the limit; the rest of it is dropped up to the next line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong<'a>(
    /// The bytes kept until then.
    pub &'a [u8],
);

/// What is done with each line.
pub type Each<'a> = dyn FnMut(Result<&[u8], TooLong<'_>>) + 'a;

/// Collects bytes into lines.
///
/// A line ends with LF, CR or both; blank lines are skipped.
#[derive(Debug)]
pub struct Lines {
    pending: Vec<u8>,
    max: usize,
    skipping: bool,
}

impl Lines {
    /// Lines of at most `max` bytes.
    pub fn new(max: usize) -> Lines {
        Lines { pending: Vec::new(), max, skipping: false }
    }

    /// Forgets what was collected; with `drop_first`, drops everything up to the next line end,
    /// because a stream that is joined in the middle begins with a cut line.
    pub fn reset(&mut self, drop_first: bool) {
        self.pending.clear();
        self.skipping = drop_first;
    }

    /// Takes the next bytes of the stream and hands every line that they complete to `each`.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut Each<'_>) {
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let (head, tail) = bytes.split_at(end);
            bytes = &tail[1..];
            self.complete(head, each);
        }
        self.keep(bytes, each);
    }

    /// Hands over a last line that has no line end.
    pub fn finish(&mut self, each: &mut Each<'_>) {
        self.complete(&[], each);
        self.reset(false);
    }

    fn complete(&mut self, head: &[u8], each: &mut Each<'_>) {
        if self.pending.is_empty() && !self.skipping && head.len() <= self.max {
            return hand_over(head, each);
        }
        self.keep(head, each);
        if !self.skipping {
            hand_over(&self.pending, each);
        }
        self.reset(false);
    }

    fn keep(&mut self, bytes: &[u8], each: &mut Each<'_>) {
        if self.skipping {
            return;
        }
        let room = self.max - self.pending.len();
        self.pending.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            each(Err(TooLong(&self.pending)));
            self.reset(true);
        }
    }
}

fn hand_over(line: &[u8], each: &mut Each<'_>) {
    if !line.iter().all(u8::is_ascii_whitespace) {
        each(Ok(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]], max: usize) -> Vec<Result<Vec<u8>, Vec<u8>>> {
        let mut lines = Lines::new(max);
        let mut out = Vec::new();
        for piece in pieces {
            lines.push(piece, &mut |line| out.push(line.map(<[u8]>::to_vec).map_err(|l| l.0.to_vec())));
            assert!(lines.pending.len() <= max);
        }
        lines.finish(&mut |line| out.push(line.map(<[u8]>::to_vec).map_err(|l| l.0.to_vec())));
        out
    }

    #[test]
    fn any_line_end_and_no_line_end() {
        let want: Vec<Result<Vec<u8>, Vec<u8>>> = ["a", "b", "c", "d"].map(|l| Ok(l.into())).into();
        assert_eq!(cut(&[b"a\nb\r\nc\r \n\n", b"d"], 10), want);
    }

    #[test]
    fn a_megabyte_without_a_line_end_costs_one_fault_and_the_next_line_survives() {
        let noise = vec![b'x'; 1 << 20];
        let out = cut(&[&noise, b"\n1\n"], 1000);
        assert_eq!(out, [Err(vec![b'x'; 1000]), Ok(b"1".to_vec())]);
    }

    #[test]
    fn a_stream_joined_in_the_middle_loses_the_cut_line() {
        let mut lines = Lines::new(10);
        let mut out = Vec::new();
        lines.reset(true);
        lines.push(b"3.4\n12.5\n", &mut |line| out.push(line.unwrap().to_vec()));
        assert_eq!(out, [b"12.5"]);
    }

    proptest! {
        #[test]
        fn cutting_does_not_matter(text in "[ab\n\r ]{0,60}", at in prop::collection::vec(0usize..60, 0..6), max in 1usize..9) {
            let bytes = text.as_bytes();
            let pieces = crate::wire::tests::pieces(bytes, &at);
            prop_assert_eq!(cut(&pieces, max), cut(&[bytes], max));
        }
    }
}
