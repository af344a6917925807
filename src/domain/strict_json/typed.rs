//! From a JSON value to a type, remembering the path of the field that does not fit.

use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Value};

use super::StrictError;

/// Reads `value` into a `T`.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, StrictError> {
    T::deserialize(Node(value)).map_err(|Fault(error)| error)
}

/// A [`StrictError`] whose path grows from the field outwards while the error travels up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(StrictError);

impl Fault {
    fn at(path: &str, message: String) -> Fault {
        Fault(StrictError { path: path.to_owned(), message })
    }

    fn under(self, step: &str) -> Fault {
        Fault(self.0.under(step))
    }
}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Fault {
        Fault::at("", message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        Fault::at(field, format!("unknown field; the fields here are {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Fault {
        Fault::at(field, "missing field".to_owned())
    }
}

struct Node<'a>(&'a Value);

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (_, _, value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => whole_list(items, visitor),
            Value::Object(map) => visitor.visit_map(Fields::of(map)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Object(map) => match single(map) {
                Some((name, content)) => visitor.visit_enum(Tagged { name, content }),
                None => Err(Fault::at("", "expected an object with one key".to_owned())),
            },
            _ => Err(Fault::at("", "expected a name as a string".to_owned())),
        }
    }

    /// Only an object is a struct here; serde would also take its fields in order from a list.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            // Not `deserialize_any`: it holds the code that takes the fields from a list, for every struct.
            Value::Object(map) => visitor.visit_map(Fields::of(map)),
            _ => Err(Fault::at("", "expected an object".to_owned())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// Visits a list and refuses elements that the visitor left over.
fn whole_list<'de, V: Visitor<'de>>(items: &'de [Value], visitor: V) -> Result<V::Value, Fault> {
    let mut left = Items { items, at: 0 };
    let value = visitor.visit_seq(&mut left)?;
    match left.at == items.len() {
        true => Ok(value),
        false => Err(Fault::at("", format!("expected {} elements, found {}", left.at, items.len()))),
    }
}

fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut fields = map.iter();
    match (fields.next(), fields.next()) {
        (Some((name, content)), None) => Some((name, content)),
        _ => None,
    }
}

struct Items<'a> {
    items: &'a [Value],
    at: usize,
}

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.get(self.at) else { return Ok(None) };
        let at = self.at;
        self.at += 1;
        seed.deserialize(Node(item)).map(Some).map_err(|fault| fault.under(&format!("[{at}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.at)
    }
}

struct Fields<'a> {
    fields: serde_json::map::Iter<'a>,
    value: Option<(&'a str, &'a Value)>,
}

impl Fields<'_> {
    fn of(map: &Map<String, Value>) -> Fields<'_> {
        Fields { fields: map.iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some((key, value));
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, value)) = self.value.take() else {
            return Err(Fault::at("", "a value was asked for before its key".to_owned()));
        };
        seed.deserialize(Node(value)).map_err(|fault| fault.under(key))
    }
}

/// `{"name": content}`: an enum variant that holds something.
struct Tagged<'a> {
    name: &'a str,
    content: &'a Value,
}

impl<'de> EnumAccess<'de> for Tagged<'de> {
    type Error = Fault;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Fault> {
        let variant = seed.deserialize(StrDeserializer::new(self.name))?;
        Ok((variant, Content(self)))
    }
}

struct Content<'a>(Tagged<'a>);

impl Content<'_> {
    fn inside(&self, fault: Fault) -> Fault {
        fault.under(self.0.name)
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(self.inside(Fault::at("", "expected only the name, as a string".to_owned())))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(Node(self.0.content)).map_err(|fault| self.inside(fault))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        Node(self.0.content).deserialize_any(visitor).map_err(|fault| self.inside(fault))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Node(self.0.content).deserialize_struct("", fields, visitor).map_err(|fault| self.inside(fault))
    }
}
