//! The object store: what attempts wrote and committed, what a sweep deletes of it, and the archive of the journal. It may be away for a while.

use crate::archive::Archive;
use crate::coverage::{Coverage, Sight};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_engine::{Engine, FoundResult};
use tidemill_protocol::artifact::{ArtifactRef, AttemptManifest};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken};

/// What is younger stays although nothing names it.
const GRACE_TICKS: u64 = 20;

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) away_until: u64,
    pub(crate) archive: Archive,
    /// Contents, with the tick at which each was written last.
    contents: BTreeMap<Digest, u64>,
    manifests: BTreeMap<(FencingToken, AttemptId), AttemptManifest>,
    checkpoints: BTreeSet<Digest>,
}

impl Store {
    pub(crate) const fn is_away(&self, now: u64) -> bool {
        now < self.away_until
    }

    pub(crate) fn put(&mut self, now: u64, content: &ArtifactRef) {
        self.contents.insert(content.digest, now);
    }

    pub(crate) fn put_checkpoint(&mut self, now: u64, content: &ArtifactRef) {
        self.checkpoints.insert(content.digest);
        self.put(now, content);
    }

    pub(crate) fn has(&self, content: &ArtifactRef) -> bool {
        self.contents.contains_key(&content.digest)
    }

    /// Commits a manifest; answers whether it is the one that is there now.
    pub(crate) fn commit(&mut self, manifest: &AttemptManifest) -> bool {
        let key = (manifest.token, manifest.attempt);
        let there = self.manifests.entry(key).or_insert_with(|| manifest.clone());
        *there == *manifest
    }

    /// What attempts committed, of several at the same work of a step the last; in the order of their tokens.
    pub(crate) fn found(&self) -> Vec<FoundResult> {
        let works = self.manifests.values();
        let newest: BTreeMap<_, _> = works
            .map(|manifest| ((manifest.attempt.step_ref(), manifest.key), manifest.token))
            .collect();
        let last = self.manifests.values().filter(|manifest| {
            newest.get(&(manifest.attempt.step_ref(), manifest.key)) == Some(&manifest.token)
        });
        let found = last.map(|manifest| FoundResult {
            attempt: manifest.attempt,
            token: manifest.token,
            key: manifest.key,
            outputs: manifest.outputs.clone(),
            manifest: Digest::of(&codec::encode(manifest)),
        });
        found.collect()
    }

    /// Deletes what is old and what neither `engine` nor a committed attempt at an open step names.
    pub(crate) fn sweep(&mut self, now: u64, engine: &Engine, seen: &mut Coverage) {
        let mut named = BTreeSet::new();
        engine.for_each_artifact(|artifact| {
            named.insert(artifact.digest);
        });
        self.manifests.retain(|(_, attempt), manifest| {
            let Some(run) = engine.run(attempt.run) else {
                return false;
            };
            if run
                .step(attempt.step)
                .is_none_or(|step| !step.state().is_terminal())
            {
                named.extend(manifest.outputs.values().map(|output| output.digest));
            }
            true
        });
        let checkpoints = &self.checkpoints;
        self.contents.retain(|digest, written| {
            let stays = named.contains(digest) || now - *written < GRACE_TICKS;
            if !stays {
                seen.see(Sight::SweptGarbage);
                if checkpoints.contains(digest) {
                    seen.see(Sight::SweptOldCheckpoint);
                }
            }
            stays
        });
    }
}
