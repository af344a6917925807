//! The options of a fit.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::prior;
use crate::ctl::number::finite;
use crate::ctl::output::Failure;
use crate::domain::fit::Pairs;
use crate::domain::fit::method::{CovarianceKind, Direction, Method, Options};
use crate::domain::fit::probability::isotonic::Trend;
use crate::domain::fit::validation::Validation;

#[derive(Args, Debug, Clone)]
pub struct HowArgs {
    /// Multilinear: without a constant.
    #[arg(long, help_heading = "Fit")]
    no_intercept: bool,
    /// Which variable carries the error: the reference's (predicts best) or the sensor's (does not
    /// attenuate the extremes).
    #[arg(long, value_enum, default_value = "reference-on-sensor", help_heading = "Fit")]
    direction: DirectionArg,
    /// Where the parameters' covariance comes from; `known` takes --uy as it is, the last two are for pairs
    /// that follow each other in time.
    #[arg(long, value_enum, default_value = "independent", help_heading = "Fit")]
    covariance: CovarianceArg,
    /// Deming: the variance of the errors of y over that of x.
    #[arg(long, value_name = "RATIO", value_parser = finite, default_value_t = 1.0, help_heading = "Fit")]
    variance_ratio: f64,
    /// Nonlinear methods: where to start, in the order of the parameters; absent: found from the data.
    #[arg(
        long,
        value_name = "A,B,...",
        value_parser = finite,
        value_delimiter = ',',
        allow_hyphen_values = true,
        help_heading = "Fit"
    )]
    start: Vec<f64>,
    /// Isotonic: the values fall where the readings rise.
    #[arg(long, help_heading = "Fit")]
    falling: bool,
    /// Histogram: bins of equal counts instead of equal widths.
    #[arg(long, help_heading = "Fit")]
    equal_mass: bool,
    /// Histogram: bins with fewer pairs are merged with their neighbours.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fit")]
    min_count: usize,
    /// Affine and multilinear: what is known before, which the pairs correct; three of them already help. An
    /// earlier fit of the same formula, as `fit --json` printed it; what `fleet prior` wrote; or gateway:MODEL, what the
    /// fleet has said of a sensor model to the gateway here.
    #[arg(long, value_name = "FILE|gateway:MODEL", value_parser = prior::Source::read, help_heading = "Fit")]
    prior: Option<prior::Source>,
    /// Another socket of the daemon than the usual one in /run/calibd, for --prior gateway:MODEL.
    #[arg(long, value_name = "PATH", requires = "prior", help_heading = "Fit")]
    socket: Option<PathBuf>,
    /// How unseen pairs are set apart: later ones, or each one in turn (for the points of one session).
    /// Absent: each in turn where x is sorted, there are at most 500 pairs and no --time; else later ones.
    #[arg(long, value_enum, help_heading = "Fit")]
    validation: Option<ValidationArg>,
    /// Folds of the forward validation; absent: 5.
    #[arg(long, value_name = "N", help_heading = "Fit")]
    folds: Option<usize>,
    /// Of everything that is drawn at random.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Fit")]
    seed: u64,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum DirectionArg {
    ReferenceOnSensor,
    SensorOnReference,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum CovarianceArg {
    Independent,
    Known,
    Hac,
    BlockBootstrap,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum ValidationArg {
    Forward,
    LeaveOneOut,
}

/// Said where nobody said how to validate, and the pairs look like points of a session.
const SESSION: &str = "x is sorted and there is no --time: taken as the points of one session, so each pair \
                       was left out in turn to judge; if they follow each other in time, say --validation forward";

impl HowArgs {
    /// As the fits take it.
    pub fn options(&self) -> Result<Options, Failure> {
        if self.variance_ratio.is_nan() || self.variance_ratio <= 0.0 || self.variance_ratio.is_infinite() {
            return Err(Failure::usage("--variance-ratio: expected a number above 0"));
        }
        if self.start.iter().any(|value| !value.is_finite()) {
            return Err(Failure::usage("--start: expected finite numbers"));
        }
        if self.min_count == 0 {
            return Err(Failure::usage("--min-count: expected at least 1"));
        }
        if self.folds.is_some_and(|folds| folds < 2) {
            return Err(Failure::usage("--folds: expected at least 2"));
        }
        if self.folds.is_some() && matches!(self.validation, Some(ValidationArg::LeaveOneOut)) {
            return Err(Failure::usage("--folds are of --validation forward: leave one of the two out"));
        }
        Ok(Options {
            direction: match self.direction {
                DirectionArg::ReferenceOnSensor => Direction::ReferenceOnSensor,
                DirectionArg::SensorOnReference => Direction::SensorOnReference,
            },
            covariance: match self.covariance {
                CovarianceArg::Independent => CovarianceKind::Independent,
                CovarianceArg::Known => CovarianceKind::Known,
                CovarianceArg::Hac => CovarianceKind::Hac,
                CovarianceArg::BlockBootstrap => CovarianceKind::BlockBootstrap,
            },
            intercept: !self.no_intercept,
            variance_ratio: self.variance_ratio,
            start: (!self.start.is_empty()).then(|| self.start.clone()),
            trend: if self.falling { Trend::Falling } else { Trend::Rising },
            equal_mass: self.equal_mass,
            min_count: self.min_count,
            prior: None,
            validation: match (self.validation, self.folds) {
                (Some(ValidationArg::LeaveOneOut), _) => Validation::LeaveOneOut,
                (_, Some(folds)) => Validation::Forward { folds },
                (_, None) => Validation::default(),
            },
            seed: self.seed,
        })
    }

    /// What is known before the pairs.
    pub fn known(&self, method: Option<Method>, pairs: &Pairs) -> Result<Option<prior::Known>, Failure> {
        let read = |source| prior::read(source, self.socket.as_deref(), method, pairs);
        self.prior.as_ref().map(read).transpose()
    }

    /// Adds how to validate, which hangs on the pairs if that was not said; then it gives a note.
    pub fn complete(&self, options: &mut Options, pairs: &Pairs) -> Option<&'static str> {
        if self.validation.is_some() || self.folds.is_some() {
            return None;
        }
        options.validation = Validation::suited(pairs);
        (options.validation == Validation::LeaveOneOut).then_some(SESSION)
    }
}
