//! Fits that make probabilities of scores, and monotone fits, which serve values as well.

pub mod beta;
pub mod histogram;
pub mod isotonic;
pub mod labels;
mod logistic;
pub mod platt;
pub mod temperature;
#[cfg(test)]
pub(in crate::domain) mod testing;
mod ties;
pub mod venn_abers;
