//! The answers are what `/v1/openapi.json` says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{gateway, socket, started};
use crate::support::control::get;

/// The faults of `value` against the part of JSON Schema that the document uses.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for key in schema.as_object().unwrap().keys() {
        let known = [
            "$ref",
            "anyOf",
            "type",
            "enum",
            "required",
            "properties",
            "items",
            "pattern",
            "minimum",
            "format",
            "description",
            "maximum",
            "default",
        ];
        assert!(known.contains(&key.as_str()), "{at}: this test does not know `{key}`");
    }
    if let Some(name) = schema["$ref"].as_str() {
        let path = name.strip_prefix('#').unwrap();
        return faults(document, document.pointer(path).unwrap(), value, at, found);
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let fits = |option: &Value| {
            let mut inner = Vec::new();
            faults(document, option, value, at, &mut inner);
            inner.is_empty()
        };
        if !options.iter().any(fits) {
            found.push(format!("{at}: fits none of the options: {value}"));
        }
        return;
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        several => several.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect(),
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    if !types.iter().any(is) {
        return found.push(format!("{at}: is no {types:?}: {value}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{at}: {value} is not listed"));
    }
    if let Some(text) = value.as_str() {
        if schema["format"] == "date-time" && calibd::domain::time::Timestamp::parse(text).is_err() {
            found.push(format!("{at}: {text} is no time"));
        }
        let pattern = schema["pattern"].as_str().map(|pattern| regex::Regex::new(pattern).unwrap());
        if pattern.is_some_and(|pattern| !pattern.is_match(text)) {
            found.push(format!("{at}: {text} does not fit its pattern"));
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        faults(document, &schema["items"], item, &format!("{at}[{index}]"), found);
    }
    let Some(fields) = value.as_object().filter(|_| schema["properties"].is_object()) else { return };
    for required in schema["required"].as_array().unwrap() {
        if !fields.contains_key(required.as_str().unwrap()) {
            found.push(format!("{at}: lacks {required}"));
        }
    }
    for (name, field) in fields {
        match &schema["properties"][name] {
            // What the daemon writes has to be described.
            Value::Null => found.push(format!("{at}.{name}: is not described")),
            property => faults(document, property, field, &format!("{at}.{name}"), found),
        }
    }
}

#[test]
fn every_answer_is_as_described() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let document = get(&socket(&gateway), "/v1/openapi.json").json();
    for (path, request) in [
        ("/v1/status", "/v1/status"),
        ("/v1/health", "/v1/health"),
        ("/v1/sensors", "/v1/sensors"),
        ("/v1/sensors/{id}", "/v1/sensors/past"),
        ("/v1/sensors/{id}", "/v1/sensors/nobody"),
        ("/v1/readings", "/v1/readings?limit=30"),
        ("/v1/readings", "/v1/readings?limit=none"),
        ("/v1/readings", "/v1/readings?sensor=nobody"),
        ("/v1/transforms", "/v1/transforms"),
        ("/v1/audit", "/v1/audit?limit=2"),
        ("/v1/audit", "/v1/audit?limit=none"),
        ("/v1/watch", "/v1/watch?sensors=nobody"),
        ("/v1/openapi.json", "/v1/openapi.json"),
    ] {
        let answer = get(&socket(&gateway), request);
        let described = &document["paths"][path]["get"]["responses"][answer.status.to_string()];
        let schema = &described["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{request}: {} is not described", answer.status);
        assert!(answer.head.to_lowercase().contains("content-type: application/json"), "{}", answer.head);
        let mut found = Vec::new();
        faults(&document, schema, &answer.json(), path, &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn every_route_is_described() {
    let document: Value = serde_json::from_str(calibd::control::routes::OPENAPI).unwrap();
    let described: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let routes: BTreeSet<&str> = calibd::control::routes::all().into_iter().map(|(path, _)| path).collect();
    assert_eq!(described, routes);
}
