//! Where the archive of one coordinator lies in the store, and its names there. A coordinator is known by its public key: two with different keys never
//! meet, two with the same key are one coordinator started twice.

use super::ArchiveError;
use super::trust::Trust;
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;
use tidemill_artifacts::{ArtifactStore, StoreError};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::wire::SignerKey;

/// How long the store may take for a small object.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Longest small record.
const SMALL_BYTES_MAX: usize = 64 * 1024;

/// The kinds of objects in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Segments,
    Snapshots,
    Epochs,
}

impl Kind {
    const fn folder(self) -> &'static str {
        match self {
            Self::Segments => "segments",
            Self::Snapshots => "snapshots",
            Self::Epochs => "epochs",
        }
    }
}

/// The archive of one coordinator.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    store: ArtifactStore,
    trust: Trust,
    /// The public key in hexadecimal.
    key: String,
}

impl Place {
    /// The archive of the coordinator whose key that is.
    pub(super) fn of(store: ArtifactStore, trust: Trust) -> Self {
        let key = trust.key().to_string();
        Self { store, trust, key }
    }

    /// The keys of all coordinators that have an archive in the store.
    pub(super) async fn all(store: &ArtifactStore) -> Result<Vec<String>, ArchiveError> {
        let folders = store.list_record_folders("").await?;
        Ok(folders
            .into_iter()
            .filter(|name| name.parse::<Digest>().is_ok())
            .collect())
    }

    /// The public key in hexadecimal.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Who vouches for what lies here.
    pub(super) const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The key that signs what is laid here.
    ///
    /// # Errors
    /// [`ArchiveError::Keyless`] for somebody who reads only.
    pub(super) fn secret(&self) -> Result<&SignerKey, ArchiveError> {
        self.trust.secret().ok_or(ArchiveError::Keyless)
    }

    fn name(&self, kind: Kind, number: u64) -> String {
        format!("{}/{}/{number:020}", self.key, kind.folder())
    }

    fn beats(&self, epoch: u64) -> String {
        format!("{}/beats/{epoch:020}", self.key)
    }

    /// The numbers of the objects of a kind, in order.
    pub(super) async fn numbers(&self, kind: Kind) -> Result<Vec<u64>, StoreError> {
        let folder = format!("{}/{}", self.key, kind.folder());
        Ok(numbers(&self.store.list_records(&folder).await?))
    }

    pub(super) async fn read(
        &self,
        kind: Kind,
        number: u64,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        self.store.read_record(&self.name(kind, number), bytes_max).await
    }

    /// Reads a record that is small, soon or not at all.
    pub(super) async fn read_small(&self, kind: Kind, number: u64) -> Result<Option<Bytes>, ArchiveError> {
        soon(self.read(kind, number, SMALL_BYTES_MAX)).await
    }

    pub(super) async fn create(&self, kind: Kind, number: u64, bytes: Bytes) -> Result<(), StoreError> {
        self.store.create_record(&self.name(kind, number), bytes).await
    }

    pub(super) async fn delete(&self, kind: Kind, number: u64) -> Result<(), StoreError> {
        self.store.delete_record(&self.name(kind, number)).await
    }

    /// The epochs that have signs of life, in order.
    pub(super) async fn beating_epochs(&self) -> Result<Vec<u64>, StoreError> {
        let folder = format!("{}/beats", self.key);
        Ok(numbers(&self.store.list_record_folders(&folder).await?))
    }

    /// The numbers of the signs of life of an epoch, in order.
    pub(super) async fn beat_numbers(&self, epoch: u64) -> Result<Vec<u64>, StoreError> {
        Ok(numbers(&self.store.list_records(&self.beats(epoch)).await?))
    }

    pub(super) async fn read_beat(&self, epoch: u64, number: u64) -> Result<Option<Bytes>, StoreError> {
        let name = format!("{}/{number:020}", self.beats(epoch));
        self.store.read_record(&name, SMALL_BYTES_MAX).await
    }

    pub(super) async fn create_beat(&self, epoch: u64, number: u64, bytes: Bytes) -> Result<(), StoreError> {
        let name = format!("{}/{number:020}", self.beats(epoch));
        self.store.create_record(&name, bytes).await
    }

    pub(super) async fn delete_beat(&self, epoch: u64, number: u64) -> Result<(), StoreError> {
        let name = format!("{}/{number:020}", self.beats(epoch));
        self.store.delete_record(&name).await
    }
}

/// Waits for the store, but not long: whoever beats must not hang.
pub(super) async fn soon<T>(asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, ArchiveError> {
    match tokio::time::timeout(ANSWERS_WITHIN, asking).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ArchiveError::Silent),
    }
}

fn numbers(names: &[String]) -> Vec<u64> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
