//! A tar archive of small files: ustar, as in POSIX.1-1988 (IEEE Std 1003.1), which every tar reads.

use std::io::{self, Write};

const BLOCK: usize = 512;

/// Writes one file of the archive. Its name has at most 100 bytes; `time` is seconds since 1970.
pub fn entry(out: &mut impl Write, name: &str, time: u64, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&header(name, time, bytes.len())?)?;
    out.write_all(bytes)?;
    out.write_all(&[0; BLOCK][..bytes.len().next_multiple_of(BLOCK) - bytes.len()])
}

/// Ends the archive.
pub fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

fn header(name: &str, time: u64, length: usize) -> io::Result<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut field = |at: usize, width: usize, text: &str| {
        if text.len() > width {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name}: too long for an archive"),
            ));
        }
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
        Ok(())
    };
    field(0, 100, name)?;
    field(100, 8, "0000600")?;
    // owner and group: who unpacks it
    field(108, 8, "0000000")?;
    field(116, 8, "0000000")?;
    field(124, 12, &format!("{length:011o}"))?;
    field(136, 12, &format!("{time:011o}"))?;
    // The checksum counts its own field as blanks.
    field(148, 8, "        ")?;
    field(156, 1, "0")?;
    field(257, 8, "ustar\x0000")?;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_blocks_are_written_and_two_empty_ones_end_them() {
        let mut archive = Vec::new();
        for length in [0, 1, 511, 512, 513] {
            let before = archive.len();
            entry(&mut archive, "a/b", 7, &vec![b'x'; length]).unwrap();
            assert_eq!(archive.len() - before, BLOCK + length.next_multiple_of(BLOCK));
        }
        let before = archive.len();
        end(&mut archive).unwrap();
        assert!(archive[before..].iter().all(|byte| *byte == 0) && archive.len() - before == 1024);
        assert!(entry(&mut archive, &"x".repeat(101), 7, b"").is_err());
    }
}
