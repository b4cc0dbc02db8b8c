//! Artifacts: immutable, content-named outputs, and the records that hold them together.

use crate::codec;
use crate::digest::Digest;
use crate::ids::{AttemptId, FencingToken, StepKey};
use crate::name::{ArtifactPath, PortName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether an artifact is one file or a folder of them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// One file; its digest is that of its bytes.
    Blob,
    /// A folder; its digest is that of its [`Tree`]'s canonical bytes.
    Tree,
}

/// Names an artifact's content.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct ArtifactRef {
    /// File or folder.
    pub kind: ArtifactKind,
    /// The content's name.
    pub digest: Digest,
    /// Bytes of all its files.
    pub size_bytes: u64,
    /// How many files it has; 1 for a blob.
    pub files: u64,
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TreeEntry {
    /// Where it stands in the folder.
    pub path: ArtifactPath,
    /// Its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Whether its owner may execute it: the one bit of the mode that is kept.
    pub executable: bool,
}

/// The manifest of a folder: its files in order of their paths' bytes, and the folders in it that hold nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tree {
    /// The files, sorted by path, no path twice.
    pub entries: Vec<TreeEntry>,
    /// Folders without any file below them, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty_folders: Vec<ArtifactPath>,
}

impl Tree {
    /// Puts entries in canonical order.
    pub fn new(mut entries: Vec<TreeEntry>, mut empty_folders: Vec<ArtifactPath>) -> Self {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        empty_folders.sort();
        empty_folders.dedup();
        Self {
            entries,
            empty_folders,
        }
    }

    /// The bytes that are stored and hashed: MessagePack with named fields in declaration order.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads canonical bytes back; refuses any others, because the same folder would have another digest.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Result<Self, codec::DecodeError> {
        let tree: Self = codec::decode(bytes)?;
        if tree.is_canonical() && tree.canonical_bytes() == bytes {
            Ok(tree)
        } else {
            Err(codec::DecodeError::NotCanonical)
        }
    }

    /// Whether the entries stand in canonical order without repetition.
    pub fn is_canonical(&self) -> bool {
        self.entries.is_sorted_by(|a, b| a.path < b.path) && self.empty_folders.is_sorted_by(|a, b| a < b)
    }

    /// The name of this folder's content; needs the bytes that [`Self::canonical_bytes`] gave.
    pub fn reference(&self, canonical_bytes: &[u8]) -> ArtifactRef {
        ArtifactRef {
            kind: ArtifactKind::Tree,
            digest: Digest::of(canonical_bytes),
            size_bytes: self
                .entries
                .iter()
                .fold(0, |sum, entry| sum.saturating_add(entry.size_bytes)),
            files: self.entries.len() as u64,
        }
    }
}

/// What an attempt produced. Stored under the attempt's own key with a create-only put when it names any artifact; it takes effect only once a
/// durable event of the engine names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptManifest {
    /// Format of this record; 1.
    pub version: u32,
    /// The attempt.
    pub attempt: AttemptId,
    /// Its fencing token.
    pub token: FencingToken,
    /// What was executed, so that a coordinator that lost its disk can rebuild its table of results.
    pub key: StepKey,
    /// The outputs by name.
    pub outputs: BTreeMap<PortName, ArtifactRef>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> TreeEntry {
        TreeEntry {
            path: path.parse().unwrap(),
            digest: Digest::of(path.as_bytes()),
            size_bytes: 1,
            executable: false,
        }
    }

    #[test]
    fn the_order_of_discovery_does_not_change_a_trees_name() {
        let one = Tree::new(vec![entry("b"), entry("a/x"), entry("a")], vec![]);
        let two = Tree::new(vec![entry("a"), entry("a/x"), entry("b")], vec![]);
        assert_eq!(one.canonical_bytes(), two.canonical_bytes());
        assert!(one.is_canonical());
    }

    #[test]
    fn a_tree_survives_its_canonical_bytes() {
        let tree = Tree::new(vec![entry("größe/x y")], vec!["empty".parse().unwrap()]);
        assert_eq!(Tree::from_canonical_bytes(&tree.canonical_bytes()).unwrap(), tree);
    }

    #[test]
    fn other_bytes_than_the_canonical_ones_name_no_tree() {
        let tree = Tree::new(vec![entry("a"), entry("b")], vec![]);
        let turned = Tree {
            entries: tree.entries.iter().rev().cloned().collect(),
            ..tree.clone()
        };
        let refused = Tree::from_canonical_bytes(&turned.canonical_bytes());
        assert!(matches!(refused, Err(codec::DecodeError::NotCanonical)));
        let with_positions = rmp_serde::to_vec(&tree).unwrap();
        assert!(Tree::from_canonical_bytes(&with_positions).is_err());
    }

    #[test]
    fn sizes_that_cannot_be_do_not_wrap_around() {
        let endless = |path| TreeEntry {
            size_bytes: u64::MAX,
            ..entry(path)
        };
        let tree = Tree::new(vec![endless("a"), endless("b")], vec![]);
        assert_eq!(tree.reference(&tree.canonical_bytes()).size_bytes, u64::MAX);
    }

    #[test]
    fn a_tree_that_escapes_its_folder_is_not_read() {
        let mut bytes = Tree::new(vec![entry("aa/x")], vec![]).canonical_bytes();
        let at = bytes.windows(4).position(|w| w == b"aa/x").unwrap();
        bytes[at..at + 4].copy_from_slice(b"../x");
        assert!(Tree::from_canonical_bytes(&bytes).is_err());
    }
}
