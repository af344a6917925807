//! The uncertainty budget of the error at a calibration point.

use serde::{Deserialize, Serialize};

use super::coverage::{Component as Part, Effective, welch_satterthwaite};

/// Where a part of the uncertainty comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// The reference value (GUM 4.3).
    Reference,
    /// The mean of the readings: s / sqrt(n_eff) with n_eff - 1 degrees of freedom (type A; GUM 4.2.3).
    Repeatability,
    /// The step of the indication: d / sqrt(12) (GUM F.2.2.1).
    Resolution,
    /// The change while the point was measured: |slope| T / sqrt(12) (GUM 4.3.7).
    Stability,
}

/// How the errors of a component are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Normal, or Student's where the degrees of freedom are few.
    Normal,
    /// Rectangular.
    Rectangular,
}

/// One line of an uncertainty budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Where it comes from.
    pub component: Component,
    /// How it is distributed.
    pub distribution: Distribution,
    /// Standard uncertainty.
    pub u: f64,
    /// The derivative of the error by it: the indication counts once, the reference with the other sign.
    pub sensitivity: f64,
    /// Degrees of freedom; absent for infinitely many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degrees_of_freedom: Option<f64>,
}

/// What the uncertainty of an error is made of, in the unit of the error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Standard uncertainty of the reference value.
    pub u_reference: f64,
    /// Its degrees of freedom; `None` for infinitely many, as for a certificate's.
    pub reference_degrees: Option<f64>,
    /// Standard deviation of a single reading.
    pub scatter: f64,
    /// Degrees of freedom of that; `None`: `n_eff` - 1, those of a standard deviation of these readings.
    pub scatter_degrees: Option<f64>,
    /// How many independent readings the mean is worth.
    pub n_eff: f64,
    /// The step that a value can change by; 0 where it is far below the scatter or unknown.
    pub resolution: f64,
    /// By how much the mean moved from one end to the other: |slope| times the time.
    pub movement: f64,
}

impl Parts {
    /// The lines of the budget (EA-4/02): reference, repeatability, resolution, stability.
    pub fn lines(&self) -> [Line; 4] {
        let repeatability = Line {
            component: Component::Repeatability,
            distribution: Distribution::Normal,
            u: self.scatter / self.n_eff.sqrt(),
            sensitivity: 1.0,
            degrees_of_freedom: Some(self.scatter_degrees.unwrap_or(self.n_eff - 1.0)),
        };
        let reference = Line {
            component: Component::Reference,
            u: self.u_reference,
            sensitivity: -1.0,
            degrees_of_freedom: self.reference_degrees,
            ..repeatability
        };
        let resolution = rectangular(Component::Resolution, self.resolution);
        [reference, repeatability, resolution, rectangular(Component::Stability, self.movement)]
    }
}

/// Half of a rectangular distribution's whole width, over the root of 3 (GUM 4.3.7): its standard deviation.
fn rectangular(component: Component, width: f64) -> Line {
    Line {
        component,
        distribution: Distribution::Rectangular,
        u: width / 12.0_f64.sqrt(),
        sensitivity: 1.0,
        degrees_of_freedom: None,
    }
}

/// The combined standard uncertainty of the lines and its effective degrees of freedom (GUM 5.1.2, G.4.1).
pub fn combined(lines: &[Line]) -> Effective {
    let part = |line: &Line| Part {
        u: line.u,
        sensitivity: line.sensitivity,
        degrees_of_freedom: line.degrees_of_freedom,
    };
    welch_satterthwaite(&lines.iter().map(part).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_those_of_the_guide() {
        let parts = Parts {
            u_reference: 0.1,
            reference_degrees: None,
            scatter: 0.6,
            scatter_degrees: None,
            n_eff: 9.0,
            resolution: 0.12,
            movement: 0.24,
        };
        let lines = parts.lines();
        let want = [0.1, 0.2, 0.12 / 12f64.sqrt(), 0.24 / 12f64.sqrt()];
        for (line, want) in lines.iter().zip(want) {
            assert!((line.u - want).abs() < 1e-15, "{line:?}");
        }
        assert_eq!(lines.map(|line| line.degrees_of_freedom), [None, Some(8.0), None, None]);
        let whole = combined(&lines);
        let square: f64 = want.iter().map(|u| u * u).sum();
        assert!((whole.u - square.sqrt()).abs() < 1e-15);
        // GUM G.4.1, with one component of finitely many degrees of freedom.
        let degrees = square * square / (0.2f64.powi(4) / 8.0);
        assert!((whole.degrees_of_freedom.unwrap() / degrees - 1.0).abs() < 1e-12);
    }
}
