//! The sentences of a certificate.

use super::number::significant;
use super::units::symbol;
use crate::domain::certificate::{Conformity, Place, Results};
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::{Combine, Mpe, Outcome, Rule};
use crate::domain::uncertainty::point::Component;

/// What is stated.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::ConditionalPass => "conditional pass",
        Outcome::ConditionalFail => "conditional fail",
        Outcome::Fail => "fail",
    }
}

/// Where an uncertainty comes from.
pub fn component(component: Component) -> &'static str {
    match component {
        Component::Reference => "reference",
        Component::Repeatability => "repeatability",
        Component::Resolution => "resolution",
        Component::Stability => "stability",
    }
}

/// Whose place it is.
pub fn place(place: Place) -> &'static str {
    match place {
        Place::Laboratory => "in the laboratory",
        Place::Customer => "on the customer's premises",
        Place::Other => "at another place",
    }
}

/// The day.
pub fn day(time: Timestamp) -> String {
    time.to_string()[..10].to_owned()
}

/// Day and minute.
pub fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", &text[..10], &text[11..16])
}

/// From one day to another, or the one.
pub fn days([from, until]: [Timestamp; 2]) -> String {
    let [from, until] = [day(from), day(until)];
    if from == until { from } else { format!("{from} to {until}") }
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    format!("{} %", significant(100.0 * share, 4))
}

/// A maximum permissible error.
pub fn mpe(mpe: &Mpe, unit: &str) -> String {
    let absolute = mpe.absolute.map(|it| format!("\u{b1}{} {}", significant(it, 6), symbol(unit)));
    let relative = mpe.relative.map(|it| format!("\u{b1}{} of the reference value", percent(it)));
    match (absolute, relative, mpe.combine) {
        (Some(absolute), Some(relative), Combine::Max) => format!("the larger of {absolute} and {relative}"),
        (Some(absolute), Some(relative), Combine::Sum) => format!("{absolute} plus {relative}"),
        (absolute, relative, _) => absolute.or(relative).unwrap_or_default(),
    }
}

/// The decision rule.
pub fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Simple => {
            "Simple acceptance (ILAC-G8:09/2019, 4.2.1), point by point: pass where the size of the error is at most \
             the MPE, fail beyond; a conditional pass where U is larger than the MPE. At the limit, the probability \
             that a statement is wrong is up to 50 %."
        }
        Rule::GuardBand => {
            "Guard band w = U (ILAC-G8:09/2019, 4.2.3), point by point, by the size |e| of the error: pass where \
             |e| \u{2264} MPE \u{2212} U; conditional pass where |e| \u{2264} MPE; conditional fail where \
             |e| \u{2264} MPE + U; fail beyond. Where U is larger than the MPE there is no pass, only a conditional one."
        }
    }
}

/// What is stated about all points together.
pub fn conformity(conformity: &Conformity) -> Vec<String> {
    let stated = [("As found", conformity.as_found), ("As left", conformity.as_left)];
    let sentence = |(when, it): (&str, Option<Outcome>)| {
        let text = match it? {
            Outcome::Pass => "every point is within the MPE (pass).",
            Outcome::ConditionalPass => {
                "every point is within the MPE, but not every one beyond doubt (conditional pass)."
            }
            Outcome::ConditionalFail => {
                "not every point is within the MPE, though none is beyond it for certain (conditional fail)."
            }
            Outcome::Fail => "not every point is within the MPE (fail).",
        };
        Some(format!("{when}, {text}"))
    };
    stated.into_iter().filter_map(sentence).collect()
}

/// How the uncertainties are to be read.
pub fn uncertainty(results: &Results) -> String {
    format!(
        "U is the expanded uncertainty of the error: its combined standard uncertainty u times the coverage factor k, \
         which for a t-distribution with \u{3bd} effective degrees of freedom gives a coverage probability of {}. \
         It was evaluated according to JCGM 100:2008 (GUM) and EA-4/02, and holds for the time of the measurement.",
        percent(results.coverage_probability)
    )
}

/// That the laboratory is accredited, or is not.
pub fn accreditation(accreditation: Option<(&str, &str)>) -> String {
    match accreditation {
        Some((body, number)) => format!("The laboratory is accredited by {body} under {number}."),
        None => "This certificate is not issued under an accreditation.".to_owned(),
    }
}

/// What every certificate says.
pub const USUAL: [&str; 2] = [
    "The results relate only to the item described, in the condition and under the circumstances stated.",
    "This certificate may not be reproduced other than in full, except with the approval of the laboratory that issued it.",
];
