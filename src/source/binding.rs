//! Which sensors a source's fields feed: configured ones, and ones made on first sight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::id::{Id, SensorId};
use crate::domain::sensor::Sensor;

/// A recipe for sensors that are made when their name is first seen.
#[derive(Debug, Clone)]
pub struct Template {
    /// The sensor's id with `{capture}` placeholders.
    pub pattern: String,
    /// The source it belongs to.
    pub source: Id,
    /// The field it belongs to.
    pub field: String,
    /// The facts; its id is a placeholder.
    pub model: Sensor,
    /// At most this many sensors are made.
    pub max: usize,
}

/// All sensors of the gateway, shared between the sources, the pipeline and the trust checks.
#[derive(Debug, Clone, Default)]
pub struct Sensors(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<SensorId, Arc<Sensor>>,
    templates: Vec<(Template, usize)>,
    /// Which template made a sensor.
    made_by: HashMap<SensorId, usize>,
}

/// Says why a name gave no sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindError {
    /// The text made from the captures is not an identifier.
    BadName,
    /// The template's `max` is reached.
    TooMany,
}

impl BindError {
    /// The reason as a metrics label.
    pub fn as_str(self) -> &'static str {
        match self {
            BindError::BadName => "bad_sensor_name",
            BindError::TooMany => "too_many_sensors",
        }
    }
}

impl Sensors {
    /// Registers the configured sensors and templates.
    pub fn new(sensors: Vec<Sensor>, templates: Vec<Template>) -> Sensors {
        let known = sensors.into_iter().map(|sensor| (sensor.id.clone(), Arc::new(sensor))).collect();
        let templates = templates.into_iter().map(|template| (template, 0)).collect();
        Sensors(Arc::new(Mutex::new(Inner { known, templates, made_by: HashMap::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code panics while holding the lock with a half-made change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sensors are configured or have been seen.
    pub fn count(&self) -> usize {
        self.lock().known.len()
    }

    /// The sensor with this id, if it is configured or has been seen.
    pub fn get(&self, id: &SensorId) -> Option<Arc<Sensor>> {
        self.lock().known.get(id).cloned()
    }

    /// All sensors that are configured or have been seen, by id.
    pub fn all(&self) -> Vec<Arc<Sensor>> {
        let mut all: Vec<Arc<Sensor>> = self.lock().known.values().cloned().collect();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// The source and field of a sensor that a template made.
    pub fn made_from(&self, id: &SensorId) -> Option<(Id, String)> {
        let inner = self.lock();
        let (template, _) = inner.templates.get(*inner.made_by.get(id)?)?;
        Some((template.source.clone(), template.field.clone()))
    }

    /// The sensor with this id, or what a template would make of it if it were seen now.
    pub fn known_or_possible(&self, id: &SensorId) -> Option<Arc<Sensor>> {
        let inner = self.lock();
        if let Some(sensor) = inner.known.get(id) {
            return Some(sensor.clone());
        }
        let (template, _) =
            inner.templates.iter().find(|(t, made)| *made < t.max && could_make(&t.pattern, id))?;
        Some(Arc::new(Sensor { id: id.clone(), ..template.model.clone() }))
    }

    fn make(&self, template: usize, id: SensorId) -> Result<SensorId, BindError> {
        let mut inner = self.lock();
        if inner.known.contains_key(&id) {
            return Ok(id);
        }
        let Some((recipe, made)) = inner.templates.get_mut(template) else {
            return Err(BindError::TooMany);
        };
        if *made >= recipe.max {
            return Err(BindError::TooMany);
        }
        *made += 1;
        let sensor = Sensor { id: id.clone(), ..recipe.model.clone() };
        inner.known.insert(id.clone(), Arc::new(sensor));
        inner.made_by.insert(id.clone(), template);
        Ok(id)
    }
}

/// Whether the pattern's literal parts fit `id`, each placeholder standing for at least one character.
fn could_make(pattern: &str, id: &SensorId) -> bool {
    let mut rest = id.as_str();
    let mut literal = pattern;
    let mut first = true;
    loop {
        let Some(open) = literal.find('{') else {
            return if first {
                rest == literal
            } else {
                rest.ends_with(literal) && rest.len() > literal.len()
            };
        };
        let (text, after) = literal.split_at(open);
        let found = if first {
            rest.starts_with(text).then_some(0)
        } else {
            rest.get(1..).and_then(|r| r.find(text)).map(|at| at + 1)
        };
        let Some(at) = found else { return false };
        rest = &rest[at + text.len()..];
        first = false;
        literal = after.find('}').map_or("", |close| &after[close + 1..]);
    }
}

/// The sensors that each field of one source feeds.
#[derive(Debug)]
pub struct Binding {
    sensors: Sensors,
    fixed: Vec<Vec<SensorId>>,
    templates: Vec<Vec<(usize, String)>>,
    fields: Vec<String>,
    found: Vec<SensorId>,
}

impl Binding {
    /// The binding of `source`, whose fields are numbered in the order of `fields`.
    pub fn new(
        sensors: &Sensors,
        source: &Id,
        fields: &[String],
        of: &dyn Fn(&SensorId) -> (Id, String),
    ) -> Binding {
        let inner = sensors.lock();
        let fixed = fields
            .iter()
            .map(|field| {
                let mut ids: Vec<_> = inner
                    .known
                    .keys()
                    .filter(|id| {
                        let (its_source, its_field) = of(id);
                        its_source == *source && its_field == *field
                    })
                    .cloned()
                    .collect();
                ids.sort();
                ids
            })
            .collect();
        let templates = fields
            .iter()
            .map(|field| {
                let all = inner.templates.iter().enumerate();
                let ours = all.filter(|(_, (t, _))| t.source == *source && t.field == *field);
                ours.map(|(index, (t, _))| (index, t.pattern.clone())).collect()
            })
            .collect();
        drop(inner);
        Binding { sensors: sensors.clone(), fixed, templates, fields: fields.to_vec(), found: Vec::new() }
    }

    /// The name of a field.
    pub fn field(&self, field: usize) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// The sensors that `field` feeds; `captures` name the parts of the topic that templates use.
    ///
    /// Makes template sensors on first sight. The first error is returned beside what was found.
    pub fn sensors(&mut self, field: usize, captures: &[(&str, &str)]) -> (&[SensorId], Option<BindError>) {
        self.found.clear();
        self.found.extend(self.fixed.get(field).into_iter().flatten().cloned());
        let mut problem = None;
        for (template, pattern) in self.templates.get(field).into_iter().flatten() {
            let made = Id::new(&fill(pattern, captures))
                .map_err(|_| BindError::BadName)
                .and_then(|id| self.sensors.make(*template, id));
            match made {
                Ok(id) => self.found.push(id),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        (&self.found, problem)
    }
}

fn fill(pattern: &str, captures: &[(&str, &str)]) -> String {
    captures
        .iter()
        .fold(pattern.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sensor::Kind;

    fn sensor(id: &str) -> Sensor {
        Sensor {
            id: Id::new(id).unwrap(),
            quantity: "temperature".into(),
            kind: Kind::Measurement,
            unit: "Cel".into(),
            model: None,
            serial: None,
            uncertainty: None,
            covariates: Default::default(),
        }
    }

    fn template(pattern: &str, max: usize) -> Template {
        let source = Id::new("broker").unwrap();
        Template { pattern: pattern.into(), source, field: "value".into(), model: sensor("x"), max }
    }

    fn binding(sensors: &Sensors) -> Binding {
        let source = Id::new("broker").unwrap();
        let of = |_: &SensorId| (Id::new("broker").unwrap(), "value".to_owned());
        Binding::new(sensors, &source, &["value".to_owned()], &of)
    }

    #[test]
    fn a_template_makes_sensors_up_to_its_maximum() {
        let sensors = Sensors::new(vec![], vec![template("t-{name}", 2)]);
        let mut bind = binding(&sensors);
        for name in ["a", "b", "a"] {
            let (found, problem) = bind.sensors(0, &[("name", name)]);
            assert_eq!((found.len(), problem), (1, None));
        }
        assert_eq!(bind.sensors(0, &[("name", "c")]), (&[][..], Some(BindError::TooMany)));
        assert!(sensors.get(&Id::new("t-a").unwrap()).is_some());
    }

    #[test]
    fn a_hostile_name_makes_nothing() {
        let sensors = Sensors::new(vec![], vec![template("{name}", 9)]);
        let mut bind = binding(&sensors);
        for name in ["../etc", "", "a b", &"x".repeat(65)] {
            assert_eq!(bind.sensors(0, &[("name", name)]).1, Some(BindError::BadName), "{name}");
        }
    }

    #[test]
    fn a_field_feeds_every_sensor_configured_for_it() {
        let sensors = Sensors::new(vec![sensor("b"), sensor("a")], vec![]);
        let found: Vec<_> = binding(&sensors).sensors(0, &[]).0.iter().map(|id| id.to_string()).collect();
        assert_eq!(found, ["a", "b"]);
    }

    #[test]
    fn what_a_template_could_make_is_known_before_it_is_seen() {
        let sensors = Sensors::new(vec![], vec![template("a-{x}-b-{y}", 1)]);
        for (id, possible) in [("a-1-b-2", true), ("a--b-2", false), ("a-1-b-", false), ("c-1-b-2", false)] {
            assert_eq!(sensors.known_or_possible(&Id::new(id).unwrap()).is_some(), possible, "{id}");
        }
    }
}
