//! The uncertainty budget of a calibrated value.

/// What is known about the errors of a transform's values, in a form that adds up fast.
///
/// u^2 = residual_std^2 + g' S g + reference_systematic^2 + drift(age)^2
///     + sensitivity^2 max(0, u_raw^2 - raw_std_at_fit^2)
///
/// The residuals' scatter already holds the raw readings' noise at the fit and the references'
/// random errors, so only what a reading has beyond that is added (ISO/TS 28037; GUM H.3).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Whether anything is stated; if not, only the raw reading's own uncertainty counts.
    pub stated: bool,
    /// residual_std^2 + reference_systematic^2, in output units squared.
    pub constant: f64,
    /// raw_std_at_fit^2, in input units squared.
    pub raw_at_fit: f64,
    /// What grows with age.
    pub drift: Drift,
}

/// Variances of offset and gain per unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drift {
    /// Of the offset, in output units squared.
    pub offset: f64,
    /// Of the gain, relative.
    pub gain: f64,
    /// Whether the deviation, not the variance, is proportional to time.
    pub trend: bool,
}

/// What one reading brings into the budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The calibrated value, in the output unit.
    pub value: f64,
    /// Its derivative with respect to the raw reading.
    pub sensitivity: f64,
    /// g' S g: the variance from the parameters of all stages, in output units squared.
    pub parameters: f64,
    /// The raw reading's standard uncertainty, in the input unit, if it is known.
    pub u_raw: Option<f64>,
    /// Days since the calibration was last confirmed.
    pub age_days: f64,
}

impl Budget {
    /// The standard uncertainty of a value, in the output unit; `None` if nothing is known of it.
    #[inline(always)]
    pub fn combine(&self, reading: &Contribution) -> Option<f64> {
        let square = reading.sensitivity * reading.sensitivity;
        let raw = match reading.u_raw {
            Some(u) => u * u - self.raw_at_fit,
            None if self.stated => 0.0,
            None => return None,
        };
        let variance = self.constant
            + reading.parameters
            + self.drift.variance(reading.value, reading.age_days)
            + if raw > 0.0 { square * raw } else { 0.0 };
        Some(variance.sqrt())
    }
}

impl Drift {
    /// The variance after `age_days`; nothing before the calibration.
    #[inline(always)]
    fn variance(&self, value: f64, age_days: f64) -> f64 {
        let age = age_days.max(0.0);
        let time = if self.trend { age * age } else { age };
        (self.offset + self.gain * value * value) * time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Contribution =
        Contribution { value: 10.0, sensitivity: -2.0, parameters: 0.0, u_raw: Some(0.5), age_days: 0.0 };

    #[test]
    fn without_statements_the_raw_uncertainty_is_carried_through() {
        let budget = Budget::default();
        assert_eq!(budget.combine(&READING), Some(1.0));
        assert_eq!(budget.combine(&Contribution { u_raw: None, ..READING }), None);
    }

    #[test]
    fn raw_noise_that_the_residuals_hold_counts_once() {
        let budget = Budget { stated: true, constant: 9.0, raw_at_fit: 0.25, ..Budget::default() };
        assert_eq!(budget.combine(&READING), Some(3.0));
        assert_eq!(budget.combine(&Contribution { u_raw: None, ..READING }), Some(3.0));
        let noisier = Contribution { u_raw: Some(4.25f64.sqrt()), ..READING };
        assert!((budget.combine(&noisier).unwrap() - 5.0).abs() < 1e-12);
        let quieter = Contribution { u_raw: Some(0.1), ..READING };
        assert_eq!(budget.combine(&quieter), Some(3.0), "less noise now does not shrink the residuals");
    }

    #[test]
    fn drift_grows_by_its_law() {
        let walk = Drift { offset: 0.09, gain: 0.0016, trend: false };
        let budget = |drift| Budget { stated: true, drift, ..Budget::default() };
        let after = |days| Contribution { u_raw: None, age_days: days, ..READING };
        // sqrt(0.3^2 + (0.04 * 10)^2) = 0.5 after one day
        assert!((budget(walk).combine(&after(1.0)).unwrap() - 0.5).abs() < 1e-12);
        assert!((budget(walk).combine(&after(4.0)).unwrap() - 1.0).abs() < 1e-12);
        let trend = Drift { trend: true, ..walk };
        assert!((budget(trend).combine(&after(4.0)).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(budget(walk).combine(&after(-3.0)), Some(0.0));
        assert_eq!(budget(walk).combine(&after(f64::NAN)), Some(0.0));
    }
}
