//! What `fit` prints.

use serde::Serialize;

use super::Fitted;
use crate::ctl::output::{aligned, significant};
use crate::domain::fit::{Fit, FitError, Pairs};

/// Digits of parameters: what the arithmetic promises.
const DIGITS: usize = 13;
/// Digits of statistics.
const FEW: usize = 7;

/// The fit, as `--json` prints it.
#[derive(Serialize)]
pub struct Report {
    method: String,
    parameters: Vec<f64>,
    parameter_names: Vec<String>,
    standard_errors: Option<Vec<f64>>,
    covariance: Option<Vec<Vec<f64>>>,
    residual_std: Option<f64>,
    degrees_of_freedom: Option<f64>,
    r_squared: Option<f64>,
    rss: Option<f64>,
    aicc: Option<f64>,
    cross_validation_rmse: Option<f64>,
    n: usize,
    n_effective: Option<f64>,
    lag1_autocorrelation: Option<f64>,
    x: Option<Vec<f64>>,
    y: Option<Vec<f64>>,
    holdout: Option<Holdout>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<Tried>,
    skipped: u64,
    notes: Vec<String>,
}

/// The score of rows that the fit has not seen.
#[derive(Serialize)]
pub struct Holdout {
    n: usize,
    rmse: f64,
    bias: f64,
}

impl Holdout {
    /// Scores a fit by these pairs.
    pub fn score(fit: &Fit, pairs: &Pairs) -> Result<Holdout, FitError> {
        let values = fit.curve(pairs)?.values(pairs);
        let errors: Vec<f64> =
            values.iter().zip(pairs.y()).map(|(value, reference)| value - reference).collect();
        if let Some(at) = errors.iter().position(|error| !error.is_finite()) {
            let column = pairs.columns().first().map_or("", |column| column.name());
            return Err(pairs.fault(
                at,
                column,
                "the fit has no value there: leave this row out of the holdout",
            ));
        }
        let n = errors.len();
        let mean = |sum: f64| sum / n as f64;
        let rmse = mean(errors.iter().map(|error| error * error).sum()).sqrt();
        Ok(Holdout { n, rmse, bias: mean(errors.iter().sum()) })
    }
}

/// One method that `auto` tried.
#[derive(Serialize)]
struct Tried {
    method: String,
    parameters: usize,
    cross_validation_rmse: Option<f64>,
    reason: String,
}

impl Report {
    /// The report of a fit.
    pub fn new(fitted: Fitted, holdout: Option<Holdout>, skipped: u64) -> Report {
        let Fitted { fit, cross_validation_rmse, candidates } = fitted;
        let standard_errors = fit.standard_errors();
        let (x, y) = fit.table.map_or((None, None), |table| (Some(table.x), Some(table.y)));
        Report {
            method: fit.method,
            parameters: fit.parameters,
            parameter_names: fit.names,
            standard_errors,
            covariance: fit.covariance,
            residual_std: fit.residual_std,
            degrees_of_freedom: fit.degrees_of_freedom,
            r_squared: fit.r_squared,
            rss: fit.rss,
            aicc: fit.aicc,
            cross_validation_rmse,
            n: fit.n,
            n_effective: fit.n_effective,
            lag1_autocorrelation: fit.lag1_autocorrelation,
            x,
            y,
            holdout,
            candidates: candidates
                .into_iter()
                .map(|it| Tried {
                    method: it.method,
                    parameters: it.parameters,
                    cross_validation_rmse: it.score,
                    reason: it.reason,
                })
                .collect(),
            skipped,
            notes: fit.notes,
        }
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let parts = [
            self.tried(),
            format!("{}\n", self.method),
            self.parameter_table(),
            self.points(),
            self.statistics(),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }

    fn tried(&self) -> String {
        let head = ["method", "parameters", "unseen RMSE", "why"].map(str::to_owned).to_vec();
        let row = |it: &Tried| {
            let score = it.cross_validation_rmse.map_or("-".to_owned(), |score| significant(score, FEW));
            let reason = it.reason.lines().next().unwrap_or_default().to_owned();
            vec![it.method.clone(), it.parameters.to_string(), score, reason]
        };
        if self.candidates.is_empty() {
            return String::new();
        }
        aligned(&[head].into_iter().chain(self.candidates.iter().map(row)).collect::<Vec<_>>(), 2)
    }

    fn parameter_table(&self) -> String {
        if self.parameters.is_empty() {
            return String::new();
        }
        let head = ["parameter", "value", "standard error"].map(str::to_owned).to_vec();
        let error = |at: usize| {
            let error = self.standard_errors.as_ref().and_then(|errors| errors.get(at));
            error.map_or("-".to_owned(), |error| significant(*error, DIGITS))
        };
        let rows = self.parameter_names.iter().zip(&self.parameters).enumerate();
        let rows = rows.map(|(at, (name, value))| vec![name.clone(), significant(*value, DIGITS), error(at)]);
        aligned(&[head].into_iter().chain(rows).collect::<Vec<_>>(), 2)
    }

    fn points(&self) -> String {
        let (Some(x), Some(y)) = (&self.x, &self.y) else { return String::new() };
        let shown = 20;
        let head = ["x", "y"].map(str::to_owned).to_vec();
        let rows = x.iter().zip(y).take(shown).map(|(x, y)| vec![significant(*x, FEW), significant(*y, FEW)]);
        let mut text = aligned(&[head].into_iter().chain(rows).collect::<Vec<_>>(), 1);
        if x.len() > shown {
            text.push_str(&format!("... {} points, all of them with --json\n", x.len()));
        }
        text
    }

    fn statistics(&self) -> String {
        let mut rows = vec![vec!["pairs".to_owned(), self.n.to_string()]];
        let mut add = |name: &str, value: Option<f64>, digits: usize| {
            if let Some(value) = value {
                rows.push(vec![name.to_owned(), significant(value, digits)]);
            }
        };
        add("residual std", self.residual_std, DIGITS);
        add("degrees of freedom", self.degrees_of_freedom, FEW);
        add("r squared", self.r_squared, DIGITS);
        add("residual sum of squares", self.rss, FEW);
        add("AICc", self.aicc, FEW);
        add("RMSE at unseen pairs", self.cross_validation_rmse, FEW);
        add("pairs they are worth", self.n_effective, 4);
        add("lag-1 autocorrelation", self.lag1_autocorrelation, 4);
        if let Some(holdout) = &self.holdout {
            add("held-out pairs", Some(holdout.n as f64), FEW);
            add("held-out RMSE", Some(holdout.rmse), FEW);
            add("held-out bias", Some(holdout.bias), FEW);
        }
        aligned(&rows, 0)
    }
}
