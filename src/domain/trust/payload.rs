//! From an artifact's own bytes to what they say, whoever signed them.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reason::{Reason, Refusal};
use crate::domain::strict_json::{self, StrictError};

/// Reads a document of this kind and schema strictly.
///
/// # Errors
/// `malformed` or `unknown_schema`, with the kind and the field's path.
pub fn read<T: DeserializeOwned>(kind: &str, schema: u64, payload: &[u8]) -> Result<T, Refusal> {
    let value = of_schema(kind, schema, payload)?;
    strict_json::from_value(&value).map_err(|fault| malformed(kind, &fault))
}

/// The schema is looked at before anything else: another one may have other fields.
fn of_schema(kind: &str, schema: u64, payload: &[u8]) -> Result<Value, Refusal> {
    let value = strict_json::parse(payload).map_err(|fault| malformed(kind, &fault))?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(other) if other != schema => {
            let text = format!("{kind}: schema {other} is not known here; update calibd");
            Err(Refusal::new(Reason::UnknownSchema, text))
        }
        _ => Ok(value),
    }
}

fn malformed(kind: &str, fault: &StrictError) -> Refusal {
    Refusal::new(Reason::Malformed, format!("{kind}: {fault}"))
}
