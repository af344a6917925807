//! What an earlier fit says of the parameters.

use std::path::Path;

use serde::Deserialize;

use crate::ctl::files;
use crate::ctl::output::Failure;
use crate::domain::fit::bayes::{self, Prior};
use crate::domain::fit::method::Method;
use crate::domain::fit::{Fit, Pairs};
use crate::domain::strict_json;

/// What is read of what `fit --json` printed; a field that is null there is absent here.
#[derive(Deserialize)]
struct Earlier {
    parameters: Option<Vec<f64>>,
    parameter_names: Option<Vec<String>>,
    covariance: Option<Vec<Vec<f64>>>,
    residual_std: Option<f64>,
    degrees_of_freedom: Option<f64>,
}

/// Reads an earlier fit as the prior of this method.
///
/// Errors name the file, the field and the remedy.
pub fn read(path: &Path, method: Option<Method>, pairs: &Pairs) -> Result<Prior, Failure> {
    let names = method.ok_or_else(|| "auto takes no prior: fit affine or multilinear".to_owned());
    let names = names
        .and_then(|method| bayes::names(method, pairs.columns().len()).map_err(|fault| fault.to_string()));
    let names = names.map_err(|problem| Failure::usage(format!("--prior: {problem}")))?;
    let file = path.display();
    let earlier: Earlier = strict_json::from_slice(&files::read(path)?).map_err(|problem| {
        Failure::refused(format!("{file}: {problem}: give what `calibctl fit --json` printed"))
    })?;
    let fault = |field: &str, problem: &str| Failure::refused(format!("{file}: {field}: {problem}"));
    let fit = fit(earlier).map_err(|(field, problem)| fault(field, problem))?;
    if fit.names != names {
        let (wanted, found) = (names.join(", "), fit.names.join(", "));
        let problem = format!("expected {wanted}, found {found}: give a fit of the same formula");
        return Err(fault("parameter_names", &problem));
    }
    Prior::from_fit(&fit).ok_or_else(|| fault("covariance", NEEDED))
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
