//! The object store: what attempts wrote and committed, what a sweep deletes of it, and the archive of the journal. It may be away for a while.

use crate::archive::Archive;
use crate::coverage::{Coverage, Sight};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tidemill_engine::{Engine, FoundResult};
use tidemill_protocol::artifact::{ArtifactRef, AttemptManifest};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId};

/// What is younger when a sweep begins stays although nothing names it. Longer than an upload may take.
const GRACE_TICKS: u64 = 90;

/// Who sweeps: a machine by its place, and the epoch of the coordinator on it.
pub(crate) type Sweeper = (usize, u64);

/// A sweep under way. It goes on in small steps while everything else does, too.
#[derive(Debug)]
struct Sweep {
    by: Sweeper,
    begun: u64,
    /// Runs that were known.
    runs: BTreeSet<RunId>,
    /// What is to be deleted, each with the tick at which it had been written.
    garbage: VecDeque<(Digest, u64)>,
}

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) away_until: u64,
    pub(crate) archive: Archive,
    /// Contents, with the tick at which each was written last.
    contents: BTreeMap<Digest, u64>,
    /// Manifests, with the tick at which each was committed.
    manifests: BTreeMap<(FencingToken, AttemptId), (AttemptManifest, u64)>,
    checkpoints: BTreeSet<Digest>,
    sweep: Option<Sweep>,
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
    pub(crate) fn commit(&mut self, now: u64, manifest: &AttemptManifest) -> bool {
        let key = (manifest.token, manifest.attempt);
        let there = self
            .manifests
            .entry(key)
            .or_insert_with(|| (manifest.clone(), now));
        there.0 == *manifest
    }

    /// What attempts committed, of several at the same work of a step the last; in the order of their tokens.
    pub(crate) fn found(&self) -> Vec<FoundResult> {
        let works = self.manifests.values();
        let newest: BTreeMap<_, _> = works
            .map(|(manifest, _)| ((manifest.attempt.step_ref(), manifest.key), manifest.token))
            .collect();
        let all = self.manifests.values().map(|(manifest, _)| manifest);
        let last = all.filter(|manifest| {
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

    /// Begins a sweep by the coordinator of this epoch on this machine: what `engine` names now stays, and so do the results of all that attempts of open runs
    /// have committed. One that was under way is given up.
    pub(crate) fn begin_sweep(&mut self, by: Sweeper, now: u64, engine: &Engine) {
        let mut named = BTreeSet::new();
        engine.for_each_artifact(|artifact| {
            named.insert(artifact.digest);
        });
        let is_open = |run| engine.run(run).is_some_and(|run| !run.status().is_terminal());
        for ((_, attempt), (manifest, _)) in &self.manifests {
            if is_open(attempt.run) {
                named.extend(manifest.outputs.values().map(|output| output.digest));
            }
        }
        let runs = engine.runs_newest_first(None).map(tidemill_engine::Run::id);
        self.sweep = Some(Sweep {
            by,
            begun: now,
            runs: runs.collect(),
            garbage: self.old(now, |digest| !named.contains(digest)),
        });
    }

    fn old(&self, now: u64, is_wanted: impl Fn(&Digest) -> bool) -> VecDeque<(Digest, u64)> {
        let contents = self.contents.iter().map(|(digest, written)| (*digest, *written));
        contents
            .filter(|(digest, written)| now - *written >= GRACE_TICKS && is_wanted(digest))
            .collect()
    }

    /// Who sweeps at present.
    pub(crate) fn sweeper(&self) -> Option<Sweeper> {
        self.sweep.as_ref().map(|sweep| sweep.by)
    }

    /// Whoever swept is gone.
    pub(crate) fn give_up_sweep(&mut self) {
        self.sweep = None;
    }

    /// Deletes the next piece of garbage, unless it was written again since the sweep began; at the end, what attempts of forgotten runs left. Answers which
    /// content is gone.
    pub(crate) fn sweep_on(&mut self, now: u64, seen: &mut Coverage) -> Option<Digest> {
        let sweep = self.sweep.as_mut()?;
        if let Some((digest, written)) = sweep.garbage.pop_front() {
            if self.contents.get(&digest) != Some(&written) {
                return None;
            }
            if now > sweep.begun {
                seen.see(Sight::SweptInPieces);
            }
            seen.see(Sight::SweptGarbage);
            if self.checkpoints.contains(&digest) {
                seen.see(Sight::SweptOldCheckpoint);
            }
            self.contents.remove(&digest);
            return Some(digest);
        }
        let (begun, runs) = (sweep.begun, std::mem::take(&mut sweep.runs));
        self.manifests.retain(|(_, attempt), (_, committed)| {
            runs.contains(&attempt.run) || begun.saturating_sub(*committed) < GRACE_TICKS
        });
        self.sweep = None;
        None
    }
}
