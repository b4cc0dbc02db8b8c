//! Manifests: the canonical bytes of trees and the records that commit attempts.

use tidemill_protocol::artifact::{AttemptManifest, Tree, TreeEntry};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;

/// Reads a tree and an attempt's manifest.
///
/// # Panics
/// When a law does not hold.
pub fn manifest(data: &[u8]) {
    if let Ok(tree) = Tree::from_canonical_bytes(data) {
        assert!(tree.is_canonical(), "a tree out of order was taken");
        assert_eq!(
            tree.canonical_bytes(),
            data,
            "other bytes than the canonical ones name this tree"
        );
        let reference = tree.reference(data);
        assert_eq!(reference.digest, Digest::of(data));
        assert_eq!(reference.files, tree.entries.len() as u64);
        sorted(&tree);
        for entry in &tree.entries {
            stays_inside(entry.path.as_str());
        }
        for folder in &tree.empty_folders {
            stays_inside(folder.as_str());
        }
    } else if let Ok(tree) = codec::decode::<Tree>(data) {
        sorted(&tree);
    }
    if let Ok(manifest) = codec::decode::<AttemptManifest>(data) {
        let written = codec::encode(&manifest);
        assert_eq!(codec::decode::<AttemptManifest>(&written).ok(), Some(manifest));
    }
}

/// Whatever order its parts are found in, a tree has one name.
fn sorted(tree: &Tree) {
    let mut entries: Vec<TreeEntry> = tree.entries.clone();
    entries.sort();
    entries.dedup_by(|a, b| a.path == b.path);
    let forwards = Tree::new(entries.clone(), tree.empty_folders.clone());
    entries.reverse();
    let backwards = Tree::new(entries, tree.empty_folders.iter().rev().cloned().collect());
    assert!(forwards.is_canonical());
    let bytes = forwards.canonical_bytes();
    assert_eq!(bytes, backwards.canonical_bytes(), "one folder has two names");
    assert_eq!(Tree::from_canonical_bytes(&bytes).ok(), Some(forwards));
}

/// A path that is joined to a folder stays in it.
pub(crate) fn stays_inside(path: &str) {
    let joined = std::path::Path::new("/folder").join(path);
    let inside = joined
        .strip_prefix("/folder")
        .unwrap_or_else(|_| panic!("{path:?} leaves its folder"));
    let parts: Vec<_> = inside.components().collect();
    let normal = |part: &std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    assert!(parts.iter().all(normal), "{path:?} climbs");
    assert_eq!(
        parts.len(),
        path.split('/').count(),
        "{path:?} has other segments"
    );
}
