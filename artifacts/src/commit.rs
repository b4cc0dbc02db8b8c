//! The record of what an attempt produced. It is created once under the key of the attempt and its token: repeating it is harmless, contradicting it is
//! refused. It takes effect only when a durable event of the engine names it; that is not decided here.

use crate::create::{Compare, create};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::store::ArtifactStore;
use tidemill_protocol::artifact::AttemptManifest;
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken};

/// Longest manifest that is read.
const MANIFEST_BYTES_MAX: usize = 16 << 20;

impl ArtifactStore {
    /// Writes an attempt's manifest and returns the digest of its bytes. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the attempt has a manifest that says something else.
    pub async fn commit(&self, manifest: &AttemptManifest) -> Result<Digest> {
        let bytes = codec::encode(manifest);
        let digest = Digest::of(&bytes);
        create(
            self.objects(),
            &layout::manifest(&manifest.attempt, manifest.token),
            bytes.into(),
            Compare::Bytes,
        )
        .await?;
        Ok(digest)
    }

    /// Reads the manifest of an attempt under its token, and the digest of its bytes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the attempt committed nothing here.
    pub async fn read_manifest(
        &self,
        attempt: &AttemptId,
        token: FencingToken,
    ) -> Result<(AttemptManifest, Digest)> {
        let key = layout::manifest(attempt, token);
        let bytes = self.read_object(&key, MANIFEST_BYTES_MAX).await?;
        let manifest = codec::decode(&bytes).map_err(|source| StoreError::Malformed {
            object: key.to_string(),
            source,
        })?;
        Ok((manifest, Digest::of(&bytes)))
    }
}
