//! How a session is shown: its points, its preview, its end.

use crate::ctl::gateway::show::{clean, measured, time};
use crate::ctl::output::{Failure, aligned, print_lines, significant, wrapped};
use crate::domain::session::{Candidate, Ending, Point, Progress, Row, Session, Stage};
use crate::domain::uncertainty::decision::Outcome;
use crate::wire::control::SessionState;

/// The word for a verdict.
pub fn verdict(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        None => "no verdict",
        Some(Outcome::Pass) => "pass",
        Some(Outcome::ConditionalPass) => "conditional pass",
        Some(Outcome::ConditionalFail) => "conditional fail",
        Some(Outcome::Fail) => "fail",
    }
}

/// A point that was taken, in a line.
pub fn point(point: &Point, unit: &str) -> String {
    let unit = clean(unit);
    let reference = format!("{} {unit}", measured(point.offered.value, Some(point.offered.u)));
    let role = point.role.as_str();
    match point.error {
        None => {
            let raw = measured(point.course.raw, Some(point.course.raw_std));
            format!("{role} at {reference}: raw {raw}, no verdict without a transform")
        }
        Some(error) => {
            let (limit, outcome) =
                point.stated.map_or((0.0, None), |stated| (stated.mpe, Some(stated.outcome)));
            let unable = match point.stated.is_some_and(|stated| !stated.capable) {
                true => " (U is above the MPE: a better reference, or a steadier one, is needed for a pass)",
                false => "",
            };
            format!(
                "{role} at {reference}: error {} {unit}, U = {} (k = {:.2}), MPE {}: {}{unable}",
                measured(error, Some(point.budget.u)),
                significant(point.budget.expanded, 2),
                point.budget.k,
                significant(limit, 4),
                verdict(outcome)
            )
        }
    }
}

/// How a session stands, for whoever comes to it: its points, the verdicts on them, and what is shown to be signed.
pub fn standing(session: &Session) -> Result<(), Failure> {
    let (plan, unit) = (&session.plan, &session.plan.unit);
    let mut text = format!(
        "{}: session {}, opened {} by {}\n",
        plan.sensor,
        session.id,
        time(plan.opened),
        clean(session.holders.first().map_or("", |holder| &holder.by))
    );
    let rounds =
        [("as found", &session.as_found, session.found()), ("as left", &session.as_left, session.left())];
    for (round, points, outcome) in rounds {
        for it in points {
            text.push_str(&format!("{round}: {}\n", point(it, unit)));
        }
        if outcome.is_some() {
            text.push_str(&format!("{round}: {}\n", verdict(outcome)));
        }
    }
    if let Some(measuring) = &session.measuring {
        let (role, offered) = (measuring.role.as_str(), &measuring.offered);
        let what = match &offered.source {
            Some(source) => format!("beside {source}"),
            None => format!("at {} {}", measured(offered.value, Some(offered.u)), clean(unit)),
        };
        text.push_str(&format!("being measured: {role} {what}\n"));
    }
    print_lines(&text)?;
    match &session.candidate {
        Some(candidate) if session.stage == Stage::Preview => preview(candidate, unit),
        _ => Ok(()),
    }
}

/// How far a point is, in a line of which nothing scrolls away.
pub fn progress(state: &SessionState, unit: &str, width: usize) -> String {
    let live = state.reading.as_ref().map_or(String::new(), |reading| match (reading.value, reading.raw) {
        (Some(value), _) => format!("{} {}", significant(value, 5), clean(unit)),
        (None, Some(raw)) => format!("{} raw", significant(raw, 6)),
        (None, None) => "no value".to_owned(),
    });
    let (share, what) = match &state.progress {
        None => return live,
        Some(Progress::Dwell { seconds, of }) => (seconds / of, format!("dwell {seconds:.0} of {of:.0} s")),
        Some(Progress::Settling { filled, readings, drift, scatter }) => {
            // Only what keeps within its limit is done.
            let kept = |ratio: &Option<f64>| ratio.map_or(1.0, |ratio| 1.0 / ratio.max(1.0));
            let ratio = |name: &str, ratio: &Option<f64>| {
                ratio.map_or(String::new(), |ratio| format!(", {name} {:.0} % of its limit", 100.0 * ratio))
            };
            let text = format!("{readings} readings{}{}", ratio("drift", drift), ratio("scatter", scatter));
            (filled * kept(drift) * kept(scatter), text)
        }
    };
    let full = (share.clamp(0.0, 1.0) * width as f64) as usize;
    format!("{live} [{}{}] {what}", "#".repeat(full), " ".repeat(width - full))
}

/// What the new transform would change.
pub fn preview(candidate: &Candidate, unit: &str) -> Result<(), Failure> {
    let cell = |value: Option<f64>| value.map_or("-".to_owned(), |value| significant(value, 4));
    let head = ["REFERENCE", "BEFORE", "AFTER", "MPE"].map(str::to_owned).to_vec();
    let row = |row: &Row| {
        // What is 0 to all its digits has no sign.
        let shown = |after| measured(after, row.u_after).replacen("-0.00 ", "0.00 ", 1);
        let after = row.after.map_or("-".to_owned(), shown);
        vec![significant(row.reference, 6), cell(row.before), after, significant(row.mpe, 4)]
    };
    let rows: Vec<Vec<String>> = [head].into_iter().chain(candidate.rows.iter().map(row)).collect();
    let parameters = candidate.parameters.iter().map(|(name, value, error)| {
        let name = clean(name);
        format!("{name} = {}", measured(*value, *error))
    });
    let mut text = format!(
        "{} version {}: {} from {} points by {}\n",
        candidate.id,
        candidate.version,
        parameters.collect::<Vec<_>>().join(", "),
        candidate.rows.len(),
        clean(&candidate.method)
    );
    text.push_str(&format!("errors in {}:\n", clean(unit)));
    text.push_str(&aligned(&rows, 3));
    if let Some(step) = candidate.step {
        text.push_str(&format!("largest change: {} {}\n", significant(step, 4), clean(unit)));
    }
    for note in &candidate.notes {
        text.push_str(&format!("{}\n", wrapped(&clean(note), 2)));
    }
    for guard in &candidate.guards {
        text.push_str(&format!("against it: {}\n", wrapped(&clean(guard), 2)));
    }
    text.push_str(&format!("digest {}\n", candidate.digest));
    print_lines(&text)
}

/// How it ended.
pub fn end(session: &Session) -> String {
    let (sensor, id) = (&session.plan.sensor, &session.id);
    match &session.ended {
        Some((Ending::Aborted { reason }, _)) if session.is_open() => {
            format!(
                "{sensor}: session {id} is given up ({}); what ran before is on its way back",
                clean(reason)
            )
        }
        None => format!(
            "{sensor}: session {id} rests; go on with `calibctl recalibrate {sensor} --resume`, or end it with --abort"
        ),
        Some((Ending::Aborted { reason }, _)) => format!("{sensor}: session {id} aborted: {}", clean(reason)),
        _ => {
            let found = verdict(session.found());
            let left = match session.adjusted() {
                None => "not adjusted".to_owned(),
                Some(_) => format!("as left {}", verdict(session.left())),
            };
            format!("{sensor}: session {id}: as found {found}, {left}")
        }
    }
}
