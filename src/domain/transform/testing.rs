//! What the tests of transforms share.

use serde_json::{Value, json};

use super::artifact::{ContentError, Transform};
use super::compiled::{Compiled, compile};

/// A transform from nA to mg/m3 with these fields in place of the common ones.
pub(super) fn transform(fields: Value) -> Transform {
    let mut all = json!({
        "schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
        "quantity": "q", "input_unit": "nA", "output_unit": "mg/m3", "pipeline": [],
        "issued_at": "2026-11-22T10:00:00Z", "expires": "2027-11-22T00:00:00Z",
    });
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    Transform::parse(all.to_string().as_bytes()).unwrap()
}

/// The same, compiled.
pub(super) fn compiled(fields: Value) -> Compiled {
    compile(&transform(fields)).unwrap()
}

/// The same, where it must not compile.
pub(super) fn refused(fields: Value) -> ContentError {
    compile(&transform(fields.clone())).expect_err(&fields.to_string())
}
