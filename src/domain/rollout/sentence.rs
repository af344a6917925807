//! What the evidence says, in words.

use super::evidence::{Fault, Findings};
use super::limits::Limits;
use crate::domain::monitor::finding::shown;

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
