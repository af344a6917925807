//! The fields of a transform as people read them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::super::show::clean;

/// More numbers than these are not written out.
const FEW: usize = 6;

/// A field's value in short.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Array(items) if items.len() > FEW => {
            let (first, last) = (items.first().map(shown), items.last().map(shown));
            let end = |item: Option<String>| item.unwrap_or_default();
            format!("[{}, ... {}] ({} of them)", end(first), end(last), items.len())
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(name, value)| format!("{} {}", clean(name), shown(value)));
            format!("({})", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// What is said in a part of a transform: names and values, those that say nothing left out.
pub fn said(part: &impl Serialize) -> Vec<(String, String)> {
    // Texts, numbers and structs of them always serialise.
    let value = serde_json::to_value(part).unwrap_or_default();
    let fields = value.as_object().into_iter().flatten();
    let said = fields.filter(|(_, value)| !is_empty(value) && **value != Value::Bool(false));
    said.map(|(name, value)| (name.clone(), shown(value))).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Every field of a transform by its path, such as `pipeline[0].gain`; lists of numbers are one field.
pub fn flat(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    flatten(value, "", &mut found);
    found
}

fn flatten(value: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(field, &path, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (at, item) in items.iter().enumerate() {
                flatten(item, &format!("{path}[{at}]"), found);
            }
        }
        empty if is_empty(empty) => {}
        leaf => drop(found.insert(path.to_owned(), leaf.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_lists_are_cut_and_control_characters_replaced() {
        assert_eq!(shown(&json!([1.5, [2, "a\u{1b}"]])), "[1.5, [2, a\u{fffd}]]");
        assert_eq!(shown(&json!([0, 1, 2, 3, 4, 5, 6])), "[0, ... 6] (7 of them)");
        assert_eq!(shown(&json!({"a": 1, "b": null})), "(a 1, b null)");
        let part = json!({"a": 1, "b": null, "c": [], "d": {}, "e": false, "f": "x"});
        assert_eq!(said(&part), [("a".into(), "1".into()), ("f".into(), "x".into())]);
    }

    #[test]
    fn fields_have_paths() {
        let value = json!({"a": {"b": [{"c": 1}, {"c": [1, 2]}]}, "d": null, "e": []});
        let paths: Vec<_> = flat(&value).into_iter().collect();
        assert_eq!(paths, [("a.b[0].c".into(), json!(1)), ("a.b[1].c".into(), json!([1, 2]))]);
    }
}
