//! The answers are what `/v1/openapi.json` says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::transforms::{Bench, times};
use super::{gateway, socket, started};
use crate::support::control::{Answer, get, post};

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
            "additionalProperties",
            "minLength",
            "maxLength",
            "maxItems",
            "exclusiveMinimum",
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
        let pattern = schema["pattern"].as_str().map(|pattern| regex_lite::Regex::new(pattern).unwrap());
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
        ("/v1/sensors/{id}/transforms", "/v1/sensors/past/transforms"),
        ("/v1/sensors/{id}/transforms", "/v1/sensors/nobody/transforms"),
        ("/v1/transforms/{name}", "/v1/transforms/nobody"),
        ("/v1/sensors/{id}/instruments", "/v1/sensors/past/instruments"),
        ("/v1/sensors/{id}/instruments", "/v1/sensors/nobody/instruments"),
        ("/v1/readings", "/v1/readings?limit=30"),
        ("/v1/readings", "/v1/readings?limit=none"),
        ("/v1/readings", "/v1/readings?sensor=nobody"),
        ("/v1/rollups", "/v1/rollups?sensor=past&every=60"),
        ("/v1/rollups", "/v1/rollups?sensor=past&every=0"),
        ("/v1/rollups", "/v1/rollups?sensor=nobody"),
        ("/v1/drift", "/v1/drift"),
        ("/v1/drift", "/v1/drift?window=0"),
        ("/v1/drift", "/v1/drift?sensor=nobody"),
        ("/v1/references", "/v1/references"),
        ("/v1/references", "/v1/references?limit=0"),
        ("/v1/references", "/v1/references?sensor=nobody"),
        ("/v1/standards", "/v1/standards"),
        ("/v1/priors", "/v1/priors"),
        ("/v1/certificates", "/v1/certificates"),
        ("/v1/certificates", "/v1/certificates?limit=0"),
        ("/v1/certificates", "/v1/certificates?sensor=nobody"),
        ("/v1/certificates/{number}", "/v1/certificates/nothing"),
        ("/v1/transforms", "/v1/transforms"),
        ("/v1/audit", "/v1/audit?limit=2"),
        ("/v1/audit", "/v1/audit?limit=none"),
        ("/v1/watch", "/v1/watch?sensors=nobody"),
        ("/v1/sources/{name}/test", "/v1/sources/nothing/test"),
        ("/v1/openapi.json", "/v1/openapi.json"),
    ] {
        is_described(&document, path, "get", &get(&socket(&gateway), request));
    }
}

pub fn is_described(document: &Value, path: &str, method: &str, answer: &Answer) {
    let described = &document["paths"][path][method]["responses"][answer.status.to_string()];
    let schema = &described["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path}: {} is not described", answer.status);
    assert!(answer.head.to_lowercase().contains("content-type: application/json"), "{}", answer.head);
    let mut found = Vec::new();
    faults(document, schema, &answer.json(), path, &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_said_of_transforms_is_as_described() {
    let bench = Bench::new();
    bench.install(&times(1, 2.0));
    bench.install(&times(2, 3.0));
    let (control, admin) = (bench.socket("control"), bench.socket("admin"));
    let document = get(&control, "/v1/openapi.json").json();
    let rollback = "/v1/sensors/{id}/rollback";
    let (at_co, at_nobody) = ("/v1/sensors/co-1/rollback", "/v1/sensors/nobody/rollback");
    for (path, method, status, answer) in [
        ("/v1/transforms/{name}", "get", 200, get(&control, "/v1/transforms/co")),
        ("/v1/sensors/{id}/transforms", "get", 200, get(&control, "/v1/sensors/co-1/transforms")),
        ("/v1/sensors/{id}", "get", 200, get(&control, "/v1/sensors/co-1")),
        ("/v1/readings", "get", 200, get(&control, "/v1/readings?limit=5")),
        ("/v1/transforms", "post", 200, post(&admin, "/v1/transforms", b"{}")),
        ("/v1/transforms", "post", 403, post(&control, "/v1/transforms", b"{}")),
        (rollback, "post", 200, post(&admin, at_co, b"")),
        (rollback, "post", 400, post(&admin, at_co, b"[")),
        (rollback, "post", 403, post(&control, at_co, b"")),
        (rollback, "post", 404, post(&admin, at_nobody, b"")),
    ] {
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        is_described(&document, path, method, &answer);
    }
}

#[test]
fn every_change_is_answered_as_described() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let document = get(&socket(&gateway), "/v1/openapi.json").json();
    let (instrument, maintenance) = ("/v1/sensors/{id}/instrument", "/v1/sensors/{id}/maintenance");
    let (references, withdraw) = ("/v1/sensors/{id}/references", "/v1/sensors/{id}/references/withdraw");
    for (path, request, body, status) in [
        (instrument, "/v1/sensors/past/instrument", json!({"model": "m", "serial": "8"}), 200),
        (instrument, "/v1/sensors/past/instrument", json!({"model": "m", "serial": ""}), 400),
        (instrument, "/v1/sensors/past/instrument", json!({"model": "m", "serial": "8", "x": 1}), 400),
        (instrument, "/v1/sensors/nobody/instrument", json!({"model": "m", "serial": "8"}), 404),
        (maintenance, "/v1/sensors/past/maintenance", json!({"on": true}), 200),
        (maintenance, "/v1/sensors/past/maintenance", json!({"on": true, "for_seconds": 0}), 400),
        (maintenance, "/v1/sensors/past/maintenance", json!({"on": true, "for_seconds": 2_592_001}), 400),
        (maintenance, "/v1/sensors/past/maintenance", json!({"on": false, "reason": "x"}), 400),
        (maintenance, "/v1/sensors/past/maintenance", json!({"on": false}), 200),
        (maintenance, "/v1/sensors/nobody/maintenance", json!({"on": false}), 404),
        (
            references,
            "/v1/sensors/past/references",
            json!({"references": [{"value": 4.2, "unit": "mV"}]}),
            200,
        ),
        (references, "/v1/sensors/past/references", json!({"references": [{"value": 4.2, "u": 0}]}), 200),
        (references, "/v1/sensors/past/references", json!({"references": []}), 400),
        (references, "/v1/sensors/past/references", json!({"references": [{"value": 1, "x": 1}]}), 400),
        (references, "/v1/sensors/nobody/references", json!({"references": [{"value": 1}]}), 404),
        (withdraw, "/v1/sensors/past/references/withdraw", json!({"ids": ["r-1"], "reason": "x"}), 200),
        (withdraw, "/v1/sensors/past/references/withdraw", json!({"ids": []}), 400),
        (withdraw, "/v1/sensors/nobody/references/withdraw", json!({"ids": ["r-1"]}), 404),
        ("/v1/standards", "/v1/standards", json!({"id": "gas-7", "values": [{"unit": "mV"}]}), 200),
        ("/v1/standards", "/v1/standards", json!({"id": "gas-7", "lot": ""}), 400),
    ] {
        let answer = post(&gateway.path("run/maintenance.sock"), request, body.to_string().as_bytes());
        assert_eq!(answer.status, status, "{request} {body}: {}", answer.text());
        is_described(&document, path, "post", &answer);
        let answer = post(&socket(&gateway), request, body.to_string().as_bytes());
        assert_eq!(answer.status, 403, "{}", answer.text());
        is_described(&document, path, "post", &answer);
    }
    for (path, request) in [
        ("/v1/sensors/{id}", "/v1/sensors/past"),
        ("/v1/sensors/{id}/instruments", "/v1/sensors/past/instruments"),
        ("/v1/references", "/v1/references?all=true"),
        ("/v1/standards", "/v1/standards"),
    ] {
        is_described(&document, path, "get", &get(&socket(&gateway), request));
    }
}

#[test]
fn every_route_is_described() {
    let document: Value = serde_json::from_slice(calibd::control::openapi::OPENAPI).unwrap();
    let described: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let routes: BTreeSet<&str> = calibd::control::routes::all().into_iter().map(|(path, _)| path).collect();
    assert_eq!(described, routes);
}
