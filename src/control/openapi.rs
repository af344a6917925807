//! The description of the interface, as it is sent: its file without the spaces and lines between its parts.

/// OpenAPI 3.1.
pub static OPENAPI: &[u8] = &COMPACT;

const WRITTEN: &[u8] = include_bytes!("openapi.json");

static COMPACT: [u8; compact::<0>(WRITTEN).1] = compact(WRITTEN).0;

/// The first `N` bytes of a JSON text without white space outside of its strings, and how many there are in all.
const fn compact<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let mut first = [0; N];
    let (mut length, mut at) = (0, 0);
    let (mut inside, mut escaped) = (false, false);
    while at < text.len() {
        let byte = text[at];
        if inside || !byte.is_ascii_whitespace() {
            if length < N {
                first[length] = byte;
            }
            length += 1;
        }
        if byte == b'"' && !escaped {
            inside = !inside;
        }
        escaped = inside && byte == b'\\' && !escaped;
        at += 1;
    }
    (first, length)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_sent_says_what_is_written_in_fewer_bytes() {
        let [sent, written]: [Value; 2] =
            [OPENAPI, WRITTEN].map(|text| serde_json::from_slice(text).unwrap());
        assert_eq!(sent, written);
        assert!(OPENAPI.len() < WRITTEN.len() * 3 / 4 + 1000);
        assert_eq!(compact::<0>(OPENAPI).1, OPENAPI.len());
    }

    #[test]
    fn strings_keep_their_white_space() {
        let text = br#" { "a \" b\\" : [ 1 , "c  d" ] } "#;
        let (bytes, length) = compact::<64>(text);
        assert_eq!(&bytes[..length], br#"{"a \" b\\":[1,"c  d"]}"#);
    }
}
