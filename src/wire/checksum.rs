//! Checksums of binary frames.

/// How a checksum is made of the bytes it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumKind {
    /// Sum of the bytes modulo 256.
    Sum8,
    /// What makes the sum of the bytes and the checksum 0 modulo 256.
    Sum8Complement,
    /// Exclusive or of the bytes.
    Xor8,
    /// Sum of the bytes modulo 65,536, high byte first.
    Sum16Be,
    /// Sum of the bytes modulo 65,536, low byte first.
    Sum16Le,
    /// CRC-8, polynomial 0x07 (SMBus).
    Crc8,
    /// CRC-8 of Dallas and Maxim (1-wire), polynomial 0x31 reflected.
    Crc8Maxim,
    /// CRC-8 of Sensirion, polynomial 0x31, beginning with 0xff.
    Crc8Sensirion,
    /// CRC-16 of Modbus, low byte first.
    Crc16Modbus,
    /// CRC-16 CCITT beginning with 0xffff, high byte first.
    Crc16Ccitt,
}

/// Every kind with its name in the configuration.
pub const KINDS: [(&str, ChecksumKind); 10] = [
    ("sum8", ChecksumKind::Sum8),
    ("sum8_complement", ChecksumKind::Sum8Complement),
    ("xor8", ChecksumKind::Xor8),
    ("sum16_be", ChecksumKind::Sum16Be),
    ("sum16_le", ChecksumKind::Sum16Le),
    ("crc8", ChecksumKind::Crc8),
    ("crc8_maxim", ChecksumKind::Crc8Maxim),
    ("crc8_sensirion", ChecksumKind::Crc8Sensirion),
    ("crc16_modbus", ChecksumKind::Crc16Modbus),
    ("crc16_ccitt", ChecksumKind::Crc16Ccitt),
];

impl ChecksumKind {
    /// Its size in a frame, in bytes.
    pub fn width(self) -> usize {
        match self {
            ChecksumKind::Sum16Be
            | ChecksumKind::Sum16Le
            | ChecksumKind::Crc16Modbus
            | ChecksumKind::Crc16Ccitt => 2,
            _ => 1,
        }
    }

    /// Whether `stored`, of [`width`](Self::width) bytes, is the checksum of `covered`.
    pub fn matches(self, covered: &[u8], stored: &[u8]) -> bool {
        let sum = || covered.iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        match self {
            ChecksumKind::Sum8 => stored == &sum().to_le_bytes()[..1],
            ChecksumKind::Sum8Complement => stored == &sum().wrapping_neg().to_le_bytes()[..1],
            ChecksumKind::Xor8 => stored == [covered.iter().fold(0, |all, byte| all ^ byte)],
            ChecksumKind::Sum16Be => stored == sum().to_be_bytes(),
            ChecksumKind::Sum16Le => stored == sum().to_le_bytes(),
            ChecksumKind::Crc8 => stored == [crc8(covered, 0x07, 0)],
            ChecksumKind::Crc8Maxim => stored == [crc8_maxim(covered)],
            ChecksumKind::Crc8Sensirion => stored == [crc8(covered, 0x31, 0xff)],
            ChecksumKind::Crc16Modbus => stored == crc16_modbus(covered).to_le_bytes(),
            ChecksumKind::Crc16Ccitt => stored == crc16_ccitt(covered).to_be_bytes(),
        }
    }
}

fn crc8(bytes: &[u8], polynomial: u8, start: u8) -> u8 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ polynomial })
    })
}

fn crc8_maxim(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0x8c })
    })
}

fn crc16_modbus(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xa001 })
    })
}

fn crc16_ccitt(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte) << 8,
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usual check values: the checksum of the nine digits.
    #[test]
    fn the_check_values_of_the_published_catalogue() {
        let digits = b"123456789";
        let wanted: [(ChecksumKind, &[u8]); 10] = [
            (ChecksumKind::Sum8, &[0xdd]),
            (ChecksumKind::Sum8Complement, &[0x23]),
            (ChecksumKind::Xor8, &[0x31]),
            (ChecksumKind::Sum16Be, &[0x01, 0xdd]),
            (ChecksumKind::Sum16Le, &[0xdd, 0x01]),
            (ChecksumKind::Crc8, &[0xf4]),
            (ChecksumKind::Crc8Maxim, &[0xa1]),
            (ChecksumKind::Crc8Sensirion, &[0xf7]),
            (ChecksumKind::Crc16Modbus, &[0x37, 0x4b]),
            (ChecksumKind::Crc16Ccitt, &[0x29, 0xb1]),
        ];
        for (kind, stored) in wanted {
            assert_eq!(stored.len(), kind.width());
            assert!(kind.matches(digits, stored), "{kind:?}");
            assert!(!kind.matches(b"123456788", stored), "{kind:?}");
        }
    }

    #[test]
    fn the_example_of_a_sensirion_data_sheet() {
        assert!(ChecksumKind::Crc8Sensirion.matches(&[0xbe, 0xef], &[0x92]));
    }
}
