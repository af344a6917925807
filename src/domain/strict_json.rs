//! JSON as signed artifacts need it: one text has one meaning, or it is refused.
//!
//! Ordinary parsers take the last of two equal keys, round large integers and stop at the first
//! complete value; two programs can then read two different things out of the same signed bytes.
//! Here duplicate keys at any depth, bytes after the value, integers of 2^53 or more and nesting
//! deeper than [`MAX_DEPTH`] are faults, each reported with the path of the field.

mod typed;

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 32;

/// The first integer that a double cannot tell from its neighbour.
const WIDE: u64 = 1 << 53;

/// Says what is wrong with a JSON text, and at which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", prefix(path))]
pub struct StrictError {
    /// The field, like `pipeline[0].gain`; empty for the whole text.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// Appends the step to a field to a path.
pub fn join(parent: &str, field: &str) -> String {
    if parent.is_empty() || field.is_empty() || field.starts_with('[') {
        format!("{parent}{field}")
    } else {
        format!("{parent}.{field}")
    }
}

impl StrictError {
    /// The same fault, seen from the field `parent` that holds the value read.
    pub fn under(self, parent: &str) -> StrictError {
        StrictError { path: join(parent, &self.path), message: self.message }
    }
}

/// Reads one JSON value that takes up all of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Value, StrictError> {
    let mut trail = Trail { path: Vec::new(), numbers: 0, wide: first_wide_integer(bytes) };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Node { trail: &mut trail, depth: 0 }.deserialize(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    value.map_err(|error| StrictError { path: trail.path(), message: error.to_string() })
}

/// Reads `bytes` strictly into a type; unknown fields are faults where the type says
/// `deny_unknown_fields`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StrictError> {
    from_value(&parse(bytes)?)
}

/// Reads a value that [`parse`] gave into a type, with the path of the field in any fault.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, StrictError> {
    typed::read(value)
}

/// The place, counted in numbers from the start, of the first integer that is too wide.
///
/// The parser hands integers beyond 64 bits on as doubles, so they must be told by their digits.
fn first_wide_integer(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut count) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        let token = match byte {
            b'"' => string_len(&bytes[at..]),
            b'-' | b'0'..=b'9' => {
                let number = &bytes[at..][..number_len(&bytes[at..])];
                if is_wide(number) {
                    return Some(count);
                }
                count += 1;
                number.len()
            }
            _ => 1,
        };
        at += token;
    }
    None
}

/// Bytes of the string that starts here, quotes included; all of them if it never ends.
fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn number_len(bytes: &[u8]) -> usize {
    let part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    bytes.iter().position(|b| !part(b)).unwrap_or(bytes.len())
}

fn is_wide(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    digits.iter().all(u8::is_ascii_digit)
        && (digits.len() > 16 || digits.iter().fold(0u64, |sum, d| sum * 10 + u64::from(d - b'0')) >= WIDE)
}

/// Where the reader is. Steps are popped on the way out of a value only when it was good, so that
/// after a fault the path of the field stands.
struct Trail {
    path: Vec<String>,
    numbers: usize,
    wide: Option<usize>,
}

impl Trail {
    fn path(&self) -> String {
        self.path.iter().fold(String::new(), |path, step| join(&path, step))
    }

    fn number<E: serde::de::Error>(&mut self, number: Option<Number>) -> Result<Value, E> {
        let place = self.numbers;
        self.numbers += 1;
        if self.wide == Some(place) {
            return Err(E::custom("an integer must be below 2^53"));
        }
        number.map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }
}

struct Node<'t> {
    trail: &'t mut Trail,
    depth: usize,
}

impl Node<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.trail.number(Some(value.into()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.trail.number(Some(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.trail.number(Number::from_f64(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        loop {
            self.trail.path.push(format!("[{}]", list.len()));
            let item = items.next_element_seed(Node { trail: self.trail, depth })?;
            self.trail.path.pop();
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            self.trail.path.push(key.clone());
            if map.contains_key(&key) {
                return Err(A::Error::custom("the key stands twice in one object"));
            }
            let value = fields.next_value_seed(Node { trail: self.trail, depth })?;
            self.trail.path.pop();
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests;
