//! The kinds of stages. A new kind is one file, one variant and one line in each `match` here.

use serde::Serialize;
use serde_json::Value;

use super::affine::{self, Affine, AffineSpec};
use super::artifact::{ContentError, ContentErrorKind};
use super::beta::{self, Beta, BetaSpec};
use super::callendar_van_dusen::{self, CallendarVanDusen, CallendarVanDusenSpec};
use super::check::{invalid, unit};
use super::covariate_polynomial::{self, CovariatePolynomial, CovariatePolynomialSpec};
use super::covariate_table::{self, CovariateTable, CovariateTableSpec};
use super::exponential::{self, Exponential, ExponentialSpec};
use super::histogram::{self, Histogram, HistogramSpec};
use super::isotonic::{self, Isotonic, IsotonicSpec};
use super::logarithm::{self, Logarithm, LogarithmSpec};
use super::logistic::{self, Logistic, LogisticSpec};
use super::multilinear::{self, Multilinear, MultilinearSpec};
use super::nernst::{self, Nernst, NernstSpec};
use super::offset::{self, Offset, OffsetSpec};
use super::pchip::{self, Pchip, PchipSpec};
use super::platt::{self, Platt, PlattSpec};
use super::polynomial::{self, Polynomial, PolynomialSpec};
use super::power::{self, Power, PowerSpec};
use super::rational::{self, Rational, RationalSpec};
use super::saturation::{self, Saturation, SaturationSpec};
use super::steinhart_hart::{self, SteinhartHart, SteinhartHartSpec};
use super::table::{self, Table, TableSpec};
use super::temperature::{self, Temperature, TemperatureSpec};
use super::unit::{self as units, UnitSpec};
use super::venn_abers::{self, VennAbers, VennAbersSpec};
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
    /// y = a + b1 x + b2 c2 + ..., the c covariates.
    Multilinear(MultilinearSpec),
    /// A thermistor: from Ohm to K.
    SteinhartHart(SteinhartHartSpec),
    /// A platinum resistor: from Ohm to Cel.
    CallendarVanDusen(CallendarVanDusenSpec),
    /// A polynomial of a covariate, added or multiplied.
    CovariatePolynomial(CovariatePolynomialSpec),
    /// A table of a covariate, added or multiplied.
    CovariateTable(CovariateTableSpec),
    /// y = a + b ln x.
    Logarithm(LogarithmSpec),
    /// An electrode's potential to an activity or a pH.
    Nernst(NernstSpec),
    /// Monotone cubic pieces between points.
    Pchip(PchipSpec),
    /// y = (b0 + b1 x + ... + bM x^M) / (1 + c1 x + ... + cN x^N).
    Rational(RationalSpec),
    /// y = a + b e^(c x).
    Exponential(ExponentialSpec),
    /// y = a (1 - e^(-b x)).
    Saturation(SaturationSpec),
    /// y = a x^b.
    Power(PowerSpec),
    /// y = a / (1 + e^(b - c x)).
    Logistic(LogisticSpec),
    /// From one unit to another.
    Unit(UnitSpec),
    /// p = 1 / (1 + e^(a x + b)).
    Platt(PlattSpec),
    /// p = softmax(z / T).
    Temperature(TemperatureSpec),
    /// logit p = a ln s - b ln(1 - s) + c.
    Beta(BetaSpec),
    /// Straight lines between the thresholds of a monotone fit.
    Isotonic(IsotonicSpec),
    /// Shares of events, bin by bin.
    Histogram(HistogramSpec),
    /// p1 / (1 - p0 + p1), p0 and p1 by steps.
    VennAbers(VennAbersSpec),
}

const KINDS: &str = "offset, affine, polynomial, table, pchip, multilinear, rational, exponential, saturation, \
                     power, logistic, logarithm, covariate_polynomial, covariate_table, steinhart_hart, \
                     callendar_van_dusen, nernst, unit, platt, temperature, beta, isotonic, histogram, venn_abers";

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
        "multilinear" => StageSpec::Multilinear(strict_json::from_value(&rest)?),
        "steinhart_hart" => StageSpec::SteinhartHart(strict_json::from_value(&rest)?),
        "callendar_van_dusen" => StageSpec::CallendarVanDusen(strict_json::from_value(&rest)?),
        "covariate_polynomial" => StageSpec::CovariatePolynomial(strict_json::from_value(&rest)?),
        "covariate_table" => StageSpec::CovariateTable(strict_json::from_value(&rest)?),
        "logarithm" => StageSpec::Logarithm(strict_json::from_value(&rest)?),
        "nernst" => StageSpec::Nernst(strict_json::from_value(&rest)?),
        "pchip" => StageSpec::Pchip(strict_json::from_value(&rest)?),
        "rational" => StageSpec::Rational(strict_json::from_value(&rest)?),
        "exponential" => StageSpec::Exponential(strict_json::from_value(&rest)?),
        "saturation" => StageSpec::Saturation(strict_json::from_value(&rest)?),
        "power" => StageSpec::Power(strict_json::from_value(&rest)?),
        "logistic" => StageSpec::Logistic(strict_json::from_value(&rest)?),
        "unit" => StageSpec::Unit(strict_json::from_value(&rest)?),
        "platt" => StageSpec::Platt(strict_json::from_value(&rest)?),
        "temperature" => StageSpec::Temperature(strict_json::from_value(&rest)?),
        "beta" => StageSpec::Beta(strict_json::from_value(&rest)?),
        "isotonic" => StageSpec::Isotonic(strict_json::from_value(&rest)?),
        "histogram" => StageSpec::Histogram(strict_json::from_value(&rest)?),
        "venn_abers" => StageSpec::VennAbers(strict_json::from_value(&rest)?),
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

    /// The value one stage further: what the stage makes of it is `local`.
    #[inline(always)]
    pub(super) fn through(self, local: Local) -> Point {
        Point {
            value: local.value,
            sensitivity: local.slope * self.sensitivity,
            variance: local.slope * local.slope * self.variance + local.variance,
            outside: self.outside || local.excess > 0.0,
            excess: self.excess + local.excess,
        }
    }
}

/// What a stage makes of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Local {
    /// The stage's output; NaN where it has none.
    pub value: f64,
    /// Its derivative with respect to the stage's input.
    pub slope: f64,
    /// Its variance from the stage's own parameters, and from any clamping.
    pub variance: f64,
    /// How far the input lies outside the range the stage was made for, in widths of that range,
    /// squared; 0 inside.
    pub excess: f64,
}

impl Local {
    /// Inside the range for which the stage was made.
    #[inline(always)]
    pub(super) fn inside(value: f64, slope: f64, variance: f64) -> Local {
        Local { value, slope, variance, excess: 0.0 }
    }

    /// Where the stage has no value.
    #[cold]
    pub(super) fn none() -> Local {
        Local::inside(f64::NAN, f64::NAN, f64::NAN)
    }
}

/// What a stage may look at beside its input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Around<'a> {
    /// The covariates' values, by the places that [`Roles`] gave; NaN where one is missing.
    pub covariates: &'a [f64],
    /// Whether tables keep their end values beyond their ends.
    pub hold: bool,
}

impl Around<'_> {
    /// The value of the covariate at `place`; NaN where it is missing.
    #[inline(always)]
    pub(super) fn covariate(&self, place: usize) -> f64 {
        self.covariates.get(place).copied().unwrap_or(f64::NAN)
    }
}

/// The covariates that a transform looks at.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Roles {
    names: Vec<String>,
    /// A bit for each place that a stage looks at.
    needed: u16,
}

/// The derivatives of a value with respect to the covariates, by their places.
pub(super) type Gradient = [f64; MAX_COVARIATES];

/// Most covariates: each is looked at for every reading.
pub const MAX_COVARIATES: usize = 16;

impl Roles {
    /// The roles that the domain bounds come first.
    pub(super) fn starting_with(names: &[String]) -> Roles {
        Roles { names: names.to_vec(), needed: 0 }
    }

    /// The place of the covariate that plays `role`, which is said in `field` at `path`.
    pub(super) fn place(&mut self, role: &str, path: &str, field: &str) -> Result<usize, ContentError> {
        if role.trim().is_empty() {
            return Err(invalid(path, field, "name the covariate's role"));
        }
        let known = self.names.iter().position(|name| name == role);
        let place = known.unwrap_or(self.names.len());
        if place >= MAX_COVARIATES {
            return Err(invalid(path, field, &format!("at most {MAX_COVARIATES} covariates")));
        }
        if known.is_none() {
            self.names.push(role.to_owned());
        }
        self.needed |= 1 << place;
        Ok(place)
    }

    /// The places that stages looked at since this was asked last, a bit for each.
    pub(super) fn take_needed(&mut self) -> u16 {
        std::mem::take(&mut self.needed)
    }

    /// The roles, in the order of their places.
    pub(super) fn into_names(self) -> Box<[String]> {
        self.names.into()
    }
}

/// A stage as it runs. Without dynamic dispatch: the compiler sees every kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    Offset(Offset),
    Affine(Affine),
    Polynomial(Polynomial),
    Table(Table),
    Multilinear(Multilinear),
    SteinhartHart(SteinhartHart),
    CallendarVanDusen(CallendarVanDusen),
    CovariatePolynomial(CovariatePolynomial),
    CovariateTable(CovariateTable),
    Logarithm(Logarithm),
    Nernst(Nernst),
    Pchip(Pchip),
    Rational(Rational),
    Exponential(Exponential),
    Saturation(Saturation),
    Power(Power),
    Logistic(Logistic),
    Platt(Platt),
    Temperature(Temperature),
    Beta(Beta),
    Isotonic(Isotonic),
    Histogram(Histogram),
    VennAbers(VennAbers),
}

impl Stage {
    /// What the stage makes of `x`.
    ///
    /// The simplest kinds stand apart: their loop has to stay small enough for the registers.
    #[inline(always)]
    pub(super) fn at(&self, x: f64, around: &Around<'_>) -> Local {
        match self {
            Stage::Offset(stage) => stage.at(x),
            Stage::Affine(stage) => stage.at(x),
            Stage::Polynomial(stage) => stage.at(x),
            Stage::Table(stage) => stage.at(x, around.hold),
            _ => self.at_otherwise(x, around),
        }
    }

    #[inline(never)]
    fn at_otherwise(&self, x: f64, around: &Around<'_>) -> Local {
        match self {
            Stage::Offset(stage) => stage.at(x),
            Stage::Affine(stage) => stage.at(x),
            Stage::Polynomial(stage) => stage.at(x),
            Stage::Table(stage) => stage.at(x, around.hold),
            Stage::Multilinear(stage) => stage.at(x, around),
            Stage::SteinhartHart(stage) => stage.at(x),
            Stage::CallendarVanDusen(stage) => stage.at(x, around.hold),
            Stage::CovariatePolynomial(stage) => stage.at(x, around),
            Stage::CovariateTable(stage) => stage.at(x, around),
            Stage::Logarithm(stage) => stage.at(x),
            Stage::Nernst(stage) => stage.at(x, around),
            Stage::Pchip(stage) => stage.at(x, around.hold),
            Stage::Rational(stage) => stage.at(x),
            Stage::Exponential(stage) => stage.at(x),
            Stage::Saturation(stage) => stage.at(x),
            Stage::Power(stage) => stage.at(x),
            Stage::Logistic(stage) => stage.at(x),
            Stage::Platt(stage) => stage.at(x),
            Stage::Temperature(stage) => stage.at(x, around),
            Stage::Beta(stage) => stage.at(x),
            Stage::Isotonic(stage) => stage.at(x),
            Stage::Histogram(stage) => stage.at(x),
            Stage::VennAbers(stage) => stage.at(x),
        }
    }

    /// Adds what the stage's output at `x` owes to each covariate to `gradient`: dy/dc, by place.
    pub(super) fn lean(&self, x: f64, around: &Around<'_>, gradient: &mut Gradient) {
        match self {
            Stage::Multilinear(stage) => stage.lean(gradient),
            Stage::CovariatePolynomial(stage) => stage.lean(x, around, gradient),
            Stage::CovariateTable(stage) => stage.lean(x, around, gradient),
            Stage::Nernst(stage) => stage.lean(x, around, gradient),
            Stage::Temperature(stage) => stage.lean(x, around, gradient),
            _ => {}
        }
    }

    /// The input for which the stage gives `y`; `None` where there is none, where there may be several,
    /// and where no formula gives it.
    pub(super) fn invert(&self, y: f64, around: &Around<'_>) -> Option<f64> {
        let x = match self {
            Stage::Offset(stage) => Some(stage.invert(y)),
            Stage::Affine(stage) => Some(stage.invert(y)),
            Stage::Table(stage) => stage.invert(y, around.hold),
            Stage::Multilinear(stage) => Some(stage.invert(y, around)),
            Stage::SteinhartHart(stage) => stage.invert(y),
            Stage::CallendarVanDusen(stage) => stage.invert(y, around.hold),
            Stage::CovariatePolynomial(stage) => Some(stage.invert(y, around)),
            Stage::CovariateTable(stage) => Some(stage.invert(y, around)),
            Stage::Logarithm(stage) => Some(stage.invert(y)),
            Stage::Nernst(stage) => Some(stage.invert(y, around)),
            Stage::Pchip(stage) => stage.invert(y, around.hold),
            Stage::Exponential(stage) => stage.invert(y),
            Stage::Saturation(stage) => stage.invert(y),
            Stage::Power(stage) => stage.invert(y),
            Stage::Logistic(stage) => stage.invert(y),
            Stage::Platt(stage) => Some(stage.invert(y)),
            Stage::Temperature(stage) => Some(stage.invert(y, around)),
            Stage::Beta(stage) => stage.invert(y),
            Stage::Isotonic(stage) => stage.invert(y),
            // no formula: `Compiled::inverse` searches
            Stage::Polynomial(_) | Stage::Rational(_) | Stage::Histogram(_) | Stage::VennAbers(_) => None,
        };
        x.filter(|x| x.is_finite())
    }

    /// Takes a value one stage further.
    #[inline(always)]
    pub(super) fn apply(&self, point: Point, around: &Around<'_>) -> Point {
        point.through(self.at(point.value, around))
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
///
/// `roles` gets the covariates that the stage looks at.
pub(super) fn compile(
    spec: &StageSpec,
    input: Known,
    path: &str,
    roles: &mut Roles,
) -> Result<(Stage, Known), ContentError> {
    Ok(match spec {
        StageSpec::Offset(spec) => (Stage::Offset(offset::compile(spec, path)?), input),
        StageSpec::Affine(spec) => (Stage::Affine(affine::compile(spec, path)?), Known::AsStated),
        StageSpec::Polynomial(spec) => (Stage::Polynomial(polynomial::compile(spec, path)?), Known::AsStated),
        StageSpec::Table(spec) => (Stage::Table(table::compile(spec, path)?), Known::AsStated),
        StageSpec::Multilinear(spec) => {
            (Stage::Multilinear(multilinear::compile(spec, path, roles)?), Known::AsStated)
        }
        StageSpec::SteinhartHart(spec) => {
            fits(&input, &unit("Ohm", path, "")?, path)?;
            (Stage::SteinhartHart(steinhart_hart::compile(spec, path)?), Known::Exactly(unit("K", path, "")?))
        }
        StageSpec::CallendarVanDusen(spec) => {
            fits(&input, &unit("Ohm", path, "")?, path)?;
            let stage = callendar_van_dusen::compile(spec, path)?;
            (Stage::CallendarVanDusen(stage), Known::Exactly(unit("Cel", path, "")?))
        }
        StageSpec::CovariatePolynomial(spec) => {
            (Stage::CovariatePolynomial(covariate_polynomial::compile(spec, path, roles)?), input)
        }
        StageSpec::CovariateTable(spec) => {
            (Stage::CovariateTable(covariate_table::compile(spec, path, roles)?), input)
        }
        StageSpec::Logarithm(spec) => (Stage::Logarithm(logarithm::compile(spec, path)?), Known::AsStated),
        StageSpec::Nernst(spec) => {
            fits(&input, &unit("mV", path, "")?, path)?;
            (Stage::Nernst(nernst::compile(spec, path, roles)?), Known::AsStated)
        }
        StageSpec::Pchip(spec) => (Stage::Pchip(pchip::compile(spec, path)?), Known::AsStated),
        StageSpec::Rational(spec) => (Stage::Rational(rational::compile(spec, path)?), Known::AsStated),
        StageSpec::Exponential(spec) => {
            (Stage::Exponential(exponential::compile(spec, path)?), Known::AsStated)
        }
        StageSpec::Saturation(spec) => (Stage::Saturation(saturation::compile(spec, path)?), Known::AsStated),
        StageSpec::Power(spec) => (Stage::Power(power::compile(spec, path)?), Known::AsStated),
        StageSpec::Logistic(spec) => (Stage::Logistic(logistic::compile(spec, path)?), Known::AsStated),
        StageSpec::Unit(spec) => {
            let (stage, from, to) = units::compile(spec, path)?;
            fits(&input, &from, &join(path, "from"))?;
            (Stage::Affine(stage), Known::Exactly(to))
        }
        StageSpec::Platt(spec) => (Stage::Platt(platt::compile(spec, path)?), Known::AsStated),
        StageSpec::Temperature(spec) => {
            (Stage::Temperature(temperature::compile(spec, path, roles)?), Known::AsStated)
        }
        StageSpec::Beta(spec) => (Stage::Beta(beta::compile(spec, path)?), Known::AsStated),
        StageSpec::Isotonic(spec) => (Stage::Isotonic(isotonic::compile(spec, path)?), Known::AsStated),
        StageSpec::Histogram(spec) => (Stage::Histogram(histogram::compile(spec, path)?), Known::AsStated),
        StageSpec::VennAbers(spec) => (Stage::VennAbers(venn_abers::compile(spec, path)?), Known::AsStated),
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

#[cfg(test)]
mod tests;
