//! Which sensors a source's fields feed: configured ones, and ones made on first sight.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::id::{Id, SensorId};
use crate::domain::order;
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

impl Template {
    /// Whether `other` makes the same sensors from the same place.
    fn is_alike(&self, other: &Template) -> bool {
        (&self.pattern, &self.source, &self.field) == (&other.pattern, &other.source, &other.field)
    }
}

/// The field of a source that feeds a sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The source.
    pub source: Id,
    /// Its field.
    pub field: String,
}

/// The instrument that was mounted at a sensor, as far as targets of transforms may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// The serial number that the configuration named then.
    pub configured_serial: Option<String>,
}

/// All sensors of the gateway, shared between the sources, the pipeline and the trust checks.
#[derive(Debug, Clone, Default)]
pub struct Sensors(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    /// Rises with every [`Sensors::replace`].
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<SensorId, (Arc<Sensor>, Owner)>,
    templates: Vec<(Template, usize)>,
    /// Which template made a sensor.
    made_by: HashMap<SensorId, usize>,
    mounted: HashMap<SensorId, Mounted>,
}

impl Inner {
    fn new(sensors: Vec<(Sensor, Owner)>, templates: Vec<Template>) -> Inner {
        let place = |(sensor, owner): (Sensor, Owner)| (sensor.id.clone(), (Arc::new(sensor), owner));
        Inner {
            known: sensors.into_iter().map(place).collect(),
            templates: templates.into_iter().map(|template| (template, 0)).collect(),
            ..Inner::default()
        }
    }

    /// The sensor with the instrument that was mounted last. A configuration that has come to name another
    /// serial number than it did then is the newer word and stands.
    fn with_instrument(&self, sensor: &Arc<Sensor>) -> Arc<Sensor> {
        match self.mounted.get(&sensor.id).filter(|mounted| mounted.configured_serial == sensor.serial) {
            None => sensor.clone(),
            Some(mounted) => {
                let (model, serial) = (Some(mounted.model.clone()), Some(mounted.serial.clone()));
                Arc::new(Sensor { model, serial, ..(**sensor).clone() })
            }
        }
    }

    fn make(&mut self, template: usize, id: SensorId) -> Result<SensorId, BindError> {
        if self.known.contains_key(&id) {
            return Ok(id);
        }
        let Some((recipe, made)) = self.templates.get_mut(template) else {
            return Err(BindError::TooMany);
        };
        if *made >= recipe.max {
            return Err(BindError::TooMany);
        }
        *made += 1;
        let sensor = Sensor { id: id.clone(), ..recipe.model.clone() };
        let owner = Owner { source: recipe.source.clone(), field: recipe.field.clone() };
        self.known.insert(id.clone(), (Arc::new(sensor), owner));
        self.made_by.insert(id.clone(), template);
        Ok(id)
    }
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
    pub fn new(sensors: Vec<(Sensor, Owner)>, templates: Vec<Template>) -> Sensors {
        let inner = Mutex::new(Inner::new(sensors, templates));
        Sensors(Arc::new(Shared { inner, generation: AtomicU64::new(0) }))
    }

    /// Takes over another configuration. Sensors that a template has made stay, with the template's new
    /// facts, where that template still exists.
    pub fn replace(&self, sensors: Vec<(Sensor, Owner)>, templates: Vec<Template>) {
        let mut inner = self.lock();
        let mut next = Inner::new(sensors, templates);
        for (id, index) in &inner.made_by {
            let alike = |(template, _): &(Template, usize)| template.is_alike(&inner.templates[*index].0);
            if let Some(template) = next.templates.iter().position(alike) {
                // One that is too many now is made again only if another goes.
                let _ = next.make(template, id.clone());
            }
        }
        next.mounted = std::mem::take(&mut inner.mounted);
        *inner = next;
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code panics while holding the lock with a half-made change.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// How many sensors are configured or have been seen.
    pub fn count(&self) -> usize {
        self.lock().known.len()
    }

    /// The sensor with this id, if it is configured or has been seen.
    pub fn get(&self, id: &SensorId) -> Option<Arc<Sensor>> {
        let inner = self.lock();
        inner.known.get(id).map(|(sensor, _)| inner.with_instrument(sensor))
    }

    /// The serial number that the configuration names for the instrument at a sensor.
    pub fn configured_serial(&self, id: &SensorId) -> Option<String> {
        self.lock().known.get(id)?.0.serial.clone()
    }

    /// Notes which instrument was mounted at a sensor, which may be one that has not been seen yet.
    pub fn mount(&self, id: SensorId, mounted: Mounted) {
        self.lock().mounted.insert(id, mounted);
    }

    /// All sensors that are configured or have been seen, by id.
    pub fn all(&self) -> Vec<Arc<Sensor>> {
        let inner = self.lock();
        let mut all: Vec<Arc<Sensor>> =
            inner.known.values().map(|(sensor, _)| inner.with_instrument(sensor)).collect();
        drop(inner);
        order::sort_by(&mut all, |one, other| one.id.cmp(&other.id));
        all
    }

    /// Whether there is a sensor, or a template of some, of which this is so.
    pub fn any(&self, is_so: impl Fn(&Sensor) -> bool) -> bool {
        let inner = self.lock();
        let models = inner.templates.iter().map(|(template, _)| &template.model);
        inner.known.values().map(|(sensor, _)| &**sensor).chain(models).any(is_so)
    }

    /// What feeds a sensor.
    pub fn owner(&self, id: &SensorId) -> Option<Owner> {
        self.lock().known.get(id).map(|(_, owner)| owner.clone())
    }

    /// The sensor with this id, or what a template would make of it if it were seen now.
    pub fn known_or_possible(&self, id: &SensorId) -> Option<Arc<Sensor>> {
        let inner = self.lock();
        if let Some((sensor, _)) = inner.known.get(id) {
            return Some(inner.with_instrument(sensor));
        }
        let (template, _) =
            inner.templates.iter().find(|(t, made)| *made < t.max && could_make(&t.pattern, id))?;
        Some(inner.with_instrument(&Arc::new(Sensor { id: id.clone(), ..template.model.clone() })))
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
    source: Id,
    fields: Vec<String>,
    /// The generation of `sensors` that the two lists were made from.
    generation: u64,
    fixed: Vec<Vec<SensorId>>,
    templates: Vec<Vec<(usize, String)>>,
    found: Vec<SensorId>,
}

impl Binding {
    /// The binding of `source`, whose fields are numbered in the order of `fields`.
    pub fn new(sensors: &Sensors, source: Id, fields: Vec<String>) -> Binding {
        let (fixed, templates, found) = (Vec::new(), Vec::new(), Vec::new());
        let mut binding =
            Binding { sensors: sensors.clone(), source, fields, generation: 0, fixed, templates, found };
        binding.read();
        binding
    }

    /// Follows the sensors to another configuration; says whether there was one.
    pub fn refresh(&mut self) -> bool {
        let changed = self.sensors.generation() != self.generation;
        if changed {
            self.read();
        }
        changed
    }

    fn read(&mut self) {
        // The generation first: a replacement that comes between is seen at the next look.
        self.generation = self.sensors.generation();
        let inner = self.sensors.lock();
        let place: HashMap<&str, usize> =
            self.fields.iter().enumerate().map(|(at, field)| (field.as_str(), at)).collect();
        self.fixed = vec![Vec::new(); self.fields.len()];
        self.templates = vec![Vec::new(); self.fields.len()];
        for (id, (_, owner)) in inner.known.iter().filter(|(id, _)| !inner.made_by.contains_key(*id)) {
            if let Some(at) = place.get(owner.field.as_str()).filter(|_| owner.source == self.source) {
                self.fixed[*at].push(id.clone());
            }
        }
        self.fixed.iter_mut().for_each(order::sort);
        for (index, (template, _)) in inner.templates.iter().enumerate() {
            if let Some(at) = place.get(template.field.as_str()).filter(|_| template.source == self.source) {
                self.templates[*at].push((index, template.pattern.clone()));
            }
        }
    }

    /// The name of a field.
    pub fn field(&self, field: usize) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// The sensors that `field` feeds; `captures` name the parts of the topic that templates use.
    ///
    /// Makes template sensors on first sight. The first error is returned beside what was found.
    pub fn sensors(&mut self, field: usize, captures: &[(&str, &str)]) -> (&[SensorId], Option<BindError>) {
        self.refresh();
        self.found.clear();
        self.found.extend(self.fixed.get(field).into_iter().flatten().cloned());
        let mut problem = None;
        for (template, pattern) in self.templates.get(field).into_iter().flatten() {
            let made = Id::new(&fill(pattern, captures))
                .map_err(|_| BindError::BadName)
                .and_then(|id| self.sensors.lock().make(*template, id));
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
            comparison: Default::default(),
            monitor: None,
            checks: Default::default(),
        }
    }

    fn template(pattern: &str, max: usize) -> Template {
        let source = Id::new("broker").unwrap();
        Template { pattern: pattern.into(), source, field: "value".into(), model: sensor("x"), max }
    }

    fn binding(sensors: &Sensors) -> Binding {
        Binding::new(sensors, Id::new("broker").unwrap(), vec!["value".to_owned()])
    }

    fn placed(id: &str) -> (Sensor, Owner) {
        (sensor(id), Owner { source: Id::new("broker").unwrap(), field: "value".into() })
    }

    fn bound(bind: &mut Binding, name: &str) -> Vec<String> {
        bind.sensors(0, &[("name", name)]).0.iter().map(ToString::to_string).collect()
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
        let sensors = Sensors::new(vec![placed("b"), placed("a")], vec![]);
        assert_eq!(bound(&mut binding(&sensors), ""), ["a", "b"]);
    }

    #[test]
    fn a_source_follows_to_another_configuration() {
        let sensors = Sensors::new(vec![placed("a")], vec![template("t-{name}", 2)]);
        let mut bind = binding(&sensors);
        assert_eq!(bound(&mut bind, "x"), ["a", "t-x"]);
        assert!(!bind.refresh());
        let other = Template { model: Sensor { unit: "K".into(), ..sensor("x") }, ..template("t-{name}", 1) };
        sensors.replace(vec![placed("b")], vec![template("new-{name}", 1), other]);
        assert!(bind.refresh());
        assert_eq!(bound(&mut bind, "x"), ["b", "new-x", "t-x"]);
        let made = Id::new("t-x").unwrap();
        assert_eq!(&*sensors.get(&made).unwrap().unit, "K");
        assert_eq!(bind.sensors(0, &[("name", "y")]).1, Some(BindError::TooMany));
        sensors.replace(vec![placed("b")], vec![]);
        assert_eq!((bound(&mut bind, "x"), sensors.count()), (vec!["b".to_owned()], 1));
    }

    #[test]
    fn a_mounted_instrument_counts_until_the_configuration_names_another() {
        let of = |serial: &str| (Sensor { serial: Some(serial.into()), ..sensor("a") }, placed("a").1);
        let mounted = Mounted { model: "m2".into(), serial: "2".into(), configured_serial: Some("1".into()) };
        let sensors = Sensors::new(vec![of("1")], vec![]);
        sensors.mount(Id::new("a").unwrap(), mounted);
        for (configured, counts) in [("1", "2"), ("3", "3"), ("2", "2")] {
            sensors.replace(vec![of(configured)], vec![]);
            let seen = sensors.get(&Id::new("a").unwrap()).unwrap();
            assert_eq!(seen.serial.as_deref(), Some(counts), "{configured}");
            assert_eq!(sensors.all(), [sensors.known_or_possible(&seen.id).unwrap()]);
            assert_eq!(sensors.configured_serial(&seen.id).as_deref(), Some(configured));
        }
    }

    #[test]
    fn an_instrument_is_remembered_for_a_sensor_that_is_not_seen_yet() {
        let sensors = Sensors::new(vec![], vec![template("t-{name}", 2)]);
        let id = Id::new("t-a").unwrap();
        let mounted = Mounted { model: "m".into(), serial: "2".into(), configured_serial: None };
        sensors.mount(id.clone(), mounted);
        let serial = || sensors.known_or_possible(&id).unwrap().serial.clone();
        assert_eq!(serial().as_deref(), Some("2"));
        binding(&sensors).sensors(0, &[("name", "a")]);
        assert_eq!((sensors.count(), serial().as_deref()), (1, Some("2")));
    }

    #[test]
    fn what_a_template_could_make_is_known_before_it_is_seen() {
        let sensors = Sensors::new(vec![], vec![template("a-{x}-b-{y}", 1)]);
        for (id, possible) in [("a-1-b-2", true), ("a--b-2", false), ("a-1-b-", false), ("c-1-b-2", false)] {
            assert_eq!(sensors.known_or_possible(&Id::new(id).unwrap()).is_some(), possible, "{id}");
        }
    }
}
