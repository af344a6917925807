//! Method `pchip`: monotone cubic pieces through the points.

use super::distinct::{distinct, sorted, table_fit};
use super::error::FitError;
use super::fitted::{Fit, Table};
use super::line::check;
use super::pairs::Pairs;
use crate::domain::transform::pchip::PchipSpec;
use crate::domain::transform::stage::StageSpec;
use crate::domain::transform::table::MAX_POINTS;

/// Passes a curve through the points that rises only where they rise (Fritsch, Butland 1984).
///
/// Pairs of equal x become one point at the weighted mean of their y. There is no smoothing: noise
/// of the pairs is in the curve. The points carry the uncertainties of y, if these are known. Needs 2 different x; at most [`MAX_POINTS`].
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    check("pchip", pairs, 2)?;
    let weights = pairs.weights();
    let points = distinct(pairs, weights.as_deref(), &sorted(pairs));
    if points.len() > MAX_POINTS {
        return Err(FitError::Unsupported(format!(
            "pchip passes through every point, and {} are more than {MAX_POINTS}: take piecewise:N, which smooths",
            points.len()
        )));
    }
    let mut notes = vec!["the curve passes through every point: it does not smooth noise".to_owned()];
    let repeated = points.iter().filter(|point| point.count > 1).count();
    if repeated > 0 {
        let kind = if weights.is_some() { "weighted mean" } else { "mean" };
        notes.push(format!("{repeated} values of x occur more than once: the {kind} of their y is taken"));
    }
    let table = Table {
        x: points.iter().map(|point| point.x).collect(),
        y: points.iter().map(|point| point.y).collect(),
    };
    // 1/u_y^2 are weights whose sum is again one over a variance; given weights have no such scale
    let known = pairs.uy().is_some() && pairs.given_weights().is_none();
    let u = known.then(|| points.iter().map(|point| point.weight.sqrt().recip()).collect());
    let stage = StageSpec::Pchip(PchipSpec { x: table.x.clone(), y: table.y.clone(), u });
    table_fit("pchip".to_owned(), pairs, weights.as_deref(), stage, table, notes)
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    fn pairs(x: &[f64], y: &[f64]) -> Pairs {
        Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
    }

    #[test]
    fn passes_through_the_points_in_any_order() {
        let fit = fit(&pairs(&[3.0, 1.0, 2.0], &[9.0, 1.0, 4.0])).unwrap();
        let table = fit.table.clone().unwrap();
        assert_eq!((table.x, table.y), (vec![1.0, 2.0, 3.0], vec![1.0, 4.0, 9.0]));
        assert_eq!((fit.rss, fit.degrees_of_freedom, fit.notes.len()), (Some(0.0), None, 1));
    }

    #[test]
    fn equal_x_are_averaged_by_weight_and_said_so() {
        let (x, y) = ([0.0, 1.0, -0.0, 1.0], [0.0, 4.0, 2.0, 1.0]);
        let weighted = pairs(&x, &y).with_weights(Column::new("w", vec![1.0, 1.0, 1.0, 2.0])).unwrap();
        let fit = fit(&weighted).unwrap();
        assert_eq!(fit.table.unwrap(), Table { x: vec![0.0, 1.0], y: vec![1.0, 2.0] });
        assert!(fit.notes[1].starts_with("2 values of x occur more than once: the weighted mean"));
        assert_eq!(fit.rss, Some(1.0 + 4.0 + 1.0 + 2.0));
    }

    #[test]
    fn the_points_carry_the_uncertainties_of_the_references() {
        let uy = Column::new("uy", vec![0.3, 0.4, 0.4]);
        let known = pairs(&[0.0, 1.0, 1.0], &[0.0, 4.0, 2.0]).with_uy(uy).unwrap();
        let StageSpec::Pchip(spec) = fit(&known).unwrap().stages.remove(0) else { panic!("no pchip") };
        let u = spec.u.unwrap();
        assert!((u[0] - 0.3).abs() < 1e-15 && (u[1] - 0.4 / 2f64.sqrt()).abs() < 1e-15, "{u:?}");
        let weighted = known.with_weights(Column::new("w", vec![1.0; 3])).unwrap();
        let StageSpec::Pchip(spec) = fit(&weighted).unwrap().stages.remove(0) else { panic!("no pchip") };
        assert_eq!(spec.u, None);
    }

    #[test]
    fn between_the_points_it_is_the_golden_curve() {
        let goldens = include_str!("../../../tests/data/goldens/regression.json");
        let goldens: serde_json::Value = serde_json::from_str(goldens).unwrap();
        for (name, golden) in goldens["pchip"].as_object().unwrap() {
            let column = |name: &str| -> Vec<f64> {
                golden[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
            };
            let it = fit(&pairs(&column("x"), &column("y"))).unwrap();
            let at = pairs(&column("xq"), &column("yq"));
            for (found, expected) in it.curve(&at).unwrap().values(&at).iter().zip(at.y()) {
                assert!(
                    (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                    "{name} {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn what_it_cannot_take_is_refused_with_a_remedy() {
        let many: Vec<f64> = (0..5000).map(f64::from).collect();
        assert!(fit(&pairs(&many, &many)).unwrap_err().to_string().contains("piecewise:N"));
        assert!(fit(&pairs(&[1.0, 1.0], &[1.0, 2.0])).unwrap_err().to_string().contains("all values are 1"));
        assert!(fit(&pairs(&[1.0, 2.0], &[f64::MAX, -f64::MAX])).is_err());
        let turning = fit(&pairs(&[1.0, 2.0, 3.0], &[1.0, 2.0, 1.5])).unwrap();
        assert_eq!(turning.notes[1], "not monotone: the curve turns at x = 2");
    }
}
