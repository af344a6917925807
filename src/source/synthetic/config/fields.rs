//! The table `fields` of a synthetic source: what signal each field has, and what goes wrong with it.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::reader::Section;
use crate::domain::id::Id;
use crate::domain::synthetic::{Fault, FaultKind, Noise, Signal, Sine, Walk};

/// Numbers whose products and sums stay finite.
const NUMBERS: RangeInclusive<f64> = -1e12..=1e12;
const NOT_NEGATIVE: RangeInclusive<f64> = 0.0..=1e12;
const TIMES: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(100 * 366 * 86_400);
const SPANS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(100 * 366 * 86_400);

/// Reads all fields; `None` after a fault in any of them.
pub(super) fn read(source: &mut Section<'_>) -> Option<Vec<Signal>> {
    let mut table = source.required("fields", "fields = { value = { level = 20 } }").table("fields")?;
    let names = table.keys();
    if names.is_empty() {
        source.fault("fields", "names no field", "write fields = { value = { level = 20 } }");
        return None;
    }
    let read = |name| signal(name, &names, &mut table.table(name)?);
    let signals: Vec<Option<Signal>> = names.iter().copied().map(read).collect();
    let signals: Vec<Signal> = signals.into_iter().collect::<Option<_>>()?;
    let follows = |signal: &Signal| signal.follows.map(|(other, _)| &signals[other]);
    for signal in &signals {
        if let Some(other) = follows(signal).filter(|other| other.follows.is_some()) {
            let mut section = table.table(&signal.name)?;
            section.abandon();
            let problem = format!("`{}` follows a field too", other.name);
            section.fault("follows", problem, "follow the first of them");
            return None;
        }
    }
    Some(signals)
}

fn signal(name: &str, names: &[&str], section: &mut Section<'_>) -> Option<Signal> {
    if Id::new(name).is_err() {
        section.fault_here(format!("`{name}` is not an identifier"), "use letters, digits, `-` and `_`");
    }
    let level = section.float("level", NUMBERS).unwrap_or(0.0);
    let sine = part(section, "sine", sine);
    let walk = part(section, "walk", walk);
    let noise = part(section, "noise", noise);
    let follows = follows(name, names, section);
    let has = section.has("resolution");
    let resolution = section.float("resolution", 1e-12..=1e12);
    let faults = faults(section, section.has("noise"));
    let resolution = if has { Some(resolution?) } else { None };
    let (sine, walk, noise, follows) = (sine?, walk?, noise?, follows?);
    Some(Signal { name: name.to_owned(), level, sine, walk, follows, noise, resolution, faults: faults? })
}

/// A part that may be absent; `None` after a fault in it.
fn part<T>(
    section: &mut Section<'_>,
    key: &str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Option<Option<T>> {
    if !section.has(key) {
        return Some(None);
    }
    let mut table = section.table(key)?;
    read(&mut table).map(Some)
}

fn sine(table: &mut Section<'_>) -> Option<Sine> {
    let amplitude = table.required("amplitude", "amplitude = 5").float("amplitude", NUMBERS);
    let period = table.required("period", "period = \"1d\"").duration("period", SPANS);
    Some(Sine { amplitude: amplitude?, period: period? })
}

fn walk(table: &mut Section<'_>) -> Option<Walk> {
    let std = table.required("std", "std = 0.5").float("std", NOT_NEGATIVE);
    let per = table.required("per", "per = \"1d\"").duration("per", SPANS);
    Some(Walk { std: std?, per: per? })
}

fn noise(table: &mut Section<'_>) -> Option<Noise> {
    let std = table.required("std", "std = 0.1").float("std", NOT_NEGATIVE);
    let phi = if table.has("phi") { table.float("phi", -0.9999..=0.9999) } else { Some(0.0) };
    Some(Noise { std: std?, phi: phi? })
}

/// What the field follows, if it follows another; `None` after a fault.
fn follows(name: &str, names: &[&str], section: &mut Section<'_>) -> Option<Option<(usize, f64)>> {
    let has_gain = section.has("gain");
    let gain = if has_gain { section.float("gain", NUMBERS) } else { Some(1.0) };
    if !section.has("follows") {
        if has_gain {
            section.fault("gain", "stands without follows", "add follows = \"FIELD\" or remove it");
        }
        return Some(None);
    }
    if names.len() == 1 {
        section.value("follows");
        section.fault(
            "follows",
            "names another field, and there is none",
            "add that field or remove the line",
        );
        return None;
    }
    let others = names.iter().enumerate().filter(|(_, other)| **other != name);
    let places: Vec<(&str, usize)> = others.map(|(place, other)| (*other, place)).collect();
    let place = section.choice("follows", &places)?;
    Some(Some((place, gain?)))
}

fn faults(section: &mut Section<'_>, has_noise: bool) -> Option<Vec<Fault>> {
    if !section.has("faults") {
        return Some(Vec::new());
    }
    let items = section.list("faults")?;
    let read: Vec<Option<Fault>> = items.iter().map(|item| fault(&mut item.section()?, has_noise)).collect();
    read.into_iter().collect()
}

fn fault(section: &mut Section<'_>, has_noise: bool) -> Option<Fault> {
    let kinds = ["step", "ramp", "stuck", "gap", "spike", "noise"].map(|kind| (kind, kind));
    let kind = section.required("kind", "kind = \"step\"").choice("kind", &kinds);
    let Some(kind) = kind else {
        section.abandon();
        return None;
    };
    let at = section.required("at", "at = \"10m\"").duration("at", TIMES);
    let until = (kind != "spike" && section.has("until")).then(|| section.duration("until", TIMES));
    let kind = match kind {
        "step" => by(section).map(FaultKind::Step),
        "spike" => by(section).map(FaultKind::Spike),
        "ramp" => {
            let over = section.required("over", "over = \"1h\"").duration("over", SPANS);
            by(section).zip(over).map(|(by, over)| FaultKind::Ramp { by, over })
        }
        "stuck" => Some(FaultKind::Stuck),
        "gap" => Some(FaultKind::Gap),
        _ => {
            if !has_noise {
                section.fault("kind", "changes noise that there is none of", "add noise = { std = 0.1 }");
            }
            let factor = section.required("factor", "factor = 4").float("factor", 0.0..=1e6);
            factor.map(FaultKind::Noise)
        }
    };
    let (at, until, kind) = (at?, until.map_or(Some(None), |until| until.map(Some))?, kind?);
    if until.is_some_and(|until| until <= at) {
        section.fault("until", "is not after at", "both count from the start of the source");
        return None;
    }
    Some(Fault { at, until, kind })
}

fn by(section: &mut Section<'_>) -> Option<f64> {
    section.required("by", "by = 2").float("by", NUMBERS)
}
