//! What an earlier fit says of the parameters.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::ctl::output::Failure;
use crate::ctl::{files, gateway};
use crate::domain::fit::bayes::{self, Prior};
use crate::domain::fit::few::{self, Verdict};
use crate::domain::fit::method::Method;
use crate::domain::fit::{Column, Fit, Pairs};
use crate::domain::strict_json;
use crate::domain::trust::prior::ModelPrior;
use crate::runtime::clock::system_now;

/// What is read of what `fit --json` printed; a field that is null there is absent here.
#[derive(Deserialize)]
struct Earlier {
    parameters: Option<Vec<f64>>,
    parameter_names: Option<Vec<String>>,
    covariance: Option<Vec<Vec<f64>>>,
    residual_std: Option<f64>,
    degrees_of_freedom: Option<f64>,
}

/// Where it is said what is known.
#[derive(Debug, Clone)]
pub enum Source {
    /// In a file: an earlier fit, or the prior of a sensor model.
    File(PathBuf),
    /// At the gateway here: what the fleet has said of this sensor model.
    Gateway(String),
}

impl Source {
    /// As on the command line; a file of the name `gateway:...` is `./gateway:...`.
    pub fn read(text: &str) -> Result<Source, Infallible> {
        Ok(match text.strip_prefix("gateway:") {
            Some(model) => Source::Gateway(model.to_owned()),
            None => Source::File(text.into()),
        })
    }
}

/// What is known before the pairs.
#[derive(Debug, Clone)]
pub struct Known {
    /// As fits take it.
    pub prior: Prior,
    /// UCUM codes of the raw reading and of the calibrated value, where they are said.
    pub units: Option<[String; 2]>,
}

impl Known {
    /// What the user should know of a fit with it of so many pairs.
    pub fn remark(&self, fit: &Fit, pairs: usize) -> Option<String> {
        match few::judge(&self.prior, fit, pairs) {
            Verdict::WithPrior => None,
            Verdict::Enough => Some(format!(
                "{pairs} pairs are enough for a fit without the prior, which may do harm beyond {} for each parameter",
                few::PAIRS
            )),
            Verdict::AtOdds(probability) => Some(format!(
                "the pairs are not what the prior expects (probability {probability:.1e}): see that the instrument is \
                 whole and what the prior is of, and do not use this fit"
            )),
        }
    }
}

/// Reads what is known of this method's parameters.
///
/// Errors name the file or the gateway, the field and the remedy.
pub fn read(
    source: &Source,
    socket: Option<&Path>,
    method: Option<Method>,
    pairs: &Pairs,
) -> Result<Known, Failure> {
    let names = method.ok_or_else(|| "auto takes no prior: fit affine or multilinear".to_owned());
    let names = names
        .and_then(|method| bayes::names(method, pairs.columns().len()).map_err(|fault| fault.to_string()));
    let names = names.map_err(|problem| Failure::usage(format!("--prior: {problem}")))?;
    let path = match source {
        Source::Gateway(model) => {
            return of_model(&format!("prior of {model}"), &gateway::prior(socket, model)?, &names, pairs);
        }
        Source::File(path) => path,
    };
    let (file, bytes) = (path.display(), files::read(path)?);
    let unreadable = |problem: String| Failure::refused(format!("{file}: {problem}: {GIVE}"));
    let value = strict_json::parse(&bytes).map_err(|problem| unreadable(problem.to_string()))?;
    if value.get("model").is_some() && value.get("fit").is_some() {
        let prior = ModelPrior::parse(&bytes).and_then(|prior| prior.check().map(|()| prior));
        let prior = prior.map_err(|refusal| Failure::refused(format!("{file}: {}", refusal.message)))?;
        if prior.expires <= system_now() {
            let text = format!(
                "{file}: the prior expired at {}: make a new one with `calibctl fleet prior`",
                prior.expires
            );
            return Err(Failure::refused(text));
        }
        return of_model(&file.to_string(), &prior, &names, pairs);
    }
    let earlier: Earlier =
        strict_json::from_slice(&bytes).map_err(|problem| unreadable(problem.to_string()))?;
    let fault = |field: &str, problem: &str| Failure::refused(format!("{file}: {field}: {problem}"));
    let fit = fit(earlier).map_err(|(field, problem)| fault(field, problem))?;
    check_names(&file.to_string(), &fit.names, &names)?;
    let prior = Prior::from_fit(&fit).ok_or_else(|| fault("covariance", NEEDED))?;
    Ok(Known { prior, units: None })
}

const GIVE: &str = "give what `calibctl fit --json` printed, or `calibctl fleet prior` wrote";

fn of_model(name: &str, given: &ModelPrior, names: &[String], pairs: &Pairs) -> Result<Known, Failure> {
    check_names(name, &given.fit.parameter_names, names)?;
    let ours: Vec<&str> = pairs.columns().iter().skip(1).map(Column::name).collect();
    if ours != given.covariates {
        let (wanted, found) = (given.covariates.join(", "), ours.join(", "));
        return Err(Failure::refused(format!(
            "{name}: covariates: expected the columns {wanted} behind the first --x, found {found}: name them so"
        )));
    }
    let prior = Prior::from_fit(&given.fit.to_fit());
    let prior = prior.ok_or_else(|| Failure::refused(format!("{name}: covariance: {NEEDED}")))?;
    Ok(Known { prior, units: Some([given.input_unit.clone(), given.output_unit.clone()]) })
}

fn check_names(name: &str, found: &[String], wanted: &[String]) -> Result<(), Failure> {
    if found == wanted {
        return Ok(());
    }
    let (wanted, found) = (wanted.join(", "), found.join(", "));
    let problem = format!("expected {wanted}, found {found}: give a fit of the same formula");
    Err(Failure::refused(format!("{name}: parameter_names: {problem}")))
}

const NEEDED: &str = "is needed: give a fit of more pairs than parameters, with its covariance";

/// The fields as a fit, every one of them checked.
fn fit(earlier: Earlier) -> Result<Fit, (&'static str, &'static str)> {
    let parameters = earlier.parameters.ok_or(("parameters", NEEDED))?;
    let names = earlier.parameter_names.ok_or(("parameter_names", NEEDED))?;
    let covariance = earlier.covariance.ok_or(("covariance", NEEDED))?;
    let std = earlier.residual_std.ok_or(("residual_std", NEEDED))?;
    let freedom = earlier.degrees_of_freedom.ok_or(("degrees_of_freedom", NEEDED))?;
    let size = parameters.len();
    if names.len() != size {
        return Err(("parameter_names", "expected one for each of the parameters: give the whole fit"));
    }
    if covariance.len() != size || covariance.iter().any(|row| row.len() != size) {
        return Err(("covariance", "expected as many rows and columns as parameters: give the whole fit"));
    }
    if !is_covariance(&covariance) {
        return Err(("covariance", "expected a symmetric matrix with variances above 0: give another fit"));
    }
    for (field, value) in [("residual_std", std), ("degrees_of_freedom", freedom)] {
        if value.is_nan() || value <= 0.0 {
            return Err((
                field,
                "expected a number above 0: an exact fit says nothing of the scatter, give another",
            ));
        }
    }
    Ok(Fit {
        names,
        parameters,
        covariance: Some(covariance),
        residual_std: Some(std),
        degrees_of_freedom: Some(freedom),
        ..Fit::default()
    })
}

/// Whether it is symmetric to rounding, its variances above 0 and no correlation above 1.
fn is_covariance(matrix: &[Vec<f64>]) -> bool {
    let size = matrix.len();
    (0..size).all(|i| {
        (0..size).all(|j| {
            let room = matrix[i][i].sqrt() * matrix[j][j].sqrt();
            let symmetric = (matrix[i][j] - matrix[j][i]).abs() <= 1e-9 * room;
            matrix[i][i] > 0.0 && symmetric && matrix[i][j].abs() <= room * (1.0 + 1e-9)
        })
    })
}
