//! How good probabilities are: calibration errors, proper scores, their decomposition, decisions.

pub mod bins;
pub mod bootstrap;
pub mod murphy;
pub mod scores;
pub mod threshold;

pub use bins::{Bin, Binning};
pub use bootstrap::{Interval, Intervals};
pub use murphy::Murphy;
pub use scores::{Options, ProbabilityScores, evaluate};
pub use threshold::{Costs, LeastCost, Rates};
