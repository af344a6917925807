//! The kinds of stages. A new kind is one file, one variant and one line in each `match` here.

use serde::Serialize;
use serde_json::Value;

use super::affine::AffineSpec;
use super::artifact::{ContentError, ContentErrorKind};
use super::offset::OffsetSpec;
use super::polynomial::PolynomialSpec;
use super::table::TableSpec;
use super::unit::UnitSpec;
use crate::domain::strict_json::{self, StrictError, join};

/// One step of a pipeline, as written in an artifact: an object whose `kind` names the step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StageSpec {
    /// y = x + a.
    Offset(OffsetSpec),
    /// y = a + b x.
    Affine(AffineSpec),
    /// y = c0 + c1 x + ... + cN x^N.
    Polynomial(PolynomialSpec),
    /// Straight lines between points.
    Table(TableSpec),
    /// From one unit to another.
    Unit(UnitSpec),
}

const KINDS: &str = "offset, affine, polynomial, table, unit";

/// Reads one stage, which stands at `path`, strictly.
pub(super) fn parse(value: &Value, path: &str) -> Result<StageSpec, ContentError> {
    read(value).map_err(|error| match error {
        Refusal::Field(error) => ContentError::from(error.under(path)),
        Refusal::Kind(kind) => ContentError {
            kind: ContentErrorKind::UnknownStage,
            path: join(path, "kind"),
            message: format!("this version knows no stage `{kind}`; it knows {KINDS}"),
        },
    })
}

enum Refusal {
    Field(StrictError),
    Kind(String),
}

impl From<StrictError> for Refusal {
    fn from(error: StrictError) -> Refusal {
        Refusal::Field(error)
    }
}

fn read(value: &Value) -> Result<StageSpec, Refusal> {
    let fault = |field: &str, message: &str| {
        Refusal::Field(StrictError { path: field.to_owned(), message: message.to_owned() })
    };
    let Value::Object(fields) = value else { return Err(fault("", "expected an object")) };
    let mut fields = fields.clone();
    let kind = match fields.remove("kind") {
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(fault("kind", "expected a name as a string")),
        None => return Err(fault("kind", "missing field")),
    };
    let rest = Value::Object(fields);
    Ok(match kind.as_str() {
        "offset" => StageSpec::Offset(strict_json::from_value(&rest)?),
        "affine" => StageSpec::Affine(strict_json::from_value(&rest)?),
        "polynomial" => StageSpec::Polynomial(strict_json::from_value(&rest)?),
        "table" => StageSpec::Table(strict_json::from_value(&rest)?),
        "unit" => StageSpec::Unit(strict_json::from_value(&rest)?),
        _ => return Err(Refusal::Kind(kind.chars().take(40).collect())),
    })
}
