//! From points and what is known about them to a certificate.

use super::error::CertificateError;
use super::point::Measured;
use super::results::{Criterion, Results};
use super::{About, Certificate, SCHEMA};
use crate::domain::reference::Standard;
use crate::domain::units::Unit;

/// Makes a certificate; the error's budget of each point is reference, repeatability, resolution and stability,
/// never a calibrated value's own uncertainty (EA-4/02).
///
/// What has to be said of points without a standard and of standards that were overdue is added to the deviations;
/// comments on instrument and standards, which are notes of the house, are left out.
///
/// # Errors
/// With the field and what is wrong.
pub fn issue(
    mut about: About,
    unit: &Unit,
    coverage_probability: f64,
    criterion: Option<Criterion>,
    found: &[Measured],
    left: &[Measured],
) -> Result<Certificate, CertificateError> {
    let results = Results::of(unit, coverage_probability, criterion, found, left)
        .map_err(|fault| fault.under("results"))?;
    if let Some(instrument) = &mut about.item.instrument {
        instrument.comment = None;
    }
    for standard in &mut about.standards {
        standard.comment = None;
    }
    let said: Vec<String> =
        untraced(&results).into_iter().chain(overdue(&about.standards, &results)).collect();
    about.deviations.extend(said);
    let certificate = Certificate { schema: SCHEMA, about, results };
    certificate.check()?;
    Ok(certificate)
}

/// That some points have no standard.
fn untraced(results: &Results) -> Option<String> {
    let lists = [("as found", &results.as_found), ("as left", &results.as_left)];
    let mut points = lists.iter().flat_map(|(name, list)| {
        let without = list.iter().enumerate().filter(|(_, point)| point.standard.is_none());
        without.map(move |(at, _)| format!("{name} {}", at + 1))
    });
    let first = points.next()?;
    let all = points.fold(first, |all, one| format!("{all}, {one}"));
    Some(format!(
        "No standard is named for the reference of: {all}. Those results are not shown to be traceable."
    ))
}

/// That standards were overdue when they were used.
fn overdue<'a>(standards: &'a [Standard], results: &'a Results) -> impl Iterator<Item = String> + 'a {
    standards.iter().filter_map(|standard| {
        let due = standard.due?;
        let used = results.points().filter(|point| point.standard.as_ref() == Some(&standard.id));
        let last = used.map(|point| point.during[1]).max()?;
        let day = |time: crate::domain::time::Timestamp| time.to_string()[..10].to_owned();
        (due < last).then(|| {
            format!("Standard {} was due on {} and was used on {}.", standard.id, day(due), day(last))
        })
    })
}
