//! What a fit gives.

use super::error::FitError;
use super::pairs::Pairs;
use crate::domain::transform::chain::Chain;
use crate::domain::transform::stage::StageSpec;

/// A fitted relation and what is known of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fit {
    /// As on the command line: `polynomial:3`.
    pub method: String,
    /// The parameters' names, in the order of the method's formula; empty for tables.
    pub names: Vec<String>,
    /// The parameters, in the same order, in the raw variable.
    pub parameters: Vec<f64>,
    /// Their covariance; `None` where the method has none.
    pub covariance: Option<Vec<Vec<f64>>>,
    /// The points of a table.
    pub table: Option<Table>,
    /// Pairs.
    pub n: usize,
    /// The standard deviation of the residuals, in the unit of y; with weights, of the weighted ones.
    pub residual_std: Option<f64>,
    /// The same of the residuals themselves, in the unit of y whatever the weights: how far one more
    /// reading scatters, as the pairs did on average.
    pub scatter: Option<f64>,
    /// Of `residual_std`.
    pub degrees_of_freedom: Option<f64>,
    /// Share of the reference's variance that is explained.
    pub r_squared: Option<f64>,
    /// Residual sum of squares, weighted if there are weights.
    pub rss: Option<f64>,
    /// Akaike's criterion, corrected for few pairs.
    pub aicc: Option<f64>,
    /// Independent pairs that the pairs are worth.
    pub n_effective: Option<f64>,
    /// Autocorrelation of the residuals from one pair to the next.
    pub lag1_autocorrelation: Option<f64>,
    /// The stages of a transform that does what was fitted.
    pub stages: Vec<StageSpec>,
    /// What the user should know: nothing is done silently.
    pub notes: Vec<String>,
}

/// The points of a fitted table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Inputs, increasing.
    pub x: Vec<f64>,
    /// Outputs.
    pub y: Vec<f64>,
}

impl Fit {
    /// The parameters' standard errors, in their order; `None` without a covariance.
    pub fn standard_errors(&self) -> Option<Vec<f64>> {
        let matrix = self.covariance.as_ref()?;
        Some(matrix.iter().enumerate().map(|(at, row)| row[at].sqrt()).collect())
    }

    /// The fitted relation, to be evaluated at the columns of `pairs`.
    pub fn curve(&self, pairs: &Pairs) -> Result<Curve, FitError> {
        let chain = Chain::new(&self.stages)
            .map_err(|error| FitError::Unsupported(format!("the fitted stages are of no use: {error}")))?;
        let place = |role: &String| {
            pairs.columns().iter().position(|column| column.name() == role).ok_or_else(|| {
                FitError::Unsupported(format!("there is no column for the covariate `{role}`"))
            })
        };
        let places = chain.covariates().iter().map(place).collect::<Result<_, _>>()?;
        Ok(Curve { chain, places })
    }
}

/// A fitted relation as it is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    chain: Chain,
    /// The column of each covariate.
    places: Vec<usize>,
}

impl Curve {
    /// The value at pair `at` of data with the columns for which it was made.
    pub fn value(&self, pairs: &Pairs, at: usize) -> f64 {
        let covariates: Vec<f64> =
            self.places.iter().map(|place| pairs.columns()[*place].values()[at]).collect();
        self.chain.value(pairs.x()[at], &covariates)
    }

    /// The value at `x`, for a relation without covariates; NaN with them.
    pub fn at(&self, x: f64) -> f64 {
        self.chain.value(x, &[])
    }

    /// The values at all pairs.
    pub fn values(&self, pairs: &Pairs) -> Vec<f64> {
        (0..pairs.len()).map(|at| self.value(pairs, at)).collect()
    }
}
