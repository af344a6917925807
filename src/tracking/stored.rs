//! What the store has of readings, references and pairs, page by page.

use std::collections::HashSet;

use crate::domain::id::{Id, SensorId};
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

/// The references of all sensors that end at or after a time, and count.
pub async fn references(store: &Store, since: Timestamp) -> Result<Vec<Reference>, StoreError> {
    let mut found = Vec::new();
    for automatic in [false, true] {
        let mut after = 0;
        loop {
            let range = ReferenceRange {
                automatic,
                since: Some(since),
                after,
                limit: PAGE,
                ..ReferenceRange::default()
            };
            let page = store.references(range).await?;
            found.extend(page.references.into_iter().map(|stored| stored.reference));
            match page.after {
                Some(number) => after = number,
                None => break,
            }
        }
    }
    Ok(found)
}

/// The ids of a sensor's references that have a pair, of those that end at or after a time.
pub async fn paired(store: &Store, sensor: &SensorId, since: Timestamp) -> Result<HashSet<Id>, StoreError> {
    let mut found = HashSet::new();
    pairs(store, sensor, since, |pair| {
        found.insert(pair.reference.clone());
    })
    .await?;
    Ok(found)
}
