//! The data of a fit: sensor values, reference values and what is known of them.

use super::error::FitError;

/// A named column of finite numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    values: Vec<f64>,
}

impl Column {
    /// Names the values. Whether they are finite is checked by [`Pairs`], which knows their lines.
    pub fn new(name: impl Into<String>, values: Vec<f64>) -> Column {
        Column { name: name.into(), values }
    }

    /// The name, for messages and for the roles of covariates.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values, one a pair.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

/// Pairs of sensor values and reference values. All columns are finite and equally long; there is
/// at least one column of sensor values and one pair; weights and uncertainties are above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    x: Vec<Column>,
    y: Column,
    ux: Option<Column>,
    uy: Option<Column>,
    weights: Option<Column>,
    times: Option<Vec<f64>>,
    lines: Vec<u64>,
}

impl Pairs {
    /// Pairs the columns `x` (the sensor's own first, then covariates) with the reference `y`.
    pub fn new(x: Vec<Column>, y: Column) -> Result<Pairs, FitError> {
        let lines = (1..=y.values.len() as u64).collect();
        Pairs::with_lines(x, y, lines)
    }

    /// The same, where pair i stands in line `lines[i]` of a file: messages name that line.
    pub fn with_lines(x: Vec<Column>, y: Column, lines: Vec<u64>) -> Result<Pairs, FitError> {
        if x.is_empty() {
            return Err(FitError::Unsupported("no column of sensor values: name one".to_owned()));
        }
        if y.values.is_empty() {
            return Err(FitError::column(
                &y.name,
                "there are no pairs: give a file with rows under its header",
            ));
        }
        let pairs = Pairs { x, y, ux: None, uy: None, weights: None, times: None, lines };
        for column in pairs.x.iter().chain([&pairs.y]) {
            pairs.check(
                column,
                |value| value.is_finite(),
                "expected a finite number: correct it or leave the row out",
            )?;
        }
        Ok(pairs)
    }

    /// Adds the standard uncertainties of x, in its unit.
    pub fn with_ux(mut self, ux: Column) -> Result<Pairs, FitError> {
        self.check(
            &ux,
            positive,
            "expected a standard uncertainty above 0: correct it or leave the row out",
        )?;
        self.ux = Some(ux);
        Ok(self)
    }

    /// Adds the standard uncertainties of y, in its unit.
    pub fn with_uy(mut self, uy: Column) -> Result<Pairs, FitError> {
        self.check(
            &uy,
            positive,
            "expected a standard uncertainty above 0: correct it or leave the row out",
        )?;
        self.uy = Some(uy);
        Ok(self)
    }

    /// Adds weights of the pairs.
    pub fn with_weights(mut self, weights: Column) -> Result<Pairs, FitError> {
        self.check(&weights, positive, "expected a weight above 0: leave the row out instead")?;
        self.weights = Some(weights);
        Ok(self)
    }

    /// Adds the times of the pairs, in seconds from any origin, not decreasing.
    pub fn with_times(mut self, times: Vec<f64>) -> Result<Pairs, FitError> {
        let column = Column::new("time", times);
        self.check(&column, |value| value.is_finite(), "expected a time")?;
        if let Some(at) = column.values.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(self.fault(at + 1, "time", "earlier than the row before: sort the rows by time"));
        }
        self.times = Some(column.values);
        Ok(self)
    }

    /// A fault of the value of pair `at` in a column.
    pub fn fault(&self, at: usize, column: &str, problem: impl Into<String>) -> FitError {
        let line = self.lines.get(at).copied().unwrap_or(at as u64 + 1);
        FitError::Value { line, column: column.to_owned(), problem: problem.into() }
    }

    fn check(&self, column: &Column, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<(), FitError> {
        if column.values.len() != self.lines.len() {
            let problem = format!("has {} values, expected {}", column.values.len(), self.lines.len());
            return Err(FitError::column(&column.name, problem));
        }
        match column.values.iter().position(|value| !fits(*value)) {
            Some(at) => {
                let problem = format!("{wanted}, found {}", column.values[at]);
                Err(self.fault(at, &column.name, problem))
            }
            None => Ok(()),
        }
    }

    /// How many pairs there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "there is always a pair")]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The sensor's own values.
    pub fn x(&self) -> &[f64] {
        &self.x[0].values
    }

    /// The reference values.
    pub fn y(&self) -> &[f64] {
        &self.y.values
    }

    /// All columns of sensor values: the sensor's own, then the covariates.
    pub fn columns(&self) -> &[Column] {
        &self.x
    }

    /// The reference values with their name.
    pub fn reference(&self) -> &Column {
        &self.y
    }

    /// The standard uncertainties of x, if they are known.
    pub fn ux(&self) -> Option<&[f64]> {
        self.ux.as_ref().map(Column::values)
    }

    /// The standard uncertainties of y, if they are known.
    pub fn uy(&self) -> Option<&[f64]> {
        self.uy.as_ref().map(Column::values)
    }

    /// The columns of uncertainties and weights that there are.
    pub(super) fn known(&self) -> impl Iterator<Item = &Column> {
        [&self.ux, &self.uy, &self.weights].into_iter().flatten()
    }

    /// The weights that were given.
    pub fn given_weights(&self) -> Option<&[f64]> {
        self.weights.as_ref().map(Column::values)
    }

    /// The weights of a fit: those given, else 1/u_y^2, else none.
    pub fn weights(&self) -> Option<Vec<f64>> {
        match (&self.weights, &self.uy) {
            (Some(weights), _) => Some(weights.values.clone()),
            (None, Some(uy)) => Some(uy.values.iter().map(|u| 1.0 / (u * u)).collect()),
            (None, None) => None,
        }
    }

    /// The times of the pairs, in seconds, not decreasing, if they are known.
    pub fn times(&self) -> Option<&[f64]> {
        self.times.as_deref()
    }

    /// The lines of the file that the pairs stand in.
    pub fn lines(&self) -> &[u64] {
        &self.lines
    }

    /// The values of pair `at`: the sensor's own, then the covariates'.
    pub fn row(&self, at: usize) -> impl Iterator<Item = f64> + '_ {
        self.x.iter().map(move |column| column.values[at])
    }

    /// The same pairs without covariates.
    pub fn sensor_only(&self) -> Pairs {
        Pairs { x: self.x[..1].to_vec(), ..self.clone() }
    }

    /// The pairs at these places, in this order; a place may come twice.
    pub fn select(&self, places: &[usize]) -> Result<Pairs, FitError> {
        if places.is_empty() {
            return Err(FitError::Unsupported("no pairs are left".to_owned()));
        }
        let take = |values: &[f64]| places.iter().map(|at| values[*at]).collect::<Vec<_>>();
        let column = |column: &Column| Column { name: column.name.clone(), values: take(&column.values) };
        Ok(Pairs {
            x: self.x.iter().map(column).collect(),
            y: column(&self.y),
            ux: self.ux.as_ref().map(column),
            uy: self.uy.as_ref().map(column),
            weights: self.weights.as_ref().map(column),
            times: self.times.as_deref().map(take),
            lines: places.iter().map(|at| self.lines[*at]).collect(),
        })
    }
}

fn positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}
