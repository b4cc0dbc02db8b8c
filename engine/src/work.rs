//! Pieces of work by their key: which are done and with what result, which step does one now, and who waits for it. Two laws: where a step follows
//! (waits for another's result), somebody does the work, could be released to do it, or has done it; and a result is kept as long as a step
//! that ended well with it is.

use crate::place::Place;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::StepRef;
use tidemill_protocol::key::StepKey;
use tidemill_protocol::wire::Success;

/// A committed result that may be taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedResult {
    /// The step that made it. Its run may have been forgotten since.
    pub source: StepRef,
    /// The result.
    pub success: Arc<Success>,
    /// How many steps of known runs ended well with this key.
    pub(crate) holders: u32,
    /// Whether bytes of it are damaged or gone: then it is kept for those who hold it, and nobody takes it over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_lost: bool,
}

/// Results, leaders and those who wait, by key.
/// Written are the results alone: the rest follows from how the steps stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Work {
    pub(crate) results: BTreeMap<StepKey, CachedResult>,
    /// Steps with an attempt in flight, or between two attempts.
    #[serde(skip)]
    leaders: BTreeMap<StepKey, Place>,
    #[serde(skip)]
    followers: BTreeSet<(StepKey, Place)>,
    /// Steps that could be released, and would rather take the result if it came.
    #[serde(skip)]
    candidates: BTreeSet<(StepKey, Place)>,
}

impl Work {
    pub(crate) fn forget_derived(&mut self) {
        self.leaders = BTreeMap::new();
        self.followers = BTreeSet::new();
        self.candidates = BTreeSet::new();
    }

    /// The result that may be taken over.
    pub(crate) fn result(&self, key: &StepKey) -> Option<&CachedResult> {
        self.results.get(key).filter(|result| !result.is_lost)
    }

    /// The keys of the results that may be taken over and hold this artifact.
    pub(crate) fn holding(&self, artifact: &ArtifactRef) -> impl Iterator<Item = StepKey> {
        let offered = self.results.iter().filter(|(_, result)| !result.is_lost);
        let holding =
            offered.filter(move |(_, result)| result.success.outputs.values().any(|one| one == artifact));
        holding.map(|(key, _)| *key)
    }

    /// Bytes of this result are gone: it is offered no more, until the work is done again.
    pub(crate) fn lose(&mut self, key: &StepKey) {
        if let Some(result) = self.results.get_mut(key) {
            result.is_lost = true;
        }
    }

    pub(crate) fn leader(&self, key: &StepKey) -> Option<Place> {
        self.leaders.get(key).copied()
    }

    pub(crate) fn lead(&mut self, key: StepKey, place: Place) {
        self.leaders.insert(key, place);
    }

    pub(crate) fn resign(&mut self, key: &StepKey) {
        self.leaders.remove(key);
    }

    /// The follower that is to take over, when nobody does this work, could do it or has done it.
    pub(crate) fn heir(&self, key: &StepKey) -> Option<Place> {
        // Followers are few: most often this ends the question.
        let heir = self.followers(key).next()?;
        let alone = !self.leaders.contains_key(key)
            && self.result(key).is_none()
            && self.candidates(key).next().is_none();
        alone.then_some(heir)
    }

    /// Those who would take the result of this work: candidates and followers.
    pub(crate) fn takers(&self, key: &StepKey) -> Vec<Place> {
        self.candidates(key).chain(self.followers(key)).collect()
    }

    pub(crate) fn follow(&mut self, key: StepKey, place: Place) {
        self.followers.insert((key, place));
    }

    pub(crate) fn unfollow(&mut self, key: StepKey, place: Place) {
        self.followers.remove(&(key, place));
    }

    pub(crate) fn followers(&self, key: &StepKey) -> impl Iterator<Item = Place> + '_ {
        of_key(&self.followers, key)
    }

    pub(crate) fn stand(&mut self, key: StepKey, place: Place) {
        self.candidates.insert((key, place));
    }

    pub(crate) fn withdraw(&mut self, key: StepKey, place: Place) {
        self.candidates.remove(&(key, place));
    }

    pub(crate) fn candidates(&self, key: &StepKey) -> impl Iterator<Item = Place> + '_ {
        of_key(&self.candidates, key)
    }

    /// Notes one more step that ended well with this key. `made` says that its result is new and replaces what was known.
    pub(crate) fn hold(&mut self, key: StepKey, source: StepRef, success: &Arc<Success>, made: bool) {
        let entry = self.results.entry(key).or_insert_with(|| CachedResult {
            source,
            success: Arc::clone(success),
            holders: 0,
            is_lost: false,
        });
        entry.holders += 1;
        if made {
            entry.source = source;
            entry.success = Arc::clone(success);
            entry.is_lost = false;
        }
    }

    /// Notes that one of the steps that ended well with this key is forgotten.
    pub(crate) fn release(&mut self, key: &StepKey) {
        if let Some(entry) = self.results.get_mut(key) {
            entry.holders -= 1;
            if entry.holders == 0 {
                self.results.remove(key);
            }
        }
    }
}

fn of_key<'a>(set: &'a BTreeSet<(StepKey, Place)>, key: &StepKey) -> impl Iterator<Item = Place> + use<'a> {
    set.range((*key, Place::FIRST)..=(*key, Place::LAST))
        .map(|(_, place)| *place)
}
