//! What the store has of pairs, page by page.

use crate::domain::id::SensorId;
use crate::domain::pairing::Pair;
use crate::domain::time::Timestamp;
use crate::store::{PairRange, Store, StoreError};

const PAGE: usize = 1000;

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
