//! Whether errors are within what is permitted, by a decision rule.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::ctl::number::finite;
use crate::ctl::output::Failure;
use crate::domain::fit::{FitError, Pairs};
use crate::domain::uncertainty::decision::{Combine, Decision, Mpe, Outcome, Point, Rule, decide};

/// What is permitted, and how it is decided.
#[derive(Args, Debug, Clone)]
pub struct ConformityArgs {
    /// Maximum permissible error, in the unit of the values; needs the uncertainties of both.
    #[arg(long, value_name = "E", value_parser = finite, help_heading = "Measurements")]
    mpe: Option<f64>,
    /// The same as a share of the reference's size.
    #[arg(long, value_name = "SHARE", value_parser = finite, help_heading = "Measurements")]
    mpe_relative: Option<f64>,
    /// What holds where both are given. Absent: the larger one.
    #[arg(long, value_enum, requires = "mpe", requires = "mpe_relative", help_heading = "Measurements")]
    mpe_combine: Option<CombineArg>,
    /// Decision rule of ILAC-G8: the MPE less a guard band of U with conditional outcomes, or the MPE alone.
    /// Absent: guard-band.
    #[arg(long, value_enum, help_heading = "Measurements")]
    rule: Option<RuleArg>,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum CombineArg {
    Max,
    Sum,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum RuleArg {
    Simple,
    GuardBand,
}

/// How many points come to which outcome, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Conformity {
    rule: Rule,
    pass: usize,
    conditional_pass: usize,
    conditional_fail: usize,
    fail: usize,
    /// Points whose U exceeds the MPE: none of them passes.
    incapable: usize,
    /// The largest probability that an outcome is wrong.
    highest_risk: f64,
}

impl ConformityArgs {
    /// The first of the options that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.mpe.is_some(), "--mpe"),
            (self.mpe_relative.is_some(), "--mpe-relative"),
            (self.rule.is_some(), "--rule"),
        ];
        given.iter().find(|(is, _)| *is).map(|(_, option)| *option)
    }

    /// Decides on each pair, if anything was said to be permitted.
    pub fn decide(
        &self,
        pairs: &Pairs,
        shared: Option<&[f64]>,
        k: f64,
    ) -> Result<Option<Conformity>, Failure> {
        let Some(option) = self.given() else { return Ok(None) };
        if self.mpe.is_none() && self.mpe_relative.is_none() {
            return Err(Failure::usage(format!(
                "{option}: say what is permitted, by --mpe or --mpe-relative"
            )));
        }
        let (Some(ux), Some(uy)) = (pairs.ux(), pairs.uy()) else {
            let problem = "a decision needs the uncertainties of both: --ux and --uy, or --Ux and --Uy";
            return Err(Failure::usage(format!("{option}: {problem}")));
        };
        let mut out = Conformity { rule: self.rule(), ..Conformity::default() };
        for at in 0..pairs.len() {
            let shared = shared.map_or(0.0, |shared| shared[at]);
            let variance = ux[at] * ux[at] + uy[at] * uy[at] - 2.0 * shared * shared;
            let (value, reference) = (pairs.x()[at], pairs.y()[at]);
            let expanded = k * variance.sqrt();
            let error = value - reference;
            // the columns are taken as exact standard uncertainties: files don't state degrees of freedom
            let point = Point { reference, error, expanded, coverage_factor: k, degrees_of_freedom: None };
            let refused = |fault: FitError| Failure::refused(fault.to_string());
            let decided = decide(&point, &self.permitted(), out.rule)
                .map_err(|fault| refused(pairs.fault(at, pairs.reference().name(), fault.to_string())))?;
            out.count(&decided);
        }
        Ok(Some(out))
    }

    fn permitted(&self) -> Mpe {
        let combine = match self.mpe_combine {
            Some(CombineArg::Sum) => Combine::Sum,
            Some(CombineArg::Max) | None => Combine::Max,
        };
        Mpe { absolute: self.mpe, relative: self.mpe_relative, combine }
    }

    fn rule(&self) -> Rule {
        match self.rule {
            Some(RuleArg::Simple) => Rule::Simple,
            Some(RuleArg::GuardBand) | None => Rule::GuardBand,
        }
    }
}

impl Conformity {
    fn count(&mut self, decided: &Decision) {
        let outcome = match decided.outcome {
            Outcome::Pass => &mut self.pass,
            Outcome::ConditionalPass => &mut self.conditional_pass,
            Outcome::ConditionalFail => &mut self.conditional_fail,
            Outcome::Fail => &mut self.fail,
        };
        *outcome += 1;
        self.incapable += usize::from(!decided.capable);
        self.highest_risk = self.highest_risk.max(decided.risk);
    }

    /// The rows for people.
    pub fn rows(&self) -> [(&'static str, f64); 6] {
        [
            ("pass", self.pass as f64),
            ("conditional pass", self.conditional_pass as f64),
            ("conditional fail", self.conditional_fail as f64),
            ("fail", self.fail as f64),
            ("U above the MPE", self.incapable as f64),
            ("highest risk of a wrong outcome", self.highest_risk),
        ]
    }
}
