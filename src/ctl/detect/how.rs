//! A detector as the command line states it, and its way through the values.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{DetectArgs, Options, Which};
use crate::ctl::output::Failure;
use crate::domain::drift::detector::{
    Adwin, Alarm, Baseline, BaselineError, Cusum, Detector, DriftWatch, EwmaChart, Ks, MIN_BASELINE,
    OncePerExcursion, PageHinkley, Phase, Psi, Turn,
};

/// The detector, its parameters and its baseline.
pub struct How {
    which: Which,
    /// Rows of the baseline; `None` if the detector learns none.
    baseline: Option<usize>,
    raw: bool,
    /// `None`: the whitened CUSUM, which has no options.
    chosen: Option<Chosen>,
    notes: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Chosen {
    Cusum { k: f64, h: f64 },
    Ewma { lambda: f64, limit: f64 },
    PageHinkley { delta: f64, threshold: f64, alpha: f64 },
    Adwin { delta: f64 },
    Ks { block: u32, p: f64 },
    Psi { block: u32, limit: f64 },
}

/// What was found in the values.
#[derive(Default)]
pub struct Found {
    /// Rows at which an alarm begins.
    pub alarms: Vec<(usize, Alarm)>,
    /// Parameters, and what was learnt from the baseline.
    pub parameters: Map<String, Value>,
    /// Whole blocks that were compared.
    pub blocks: Option<Vec<Block>>,
    /// Rows at which an alarm ends.
    pub ended: Option<Vec<usize>>,
    /// Rows at which the average is outside its limits.
    pub outside: Option<Vec<usize>>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A block of rows against the baseline.
#[derive(Serialize)]
pub struct Block {
    /// Its first row.
    pub start: usize,
    /// The distance of the distributions, or the index.
    pub statistic: f64,
    /// Whether that is beyond the limit.
    pub beyond: bool,
}

impl How {
    /// Takes the options apart.
    pub fn stated(args: &DetectArgs) -> Result<How, Failure> {
        let which = args.detector;
        let mut options = Left::of(&args.options);
        let chosen = Chosen::stated(which, &mut options)?;
        if let Some(option) = options.first() {
            return Err(Failure::usage(format!(
                "--detector {} does not take {option}: leave it out",
                name(which)
            )));
        }
        let least = if which == Which::WhitenedCusum { 10 } else { 2 };
        if args.baseline.is_some_and(|rows| rows < least) {
            return Err(Failure::usage(format!("--baseline: expected at least {least}")));
        }
        if args.raw && which == Which::WhitenedCusum {
            let problem = "--detector whitened-cusum learns the scale of the values itself: leave --raw out";
            return Err(Failure::usage(problem));
        }
        let raw = args.raw || matches!(which, Which::Adwin | Which::Ks | Which::Psi);
        let learns = !raw || matches!(which, Which::Ks | Which::Psi);
        let mut notes = Vec::new();
        if args.baseline.is_some() && !learns {
            notes.push("the values are taken as they are: --baseline changes nothing".to_owned());
        }
        let usual = if which == Which::WhitenedCusum { MIN_BASELINE } else { 500 };
        let baseline = learns.then_some(args.baseline.unwrap_or(usual));
        if which == Which::WhitenedCusum && baseline.is_some_and(|rows| rows < MIN_BASELINE) {
            notes.push(format!("a baseline of fewer than {MIN_BASELINE} rows makes more false alarms"));
        }
        Ok(How { which, baseline, raw, chosen, notes })
    }

    /// The detector's name.
    pub fn name(&self) -> &'static str {
        name(self.which)
    }

    /// Goes through the values. Errors: too few, or a baseline that makes no scale.
    pub fn detect(&self, values: &[f64]) -> Result<Found, String> {
        let rows = self.baseline.unwrap_or(0);
        if values.len() < rows {
            return Err(format!(
                "a baseline of {rows} rows is needed, and there are {}: give more rows, or a smaller --baseline",
                values.len()
            ));
        }
        let (base, rest) = values.split_at(rows);
        let mut found = match self.chosen {
            None => watch(base, rest)?,
            Some(chosen @ (Chosen::Ks { block, .. } | Chosen::Psi { block, .. })) => {
                compare(chosen, block as usize, base, rest)?
            }
            Some(chosen) => chart(chosen, self.raw, base, values)?,
        };
        found.notes.splice(0..0, self.notes.iter().cloned());
        found.parameters.insert("raw".to_owned(), json!(self.raw));
        if self.baseline.is_some() {
            found.parameters.insert("baseline".to_owned(), json!(rows));
        }
        Ok(found)
    }
}

/// One value after the other, those of the baseline included.
fn chart(chosen: Chosen, raw: bool, base: &[f64], values: &[f64]) -> Result<Found, String> {
    let mut found = Found { parameters: chosen.parameters(), ..Found::default() };
    let baseline = if raw {
        None
    } else {
        let learnt = Baseline::of(base).map_err(|fault| format!("{fault}; take other rows, or --raw"))?;
        found.parameters.insert("mean".to_owned(), json!(learnt.mean));
        found.parameters.insert("sd".to_owned(), json!(learnt.sd));
        Some(learnt)
    };
    let detector = chosen.detector(base).map_err(|fault| fault.to_string())?;
    if matches!(detector, Detector::Ewma(_)) {
        found.outside = Some(Vec::new());
    }
    let mut detector = OncePerExcursion::new(detector, 1.0);
    for (at, value) in values.iter().enumerate() {
        let value = baseline.map_or(*value, |baseline| baseline.standardised(*value));
        found.alarms.extend(detector.update(value).map(|alarm| (at, alarm)));
        let beyond = detector.detector().ratio().is_some_and(|ratio| ratio > 1.0);
        found.outside.iter_mut().filter(|_| beyond).for_each(|rows| rows.push(at));
    }
    Ok(found)
}

/// Block by block behind the baseline.
fn compare(chosen: Chosen, block: usize, base: &[f64], rest: &[f64]) -> Result<Found, String> {
    let mut found = Found { parameters: chosen.parameters(), ..Found::default() };
    let detector = chosen.detector(base).map_err(|fault| fault.to_string())?;
    let mut detector = OncePerExcursion::new(detector, 1.0);
    let mut blocks = Vec::new();
    for (at, value) in rest.iter().enumerate() {
        found.alarms.extend(detector.update(*value).map(|alarm| (base.len() + at, alarm)));
        if (at + 1) % block == 0 {
            let statistic = match detector.detector() {
                Detector::Ks(ks) => ks.last(),
                Detector::Psi(psi) => psi.last(),
                _ => None,
            };
            let beyond = detector.detector().ratio().is_some_and(|ratio| ratio > 1.0);
            let start = base.len() + at + 1 - block;
            blocks.extend(statistic.map(|statistic| Block { start, statistic, beyond }));
        }
    }
    if let Detector::Ks(ks) = detector.detector() {
        found.parameters.insert("critical".to_owned(), json!(ks.critical()));
        if ks.critical() >= 1.0 {
            found
                .notes
                .push("baseline and block are too short for so small a p: nothing can alarm".to_owned());
        }
    }
    match rest.len() % block {
        0 if blocks.is_empty() => found.notes.push("no row is left behind the baseline".to_owned()),
        0 => {}
        left => found.notes.push(format!("the last {left} rows make no whole block, and were not compared")),
    }
    found.blocks = Some(blocks);
    Ok(found)
}

/// As calibd does it: learns, and tells the beginnings and ends of excursions.
fn watch(base: &[f64], rest: &[f64]) -> Result<Found, String> {
    let mut watch = DriftWatch::new(base.len());
    base.iter().for_each(|value| {
        watch.update(*value);
    });
    let Phase::Watching(watching) = watch.phase() else {
        let why = Baseline::of(base).err().map_or("it makes no scale".to_owned(), |fault| fault.to_string());
        return Err(format!("{why}; take other rows"));
    };
    let mut found = Found { ended: Some(Vec::new()), ..Found::default() };
    let (learnt, [k, h]) = (watching.learnt(), watching.limits());
    for (name, value) in [("mean", learnt.mean), ("sd", learnt.sd), ("phi", learnt.phi), ("k", k), ("h", h)] {
        found.parameters.insert(name.to_owned(), json!(value));
    }
    for (at, value) in rest.iter().enumerate() {
        let row = base.len() + at;
        match watch.update(*value) {
            Some(Turn::Begins) => found.alarms.extend(watch.stands().map(|alarm| (row, alarm))),
            Some(Turn::Ends) => found.ended.iter_mut().for_each(|rows| rows.push(row)),
            None => {}
        }
    }
    Ok(found)
}

impl Chosen {
    fn stated(which: Which, options: &mut Left) -> Result<Option<Chosen>, Failure> {
        let above = |value: f64| value > 0.0;
        let share = |value: f64| value > 0.0 && value < 1.0;
        let weight = |value: f64| value > 0.0 && value <= 1.0;
        let (positive, between, factor) =
            ("a number above 0", "a number between 0 and 1", "a number above 0, at most 1");
        Ok(Some(match which {
            Which::WhitenedCusum => return Ok(None),
            Which::Cusum => Chosen::Cusum {
                k: options.number("--k", 0.5, |k| k >= 0.0, "0 or a number above")?,
                h: options.number("--h", 5.0, above, positive)?,
            },
            Which::Ewma => Chosen::Ewma {
                lambda: options.number("--lambda", 0.2, weight, factor)?,
                limit: options.number("--limit", 3.0, above, positive)?,
            },
            Which::PageHinkley => Chosen::PageHinkley {
                delta: options.number("--delta", 0.25, |delta| delta >= 0.0, "0 or a number above")?,
                threshold: options.number("--threshold", 20.0, above, positive)?,
                alpha: options.number("--alpha", 1.0, weight, factor)?,
            },
            Which::Adwin => Chosen::Adwin { delta: options.number("--delta", 0.002, share, between)? },
            Which::Ks => {
                Chosen::Ks { block: options.block()?, p: options.number("--p", 0.001, share, between)? }
            }
            Which::Psi => Chosen::Psi {
                block: options.block()?,
                limit: options.number("--limit", 0.25, above, positive)?,
            },
        }))
    }

    fn parameters(self) -> Map<String, Value> {
        let parameters = match self {
            Chosen::Cusum { k, h } => json!({"k": k, "h": h}),
            Chosen::Ewma { lambda, limit } => json!({"lambda": lambda, "limit": limit}),
            Chosen::PageHinkley { delta, threshold, alpha } => {
                json!({"delta": delta, "threshold": threshold, "alpha": alpha})
            }
            Chosen::Adwin { delta } => json!({"delta": delta}),
            Chosen::Ks { block, p } => json!({"block": block, "p": p}),
            Chosen::Psi { block, limit } => json!({"block": block, "limit": limit}),
        };
        match parameters {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

impl Chosen {
    /// The detector. Errors: the baseline has too few values to be compared with.
    fn detector(self, base: &[f64]) -> Result<Detector, BaselineError> {
        Ok(match self {
            Chosen::Cusum { k, h } => Detector::Cusum(Cusum::new(k, h)),
            Chosen::Ewma { lambda, limit } => Detector::Ewma(EwmaChart::new(lambda, limit)),
            Chosen::PageHinkley { delta, threshold, alpha } => {
                Detector::PageHinkley(PageHinkley::new(delta, threshold, alpha))
            }
            Chosen::Adwin { delta } => Detector::Adwin(Adwin::new(delta)),
            Chosen::Ks { block, p } => Detector::Ks(Ks::new(base, block, p, usize::MAX)?),
            Chosen::Psi { block, limit } => Detector::Psi(Psi::new(base, block, limit)?),
        })
    }
}

/// The options that are not heeded yet.
struct Left(Vec<(&'static str, f64)>);

impl Left {
    fn of(options: &Options) -> Left {
        let given = [
            ("--k", options.k),
            ("--h", options.h),
            ("--lambda", options.lambda),
            ("--limit", options.limit),
            ("--delta", options.delta),
            ("--threshold", options.threshold),
            ("--alpha", options.alpha),
            ("--block", options.block.map(f64::from)),
            ("--p", options.p),
        ];
        Left(given.into_iter().filter_map(|(option, value)| Some((option, value?))).collect())
    }

    fn first(&self) -> Option<&'static str> {
        self.0.first().map(|(option, _)| *option)
    }

    /// Takes an option, which must be as `expected` says; absent: the default.
    fn number(
        &mut self,
        option: &str,
        default: f64,
        fits: impl Fn(f64) -> bool,
        expected: &str,
    ) -> Result<f64, Failure> {
        let Some(at) = self.0.iter().position(|(given, _)| *given == option) else { return Ok(default) };
        let (_, value) = self.0.remove(at);
        match value.is_finite() && fits(value) {
            true => Ok(value),
            false => Err(Failure::usage(format!("{option}: expected {expected}"))),
        }
    }

    fn block(&mut self) -> Result<u32, Failure> {
        let rows = self.number("--block", 500.0, |rows| rows >= 1.0, "at least 1")?;
        Ok(rows as u32)
    }
}

/// As on the command line.
fn name(which: Which) -> &'static str {
    match which {
        Which::WhitenedCusum => "whitened-cusum",
        Which::Cusum => "cusum",
        Which::Ewma => "ewma",
        Which::PageHinkley => "page-hinkley",
        Which::Adwin => "adwin",
        Which::Ks => "ks",
        Which::Psi => "psi",
    }
}
