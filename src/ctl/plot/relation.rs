//! From the columns of a file to values: by a transform, by a fit, or as they are.

use super::{Kind, PlotArgs};
use crate::ctl::artifacts;
use crate::ctl::fit::{ColumnArgs, Read, plain, simple, wanted};
use crate::ctl::output::{Failure, note};
use crate::domain::fit::method::Method;
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::{Compiled, Covariate, Input};
use crate::picture::Sampled;

/// What makes values of sensor values.
pub enum Relation {
    /// Nothing: the column holds values.
    AsTheyAre,
    /// A transform of a file, and what to call it.
    Transform(Box<(Transform, Compiled)>),
    /// A fit of this method; `None` is auto.
    Method(Option<Method>),
}

/// A relation that can be evaluated.
pub struct Made {
    /// What to call it.
    pub name: String,
    compiled: Compiled,
}

/// Points of a curve: more than a picture has pixels for is waste.
const SAMPLES: usize = 240;

impl Relation {
    /// The relation that the options state.
    pub fn stated(args: &PlotArgs) -> Result<Relation, Failure> {
        match (&args.transform, &args.method) {
            (Some(path), _) => Ok(Relation::Transform(Box::new(artifacts::transform(path)?))),
            (None, Some(method)) => Ok(Relation::Method(wanted(method)?)),
            (None, None) if args.kind == Kind::Calibration => {
                note("note: the curve is the least-squares line; --method or --transform draws another");
                Ok(Relation::Method(Some(Method::Affine)))
            }
            (None, None) => Ok(Relation::AsTheyAre),
        }
    }

    /// The columns that it needs: those named, and those of a transform's covariates.
    pub fn columns(&self, named: &ColumnArgs) -> Result<ColumnArgs, Failure> {
        let mut columns = named.clone();
        let Relation::Transform(it) = self else { return Ok(columns) };
        let roles = it.1.covariates();
        if columns.x.is_empty() && !roles.is_empty() {
            return Err(Failure::usage(format!(
                "the transform looks at covariates ({}): name the sensor's own column with --x",
                roles.join(", ")
            )));
        }
        for role in roles {
            if !columns.x.iter().skip(1).any(|name| name == role) {
                columns.x.push(role.clone());
            }
        }
        Ok(columns)
    }

    /// What can be evaluated, if values are to be made.
    pub fn made(self, data: &Read, labelled: bool) -> Result<Option<Made>, Failure> {
        let (name, compiled) = match self {
            Relation::AsTheyAre => return Ok(None),
            Relation::Transform(it) => {
                let (transform, compiled) = *it;
                (format!("{} version {}", transform.id, transform.version), compiled)
            }
            Relation::Method(method) => {
                let fit = simple(method, &data.pairs, labelled)
                    .map_err(|fault| Failure::refused(format!("{}: {fault}", data.name)))?;
                let (_, compiled) = plain(&fit, data)?;
                (fit.method, compiled)
            }
        };
        Ok(Some(Made { name, compiled }))
    }

    /// Value less reference for each pair; NaN where there is no value.
    pub fn errors(self, data: &Read, labelled: bool) -> Result<Vec<f64>, Failure> {
        let values = match self.made(data, labelled)? {
            None => data.pairs.x().to_vec(),
            Some(made) => made.values(data)?,
        };
        let errors = values.iter().zip(data.pairs.y()).map(|(value, reference)| value - reference);
        let errors: Vec<f64> = errors.collect();
        let none = errors.iter().filter(|error| !error.is_finite()).count();
        if none == errors.len() {
            let problem = "no row has a value: check which column is x, and the transform's domain";
            return Err(Failure::refused(format!("{}: {problem}", data.name)));
        }
        if none > 0 {
            note(&format!("note: rows without a value, not drawn: {none}"));
        }
        Ok(errors)
    }
}

impl Made {
    fn values(&self, data: &Read) -> Result<Vec<f64>, Failure> {
        let columns = data.pairs.columns();
        let places = self.compiled.covariates().iter().map(|role| {
            columns.iter().position(|column| column.name() == role).ok_or_else(|| {
                Failure::usage(format!("there is no column for the covariate `{role}`: name it with --x"))
            })
        });
        let places = places.collect::<Result<Vec<usize>, _>>()?;
        let value = |at: usize| {
            let covariate = |place: &usize| Some(Covariate { value: columns[*place].values()[at], u: None });
            let covariates: Vec<_> = places.iter().map(covariate).collect();
            self.at(data.pairs.x()[at], &covariates).map_or(f64::NAN, |sampled| sampled.value)
        };
        Ok((0..data.pairs.len()).map(value).collect())
    }

    /// The curve over the range of the pairs.
    pub fn curve(&self, data: &Read) -> Result<Vec<Sampled>, Failure> {
        if !self.compiled.covariates().is_empty() {
            return Err(Failure::usage(format!(
                "the values depend on {} too, so that there is no one curve: draw --kind residual",
                self.compiled.covariates().join(", ")
            )));
        }
        let low = data.pairs.x().iter().copied().fold(f64::INFINITY, f64::min);
        let high = data.pairs.x().iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let x = |at: usize| low + (high - low) * (at as f64 / SAMPLES as f64);
        Ok((0..=SAMPLES).filter_map(|at| self.at(x(at), &[])).collect())
    }

    fn at(&self, raw: f64, covariates: &[Option<Covariate>]) -> Option<Sampled> {
        let input = Input { raw, u_raw: None, covariates, age_days: 0.0 };
        let value = self.compiled.apply(&input).value?;
        let half = self.compiled.expanded(&input, 0.95).map(|it| it.expanded);
        Some(Sampled { x: raw, value, interval: half.map(|half| [value - half, value + half]) })
    }
}
