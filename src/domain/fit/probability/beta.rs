//! Fit `beta`: logit p = a ln s - b ln(1 - s) + c.

use super::super::error::FitError;
use super::super::fitted::Fit;
use super::super::pairs::Pairs;
use super::labels::Labels;
use super::logistic::{Maximum, Model, NoMaximum};
use crate::domain::transform::beta::{BetaSpec, CLIP, logarithms};
use crate::domain::transform::stage::StageSpec;

/// Fits the curve of labels over probabilities s.
///
/// Kull, Silva Filho, Flach (2017): maximum likelihood with a and b at least 0, so that the curve
/// rises. One that would be negative is 0 and the rest fitted again, which is the maximum under that
/// condition. s closer than 2^-52 to 0 or 1 is taken to be that far away. The covariance is the
/// inverse of the Hessian over what is fitted. Fails where s is not a probability, labels are not 0
/// and 1, or s separates them.
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    let labels = Labels::read(pairs)?;
    let name = pairs.columns()[0].name();
    if let Some(at) = pairs.x().iter().position(|s| !(0.0..=1.0).contains(s)) {
        let problem = format!(
            "expected a probability from 0 to 1, found {}: correct it, or fit platt, which takes any score",
            pairs.x()[at]
        );
        return Err(pairs.fault(at, name, problem));
    }
    let clipped = pairs.x().iter().filter(|s| **s < CLIP || **s > 1.0 - CLIP).count();
    let logarithms: Vec<(f64, f64)> =
        pairs.x().iter().map(|s| logarithms(s.clamp(CLIP, 1.0 - CLIP))).collect();
    let found = Curves { logarithms: &logarithms, labels: &labels }.best().map_err(|problem| {
        let too_few = "too few distinct probabilities: add pairs, or fit platt or temperature";
        let separated = "the probabilities separate the labels, all or at one end, so that the steepest curve is the \
                         best one: add pairs, or fit platt or isotonic";
        problem.of("beta", name, too_few, separated)
    })?;
    let Some((curve, dropped)) = found else {
        let problem =
            "the event is rarer where the probability is higher: exchange the labels, or give 1 - s";
        return Err(FitError::column(name, problem));
    };
    let mut fit = finish(&curve, pairs.len());
    fit.notes
        .extend(dropped.map(|it| format!("{it} would be negative: it is 0, and the rest is fitted again")));
    if clipped > 0 {
        fit.notes.push(format!(
            "{clipped} probabilities closer than {CLIP:.1e} to 0 or 1 are taken to be that far away"
        ));
    }
    Ok(fit)
}

fn finish(curve: &Maximum<3>, n: usize) -> Fit {
    let [a, b, c] = curve.parameters;
    let covariance: Vec<Vec<f64>> = curve.covariance.iter().map(|row| row.to_vec()).collect();
    Fit {
        method: "beta".to_owned(),
        names: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        parameters: vec![a, b, c],
        stages: vec![StageSpec::Beta(BetaSpec { a, b, c, covariance: Some(covariance.clone()) })],
        covariance: Some(covariance),
        n,
        ..Fit::default()
    }
}

struct Curves<'a> {
    logarithms: &'a [(f64, f64)],
    labels: &'a Labels<'a>,
}

impl Curves<'_> {
    /// The best curve that rises, and what was dropped for it; `None` if each of them falls.
    fn best(&self) -> Result<Option<(Maximum<3>, Option<&'static str>)>, NoMaximum> {
        let full = self.full()?;
        let [a, b, _] = full.parameters;
        let mut curves = Vec::new();
        if a >= 0.0 && b >= 0.0 {
            curves.push((full, None));
        }
        // the likelihood is concave: its maximum under the condition lies where one that broke it is 0
        if a < 0.0 {
            curves.push((self.without(0)?, Some("a")));
        }
        if b < 0.0 {
            curves.push((self.without(1)?, Some("b")));
        }
        let rising = curves.into_iter().filter(|(curve, _)| {
            let [a, b, _] = curve.parameters;
            a >= 0.0 && b >= 0.0 && a + b > 0.0
        });
        Ok(rising.min_by(|one, other| self.loss(&one.0).total_cmp(&self.loss(&other.0))))
    }

    fn full(&self) -> Result<Maximum<3>, NoMaximum> {
        self.model().maximum()
    }

    fn loss(&self, curve: &Maximum<3>) -> f64 {
        self.model().loss(&curve.parameters)
    }

    fn model(&self) -> Model<'_, 3> {
        let columns = [self.column(0), self.column(1), vec![1.0; self.logarithms.len()]];
        Model { columns, targets: self.labels.values, weights: &self.labels.weights }
    }

    /// What a parameter multiplies: ln s or -ln(1 - s).
    fn column(&self, at: usize) -> Vec<f64> {
        self.logarithms.iter().map(|(s, rest)| if at == 0 { *s } else { -rest }).collect()
    }

    /// The curve where parameter `dropped` is 0.
    fn without(&self, dropped: usize) -> Result<Maximum<3>, NoMaximum> {
        let columns = [self.column(1 - dropped), vec![1.0; self.logarithms.len()]];
        let rest = Model { columns, targets: self.labels.values, weights: &self.labels.weights }.maximum()?;
        let mut out = Maximum { parameters: [0.0; 3], covariance: [[0.0; 3]; 3] };
        let places = [1 - dropped, 2];
        for (i, to) in places.into_iter().enumerate() {
            out.parameters[to] = rest.parameters[i];
            for (j, other) in places.into_iter().enumerate() {
                out.covariance[to][other] = rest.covariance[i][j];
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{distance, list, pairs, sets};
    use super::*;

    #[test]
    fn agrees_with_the_exact_solutions() {
        for set in sets() {
            let fit = fit(&pairs(&set.cal.prob, &set.cal.label)).unwrap();
            let exact = &set.golden["beta_abm"]["exact_ml"];
            for (ours, theirs) in fit.parameters.iter().zip(["a", "b", "c"]) {
                let off = ours - exact[theirs].as_f64().unwrap();
                assert!(off.abs() < 1e-13, "{} {theirs}: {off:e}", set.name);
            }
            let dropped = exact["dropped"].as_str();
            assert_eq!(fit.notes.iter().any(|note| note.starts_with("a would be")), dropped == Some("a"));
            let test = pairs(&set.test.prob, &set.test.label);
            let off = distance(&fit.curve(&test).unwrap().values(&test), &list(&exact["pred_test"]));
            assert!(off < 1e-13, "{}: {off:e}", set.name);
        }
    }

    #[test]
    fn what_is_dropped_has_no_variance_and_is_told() {
        let set = &sets()[1];
        let fit = fit(&pairs(&set.cal.prob, &set.cal.label)).unwrap();
        let covariance = fit.covariance.as_ref().unwrap();
        assert_eq!(fit.parameters[0], 0.0);
        assert_eq!(covariance[0], [0.0; 3]);
        assert!(covariance[1][1] > 0.0 && covariance[1][2] != 0.0);
        assert!(fit.notes.iter().any(|note| note.contains("2.2e-16")), "{:?}", fit.notes);
    }

    #[test]
    fn bad_probabilities_are_refused_by_their_line() {
        let text = |x: &[f64], y: &[f64]| fit(&pairs(x, y)).unwrap_err().to_string();
        let labels = [0.0, 1.0, 0.0, 1.0, 1.0];
        assert!(
            text(&[0.1, 0.2, 1.5, 0.3, 0.4], &labels).starts_with("line 3, column `score`: expected a prob")
        );
        assert!(text(&[0.1, -0.2, 0.5, 0.3, 0.4], &labels).starts_with("line 2"));
        assert!(text(&[0.5; 5], &labels).contains("too few distinct"));
        assert!(text(&[0.4, 0.5, 0.4, 0.5, 0.5], &labels).contains("too few distinct"));
        assert!(text(&[0.1, 0.2, 0.3, 0.4, 0.5], &[0.0, 0.0, 0.0, 1.0, 1.0]).contains("separate"));
        let (x, y) = ([0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9], [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert!(text(&x, &y).contains("rarer where"));
    }
}
