//! `[sensor.<id>]` and `[sensors."<pattern>"]`: measuring positions and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::check::read_checks;
use super::drift::read_drift;
use super::monitor::read_monitor;
use super::reader::Section;
use super::recalibration::read_recalibration;
use super::scalar::nearest;
use super::source::Sources;
use crate::domain::comparison::{Comparison, ReferenceSensor};
use crate::domain::id::Id;
use crate::domain::pairing::Method;
use crate::domain::reference::Stamp;
use crate::domain::sensor::{Kind, Sensor};
use crate::domain::uncertainty::decision::{Combine, Mpe};
use crate::domain::units::Unit;
use crate::wire::topic::TopicTemplate;

/// One sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorConfig {
    /// What the pipeline needs to know of it.
    pub sensor: Sensor,
    /// The source that reads it.
    pub source: Id,
    /// The source's field with its value.
    pub field: String,
}

/// A recipe for sensors that are made when a source first names them.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorTemplate {
    /// The sensors' ids, with the source's captures as placeholders.
    pub pattern: TopicTemplate,
    /// At most this many sensors are made.
    pub max: usize,
    /// Everything else; the id in it is a placeholder.
    pub model: SensorConfig,
}

const NOT_NEGATIVE: RangeInclusive<f64> = 0.0..=f64::INFINITY;
const PERIODS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(366 * 86_400);
const GRACES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);
/// More sensors than this on one gateway are a mistake.
const MAX_TEMPLATE: i64 = 1_000_000;

/// Reads every `[sensor.<id>]` and `[sensors."<pattern>"]`.
pub fn read_sensors(root: &mut Section<'_>, sources: &Sources) -> (Vec<SensorConfig>, Vec<SensorTemplate>) {
    let tables = root.tables("sensor");
    let templates = root.tables("sensors");
    let known = Known {
        sources,
        sensors: tables.iter().map(|(name, _)| name.clone()).collect(),
        templated: !templates.is_empty(),
    };
    let sensors =
        tables.into_iter().filter_map(|(name, section)| read_sensor(&name, section, &known)).collect();
    let templates =
        templates.into_iter().filter_map(|(name, section)| read_template(&name, section, &known)).collect();
    (sensors, templates)
}

/// What a sensor may refer to.
struct Known<'a> {
    sources: &'a Sources,
    sensors: BTreeSet<String>,
    /// Whether other sensors may appear later, made from templates.
    templated: bool,
}

fn read_sensor(name: &str, mut section: Section<'_>, known: &Known<'_>) -> Option<SensorConfig> {
    let id = Id::new(name);
    if id.is_err() {
        section.fault_here(format!("`{name}` is not an identifier"), super::value::ID_RULE);
    }
    let sensor = read_facts(&mut section, id.as_ref().ok(), known)?;
    if let Some(topic) = known.sources.varying_topic(&sensor.source) {
        let problem = format!("mixes the readings of every topic that `{topic}` fits");
        section.warn("source", problem, "use a template [sensors.\"{name}\"] or a topic without wildcards");
    }
    id.ok().map(|_| sensor)
}

fn read_template(name: &str, mut section: Section<'_>, known: &Known<'_>) -> Option<SensorTemplate> {
    let model = read_facts(&mut section, None, known);
    let max = section.required("max", "max = 1000").integer("max", 1..=MAX_TEMPLATE);
    let model = model?;
    let captures = known.sources.captures(&model.source)?;
    let pattern = read_pattern(name, &section, &captures)?;
    for capture in captures.iter().filter(|capture| !pattern.names().any(|name| name == *capture)) {
        section.warn(
            "source",
            format!("`{{{capture}}}` is captured but not used: what differs only there is mixed"),
            format!("use it in the template's name, like \"{name}-{{{capture}}}\""),
        );
    }
    Some(SensorTemplate { pattern, max: usize::try_from(max?).ok()?, model })
}

fn read_pattern(name: &str, section: &Section<'_>, captures: &[String]) -> Option<TopicTemplate> {
    let known: Vec<&str> = captures.iter().map(String::as_str).collect();
    let pattern = match TopicTemplate::parse(name, &known) {
        Ok(pattern) => pattern,
        Err(error) => {
            let remedy = match known.is_empty() {
                true => "capture a level of the source's topic, like \"sensors/+name/raw\"".to_owned(),
                false => error.remedy,
            };
            section.fault_here(error.problem, remedy);
            return None;
        }
    };
    let mut example = String::new();
    let values: Vec<(&str, &str)> = known.iter().map(|name| (*name, "x")).collect();
    pattern.render(&values, &mut example);
    if pattern.names().next().is_none() {
        section.fault_here(
            "has no placeholder, so it could make one sensor only",
            format!("write [sensor.{name}], or a placeholder like {{name}}"),
        );
    } else if pattern.has_adjacent_holes() {
        section.fault_here("has two placeholders without anything between", "put `-` between them");
    } else if Id::new(&example).is_err() {
        section.fault_here("makes no identifiers", super::value::ID_RULE);
    } else {
        return Some(pattern);
    }
    None
}

fn read_facts(section: &mut Section<'_>, id: Option<&Id>, known: &Known<'_>) -> Option<SensorConfig> {
    let source = section.required("source", "source = \"line1\"").id("source");
    let field = section.required("field", "field = \"value\"").string("field");
    let bound = bind(section, source, field, known.sources);
    let kinds = [("measurement", Kind::Measurement), ("probability", Kind::Probability)];
    let kind = section.choice("kind", &kinds).unwrap_or(Kind::Measurement);
    let unit = read_unit(section, kind);
    let quantity = section.string("quantity").unwrap_or_default();
    let (model, serial) = (section.string("model"), section.string("serial"));
    let uncertainty = section.float("uncertainty", NOT_NEGATIVE);
    let period = section.duration("period", PERIODS);
    let mpe = read_mpe(section);
    let covariates = read_covariates(section, id, known);
    let tags = read_tags(section);
    let pairings = [("nearest", Method::Nearest), ("interpolate", Method::Interpolate)];
    let pairing = section.choice("pairing", &pairings);
    let grace = section.duration("grace", GRACES);
    let reference = read_reference(section, id, known);
    let monitor = read_monitor(section, kind, period);
    let checks = read_checks(section);
    let (window, expected, cohorts) = read_drift(section);
    let recalibration = read_recalibration(section);
    let (source, field) = bound?;
    // A template's sensors get their ids when they are first seen.
    let id = id.cloned().or_else(|| Id::new("template").ok())?;
    let unit = unit?.into();
    let comparison = Arc::new(Comparison {
        period,
        mpe,
        tags,
        pairing,
        grace,
        reference,
        window,
        expected,
        cohorts,
        recalibration,
    });
    let sensor = Sensor {
        id,
        quantity,
        kind,
        unit,
        model,
        serial,
        uncertainty,
        covariates,
        comparison,
        monitor,
        checks,
    };
    Some(SensorConfig { sensor, source, field })
}

/// Checks that the source and its field exist.
fn bind(
    section: &Section<'_>,
    source: Option<Id>,
    field: Option<String>,
    sources: &Sources,
) -> Option<(Id, String)> {
    let source = source?;
    if !sources.is_named(&source) {
        let remedy = match nearest(source.as_str(), sources.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add [source.{source}]"),
        };
        section.fault("source", format!("there is no source `{source}`"), remedy);
        return None;
    }
    let field = field?;
    if !sources.may_have(&source, &field)
        && let Some(fields) = sources.fields(&source)
    {
        let remedy = match nearest(&field, fields.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", fields.collect::<Vec<_>>().join(", ")),
        };
        section.fault("field", format!("source `{source}` has no field `{field}`"), remedy);
        return None;
    }
    Some((source, field))
}

fn read_unit(section: &mut Section<'_>, kind: Kind) -> Option<String> {
    if kind == Kind::Probability && !section.has("unit") {
        return Some("1".to_owned());
    }
    let unit = section.required("unit", "unit = \"Cel\"").string("unit")?;
    if kind == Kind::Probability {
        if unit != "1" {
            let problem = format!("`{unit}` does not fit a probability");
            section.fault("unit", problem, "write unit = \"1\" or remove it");
        }
        return Some(unit);
    }
    match Unit::parse(&unit) {
        Err(_) => {
            section.fault("unit", format!("`{unit}` is not a UCUM code"), UNIT_RULE);
            return None;
        }
        // Text in braces is a unit of one's own, so that it was meant.
        Ok(known) if !known.is_known() && !unit.starts_with('{') => {
            let problem = format!("`{unit}` is not a unit that can be converted to another");
            section.warn(
                "unit",
                problem,
                "correct it, or write units of your own in braces, like \"{counts}\"",
            );
        }
        Ok(_) => {}
    }
    Some(unit)
}

const UNIT_RULE: &str = "write 1 to 40 ASCII characters without spaces, like \"Cel\", \"ug/m3\" or \"nA\"";

fn read_mpe(section: &mut Section<'_>) -> Option<Mpe> {
    let mut table = section.table("mpe")?;
    let absolute = table.float("absolute", NOT_NEGATIVE);
    let relative = table.float("relative", NOT_NEGATIVE);
    let combine = table.choice("combine", &[("max", Combine::Max), ("sum", Combine::Sum)]);
    if !table.has("absolute") && !table.has("relative") {
        table.fault_here("states no error", "write { absolute = 0.5 }, { relative = 0.1 } or both");
        return None;
    }
    Some(Mpe { absolute, relative, combine: combine.unwrap_or_default() })
}

fn read_tags(section: &mut Section<'_>) -> BTreeMap<String, String> {
    let Some(mut table) = section.table("tags") else { return BTreeMap::new() };
    let keys = table.keys();
    let mut tags = BTreeMap::new();
    // Not `collect`: it sorts first, with 5 kB of code for each type (here and at all other maps).
    tags.extend(keys.into_iter().filter_map(|key| Some((key.to_owned(), table.string(key)?))));
    tags
}

fn read_covariates(section: &mut Section<'_>, id: Option<&Id>, known: &Known<'_>) -> BTreeMap<String, Id> {
    let Some(mut table) = section.table("covariates") else { return BTreeMap::new() };
    let keys = table.keys();
    let mut covariates = BTreeMap::new();
    covariates.extend(keys.into_iter().filter_map(|role| {
        let sensor = table.id(role)?;
        check_other(&table, role, &sensor, id, known);
        Some((role.to_owned(), sensor))
    }));
    covariates
}

fn read_reference(section: &mut Section<'_>, id: Option<&Id>, known: &Known<'_>) -> Option<ReferenceSensor> {
    let mut table = section.table("reference")?;
    let sensor = table.required("sensor", "sensor = \"co-ref\"").id("sensor");
    if let Some(sensor) = &sensor {
        check_other(&table, "sensor", sensor, id, known);
    }
    let uncertainty = table.float("uncertainty", NOT_NEGATIVE);
    let interval = table.duration("interval", PERIODS);
    let stamps = [("begin", Stamp::Begin), ("mid", Stamp::Mid), ("end", Stamp::End)];
    let stamp = table.choice("stamp", &stamps).unwrap_or(Stamp::End);
    if table.has("stamp") && !table.has("interval") {
        table.fault("stamp", "stands without interval", "add interval = \"1h\" or remove it");
    }
    Some(ReferenceSensor {
        sensor: sensor?,
        uncertainty,
        interval: interval.map(|interval| (interval, stamp)),
    })
}

/// Checks that another sensor that is referred to exists.
fn check_other(table: &Section<'_>, key: &str, sensor: &Id, own: Option<&Id>, known: &Known<'_>) {
    if own == Some(sensor) {
        table.fault(key, "names the sensor itself", "name another sensor");
        return;
    }
    if known.sensors.contains(sensor.as_str()) {
        return;
    }
    let remedy = match nearest(sensor.as_str(), known.sensors.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add [sensor.{sensor}]"),
    };
    let problem = format!("there is no sensor `{sensor}`");
    match known.templated {
        true => table.warn(key, format!("{problem} unless a template makes it"), remedy),
        false => table.fault(key, problem, remedy),
    }
}
