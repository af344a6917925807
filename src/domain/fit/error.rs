//! Why data give no fit.

/// Says which data do not support a fit, where, and what would.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// One value is of no use.
    #[error("line {line}, column `{column}`: {problem}")]
    Value {
        /// The line of the file, or the number of the pair, counted from 1.
        line: u64,
        /// The column.
        column: String,
        /// What is wrong there, and what would be right.
        problem: String,
    },
    /// A whole column is of no use.
    #[error("column `{column}`: {problem}")]
    Column {
        /// The column.
        column: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// There are fewer pairs than the method needs.
    #[error(
        "{method} needs at least {needed} pairs, and there are {found}: add reference readings or take a simpler method"
    )]
    TooFew {
        /// As on the command line.
        method: String,
        /// Pairs needed.
        needed: usize,
        /// Pairs found.
        found: usize,
    },
    /// Something else: what and the remedy.
    #[error("{0}")]
    Unsupported(String),
    /// An iteration ended without an answer.
    #[error("{method} found no answer in {iterations} iterations: {remedy}")]
    NotConverged {
        /// As on the command line.
        method: String,
        /// Iterations made.
        iterations: usize,
        /// What to try.
        remedy: String,
    },
}

impl FitError {
    /// A fault of a whole column.
    pub fn column(column: &str, problem: impl Into<String>) -> FitError {
        FitError::Column { column: column.to_owned(), problem: problem.into() }
    }
}
