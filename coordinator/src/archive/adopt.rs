//! Results that lie in the store and of which a recovered journal does not know, because its last events were not archived: each is looked at as the manifest
//! of its attempt, and becomes a fact where the engine lets it. Nothing is written to the store.

use super::ArchiveError;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeMap;
use tidemill_artifacts::{ArtifactStore, StoreError};
use tidemill_engine::{Command, Engine, Event, Fleet, FleetSettings, FoundResult};
use tidemill_protocol::artifact::{ArtifactKind, AttemptManifest};
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::status::AttemptStatus;
use tidemill_protocol::time::{Millis, Timestamp};

/// Manifests in the store that are compared with the journal.
const ATTEMPTS_MAX: usize = 5_000_000;
/// Manifests that are read at a time.
const READS_IN_FLIGHT: usize = 16;
/// Facts that are asked of `next` at once.
const NEXT_FACTS_MAX: usize = 1_000;

/// A committed result that was left where it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeftResult {
    /// The attempt.
    pub attempt: AttemptId,
    /// Why its result is not its step's.
    pub reason: String,
}

/// What was made of the results in the store.
#[derive(Debug, Default)]
pub(super) struct Adoption {
    /// What happened by it, for the journal.
    pub(super) events: Vec<Event>,
    /// Attempts whose results are their steps' now.
    pub(super) adopted: Vec<AttemptId>,
    /// The others.
    pub(super) left: Vec<LeftResult>,
}

/// Takes over what can be taken over, and changes `engine` accordingly.
///
/// # Errors
/// The store's; a manifest that cannot be read as one is left, with the reason.
pub(super) async fn adopt(
    store: &ArtifactStore,
    engine: &mut Engine,
    now: Timestamp,
) -> Result<Adoption, ArchiveError> {
    let mut adoption = Adoption::default();
    let listed = store.list_committed(ATTEMPTS_MAX).await?;
    let (known, foreign): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .filter(|(attempt, token)| !is_settled(engine, attempt, *token))
        .partition(|(attempt, _)| engine.run(attempt.run).is_some());
    for (attempt, _) in foreign {
        adoption.leave(attempt, "its run is not in the journal");
    }
    // Nobody takes tasks while nobody serves.
    let settings = FleetSettings {
        unserved_max: 0,
        ..FleetSettings::default()
    };
    let fleet = Fleet::new(settings, Millis(0), engine);
    adoption.settle(engine, &fleet, now);
    for found in read(store, known, &mut adoption).await? {
        if let Some(lost) = first_missing(store, &found).await? {
            adoption.leave(found.attempt, &format!("its output {lost} is not in the store"));
            continue;
        }
        let attempt = found.attempt;
        match engine.decide(now, &Command::AdoptResult(Box::new(found))) {
            Ok(events) => {
                adoption.apply(engine, events);
                adoption.adopted.push(attempt);
                adoption.settle(engine, &fleet, now);
            }
            Err(rejection) => adoption.leave(attempt, &rejection.to_string()),
        }
    }
    Ok(adoption)
}

impl Adoption {
    fn leave(&mut self, attempt: AttemptId, reason: &str) {
        self.left.push(LeftResult {
            attempt,
            reason: reason.to_owned(),
        });
    }

    fn apply(&mut self, engine: &mut Engine, events: Vec<Event>) {
        let mut effects = Vec::new();
        for event in &events {
            // What is still to be done is asked of the state at the next start.
            engine.apply(event, &mut effects);
        }
        self.events.extend(events);
    }

    /// Lets happen what the state itself calls for: steps become ready, results are shared, runs end.
    fn settle(&mut self, engine: &mut Engine, fleet: &Fleet, now: Timestamp) {
        loop {
            let events = engine.next(now, fleet, NEXT_FACTS_MAX);
            if events.is_empty() {
                return;
            }
            self.apply(engine, events);
        }
    }
}

/// Whether the journal knows all that there is to know of this result.
fn is_settled(engine: &Engine, attempt: &AttemptId, token: FencingToken) -> bool {
    let run = engine.run(attempt.run);
    let Some(step) = run.and_then(|run| run.step(attempt.step)) else {
        return false;
    };
    let at = (attempt.attempt as usize).checked_sub(1);
    let known = at.and_then(|at| step.attempts().get(at));
    let ended = known.is_some_and(|known| {
        known.token() == token && known.end().is_some() && known.status() != AttemptStatus::Lost
    });
    step.state().is_terminal() || ended
}

/// Reads the manifests. Of several for the same work of a step the last one counts. In the order of their tokens: then a step's comes after those
/// of the steps before it.
async fn read(
    store: &ArtifactStore,
    attempts: Vec<(AttemptId, FencingToken)>,
    adoption: &mut Adoption,
) -> Result<Vec<FoundResult>, ArchiveError> {
    let reads = stream::iter(attempts).map(|(attempt, token)| async move {
        match store.read_manifest(&attempt, token).await {
            Ok((manifest, digest)) => Ok((attempt, Ok(found(manifest, digest)))),
            Err(error @ (StoreError::Malformed { .. } | StoreError::TooLarge { .. })) => {
                Ok((attempt, Err(error.to_string())))
            }
            Err(error) => Err(error),
        }
        .map(|(attempt, read)| (attempt, token, read))
    });
    let read: Vec<_> = reads.buffered(READS_IN_FLIGHT).try_collect().await?;
    let mut newest: BTreeMap<_, FoundResult> = BTreeMap::new();
    for (attempt, token, read) in read {
        match read {
            Ok(found) if (found.attempt, found.token) == (attempt, token) => {
                let work = (attempt.step_ref(), found.key);
                let known = newest.get(&work).map(|known| known.token);
                if known.is_none_or(|known| known < token) {
                    if let Some(older) = newest.insert(work, found) {
                        adoption.leave(older.attempt, "a later attempt committed a result, too");
                    }
                } else {
                    adoption.leave(attempt, "a later attempt committed a result, too");
                }
            }
            Ok(_) => adoption.leave(attempt, "its manifest is that of another attempt"),
            Err(why) => adoption.leave(attempt, &why),
        }
    }
    let mut found: Vec<FoundResult> = newest.into_values().collect();
    found.sort_by_key(|found| found.token);
    Ok(found)
}

fn found(manifest: AttemptManifest, digest: tidemill_protocol::digest::Digest) -> FoundResult {
    FoundResult {
        attempt: manifest.attempt,
        token: manifest.token,
        key: manifest.key,
        outputs: manifest.outputs,
        manifest: digest,
    }
}

/// The name of the first output whose content the store lacks.
async fn first_missing(store: &ArtifactStore, found: &FoundResult) -> Result<Option<String>, StoreError> {
    for (name, output) in &found.outputs {
        let digest = [output.digest];
        let (blobs, trees): (&[_], &[_]) = match output.kind {
            ArtifactKind::Blob => (&digest, &[]),
            ArtifactKind::Tree => (&[], &digest),
        };
        let (blobs, trees) = store.missing(blobs, trees).await?;
        if !(blobs.is_empty() && trees.is_empty()) {
            return Ok(Some(name.to_string()));
        }
    }
    Ok(None)
}
