//! A state folder from nothing but the store: the archive's journal, and the results that attempts have committed beyond its end. A forced one begins an
//! epoch of its own in the archive, behind which no coordinator that still lives can add anything.

use super::adopt::{LeftResult, adopt};
use super::beats::Watcher;
use super::follow::Follower;
use super::place::Place;
use super::trust::Trust;
use super::{ArchiveError, BEAT_EVERY, SURE_FOR, epoch, segments};
use crate::config::ArchiveMode;
use crate::driver::{Recovered, recover};
use crate::journal::{self, Batch, Claim, EventLog, SledLog, Snapshots};
use crate::signing;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tidemill_artifacts::ArtifactStore;
use tidemill_engine::Event;
use tidemill_protocol::ids::AttemptId;
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::SignerKey;
use tokio::time::{Instant, sleep};

/// Events that become one batch of the journal.
const BATCH_EVENTS: usize = 1_000;
/// Fewest digits of a public key that name a coordinator: of fewer somebody could find a key that begins with them.
const KEY_DIGITS_MIN: usize = 16;
/// How long a sign of life is waited for, in beats.
const BEATS_WAITED: u32 = 3;
/// How often another coordinator may be quicker to fill the next slot: one that still lives fills one for each batch of its journal.
const SLOTS_TRIED: u32 = 1_000;

/// Which archive, and how far to go.
#[derive(Debug, Clone, Default)]
pub struct RecoverOptions {
    /// The public key of the coordinator, or at least 16 digits of its beginning; none for that of `signing_key`.
    pub coordinator: Option<String>,
    /// The file of the coordinator's signing key; none for `coordinator.key` in the state folder. It need not be there where `coordinator` is given and nothing is forced.
    pub signing_key: Option<PathBuf>,
    /// Also when that coordinator lives: it is ended by a newer epoch, which takes the signing key.
    pub force: bool,
    /// Believe what nobody has signed: an archive from before there were signatures, in a store to which nobody else could write.
    pub accept_unsigned: bool,
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
    /// Attempts whose results were found in the store only: finished after the last archived event, and their steps' results now.
    pub adopted_results: Vec<AttemptId>,
    /// Attempts whose results were found there and must not be their steps'.
    pub left_results: Vec<LeftResult>,
}

/// Rebuilds the journal of the state folder `state_dir` from the archive in `store`. The folder gets a journal that is whole, or none.
///
/// # Errors
/// [`ArchiveError::Exists`] when there is a journal; [`ArchiveError::Unnamed`] when nothing says whose archive is to be believed;
/// [`ArchiveError::Alive`] when the coordinator shows a sign of life; others when the archive is not whole, or holds what its key has not signed.
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
    let place = find(store, state_dir, options).await?;
    let slots = segments::slots(&place).await?;
    if slots.is_empty() {
        return Err(ArchiveError::NoArchive(Some(place.key().to_owned())));
    }
    let begun = if options.force {
        Some(end_the_other(&place, clock).await?)
    } else {
        check_is_dead(&place).await?;
        None
    };
    let draft = state_dir.join("journal.recovering");
    let file = |path: &Path, source| ArchiveError::File {
        path: path.to_owned(),
        source,
    };
    match std::fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(file(&draft, error)),
        _ => std::fs::create_dir_all(&draft).map_err(|error| file(&draft, error))?,
    }
    let mut follower = Follower::anew(place.clone(), &draft, slots).await?;
    follower.advance().await?;
    if let Some(epoch) = begun {
        close_behind(&mut follower, epoch, clock).await?;
    }
    follower.take_snapshot().await?;
    follower.check_base()?;
    let (first, last, segments) = (follower.first(), follower.last(), follower.segments);
    follower.close().await?;
    let (log, mut replayed) = replay(&draft).await?;
    let adoption = adopt(store, &mut replayed.engine, clock.now()).await?;
    append(log, adoption.events).await?;
    journal::put_in_place(&draft, &dir)?;
    let engine = &replayed.engine;
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
        adopted_results: adoption.adopted,
        left_results: adoption.left,
    })
}

/// Claims the next epoch, so that whoever still lives finds it and ends, and leaves time for that: what that one has accepted it archives on its way out.
/// Afterwards it has ended, or is not sure of itself any more and publishes nothing. Answers the epoch.
async fn end_the_other(place: &Place, clock: &dyn Clock) -> Result<u64, ArchiveError> {
    let mut watcher = Watcher::new(place.clone());
    watcher.look().await?;
    let known = epoch::newest(place).await?.map_or(0, |record| record.epoch);
    let epoch = epoch::claim(place, known, ("a recovery", ArchiveMode::Sync), clock.now()).await?;
    if watcher.has_seen_any() {
        sleep(SURE_FOR).await;
    }
    Ok(epoch)
}

/// Begins the epoch in the slot behind everything that was archived: from then on nobody of an older epoch can add to it, and what is here is all that there is.
async fn close_behind(follower: &mut Follower, epoch: u64, clock: &dyn Clock) -> Result<(), ArchiveError> {
    for _ in 0..SLOTS_TRIED {
        if follower.begin(epoch, clock.now()).await? {
            return Ok(());
        }
    }
    let reason = format!("another coordinator filled {SLOTS_TRIED} slots before epoch {epoch} could begin");
    Err(ArchiveError::Broken(reason))
}

/// The archive of the coordinator that is named, or whose signing key is here. Never just the only one that there is: whoever may write to the store can make another.
async fn find(
    store: &ArtifactStore,
    state_dir: &Path,
    options: &RecoverOptions,
) -> Result<Place, ArchiveError> {
    let secret = signing_key(state_dir, options)?;
    let wanted = match (&options.coordinator, &secret) {
        (Some(digits), _) if digits.len() < KEY_DIGITS_MIN => {
            return Err(ArchiveError::ShortKey(digits.clone()));
        }
        (Some(digits), _) => digits.to_lowercase(),
        (None, Some(secret)) => secret.trusted().to_string(),
        (None, None) => {
            let keys = Place::all(store).await?;
            return Err(if keys.is_empty() {
                ArchiveError::NoArchive(None)
            } else {
                ArchiveError::Unnamed(keys)
            });
        }
    };
    let secret = secret.filter(|secret| secret.trusted().to_string().starts_with(&wanted));
    if options.force && secret.is_none() {
        return Err(ArchiveError::Keyless);
    }
    let mut keys = Place::all(store).await?;
    keys.retain(|key| key.starts_with(&wanted));
    match keys.as_slice() {
        [] => Err(ArchiveError::NoArchive(Some(wanted))),
        [key] => {
            let unknown = |_| ArchiveError::NoArchive(Some(key.clone()));
            let trust = match &secret {
                Some(secret) => Trust::of(secret),
                None => Trust::reading(key.parse().map_err(unknown)?),
            };
            let trust = trust.accepting_unsigned(options.accept_unsigned);
            Ok(Place::of(store.clone(), trust))
        }
        _ => Err(ArchiveError::Ambiguous(keys)),
    }
}

/// The signing key that is named, which must be there, or the one in the state folder.
fn signing_key(state_dir: &Path, options: &RecoverOptions) -> Result<Option<SignerKey>, ArchiveError> {
    let own = || state_dir.join(signing::FILE);
    let path = options.signing_key.clone().unwrap_or_else(own);
    match signing::load(&path) {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind() == ErrorKind::NotFound && options.signing_key.is_none() => Ok(None),
        Err(source) => Err(ArchiveError::Key { path, source }),
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
async fn replay(dir: &Path) -> Result<(SledLog, Recovered), ArchiveError> {
    let dir = dir.to_owned();
    super::follow::on_files(move || {
        let (log, _) = SledLog::open(Claim::take(&dir)?)?;
        let recovered = recover(&log, Some(&Snapshots::of(&dir)), &dir)?;
        Ok((log, recovered))
    })
    .await
}

/// Adds what was found in the store to the journal, durably, and closes it.
async fn append(mut log: SledLog, events: Vec<Event>) -> Result<(), ArchiveError> {
    super::follow::on_files(move || {
        for events in events.chunks(BATCH_EVENTS) {
            let mut batch = Batch::default();
            for event in events {
                batch.push_event(event);
            }
            log.append(&batch)?;
        }
        log.settle()
    })
    .await
}
