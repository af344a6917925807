//! Reads back from the store what a sink still has to send.

use std::time::Duration;

use super::link::Link;
use super::stream::{Fetch, QUEUE};
use crate::domain::sample::Reading;
use crate::store::{Store, StoreError};

/// How long to wait after the store could not answer.
const REST: Duration = Duration::from_secs(1);

/// Answers the link's wishes for readings, for ever.
pub async fn feed(link: Link, store: Store) {
    loop {
        let (sink, fetch) = link.wanted().await;
        match rows(&store, fetch).await {
            Ok(answer) => link.fetched(sink, fetch, Some(answer)),
            Err(error) => {
                tracing::warn!("the history cannot be read back yet: {error}");
                tokio::time::sleep(REST).await;
                link.fetched(sink, fetch, None);
                if matches!(error, StoreError::Closed) {
                    return;
                }
            }
        }
    }
}

async fn rows(store: &Store, fetch: Fetch) -> Result<(Vec<Reading>, bool), StoreError> {
    let up_to = match fetch.up_to {
        Some(up_to) => up_to,
        None => {
            store.flush().await?;
            u64::MAX
        }
    };
    let rows = store.read_after(fetch.after, QUEUE, up_to).await?;
    let complete = rows.len() < QUEUE;
    Ok((rows, complete))
}
