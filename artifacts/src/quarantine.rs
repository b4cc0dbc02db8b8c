//! Takes damaged contents out of the way without deleting them, so that producing them again can store them again.

use crate::error::{Result, StoreError};
use crate::layout;
use crate::store::ArtifactStore;
use futures_util::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use std::collections::HashSet;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;

/// What was found when an artifact was read whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Whether every byte is there and right.
    pub is_sound: bool,
    /// The keys of the objects that were moved away: of those that were damaged, and of the tree that they belong to.
    pub moved: Vec<String>,
}

impl ArtifactStore {
    /// Reads an artifact whole and moves what is corrupt under `quarantine/`; a tree with a file that is corrupt or gone goes with it, so
    /// that the next upload of it looks at each file.
    pub async fn quarantine(&self, artifact: &ArtifactRef) -> Result<Inspection> {
        let mut moved = Vec::new();
        let is_sound = match artifact.kind {
            ArtifactKind::Blob => self.quarantine_blob(&artifact.digest, &mut moved).await?,
            ArtifactKind::Tree => self.quarantine_tree(&artifact.digest, &mut moved).await?,
        };
        Ok(Inspection { is_sound, moved })
    }

    /// Says whether the tree and all its files are there and sound.
    async fn quarantine_tree(&self, digest: &Digest, moved: &mut Vec<String>) -> Result<bool> {
        let tree = match self.get_tree(digest).await {
            Ok(tree) => tree,
            Err(StoreError::NotFound { .. }) => return Ok(false),
            Err(StoreError::Corrupt { .. }) => {
                self.set_aside(ArtifactKind::Tree, digest, moved).await?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let contents: HashSet<Digest> = tree.entries.iter().map(|entry| entry.digest).collect();
        let mut is_sound = true;
        for content in contents {
            is_sound &= self.quarantine_blob(&content, moved).await?;
        }
        if !is_sound {
            self.set_aside(ArtifactKind::Tree, digest, moved).await?;
        }
        Ok(is_sound)
    }

    /// Says whether the blob is there and sound.
    async fn quarantine_blob(&self, digest: &Digest, moved: &mut Vec<String>) -> Result<bool> {
        let read = match self.get_stream(digest).await {
            Ok((_, pieces)) => pieces.try_for_each(|_| async { Ok(()) }).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(StoreError::Corrupt { .. }) => {
                self.set_aside(ArtifactKind::Blob, digest, moved).await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn set_aside(&self, kind: ArtifactKind, digest: &Digest, moved: &mut Vec<String>) -> Result<()> {
        let (from, to) = (layout::artifact(kind, digest), layout::quarantine(kind, digest));
        self.objects()
            .rename(&from, &to)
            .await
            .map_err(|error| StoreError::backend("set aside", &from, error))?;
        tracing::warn!(%from, %to, "set a damaged object aside");
        moved.push(from.to_string());
        Ok(())
    }
}
