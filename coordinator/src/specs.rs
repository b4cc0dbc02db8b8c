//! Pipelines as they are kept in the store: the JSON of a spec, named by its content. Kept when a run is submitted, so that what ran can be published afterwards, and
//! when a version is published. What a pipeline means is the language's.

use std::time::Duration;
use tidemill_artifacts::{ArtifactStore, StoreError};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::spec::PipelineSpec;

/// Longest pipeline that is read back.
const SPEC_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a submission waits for its pipeline to be kept.
const KEPT_WITHIN: Duration = Duration::from_secs(10);

/// Why a pipeline cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpecError {
    /// The store does not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it gives is no pipeline.
    #[error("the stored pipeline {digest} cannot be read: {source}")]
    Unreadable {
        /// Its name in the store.
        digest: tidemill_protocol::digest::Digest,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Reading it broke.
    #[error("the stored pipeline could not be read")]
    Broken,
}

/// A pipeline as it is kept.
pub(crate) fn to_bytes(spec: &PipelineSpec) -> Vec<u8> {
    serde_json::to_vec(spec).expect("a spec is plain data")
}

/// Keeps the pipeline of a run. A run does not need it to go on, so a store that does not take it costs only the way back to it.
pub(crate) async fn keep(store: &ArtifactStore, bytes: Vec<u8>) -> Option<ArtifactRef> {
    match tokio::time::timeout(KEPT_WITHIN, store.put_bytes(bytes.into())).await {
        Ok(Ok(kept)) => Some(kept),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the pipeline of a run is not kept");
            None
        }
        Err(_) => {
            tracing::warn!("the pipeline of a run is not kept: the store does not answer");
            None
        }
    }
}

/// Reads a kept pipeline, off the async threads because it may be large.
pub(crate) async fn read(store: &ArtifactStore, kept: &ArtifactRef) -> Result<PipelineSpec, SpecError> {
    let digest = kept.digest;
    let bytes = store.get_bytes(&digest, SPEC_BYTES_MAX).await?;
    let reading = tokio::task::spawn_blocking(move || serde_json::from_slice(&bytes));
    let read = reading.await.map_err(|_| SpecError::Broken)?;
    read.map_err(|source| SpecError::Unreadable { digest, source })
}
