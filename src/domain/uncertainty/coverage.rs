//! Coverage factors, and the degrees of freedom of a combined uncertainty.

use super::distribution::{INFINITE, LEAST, normal_quantile, student_quantile};

/// The coverage factor k of a level like 0.95: value +- k u holds that share of Student's
/// distribution (GUM, JCGM 100:2008, G.3.2); `None` degrees of freedom are infinitely many.
///
/// Degrees of freedom are taken as they are, not truncated to an integer (G.4.1 allows both). Infinite
/// where nothing bounds the value: for a level of 1 or no level, and where there are fewer degrees
/// of freedom than [`LEAST`]. Never NaN, never below 0.
pub fn coverage_factor(level: f64, degrees_of_freedom: Option<f64>) -> f64 {
    if level <= 0.0 {
        return 0.0;
    }
    let dof = degrees_of_freedom.unwrap_or(f64::INFINITY);
    if level.is_nan() || level >= 1.0 || dof.is_nan() || dof < LEAST {
        return f64::INFINITY;
    }
    // from below, where the tail keeps its digits
    let tail = (1.0 - level) / 2.0;
    if dof >= INFINITE { normal_quantile(tail).abs() } else { student_quantile(tail, dof).abs() }
}

/// One independent component of a combined uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Component {
    /// Its standard uncertainty.
    pub u: f64,
    /// The derivative of the result by it.
    pub sensitivity: f64,
    /// Of `u`; `None` for infinitely many.
    pub degrees_of_freedom: Option<f64>,
}

/// A combined standard uncertainty and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effective {
    /// The combined standard uncertainty.
    pub u: f64,
    /// Its effective degrees of freedom; `None` for infinitely many.
    pub degrees_of_freedom: Option<f64>,
}

impl Effective {
    /// U = k u at a level like 0.95.
    pub fn expanded(&self, level: f64) -> f64 {
        if self.u == 0.0 { 0.0 } else { coverage_factor(level, self.degrees_of_freedom) * self.u }
    }
}

/// Combines independent components: u^2 = sum (c u)^2, and the effective degrees of freedom by
/// Welch-Satterthwaite, u^4 / sum((c u)^4 / dof) (GUM G.4.1, formula G.2b).
///
/// A component without degrees of freedom (0) leaves the result none.
pub fn welch_satterthwaite(components: &[Component]) -> Effective {
    let shares = || components.iter().map(|one| (one.sensitivity * one.u, one.degrees_of_freedom));
    // scaled, so that a fourth power neither overflows nor vanishes
    let scale = shares().fold(0.0, |largest: f64, (share, _)| largest.max(share.abs()));
    if scale == 0.0 || !scale.is_finite() {
        return Effective { u: scale, degrees_of_freedom: None };
    }
    let square: f64 = shares().map(|(share, _)| (share / scale).powi(2)).sum();
    let fourth: f64 = shares()
        .filter_map(|(share, dof)| Some((share / scale).powi(4) / dof?))
        .filter(|term| !term.is_nan())
        .sum();
    let finite = square * square / fourth;
    Effective { u: scale * square.sqrt(), degrees_of_freedom: if fourth > 0.0 { Some(finite) } else { None } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn goldens(name: &str) -> Vec<Value> {
        let text = include_str!("../../../tests/data/goldens/uncertainty.json");
        let all: Value = serde_json::from_str(text).unwrap();
        all[name].as_array().unwrap().clone()
    }

    fn components(row: &Value) -> Vec<Component> {
        let list = |name: &str| row[name].as_array().unwrap().clone();
        let (u, c, dof) = (list("u"), list("c"), list("dof"));
        let one = |at: usize| Component {
            u: u[at].as_f64().unwrap(),
            sensitivity: c[at].as_f64().unwrap(),
            degrees_of_freedom: dof[at].as_f64(),
        };
        (0..u.len()).map(one).collect()
    }

    #[test]
    fn combines_as_the_goldens() {
        for row in goldens("welch_satterthwaite") {
            let found = welch_satterthwaite(&components(&row));
            let k = coverage_factor(0.95, found.degrees_of_freedom);
            let pairs = [
                (found.u, "uc"),
                (found.degrees_of_freedom.unwrap_or(f64::INFINITY), "dof_eff"),
                (k, "k95_real_dof"),
                (found.expanded(0.95), "U95"),
            ];
            for (found, name) in pairs {
                let wanted = row[name].as_f64().unwrap();
                assert!((found / wanted - 1.0).abs() < 1e-12, "{name}: {found} for {wanted}");
            }
        }
    }

    #[test]
    fn factors_are_those_of_the_goldens() {
        for row in goldens("t_quantiles") {
            let get = |name: &str| row[name].as_f64().unwrap();
            let k = coverage_factor(get("p"), Some(get("dof")));
            assert!((k / get("k") - 1.0).abs() < 1e-12, "{row}: {k}");
        }
        assert!((coverage_factor(0.95, None) / 1.959963984540054 - 1.0).abs() < 1e-15);
        assert_eq!(coverage_factor(0.95, Some(f64::INFINITY)), coverage_factor(0.95, None));
    }

    #[test]
    fn what_nothing_bounds_is_infinite() {
        for (level, dof) in
            [(1.0, None), (f64::NAN, None), (0.95, Some(0.0)), (0.95, Some(f64::NAN)), (0.5, Some(1.4e-308))]
        {
            assert_eq!(coverage_factor(level, dof), f64::INFINITY, "{level} {dof:?}");
        }
        assert_eq!(coverage_factor(0.0, None), 0.0);
    }

    #[test]
    fn components_at_the_edge() {
        let one = |u, dof| Component { u, sensitivity: 1.0, degrees_of_freedom: dof };
        let none = welch_satterthwaite(&[]);
        assert_eq!((none.u, none.degrees_of_freedom, none.expanded(0.95)), (0.0, None, 0.0));
        assert_eq!(welch_satterthwaite(&[one(1.0, None), one(2.0, None)]).degrees_of_freedom, None);
        assert_eq!(welch_satterthwaite(&[one(1.0, Some(0.0))]).expanded(0.95), f64::INFINITY);
        assert_eq!(welch_satterthwaite(&[one(0.0, Some(0.0)), one(1.0, None)]).degrees_of_freedom, None);
        let tiny = welch_satterthwaite(&[one(1e-200, Some(4.0))]);
        assert!((tiny.u / 1e-200 - 1.0).abs() < 1e-15);
        assert_eq!(tiny.degrees_of_freedom, Some(4.0));
    }

    proptest! {
        #[test]
        fn factors_fall_with_knowledge_and_rise_with_the_level(
            level in 0.01..0.999f64, more in 0.0..0.0009f64, dof in 0.5..1e5f64, extra in 0.0..1e5f64,
        ) {
            let k = coverage_factor(level, Some(dof));
            prop_assert!(k >= coverage_factor(level, Some(dof + extra)) * (1.0 - 1e-12));
            prop_assert!(k >= coverage_factor(level, None));
            prop_assert!(k <= coverage_factor(level + more, Some(dof)) * (1.0 + 1e-12));
        }

        #[test]
        fn effective_degrees_lie_between(
            parts in proptest::collection::vec((1e-3..1e3f64, -10.0..10.0f64, 1.0..100.0f64), 1..6)
        ) {
            let components: Vec<Component> = parts.iter()
                .map(|&(u, sensitivity, dof)| Component { u, sensitivity, degrees_of_freedom: Some(dof) })
                .collect();
            let least = parts.iter().map(|part| part.2).fold(f64::INFINITY, f64::min);
            let total: f64 = parts.iter().map(|part| part.2).sum();
            let dof = welch_satterthwaite(&components).degrees_of_freedom.unwrap();
            prop_assert!(dof >= least * (1.0 - 1e-12) && dof <= total * (1.0 + 1e-12));
        }

        #[test]
        fn never_nan(level in any::<f64>(), dof in proptest::option::of(any::<f64>())) {
            prop_assert!(coverage_factor(level, dof) >= 0.0);
        }
    }
}
