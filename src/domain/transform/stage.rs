//! The kinds of stages. A new kind is one file, one variant and one line in each `match` here.

use serde::Serialize;
use serde_json::Value;

use super::affine::{self, Affine, AffineSpec};
use super::artifact::{ContentError, ContentErrorKind};
use super::offset::{self, Offset, OffsetSpec};
use super::polynomial::{self, Polynomial, PolynomialSpec};
use super::table::{self, Table, TableSpec};
use super::unit::{self, UnitSpec};
use crate::domain::strict_json::{self, StrictError, join};
use crate::domain::units::Unit;

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

/// A value on its way through the stages, with what the stages so far did to it.
///
/// The parameters of different stages are independent, so their variances add up from stage to
/// stage, each multiplied by the square of the later derivatives: no gradient has to be kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// The value so far.
    pub value: f64,
    /// Its derivative with respect to the raw reading.
    pub sensitivity: f64,
    /// Its variance from the parameters, and from any clamping.
    pub variance: f64,
    /// Whether a stage was used beyond the range it was made for.
    pub outside: bool,
    /// How far, in widths of those ranges, squared and added up.
    pub excess: f64,
}

impl Point {
    /// The raw reading `x`, in place of one that lies `moved` away from it.
    #[inline(always)]
    pub(super) fn start(x: f64, moved: f64) -> Point {
        Point { value: x, sensitivity: 1.0, variance: moved * moved, outside: false, excess: 0.0 }
    }
}

/// A stage as it runs. Without dynamic dispatch: the compiler sees every kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    Offset(Offset),
    Affine(Affine),
    Polynomial(Polynomial),
    Table(Table),
}

impl Stage {
    /// Applies the stage; `hold` keeps tables at their end values beyond their ends.
    #[inline(always)]
    pub(super) fn apply(&self, point: Point, hold: bool) -> Point {
        match self {
            Stage::Offset(stage) => stage.apply(point),
            Stage::Affine(stage) => stage.apply(point),
            Stage::Polynomial(stage) => stage.apply(point),
            Stage::Table(stage) => stage.apply(point, hold),
        }
    }
}

/// What is known of a value's unit between two stages.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// It is this one.
    Exactly(Unit),
    /// A fitted stage made it: whatever the signer says it is.
    AsStated,
}

/// Checks the stage at `path` whose input has the unit `input`; gives the unit of its output.
pub(super) fn compile(spec: &StageSpec, input: Known, path: &str) -> Result<(Stage, Known), ContentError> {
    Ok(match spec {
        StageSpec::Offset(spec) => (Stage::Offset(offset::compile(spec, path)?), input),
        StageSpec::Affine(spec) => (Stage::Affine(affine::compile(spec, path)?), Known::AsStated),
        StageSpec::Polynomial(spec) => (Stage::Polynomial(polynomial::compile(spec, path)?), Known::AsStated),
        StageSpec::Table(spec) => (Stage::Table(table::compile(spec, path)?), Known::AsStated),
        StageSpec::Unit(spec) => {
            let (stage, from, to) = unit::compile(spec, path)?;
            fits(&input, &from, &join(path, "from"))?;
            (Stage::Affine(stage), Known::Exactly(to))
        }
    })
}

/// Whether a value of unit `known` may be called a value in `wanted`, which is said at `path`.
pub(super) fn fits(known: &Known, wanted: &Unit, path: &str) -> Result<(), ContentError> {
    match known {
        Known::Exactly(unit) if unit != wanted => Err(ContentError {
            kind: ContentErrorKind::InvalidContent,
            path: path.to_owned(),
            message: format!("the value is in `{unit}` here, not in `{wanted}`"),
        }),
        _ => Ok(()),
    }
}
