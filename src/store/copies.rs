//! Copies of the ledger: examined, made and restored by a thread of their own, which the store's thread does
//! not wait for.

use std::path::{Path, PathBuf};

use super::Store;
use super::disk::{Space, Stage};
use super::error::StoreError;
use super::ledger::copy::{Passing, UPLOAD, copy, open_to_read};
use super::ledger::examine::{Examined, Fault, examine};
use super::ledger::restore;
use crate::domain::id::Id;

pub use super::ledger::copy::Copy as LedgerCopy;
pub use super::ledger::restore::Staging;

/// A file in the store's directory that is being filled with a backup; gone when this is dropped.
#[derive(Debug)]
pub struct Upload(Passing);

impl Store {
    /// Whether the ledger is whole, and what it holds; `Ok(Err(_))` says where it is not. `progress` is told how
    /// much of how much is done.
    pub async fn examine(
        &self,
        mut progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Result<Examined, String>, StoreError> {
        let path = self.ledger_path().await?;
        apart(move || match examine(&open_to_read(&path)?, &mut progress) {
            Ok(examined) => Ok(Ok(examined)),
            Err(Fault::Found(fault)) => Ok(Err(fault)),
            Err(Fault::Sql(error)) => Err(StoreError::sql(&path, error)),
        })
        .await
    }

    /// A copy of the ledger as it is now, examined; `Ok(Err(_))` says where it is not whole. One at a time.
    pub async fn copy(&self) -> Result<Result<LedgerCopy, String>, StoreError> {
        let path = self.ledger_path().await?;
        apart(move || copy(&path)).await
    }

    async fn ledger_path(&self) -> Result<PathBuf, StoreError> {
        self.with_ledger(|ledger, _| ledger.usable()).await
    }

    /// An empty file for a backup to be restored. One at a time.
    pub fn upload(&self) -> Result<(Upload, std::fs::File), StoreError> {
        let (passing, file) = Passing::new(self.dir.join(UPLOAD))?;
        Ok((Upload(passing), file))
    }

    /// Whether there is room on the disk for more of an upload: readings must not lose theirs to it.
    pub fn has_room(&self) -> bool {
        // A file system that cannot be asked is no reason to refuse; writing to it will tell.
        Space::of(&self.dir).map_or(true, |space| Stage::Ok.next(space) <= Stage::Low)
    }

    /// Checks an uploaded backup and lays it ready: it takes the ledger's place at the next start. `Ok(Err(_))`
    /// says why it cannot. Works with a broken ledger, too.
    pub async fn stage(
        &self,
        upload: Upload,
        fleet: Id,
        actor: String,
    ) -> Result<Result<Staging, String>, StoreError> {
        let dir = self.dir.clone();
        apart(move || restore::stage(&dir, &upload.0.0, &fleet, &actor)).await
    }

    /// Whether a backup waits for the next start to take the ledger's place.
    pub fn restore_waits(&self) -> bool {
        restore::waits(&self.dir)
    }
}

async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let ended = |error| StoreError::file(Path::new("a thread of the store"), std::io::Error::other(error));
    tokio::task::spawn_blocking(work).await.map_err(ended)?
}
