//! Second names of contents: which blob has this SHA-256. An alias is a small immutable object that says what anyone could compute from the bytes, so it may be lost:
//! whoever announced the bytes by it then sends them again.

use crate::create::{Compare, create};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::store::ArtifactStore;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::sha256::Sha256;

/// Longest alias that is read.
const ALIAS_BYTES_MAX: usize = 1024;
/// Most aliases that are looked up at a time.
const LOOKUPS_IN_FLIGHT_MAX: usize = 32;

/// What an alias says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Alias {
    digest: Digest,
    size_bytes: u64,
}

impl ArtifactStore {
    /// Keeps the second name of a blob that is in the store.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another blob goes by it, which no honest hash can bring about.
    pub async fn put_alias(&self, name: &Sha256, blob: &ArtifactRef) -> Result<()> {
        let alias = Alias {
            digest: blob.digest,
            size_bytes: blob.size_bytes,
        };
        let bytes = codec::encode(&alias).into();
        create(self.objects(), &layout::alias(name), bytes, Compare::Bytes).await
    }

    /// The blobs that go by these names and are in the store; a name without one is not in the answer.
    pub async fn find_aliases(&self, names: &[Sha256]) -> Result<BTreeMap<Sha256, ArtifactRef>> {
        let looked_up = stream::iter(names.iter().copied())
            .map(|name| async move { Ok::<_, StoreError>((name, self.read_alias(&name).await?)) })
            .buffered(LOOKUPS_IN_FLIGHT_MAX);
        let mut found = BTreeMap::new();
        let mut looked_up = std::pin::pin!(looked_up);
        while let Some((name, alias)) = looked_up.try_next().await? {
            found.extend(alias.map(|alias| (name, alias)));
        }
        let mut digests: Vec<Digest> = found.values().map(|alias| alias.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        let absent: HashSet<Digest> = self.absent(&digests, layout::blob).await?.into_iter().collect();
        let there = found
            .into_iter()
            .filter(|(_, alias)| !absent.contains(&alias.digest));
        let reference = |alias: Alias| ArtifactRef {
            kind: ArtifactKind::Blob,
            digest: alias.digest,
            size_bytes: alias.size_bytes,
            files: 1,
        };
        Ok(there.map(|(name, alias)| (name, reference(alias))).collect())
    }

    async fn read_alias(&self, name: &Sha256) -> Result<Option<Alias>> {
        let key = layout::alias(name);
        let bytes = match self.read_object(&key, ALIAS_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let alias = codec::decode(&bytes).map_err(|source| StoreError::Malformed {
            object: key.to_string(),
            source,
        })?;
        Ok(Some(alias))
    }
}
