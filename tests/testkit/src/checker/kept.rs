//! One more question about evidence: whether a store that was swept holds what is named, all of it and nothing else. Pure, as `judge` is.

use super::agree::replayed;
use super::{Evidence, Shelf};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;

/// Where a swept store and what names its contents part, in words.
pub(super) fn misplaced(evidence: &Evidence, shelf: &Shelf) -> Vec<String> {
    // A journal that cannot be replayed is told of elsewhere.
    let Some(engine) = replayed(evidence) else {
        return Vec::new();
    };
    let mut named: BTreeMap<String, ArtifactRef> = BTreeMap::new();
    engine.for_each_artifact(|artifact| {
        named.insert(key_of(artifact.kind, &artifact.digest), *artifact);
    });
    let mut told = Vec::new();
    let mut inner = BTreeSet::new();
    for artifact in named.values().filter(|named| named.kind == ArtifactKind::Tree) {
        let files = shelf.trees.get(&artifact.digest).into_iter().flatten();
        inner.extend(files.map(|file| key_of(ArtifactKind::Blob, file)));
    }
    for key in named.keys().chain(&inner) {
        if !shelf.objects.contains(key) {
            told.push(format!("{key} is named and gone"));
        }
    }
    let is_mentioned = |key: &str| {
        let digest = key.rsplit('/').next().and_then(|hex| hex.parse().ok());
        digest.is_some_and(|digest: Digest| shelf.mentioned.contains(&digest))
    };
    for key in &shelf.objects {
        let (folder, rest) = key.split_once('/').unwrap_or((key, ""));
        let is_named = match folder {
            // Unfinished files of a local store carry a number, and are no contents.
            _ if key.contains('#') => false,
            "blobs" | "trees" => named.contains_key(key) || inner.contains(key) || is_mentioned(key),
            "attempts" => {
                let run = rest.split('/').next().and_then(|run| run.parse().ok());
                run.is_some_and(|run| engine.run(run).is_some())
            }
            // The coordinator's own records, and what was damaged and is kept for people.
            "journal" | "quarantine" => true,
            _ => false,
        };
        if !is_named {
            told.push(format!("{key} is left and nothing names it"));
        }
    }
    told
}

/// Where the store keeps a content; written down here a second time, on purpose.
fn key_of(kind: ArtifactKind, digest: &Digest) -> String {
    let folder = match kind {
        ArtifactKind::Blob => "blobs",
        ArtifactKind::Tree => "trees",
    };
    let hex = digest.to_hex();
    let (shard, _) = hex.split_at(2);
    format!("{folder}/{shard}/{hex}")
}
