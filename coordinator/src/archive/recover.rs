//! A state folder from nothing but the store: the archive's journal, and a list of what attempts have committed beyond its end.

use super::beats::Watcher;
use super::follow::Follower;
use super::place::Place;
use super::{ArchiveError, BEAT_EVERY, epoch, segments};
use crate::config::ArchiveMode;
use crate::driver::{Recovered, recover};
use crate::journal::{self, Claim, SledLog, Snapshots};
use std::path::Path;
use tidemill_artifacts::ArtifactStore;
use tidemill_protocol::ids::AttemptId;
use tidemill_protocol::time::Clock;
use tokio::time::{Instant, sleep};

/// Manifests in the store that are compared with the journal.
const ATTEMPTS_MAX: usize = 5_000_000;
/// How long a sign of life is waited for, in beats.
const BEATS_WAITED: u32 = 3;

/// Which archive, and how far to go.
#[derive(Debug, Clone, Default)]
pub struct RecoverOptions {
    /// The public key of the coordinator, or its beginning; none when the store holds only one.
    pub coordinator: Option<String>,
    /// Also when that coordinator lives: it is ended by a newer epoch.
    pub force: bool,
}

/// What a recovery brought back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RecoveredState {
    /// The public key of the coordinator that it was.
    pub coordinator: String,
    /// Its last epoch in the journal.
    pub epoch: u64,
    /// The first event that came back.
    pub first: u64,
    /// The last event that came back.
    pub last: u64,
    /// Segments read.
    pub segments: u64,
    /// The event that the snapshot covers, 0 without one.
    pub snapshot: u64,
    /// Runs that are known.
    pub runs: usize,
    /// Runs that go on when the coordinator is started.
    pub runs_going_on: usize,
    /// Secrets that are known; opening them needs the key file, which no archive holds.
    pub secrets: usize,
    /// Attempts that have committed a result which the recovered journal does not know: finished after its last event.
    pub unknown_results: Vec<AttemptId>,
}

/// Rebuilds the journal of the state folder `state_dir` from the archive in `store`. The folder gets a journal that is whole, or none.
///
/// # Errors
/// [`ArchiveError::Exists`] when there is a journal; [`ArchiveError::Alive`] when the coordinator shows a sign of life; others when the archive is not
/// whole.
pub async fn recover_state(
    store: &ArtifactStore,
    state_dir: &Path,
    options: &RecoverOptions,
    clock: &dyn Clock,
) -> Result<RecoveredState, ArchiveError> {
    let dir = state_dir.join("journal");
    if journal::exists(&dir) {
        return Err(ArchiveError::Exists(dir));
    }
    let place = find(store, options.coordinator.as_deref()).await?;
    let slots = segments::slots(&place).await?;
    if slots.is_empty() {
        return Err(ArchiveError::NoArchive(Some(place.key().to_owned())));
    }
    if options.force {
        // Whoever still lives finds it, and ends.
        let known = epoch::newest(&place).await?.map_or(0, |record| record.epoch);
        epoch::claim(&place, known, ("a recovery", ArchiveMode::Sync), clock.now()).await?;
    } else {
        check_is_dead(&place).await?;
    }
    let draft = state_dir.join("journal.recovering");
    let file = |path: &Path, source| ArchiveError::File {
        path: path.to_owned(),
        source,
    };
    match std::fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file(&draft, error)),
        _ => std::fs::create_dir_all(&draft).map_err(|error| file(&draft, error))?,
    }
    let mut follower = Follower::anew(place.clone(), &draft, slots).await?;
    follower.advance().await?;
    follower.take_snapshot().await?;
    follower.check_base()?;
    let (first, last, segments) = (follower.first(), follower.last(), follower.segments);
    follower.close().await?;
    let replayed = replay(&draft).await?;
    journal::put_in_place(&draft, &dir)?;
    let engine = &replayed.engine;
    let mut unknown_results = Vec::new();
    for attempt in store.list_committed(ATTEMPTS_MAX).await? {
        if !is_known(&replayed, &attempt) {
            unknown_results.push(attempt);
        }
    }
    Ok(RecoveredState {
        coordinator: place.key().to_owned(),
        epoch: engine.epoch(),
        first,
        last,
        segments,
        snapshot: replayed.snapshot,
        runs: engine.runs_len(),
        runs_going_on: engine
            .runs_newest_first(None)
            .filter(|run| !run.status().is_terminal())
            .count(),
        secrets: replayed.ledgers.secrets.all().len(),
        unknown_results,
    })
}

/// The archive of this coordinator, or of the only one that there is.
async fn find(store: &ArtifactStore, wanted: Option<&str>) -> Result<Place, ArchiveError> {
    let mut keys = Place::all(store).await?;
    if let Some(wanted) = wanted {
        keys.retain(|key| key.starts_with(&wanted.to_lowercase()));
    }
    match keys.as_slice() {
        [] => Err(ArchiveError::NoArchive(wanted.map(str::to_owned))),
        [key] => Ok(Place::of(store.clone(), key.clone())),
        _ => Err(ArchiveError::Ambiguous(keys)),
    }
}

/// Waits for a sign of life.
async fn check_is_dead(place: &Place) -> Result<(), ArchiveError> {
    let mut watcher = Watcher::new(place.clone());
    watcher.look().await?;
    let deadline = Instant::now() + BEAT_EVERY * BEATS_WAITED;
    while watcher.has_seen_any() && Instant::now() < deadline {
        sleep(BEAT_EVERY / 4).await;
        if watcher.look().await? {
            let record = epoch::newest(place).await?;
            return Err(ArchiveError::Alive {
                epoch: record.as_ref().map_or(0, |record| record.epoch),
                address: record.map_or_else(|| "a coordinator".to_owned(), |record| record.address),
            });
        }
    }
    Ok(())
}

/// Lets the engine read what was built, as the next start will.
async fn replay(dir: &Path) -> Result<Recovered, ArchiveError> {
    let dir = dir.to_owned();
    super::follow::on_files(move || {
        let (log, _) = SledLog::open(Claim::take(&dir)?)?;
        recover(&log, Some(&Snapshots::of(&dir)), &dir)
    })
    .await
}

/// Whether the journal knows how this attempt ended, or that there was a later one.
fn is_known(replayed: &Recovered, attempt: &AttemptId) -> bool {
    let run = replayed.engine.run(attempt.run);
    let Some(step) = run.and_then(|run| run.step(attempt.step)) else {
        return false;
    };
    let number = usize::try_from(attempt.attempt).unwrap_or(usize::MAX);
    let found = number.checked_sub(1).and_then(|index| step.attempts().get(index));
    found.is_some_and(|attempt| attempt.status().is_terminal() || number < step.attempts().len())
}
