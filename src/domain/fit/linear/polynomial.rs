//! y = c0 + c1 x + ... + cN x^N.

use super::affine::flat;
use super::design::{Basis, Design};
use super::report::report;
use crate::domain::fit::method::{Direction, MAX_DEGREE, Options};
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::polynomial::PolynomialSpec;
use crate::domain::transform::stage::StageSpec;

/// A polynomial by least squares. Parameters are in the raw variable; the stage has those of
/// (x - center) / scale, which keep their digits.
pub fn fit(pairs: &Pairs, degree: usize, options: &Options) -> Result<Fit, FitError> {
    let method = format!("polynomial:{degree}");
    if !(1..=MAX_DEGREE).contains(&degree) {
        return Err(FitError::Unsupported(format!("{method}: the degree has to be from 1 to {MAX_DEGREE}")));
    }
    if options.direction == Direction::SensorOnReference {
        return Err(FitError::Unsupported(format!(
            "{method} of the reference has no inverse that is a polynomial: take `affine` for sensor on reference, `deming` or `york`, or regress the reference on the sensor"
        )));
    }
    let weights = pairs.weights();
    let x = &pairs.columns()[0];
    let design = Design::new(&[x], pairs.reference(), weights.as_deref(), Basis::Powers(degree))?;
    let names = (0..=degree).map(|power| format!("c{power}")).collect();
    let report = report(&method, names, &design, pairs, options)?;
    if report.inner[1..].iter().all(|coefficient| *coefficient == 0.0) {
        return Err(flat(pairs));
    }
    let stage = PolynomialSpec {
        coefficients: report.inner,
        center: design.columns[0].center,
        scale: design.columns[0].scale,
        covariance: report.inner_covariance,
    };
    Ok(Fit { stages: vec![StageSpec::Polynomial(stage)], ..report.fit })
}
