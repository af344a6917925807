//! What the evidence says, in words.

use super::Wait;
use super::evidence::{Fault, Findings};
use super::limits::Limits;
use super::machine::Rollout;
use super::state::{Candidate, Shadow};
use crate::domain::monitor::finding::shown;
use crate::domain::time::Timestamp;

const HOUR: f64 = 3_600e6;

/// A time as people say it.
pub(super) fn lasting(micros: i64) -> String {
    let hours = micros as f64 / HOUR;
    match hours {
        hours if hours >= 48.0 => format!("{:.1} days", hours / 24.0),
        hours if hours >= 1.0 => format!("{hours:.1} hours"),
        hours => format!("{:.1} minutes", hours * 60.0),
    }
}

/// The numbers that a decision rests on.
pub(super) fn numbers(found: &Findings, limits: &Limits) -> String {
    let mut parts = vec![match found.n_effective {
        Some(worth) => format!("{} pairs (worth {worth:.0})", found.pairs),
        None => format!("{} pairs", found.pairs),
    }];
    if let (Some(rmse), Some(beside)) = (found.rmse, found.rmse_beside) {
        parts.push(format!(
            "RMSE {} against {} beside it{}",
            shown(rmse),
            shown(beside),
            ratio(found, limits)
        ));
    }
    if let Some(bias) = found.bias {
        let u = found.u_bias.map_or_else(String::new, |u| format!(" (u {})", shown(u)));
        let most = limits.max_bias.map_or_else(String::new, |most| format!(", at most {}", shown(most)));
        parts.push(format!("mean error {}{u}{most}", shown(bias)));
    }
    if let Some(coverage) = found.coverage {
        let least = limits
            .min_coverage
            .map_or_else(String::new, |least| format!(", at least {:.0} %", 100.0 * least));
        parts.push(format!("{:.0} % within their uncertainties{least}", 100.0 * coverage));
    }
    if found.readings > 0 {
        parts.push(format!("{} readings, {} of them without a value", found.readings, found.lost));
    }
    parts.join("; ")
}

fn ratio(found: &Findings, limits: &Limits) -> String {
    let (Some(most), Some(worse), Some(no_worse)) = (limits.max_rmse_ratio, found.p_worse, found.p_no_worse)
    else {
        return String::new();
    };
    let ratio = found.rmse.zip(found.rmse_beside).map_or(f64::NAN, |(rmse, beside)| rmse / beside);
    let told = if ratio.is_finite() { format!(", ratio {}", shown(ratio)) } else { String::new() };
    format!(
        "{told}, at most {} (p {} for worse, {} for no worse)",
        shown(most),
        shown(worse),
        shown(no_worse)
    )
}

/// What speaks against it.
pub(super) fn against(fault: Fault, found: &Findings, limits: &Limits) -> String {
    let most = |limit: Option<f64>| limit.map(shown).unwrap_or_default();
    match fault {
        Fault::Step => format!(
            "it is {} away from the transform beside it, more than {}",
            shown(found.largest_step),
            most(limits.max_step)
        ),
        Fault::Lost => format!("it has no value for {} of {} readings", found.lost, found.readings),
        Fault::Ratio => {
            format!(
                "its errors are more than {} times those of the transform beside it",
                most(limits.max_rmse_ratio)
            )
        }
        Fault::Bias => format!("its mean error is beyond {}", most(limits.max_bias)),
        Fault::Coverage => "its uncertainties are stated too small".to_owned(),
    }
}

impl Rollout {
    /// What goes on in a sentence, or how the last transform ended that did not stay; `None`: there is nothing to say.
    pub fn explained(&self, now: Timestamp) -> Option<String> {
        if let Some(candidate) = &self.state.candidate {
            return Some(self.of_candidate(candidate, now));
        }
        let running = self.state.running.as_ref();
        if let Some((running, trial)) = running.and_then(|running| Some((running, running.trial.as_ref()?))) {
            let (watched, bake) = (lasting(trial.watched), lasting(trial.bake));
            let numbers = numbers(&trial.evidence.findings(), &self.limits(trial.limits));
            let artifact = &running.artifact;
            let fits = if trial.idle { "; it is not computed, for it does not fit the sensor" } else { "" };
            return Some(format!(
                "{artifact} is in force on trial, for {watched} of {bake}: {numbers}{fits}"
            ));
        }
        self.state.ended().last().map(|ended| ended.why.clone())
    }

    fn of_candidate(&self, candidate: &Candidate, now: Timestamp) -> String {
        let artifact = &candidate.artifact;
        let wait = self.waits(candidate, now).or(self.state.session.then_some(Wait::Session));
        let awaited = wait.map(|wait| match wait {
            Wait::Share => "a share of the gateways that reaches this one".to_owned(),
            Wait::NotBefore => {
                artifact.not_before.map_or_else(|| "its time".to_owned(), |start| start.to_string())
            }
            Wait::Clock => "a clock that is trusted".to_owned(),
            Wait::Fit => "a sensor that it fits".to_owned(),
            Wait::Session => "the end of the session at the sensor".to_owned(),
        });
        let waits = awaited.map_or_else(String::new, |awaited| format!(" waits for {awaited}"));
        let Some(Shadow { baked, evidence, .. }) = &candidate.shadow else {
            return format!("{artifact}{waits}");
        };
        let limits = self.limits(candidate.plan.limits);
        let bake = lasting(candidate.plan.bake.unwrap_or(self.policy.bake));
        let numbers = numbers(&evidence.findings(), &limits);
        let (baked, next) = (lasting(*baked), evidence.next_look(&limits));
        let also = if waits.is_empty() { String::new() } else { format!("; it{waits}") };
        format!(
            "{artifact} is in shadow, for {baked} of {bake}: {numbers}; {next} pairs are needed for the next decision{also}"
        )
    }
}
