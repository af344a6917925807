//! What the store has of readings, references and pairs, page by page.

use crate::domain::id::SensorId;
use crate::domain::pairing::{Pair, Window};
use crate::domain::reference::Reference;
use crate::domain::sample::Reading;
use crate::domain::time::Timestamp;
use crate::store::{PairRange, Range, ReferenceRange, Store, StoreError};

const PAGE: usize = 1000;

/// Every stored reading of a sensor and a time, the newest first.
pub async fn each(
    store: &Store,
    sensor: &SensorId,
    window: Window,
    mut take: impl FnMut(&Reading),
) -> Result<(), StoreError> {
    let mut before = None;
    loop {
        let (since, until) = (Some(window.since), Some(window.until));
        let range = Range { sensor: Some(sensor.clone()), since, until, before, limit: PAGE };
        let page = store.select(range).await?;
        page.readings.iter().rev().for_each(&mut take);
        match page.before {
            Some(seq) => before = Some(seq),
            None => return Ok(()),
        }
    }
}

/// Every pair of a sensor whose reference ends at or after a time, in that order.
pub async fn pairs(
    store: &Store,
    sensor: &SensorId,
    since: Timestamp,
    mut take: impl FnMut(&Pair),
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let range = PairRange { sensor: sensor.clone(), since, after, limit: PAGE };
        let page = store.pairs(range).await?;
        page.pairs.iter().for_each(&mut take);
        match page.after {
            Some(place) => after = Some(place),
            None => return Ok(()),
        }
    }
}

/// The references that may yet need a pair: those of sensors that end at or after the first time, and those of
/// people and from the broker that came at or after the second, of whatever time they are.
pub async fn references(store: &Store, young: [Timestamp; 2]) -> Result<Vec<Reference>, StoreError> {
    let [ended, came] = young;
    let mut found = Vec::new();
    for (automatic, since) in [(false, None), (true, Some(ended))] {
        let mut after = 0;
        loop {
            let or_came = since.map(|_| came);
            let range =
                ReferenceRange { automatic, since, or_came, after, limit: PAGE, ..ReferenceRange::default() };
            let page = store.references(range).await?;
            let references = page.references.into_iter().map(|stored| stored.reference);
            found.extend(references.filter(|reference| automatic || reference.received >= came));
            match page.after {
                Some(number) => after = number,
                None => break,
            }
        }
    }
    Ok(found)
}

/// Whether a reference has a pair.
pub async fn is_paired(store: &Store, reference: &Reference) -> Result<bool, StoreError> {
    let (sensor, since) = (reference.sensor.clone(), reference.span.end());
    let mut after = None;
    loop {
        let page = store.pairs(PairRange { sensor: sensor.clone(), since, after, limit: 16 }).await?;
        if page.pairs.iter().any(|pair| pair.reference == reference.id) {
            return Ok(true);
        }
        let beyond = page.pairs.last().is_none_or(|pair| pair.span.end() > since);
        match page.after.filter(|_| !beyond) {
            Some(place) => after = Some(place),
            None => return Ok(false),
        }
    }
}
