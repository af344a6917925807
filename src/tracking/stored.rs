//! What the store has of pairs, page by page.

use crate::domain::id::SensorId;
use crate::domain::pairing::Pair;
use crate::domain::time::Timestamp;
use crate::store::{PairPage, PairRange, Store, StoreError};

const PAGE: usize = 1000;

/// Every pair of these sensors whose reference ends at or after the time beside, sensor by sensor, in that order.
///
/// While the pairs of a page are taken, the store reads the next one: of a thousand sensors that is half of the time.
pub async fn pairs(
    store: &Store,
    of: Vec<(SensorId, Timestamp)>,
    take: &mut (dyn FnMut(&Pair) + Send),
) -> Result<(), StoreError> {
    let first = |(sensor, since)| PairRange { sensor, since, after: None, limit: PAGE };
    let mut ranges = of.into_iter().map(first);
    let (mut range, mut read) = (ranges.next(), PairPage::default());
    loop {
        let next = async {
            match &range {
                Some(range) => store.pairs(range.clone()).await.map(Some),
                None => Ok(None),
            }
        };
        // The first has been asked for when the second begins.
        let (next, ()) = tokio::join!(biased; next, async { read.pairs.iter().for_each(&mut *take) });
        let Some(page) = next? else { return Ok(()) };
        range = match (range, page.after) {
            (Some(range), Some(after)) => Some(PairRange { after: Some(after), ..range }),
            _ => ranges.next(),
        };
        read = page;
    }
}
