//! The small integers that stand for sensors and series in the rows of the history.
//!
//! The index in memory may be ahead of the file by what a failed commit did not write; that is
//! written with the next one, so numbers once given stay.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::sample::{Reading, TransformRef};

/// What the readings of a series have in common.
#[derive(Debug, Clone)]
pub struct Series {
    /// Place of the sensor in the index.
    pub sensor: usize,
    pub unit: Arc<str>,
    pub transform: Option<Arc<TransformRef>>,
    /// The number of its last committed reading; 0 if it has none.
    last_seq: u64,
    /// What the file has of that; `None`: the series is not in the file.
    saved_seq: Option<u64>,
}

/// A sensor as the history knows it.
#[derive(Debug, Clone)]
pub struct Sensor {
    pub name: SensorId,
    /// The number of its last committed reading; 0 if it has none.
    pub last_seq: u64,
    saved_seq: u64,
    /// Its series, counted from 0.
    pub series: Vec<u32>,
    current: u32,
}

/// The most series that one sweep forgets: the store's thread has to commit.
const STEP: usize = 4096;
/// No series.
const NONE: u32 = u32::MAX;

/// Sensors and series by their numbers, which count from 1 in the file and from 0 here. Series go with their last
/// readings, and leave gaps.
#[derive(Debug, Default)]
pub struct Index {
    pub sensors: Vec<Sensor>,
    pub series: HashMap<u32, Series>,
    by_name: HashMap<SensorId, usize>,
    saved_sensors: usize,
    /// The next series' number.
    next: u32,
    /// Series that are not in the file.
    new: Vec<u32>,
}

impl Index {
    /// Reads the index; rows that make no sense are reported as the file's corruption.
    pub fn load(db: &Connection) -> rusqlite::Result<Index> {
        let mut index = Index::default();
        let mut statement = db.prepare("SELECT id, name, last_seq FROM sensors ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            let name = Id::new(&name).map_err(|_| corrupt())?;
            let id: usize = row.get(0)?;
            if index.add_sensor(&name) + 1 != id {
                return Err(corrupt());
            }
            let last: u64 = row.get(2)?;
            index.sensors[id - 1].last_seq = last;
            index.sensors[id - 1].saved_seq = last;
        }
        let mut statement = db.prepare(
            "SELECT id, sensor, unit, transform, version, digest, last_seq FROM series ORDER BY id",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let sensor = row.get::<_, usize>(1)?.wrapping_sub(1);
            if sensor >= index.sensors.len() {
                return Err(corrupt());
            }
            let unit: String = row.get(2)?;
            let transform = match row.get::<_, Option<String>>(3)? {
                None => None,
                Some(id) => Some(Arc::new(TransformRef {
                    id: Id::new(&id).map_err(|_| corrupt())?,
                    version: row.get(4)?,
                    digest: Digest(row.get(5)?),
                })),
            };
            let last_seq: u64 = row.get(6)?;
            let number = row.get::<_, u32>(0)?.wrapping_sub(1);
            if number >= NONE / 2 {
                return Err(corrupt());
            }
            let unit = unit.into();
            index.put_series(number, Series { sensor, unit, transform, last_seq, saved_seq: Some(last_seq) });
        }
        index.saved_sensors = index.sensors.len();
        Ok(index)
    }

    fn add_sensor(&mut self, name: &SensorId) -> usize {
        let place = self.sensors.len();
        let sensor =
            Sensor { name: name.clone(), last_seq: 0, saved_seq: 0, series: Vec::new(), current: NONE };
        self.sensors.push(sensor);
        self.by_name.insert(name.clone(), place);
        place
    }

    fn put_series(&mut self, number: u32, series: Series) {
        let sensor = &mut self.sensors[series.sensor];
        sensor.series.push(number);
        sensor.current = number;
        self.series.insert(number, series);
        // A series is an activation at a sensor: four thousand million do not come together.
        self.next = number + 1;
    }

    fn add_series(&mut self, sensor: usize, reading: &Reading) -> u32 {
        let (unit, transform) = (Arc::clone(&reading.unit), reading.transform.clone());
        let number = self.next;
        self.put_series(number, Series { sensor, unit, transform, last_seq: 0, saved_seq: None });
        self.new.push(number);
        number
    }

    /// The series of a reading, made if it is new.
    pub fn series_of(&mut self, reading: &Reading) -> u32 {
        let place = match self.by_name.get(&reading.sensor) {
            Some(place) => *place,
            None => self.add_sensor(&reading.sensor),
        };
        let sensor = &self.sensors[place];
        if let Some(series) = self.series.get(&sensor.current)
            && same(series, reading)
        {
            return sensor.current;
        }
        let known = sensor.series.iter().copied().find(|number| same(&self.series[number], reading));
        match known {
            Some(number) => {
                self.sensors[place].current = number;
                number
            }
            None => self.add_series(place, reading),
        }
    }

    /// The sensor of this name.
    pub fn sensor(&self, name: &SensorId) -> Option<&Sensor> {
        self.by_name.get(name).map(|place| &self.sensors[*place])
    }

    /// Writes what is new; call [`Index::saved`] once it is committed.
    pub fn save_new(&self, db: &Connection) -> rusqlite::Result<()> {
        if self.saved_sensors < self.sensors.len() {
            let mut insert = db.prepare_cached("INSERT INTO sensors VALUES (?, ?, 0)")?;
            for (place, sensor) in self.sensors.iter().enumerate().skip(self.saved_sensors) {
                insert.execute(params![place + 1, sensor.name.as_str()])?;
            }
        }
        if !self.new.is_empty() {
            let mut insert = db.prepare_cached("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, 0)")?;
            for number in &self.new {
                let series = &self.series[number];
                let transform = series.transform.as_deref();
                insert.execute(params![
                    number + 1,
                    series.sensor + 1,
                    &*series.unit,
                    transform.map(|transform| transform.id.as_str()),
                    transform.map(|transform| transform.version),
                    transform.map(|transform| transform.digest.0),
                ])?;
            }
        }
        Ok(())
    }

    /// Notes that what `save_new` wrote is committed.
    pub fn saved(&mut self) {
        self.saved_sensors = self.sensors.len();
        for number in std::mem::take(&mut self.new) {
            if let Some(series) = self.series.get_mut(&number) {
                series.saved_seq = Some(0);
            }
        }
    }

    /// Writes the last numbers that have changed since they were last written.
    pub fn save_last(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut update = db.prepare_cached("UPDATE sensors SET last_seq = ? WHERE id = ?")?;
        for (place, sensor) in self.sensors.iter().enumerate() {
            if sensor.last_seq != sensor.saved_seq {
                update.execute(params![sensor.last_seq, place + 1])?;
            }
        }
        let mut update = db.prepare_cached("UPDATE series SET last_seq = ? WHERE id = ?")?;
        for (number, series) in &self.series {
            if series.saved_seq.is_some_and(|saved| saved != series.last_seq) {
                update.execute(params![series.last_seq, number + 1])?;
            }
        }
        Ok(())
    }

    /// Notes that what `save_last` wrote is committed.
    pub fn last_saved(&mut self) {
        for sensor in &mut self.sensors {
            sensor.saved_seq = sensor.last_seq;
        }
        for series in self.series.values_mut() {
            series.saved_seq = series.saved_seq.map(|_| series.last_seq);
        }
    }

    /// Notes a committed reading of a series.
    pub fn passed(&mut self, series: u32, seq: u64) {
        if let Some(series) = self.series.get_mut(&series) {
            series.last_seq = seq;
            self.sensors[series.sensor].last_seq = seq;
        }
    }

    /// Series in the file without a reading above `cut`, some of them. Readings go in the order of their numbers and
    /// take their rollups along, so nothing names these any more once all up to `cut` have gone.
    pub fn unused(&self, cut: u64) -> Vec<u32> {
        let unused = |series: &Series| series.saved_seq.is_some() && series.last_seq <= cut;
        self.series
            .iter()
            .filter(|(_, series)| unused(series))
            .map(|(number, _)| *number)
            .take(STEP)
            .collect()
    }

    /// Deletes series from the file; call [`Index::forget`] once that is committed.
    pub fn delete(&self, db: &Connection, unused: &[u32]) -> rusqlite::Result<()> {
        let mut delete = db.prepare_cached("DELETE FROM series WHERE id = ?")?;
        unused.iter().try_for_each(|number| delete.execute([number + 1]).map(drop))
    }

    /// Forgets series that are no longer in the file. One of them that goes on gets another number.
    pub fn forget(&mut self, unused: &[u32]) {
        let gone = unused.iter().filter_map(|number| self.series.remove(number));
        for place in gone.map(|series| series.sensor).collect::<BTreeSet<_>>() {
            let sensor = &mut self.sensors[place];
            sensor.series.retain(|number| self.series.contains_key(number));
            sensor.series.shrink_to(2 * sensor.series.len());
            if !self.series.contains_key(&sensor.current) {
                sensor.current = NONE;
            }
        }
        self.series.shrink_to(2 * self.series.len());
    }
}

fn same(series: &Series, reading: &Reading) -> bool {
    let unit = Arc::ptr_eq(&series.unit, &reading.unit) || series.unit == reading.unit;
    unit && match (&series.transform, &reading.transform) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        _ => false,
    }
}

/// The error for rows that only a broken file can hold.
pub fn corrupt() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some("a row makes no sense".to_owned()))
}
