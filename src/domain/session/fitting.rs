//! Which fit few points allow.

use serde::{Deserialize, Serialize};

use super::event::FitOrder;
use super::fault::Fault;
use super::plan::Plan;
use super::point::Point;
use crate::domain::fit::bayes::{self, Prior};
use crate::domain::fit::few;
use crate::domain::fit::method::{CovarianceKind, Method, Options, fit_few};
use crate::domain::fit::select;
use crate::domain::fit::validation::Validation;
use crate::domain::fit::{Column, Fit, FitError, Pairs};
use crate::domain::transform::affine::AffineSpec;
use crate::domain::transform::artifact::{Cohort, Transform, UncertaintySpec};
use crate::domain::transform::offset::OffsetSpec;
use crate::domain::transform::stage::StageSpec;
use crate::domain::uncertainty::coverage::{Component, welch_satterthwaite};

/// From so many points on a method is chosen by how well it predicts those left out.
const ENOUGH_TO_CHOOSE: usize = 4;
/// From so many levels on the points decide by themselves, without a prior.
const ENOUGH_WITHOUT_PRIOR: usize = 6;

/// What a session's fit starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The values of the transform in force: the fit corrects them, and what that transform knows of
    /// covariates stays.
    Values,
    /// The raw readings.
    Raw,
}

/// A fit, and what goes with it into the transform.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fitting {
    pub basis: Basis,
    pub fit: Fit,
    pub uncertainty: UncertaintySpec,
    /// What a fit without each point gives for it; `None` where too few are left.
    pub left_out: Option<Vec<f64>>,
    pub notes: Vec<String>,
}

/// Fits the points as ordered.
pub(super) fn fitted(
    plan: &Plan,
    points: &[Point],
    order: &FitOrder,
    in_force: Option<&Transform>,
) -> Result<Fitting, Fault> {
    let fault = |error| Fault::Fit { sensor: plan.sensor.clone(), error };
    let (prior, odd) = usable_prior(plan, points, order, in_force)?;
    let basis = basis(points, in_force, prior.is_some());
    let (pairs, systematic) = pairs(plan, points, basis).map_err(fault)?;
    let how = How { prior, same_unit: basis == Basis::Values || plan.input_unit == plan.unit };
    let (mut fit, mut notes) = how.chosen(&order.method, &pairs).map_err(fault)?;
    notes.extend(odd);
    let left_out = how.left_out(&fit, &pairs);
    if left_out.is_none() {
        notes.push(
            "no point is left over to judge the fit by: the as-left points are its first test".to_owned(),
        );
    }
    notes.extend(fit.notes.iter().cloned());
    let uncertainty = uncertainty(plan, points, &fit, systematic);
    if how.prior.is_some() {
        fit.method.push_str(few::MARK);
    }
    Ok(Fitting { basis, fit, uncertainty, left_out, notes })
}

/// The prior, where the points are few and are like those of the model; else why it is left out.
fn usable_prior(
    plan: &Plan,
    points: &[Point],
    order: &FitOrder,
    in_force: Option<&Transform>,
) -> Result<(Option<Prior>, Option<String>), Fault> {
    let asked = matches!(order.method.as_str(), "auto" | "affine") && is_plain(in_force);
    let few_levels = levels(points) < ENOUGH_WITHOUT_PRIOR;
    let Some(fitted) = order.prior.as_ref().filter(|_| asked && few_levels) else { return Ok((None, None)) };
    let known = prior(plan, &fitted.to_fit())?;
    let fault = |error| Fault::Fit { sensor: plan.sensor.clone(), error };
    let (pairs, _) = pairs(plan, points, Basis::Raw).map_err(fault)?;
    let with = bayes::affine(&pairs_alone(&pairs).map_err(fault)?, &known).map_err(fault)?;
    Ok(match few::judge(&known, &with, pairs.len()) {
        few::Verdict::WithPrior => (Some(known), None),
        few::Verdict::Enough => (None, None),
        few::Verdict::AtOdds(probability) => {
            let note = format!(
                "the points are not what the prior of the model expects (p = {probability:.1e}), so it is left \
                 out: see that the instrument is whole and of this model"
            );
            (None, Some(note))
        }
    })
}

/// Whether a line from raw readings can do all that the transform in force does: one that looks at covariates, or has
/// cohorts, knows more.
fn is_plain(in_force: Option<&Transform>) -> bool {
    in_force.is_none_or(|transform| {
        matches!(transform.pipeline.as_slice(), [StageSpec::Affine(_)]) && transform.cohorts.is_empty()
    })
}

/// Values are corrected where every point has one, unless there is a prior of raw readings.
fn basis(points: &[Point], in_force: Option<&Transform>, prior: bool) -> Basis {
    let values = in_force.is_some() && points.iter().all(|point| point.value.is_some());
    if values && !prior { Basis::Values } else { Basis::Raw }
}

fn prior(plan: &Plan, known: &Fit) -> Result<Prior, Fault> {
    let wrong = |problem: &str| Fault::Prior { sensor: plan.sensor.clone(), problem: problem.to_owned() };
    let names = bayes::names(Method::Affine, 1).unwrap_or_default();
    if known.names != names {
        return Err(wrong("it is not one of a line a + b x"));
    }
    Prior::from_fit(known).ok_or_else(|| wrong("it states no covariance or no scatter"))
}

/// How many different references there are.
fn levels(points: &[Point]) -> usize {
    let mut references: Vec<f64> = points.iter().map(|point| point.offered.value).collect();
    references.sort_unstable_by(f64::total_cmp);
    references.dedup();
    references.len()
}

/// The points as pairs with uncertainties, and the standard uncertainty that they have in common: that of a
/// standard behind more than one of them, or of the one sensor that they all were measured with.
fn pairs(plan: &Plan, points: &[Point], basis: Basis) -> Result<(Pairs, Option<f64>), FitError> {
    let of = |value: fn(&Point) -> f64| points.iter().map(value).collect::<Vec<f64>>();
    let (raw, y) = (of(|point| point.course.raw), of(|point| point.offered.value));
    let x = match basis {
        Basis::Raw => raw,
        Basis::Values => points.iter().map(|point| point.value.unwrap_or(point.offered.value)).collect(),
    };
    let gain = match basis {
        Basis::Values => 1.0,
        Basis::Raw => slope(&x, &y),
    };
    let common = |point: &Point| {
        let behind = |other: &&Point| {
            let (one, two) = (&point.offered, &other.offered);
            let named = one.standard.is_some() || one.source.is_some();
            named && one.standard == two.standard && one.source == two.source
        };
        points.iter().filter(behind).count() > 1
    };
    let shared = points.iter().filter(|point| common(point)).map(|point| point.offered.u);
    let systematic = shared.fold(None, |most: Option<f64>, u| Some(most.map_or(u, |most| most.max(u))));
    // An uncertainty of nothing would be an infinite weight.
    let least = points.iter().map(|point| point.offered.u).fold(f64::INFINITY, f64::min) * 1e-3;
    let uy = points.iter().map(|point| {
        let own = if common(point) { 0.0 } else { point.offered.u };
        shown(plan, point, basis, gain).hypot(own).max(least)
    });
    let uy = uy.collect();
    let pairs = Pairs::new(vec![Column::new("sensor", x)], Column::new("reference", y))?;
    debug_assert_eq!(pairs.len(), points.len(), "{}", plan.sensor);
    Ok((pairs.with_uy(Column::new("u", uy))?, systematic))
}

/// How sure the mean of what a sensor showed at a point is, in the plan's unit: by the scatter, by the step of the
/// display and by its movement, which are those of the point's own budget.
fn shown(plan: &Plan, point: &Point, basis: Basis, gain: f64) -> f64 {
    let course = &point.course;
    let noise = match basis {
        Basis::Values => course.scatter,
        Basis::Raw => gain * course.raw_std,
    };
    // Without values the course is that of the raw readings.
    let movement = if point.value.is_some() { course.movement() } else { gain * course.movement() };
    let wide = (plan.resolution.unwrap_or(0.0).powi(2) + movement.powi(2)) / 12.0;
    (noise * noise / course.n_effective + wide).sqrt()
}

/// From the lowest to the highest: how many units of the reference a raw unit is.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let range = |of: &[f64]| {
        of.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            - of.iter().copied().fold(f64::INFINITY, f64::min)
    };
    let slope = range(y) / range(x);
    if slope.is_finite() { slope } else { 0.0 }
}

struct How {
    prior: Option<Prior>,
    /// Whether sensor and reference have one unit, so that an offset makes sense.
    same_unit: bool,
}

impl How {
    /// The fit that was asked for, or the one that the points allow.
    fn chosen(&self, method: &str, pairs: &Pairs) -> Result<(Fit, Vec<String>), FitError> {
        if let Some(prior) = &self.prior {
            let fit = bayes::affine(&pairs_alone(pairs)?, prior)?;
            let note = "few points: the line is that of the points and of what is known of the model";
            return Ok((fit, vec![note.to_owned()]));
        }
        match method {
            "auto" => self.automatic(pairs),
            name => Ok((self.fit(Method::parse(name)?, pairs)?, Vec::new())),
        }
    }

    /// One level: an offset. Two or three: a line, or an offset if the line's slope can't be told from 1. More:
    /// what predicts points left out best, the simplest within a standard error of it.
    fn automatic(&self, pairs: &Pairs) -> Result<(Fit, Vec<String>), FitError> {
        let levels = distinct(pairs.y());
        if levels < 2 {
            return Ok((
                self.fit(Method::Offset, pairs)?,
                vec!["one level allows an offset only".to_owned()],
            ));
        }
        if levels >= ENOUGH_TO_CHOOSE {
            let mut methods = vec![Method::Affine];
            if self.same_unit {
                methods.insert(0, Method::Offset);
            }
            if levels > ENOUGH_TO_CHOOSE {
                methods.push(Method::Polynomial(2));
            }
            let selection = select::choose_by(fit_few, &methods, pairs, &options())?;
            let line = |it: &select::Candidate| format!("{}: {}", it.method, it.reason);
            let notes = selection.table.iter().map(line).collect();
            return Ok((widened(selection.fit, pairs)?, notes));
        }
        let line = self.fit(Method::Affine, pairs)?;
        let error = line.standard_errors().map_or(0.0, |errors| errors[1]);
        if self.same_unit && (line.parameters[1] - 1.0).abs() <= error {
            let note = format!(
                "an offset: the slope {:.6} of a line can't be told from 1 (u = {error:.2e})",
                line.parameters[1]
            );
            return Ok((self.fit(Method::Offset, pairs)?, vec![note]));
        }
        Ok((line, Vec::new()))
    }

    /// Fits with the uncertainties of the points where the method heeds them.
    fn fit(&self, method: Method, pairs: &Pairs) -> Result<Fit, FitError> {
        if method == Method::Offset && !self.same_unit {
            let problem =
                "an offset needs readings in the unit of the references: take affine, and a second level";
            return Err(FitError::Unsupported(problem.to_owned()));
        }
        match method {
            Method::Offset | Method::Affine | Method::Polynomial(_) | Method::Piecewise(_) => {
                widened(fit_few(method, pairs, &options())?, pairs)
            }
            // Through every point, with the uncertainties of the points; others are refused there.
            _ => fit_few(method, pairs, &Options::default()),
        }
    }

    /// What a fit of the same kind gives for each point that it has not seen.
    fn left_out(&self, whole: &Fit, pairs: &Pairs) -> Option<Vec<f64>> {
        let method = Method::parse(&whole.method).ok()?;
        let without = |at: usize| {
            let others: Vec<usize> = (0..pairs.len()).filter(|other| *other != at).collect();
            // as many levels as parameters determine a fit, and say nothing of it
            let others = pairs.select(&others).ok()?;
            if distinct(others.y()) < whole.parameters.len() {
                return None;
            }
            let fit = match &self.prior {
                Some(prior) => bayes::affine(&pairs_alone(&others).ok()?, prior).ok()?,
                None => self.fit(method, &others).ok()?,
            };
            let value = fit.curve(&others).ok()?.at(pairs.x()[at]);
            value.is_finite().then_some(value)
        };
        (pairs.len() > whole.parameters.len().max(1)).then(|| (0..pairs.len()).map(without).collect())?
    }
}

fn options() -> Options {
    Options { covariance: CovarianceKind::Known, validation: Validation::LeaveOneOut, ..Options::default() }
}

/// The fit with parameters as uncertain as the residuals say, where these are larger than the uncertainties of the
/// points allow: standard errors times the root of chi^2 / dof (Birge 1932), and never fewer than the points give.
fn widened(fit: Fit, pairs: &Pairs) -> Result<Fit, FitError> {
    let Some(ratio) = fit.residual_std.filter(|ratio| *ratio > 1.0) else { return Ok(fit) };
    let method = Method::parse(&fit.method)?;
    let covariance = CovarianceKind::Independent;
    let mut wide = fit_few(method, pairs, &Options { covariance, ..options() })?;
    wide.notes = fit.notes;
    wide.notes.push(format!(
        "the points lie further from the curve than their uncertainties say: its own is taken {ratio:.3} times as large"
    ));
    Ok(wide)
}

/// The pairs without uncertainties.
fn pairs_alone(pairs: &Pairs) -> Result<Pairs, FitError> {
    Pairs::new(pairs.columns()[..1].to_vec(), pairs.reference().clone())
}

fn distinct(values: &[f64]) -> usize {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    values.len()
}

/// What the transform says of single readings: their scatter at the points, or the step of the display where that is
/// all that is seen of it, and what the fit leaves.
fn uncertainty(plan: &Plan, points: &[Point], fit: &Fit, systematic: Option<f64>) -> UncertaintySpec {
    let freedom: f64 = points.iter().map(|point| point.course.n_effective - 1.0).sum();
    let pooled = |of: fn(&Point) -> f64| {
        let squares = points.iter().map(|point| (point.course.n_effective - 1.0) * of(point).powi(2));
        (squares.sum::<f64>() / freedom).sqrt()
    };
    // Without values the course is that of raw readings, which the fit's own slope takes to the output's unit.
    let scatter = match points.iter().all(|point| point.value.is_some()) {
        true => pooled(|point| point.course.scatter),
        false => {
            let xs: Vec<f64> = points.iter().map(|point| point.course.raw).collect();
            let ys: Vec<f64> = points.iter().map(|point| point.offered.value).collect();
            slope(&xs, &ys).abs() * pooled(|point| point.course.raw_std)
        }
    };
    let part =
        |u: f64, degrees_of_freedom: Option<f64>| Component { u, sensitivity: 1.0, degrees_of_freedom };
    // The scatter of readings that move by steps holds the steps already.
    let step = plan.resolution.unwrap_or(0.0) / 12.0_f64.sqrt();
    let single = if step > scatter { part(step, None) } else { part(scatter, Some(freedom)) };
    let left = fit.scatter.filter(|left| left.is_finite()).unwrap_or(0.0);
    let whole = welch_satterthwaite(&[single, part(left, fit.degrees_of_freedom)]);
    let positive = |value: f64| Some(value).filter(|value| *value > 0.0 && value.is_finite());
    UncertaintySpec {
        residual_std: positive(whole.u),
        degrees_of_freedom: whole.degrees_of_freedom.and_then(positive),
        raw_std_at_fit: positive(pooled(|point| point.course.raw_std)),
        reference_systematic: systematic.and_then(positive),
        ..UncertaintySpec::default()
    }
}

impl Fitting {
    /// The stages of the new transform: those in force and the correction, or those of the fit.
    pub(super) fn pipeline(&self, corrected: Option<&Transform>) -> (Vec<StageSpec>, Vec<Cohort>) {
        let Some(transform) = corrected else { return (self.fit.stages.clone(), Vec::new()) };
        let after = |stages: &[StageSpec]| {
            let mut stages = stages.to_vec();
            for stage in &self.fit.stages {
                match stages.last().and_then(|last| joined(last, stage)) {
                    Some(one) => {
                        stages.pop();
                        stages.push(one);
                    }
                    None => stages.push(stage.clone()),
                }
            }
            stages
        };
        let cohort = |cohort: &Cohort| Cohort {
            // one without stages of its own runs those of all
            pipeline: if cohort.pipeline.is_empty() { Vec::new() } else { after(&cohort.pipeline) },
            ..cohort.clone()
        };
        (after(&transform.pipeline), transform.cohorts.iter().map(cohort).collect())
    }
}

/// Two stages as one, where a line follows a line or an offset: y = a + b (c + d x). What is known of (a, b) takes
/// the place of what was known of (c, d), which the new points have measured again.
fn joined(last: &StageSpec, next: &StageSpec) -> Option<StageSpec> {
    match (last, next) {
        (StageSpec::Affine(last), StageSpec::Affine(next)) => Some(StageSpec::Affine(AffineSpec {
            offset: next.offset + next.gain * last.offset,
            gain: next.gain * last.gain,
            covariance: next.covariance.as_ref().map(|known| moved(known, last.offset, last.gain)),
        })),
        (StageSpec::Offset(last), StageSpec::Affine(next)) => Some(StageSpec::Affine(AffineSpec {
            offset: next.offset + next.gain * last.offset,
            gain: next.gain,
            covariance: next.covariance.as_ref().map(|known| moved(known, last.offset, 1.0)),
        })),
        (StageSpec::Offset(last), StageSpec::Offset(next)) => Some(StageSpec::Offset(OffsetSpec {
            offset: last.offset + next.offset,
            covariance: next.covariance.clone(),
        })),
        _ => None,
    }
}

/// The covariance of (a + b c, b d) from that of (a, b): J S J' with J = ((1, c), (0, d)).
fn moved(known: &[Vec<f64>], c: f64, d: f64) -> Vec<Vec<f64>> {
    let [aa, ab, bb] = [known[0][0], known[0][1], known[1][1]];
    let across = d * (ab + c * bb);
    vec![vec![aa + 2.0 * c * ab + c * c * bb, across], vec![across, d * d * bb]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_after_a_line_is_a_line_with_the_uncertainty_of_the_new_points() {
        let last = StageSpec::Affine(AffineSpec { offset: -0.5, gain: 0.02, covariance: None });
        let covariance = Some(vec![vec![0.04, -0.003], vec![-0.003, 0.0005]]);
        let next = StageSpec::Affine(AffineSpec { offset: 0.3, gain: 1.1, covariance });
        let Some(StageSpec::Affine(joined)) = joined(&last, &next) else { panic!() };
        let at = |x: f64| 0.3 + 1.1 * (-0.5 + 0.02 * x);
        for x in [0.0, 100.0, -40.0] {
            assert!((joined.offset + joined.gain * x - at(x)).abs() < 1e-12);
            let known = joined.covariance.as_ref().unwrap();
            let variance = known[0][0] + 2.0 * x * known[0][1] + x * x * known[1][1];
            let v = -0.5 + 0.02 * x;
            assert!((variance - (0.04 - 2.0 * v * 0.003 + v * v * 0.0005)).abs() < 1e-12);
        }
    }

    #[test]
    fn an_offset_after_an_offset_is_one_and_after_a_line_a_stage_of_its_own() {
        let offset = |offset| StageSpec::Offset(OffsetSpec { offset, covariance: None });
        assert_eq!(joined(&offset(1.0), &offset(-0.25)), Some(offset(0.75)));
        let line = StageSpec::Affine(AffineSpec { offset: 0.0, gain: 2.0, covariance: None });
        assert_eq!(joined(&line, &offset(1.0)), None);
    }
}
