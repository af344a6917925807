//! Calibration transforms: the signed artifact, its stages, and the compiled form that runs.

pub mod affine;
pub mod artifact;
pub mod offset;
pub mod polynomial;
pub mod stage;
pub mod table;
pub mod unit;
