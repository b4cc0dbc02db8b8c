//! Folders as records: a tree is stored under the digest of its canonical bytes, after the files that it names.

use crate::error::{Result, StoreError};
use crate::layout;
use crate::store::ArtifactStore;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef, Tree};
use tidemill_protocol::codec::DecodeError;
use tidemill_protocol::digest::Digest;

/// Longest canonical form of a tree that is read: what a million files with long names need.
const TREE_BYTES_MAX: usize = 512 << 20;

impl ArtifactStore {
    /// Stores a tree whose files are in the store already.
    ///
    /// # Errors
    /// [`StoreError::MissingBlob`] for the first file that is not.
    pub async fn put_tree(&self, tree: &Tree) -> Result<ArtifactRef> {
        let mut digests: Vec<Digest> = tree.entries.iter().map(|entry| entry.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        let absent = self.absent(&digests, layout::blob).await?;
        if let Some(entry) = tree.entries.iter().find(|entry| absent.contains(&entry.digest)) {
            return Err(StoreError::MissingBlob {
                path: entry.path.to_string(),
                digest: entry.digest,
            });
        }
        self.write_tree(tree).await
    }

    /// Stores a tree whose files are known to be in the store.
    pub(crate) async fn write_tree(&self, tree: &Tree) -> Result<ArtifactRef> {
        let sorted;
        let tree = if tree.is_canonical() {
            tree
        } else {
            sorted = Tree::new(tree.entries.clone(), tree.empty_folders.clone());
            &sorted
        };
        let bytes = tree.canonical_bytes();
        let reference = tree.reference(&bytes);
        self.put_content(&layout::tree(&reference.digest), bytes.into())
            .await?;
        Ok(reference)
    }

    /// Reads a tree; its bytes are verified.
    pub async fn get_tree(&self, digest: &Digest) -> Result<Tree> {
        let bytes = self
            .get_verified(ArtifactKind::Tree, digest, TREE_BYTES_MAX)
            .await?;
        Tree::from_canonical_bytes(&bytes).map_err(|source: DecodeError| StoreError::Malformed {
            object: layout::tree(digest).to_string(),
            source,
        })
    }
}
