//! Method `pchip`: monotone cubic pieces through the points.

use super::distinct::table_fit;
use super::error::FitError;
use super::fitted::{Fit, Table};
use super::line::check;
use super::pairs::Pairs;
use crate::domain::transform::pchip::PchipSpec;
use crate::domain::transform::stage::StageSpec;
use crate::domain::transform::table::MAX_POINTS;

/// Passes a curve through the points that rises only where they rise (Fritsch, Butland 1984).
///
/// There is no smoothing: noise of the pairs is in the curve. The points carry the uncertainties of y,
/// if these are known. Needs 2 different x, at most [`MAX_POINTS`], and no x twice (0 and -0 are one).
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    check("pchip", pairs, 2)?;
    if pairs.len() > MAX_POINTS {
        return Err(FitError::Unsupported(format!(
            "pchip passes through every point, and {} are more than {MAX_POINTS}: take piecewise:N, which smooths",
            pairs.len()
        )));
    }
    let x = pairs.x();
    let mut places: Vec<usize> = (0..pairs.len()).collect();
    // stable: equal x stay in the order of the file; adding 0 turns -0 into 0
    places.sort_by(|a, b| (x[*a] + 0.0).total_cmp(&(x[*b] + 0.0)));
    no_repeats(pairs, &places)?;
    let notes = vec!["the curve passes through every point: it does not smooth noise".to_owned()];
    let take = |values: &[f64]| places.iter().map(|at| values[*at] + 0.0).collect::<Vec<f64>>();
    let table = Table { x: take(x), y: take(pairs.y()) };
    let stage =
        StageSpec::Pchip(PchipSpec { x: table.x.clone(), y: table.y.clone(), u: pairs.uy().map(take) });
    table_fit("pchip".to_owned(), pairs, pairs.weights().as_deref(), stage, table, notes)
}

/// A curve has one value at each x: which of two is right, or how much each counts, is not ours to say.
fn no_repeats(pairs: &Pairs, sorted: &[usize]) -> Result<(), FitError> {
    let x = pairs.x();
    let again = |tie: &[usize]| (x[tie[0]] == x[tie[1]]).then(|| (tie[0], tie[1]));
    // the repeat that stands first in the file
    let Some((first, at)) = sorted.windows(2).filter_map(again).min_by_key(|(_, at)| *at) else {
        return Ok(());
    };
    let problem = format!(
        "{} is in line {} already, and pchip passes through every point: take piecewise:N, or average the pairs of equal values",
        x[at],
        pairs.lines()[first]
    );
    Err(pairs.fault(at, pairs.columns()[0].name(), problem))
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
    fn a_repeated_x_is_refused_at_its_line() {
        for (x, line, first) in [(&[0.0, 1.0, -0.0, 1.0][..], 3, 1), (&[2.0, 1.0, 2.0, 2.0], 3, 1)] {
            let text = fit(&pairs(x, &[0.0, 4.0, 2.0, 1.0])).unwrap_err().to_string();
            assert!(text.starts_with(&format!("line {line}, column `x`: ")), "{text}");
            assert!(
                text.contains(&format!("in line {first} already")) && text.contains("piecewise:N"),
                "{text}"
            );
        }
        let table = fit(&pairs(&[1.0, -0.0], &[-0.0, 1.0])).unwrap().table.unwrap();
        assert!(table.x[0].is_sign_positive() && table.y[1].is_sign_positive(), "{table:?}");
    }

    #[test]
    fn the_points_carry_the_uncertainties_of_the_references() {
        let uy = Column::new("uy", vec![0.3, 0.4]);
        let known = pairs(&[1.0, 0.0], &[4.0, 0.0]).with_uy(uy).unwrap();
        let StageSpec::Pchip(spec) = fit(&known).unwrap().stages.remove(0) else { panic!("no pchip") };
        assert_eq!(spec.u, Some(vec![0.4, 0.3]));
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
