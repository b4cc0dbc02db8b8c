//! Records of a coordinator's own, below `journal/`: small objects under names that it chooses, created once and never changed. What they say is the
//! coordinator's business. Beside them, the list of what attempts have committed, from which a coordinator that lost its disk learns what it missed.

use crate::create::{Compare, create};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::store::ArtifactStore;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectMeta, ObjectStoreExt as _};
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId};

impl ArtifactStore {
    /// Creates a record. Durable when it returns; repeating it with the same bytes is harmless. `name` is made of hexadecimal digits, numbers, fixed
    /// words and slashes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the record exists with other bytes.
    pub async fn create_record(&self, name: &str, bytes: Bytes) -> Result<()> {
        create(self.objects(), &layout::record(name), bytes, Compare::Bytes).await
    }

    /// Reads a record of at most `bytes_max` bytes; none when there is no such record.
    pub async fn read_record(&self, name: &str, bytes_max: usize) -> Result<Option<Bytes>> {
        match self.read_object(&layout::record(name), bytes_max).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of the records in this folder, without the folder, in order. What lies in folders below it is not listed.
    pub async fn list_records(&self, folder: &str) -> Result<Vec<String>> {
        let key = layout::record(folder);
        let listed = self.objects().list_with_delimiter(Some(&key)).await;
        let listed = listed.map_err(|error| StoreError::backend("list", &key, error))?;
        let names = listed.objects.iter().filter_map(|meta| meta.location.filename());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The names of the folders in this folder of records, in order.
    pub async fn list_record_folders(&self, folder: &str) -> Result<Vec<String>> {
        let key = layout::record(folder);
        let listed = self.objects().list_with_delimiter(Some(&key)).await;
        let listed = listed.map_err(|error| StoreError::backend("list", &key, error))?;
        let names = listed.common_prefixes.iter().filter_map(ObjectPath::filename);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes a record that newer ones made superfluous; one that is gone already is no error.
    pub async fn delete_record(&self, name: &str) -> Result<()> {
        let key = layout::record(name);
        match self.objects().delete(&key).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::backend("delete", &key, error)),
        }
    }

    /// Every attempt of a run that has committed a manifest here, with its token.
    pub async fn list_committed_of(&self, run: RunId) -> Result<Vec<(AttemptId, FencingToken)>> {
        let folder = layout::attempts_of(run);
        let listed = self.objects().list(Some(&folder));
        let listed: Vec<ObjectMeta> = listed
            .try_collect()
            .await
            .map_err(|error| StoreError::backend("list", &folder, error))?;
        let attempts = listed
            .iter()
            .filter_map(|meta| layout::attempt_of(&meta.location));
        Ok(attempts.collect())
    }

    /// Every attempt that has committed a manifest here, with its token, at most `attempts_max` of them.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when there are more.
    pub async fn list_committed(&self, attempts_max: usize) -> Result<Vec<(AttemptId, FencingToken)>> {
        let folder = ObjectPath::from(layout::ATTEMPTS);
        let mut listed = self.objects().list(Some(&folder));
        let mut attempts = Vec::new();
        loop {
            let meta = listed.try_next().await;
            let Some(meta) = meta.map_err(|error| StoreError::backend("list", &folder, error))? else {
                return Ok(attempts);
            };
            if attempts.len() == attempts_max {
                return Err(StoreError::TooLarge {
                    object: folder.to_string(),
                    size_bytes: attempts.len() as u64 + 1,
                    limit_bytes: attempts_max as u64,
                });
            }
            attempts.extend(layout::attempt_of(&meta.location));
        }
    }
}
