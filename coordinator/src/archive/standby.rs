//! A standby: follows the archive into a journal of its own, and takes over when the active coordinator has shown no sign of life for long enough.

use super::beats::Watcher;
use super::epoch::Strangers;
use super::follow::Follower;
use super::place::Place;
use super::segments;
use super::trust::Trust;
use super::{ArchiveError, epoch};
use crate::config::{ArchiveMode, CoordinatorConfig};
use crate::journal::{self, Claim, SledLog, probe_in_child};
use crate::signing;
use std::path::Path;
use std::time::Duration;
use tidemill_artifacts::ArtifactStore;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often a standby looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it asks for a newer snapshot.
const SNAPSHOT_EVERY: Duration = Duration::from_mins(1);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// Why a standby stopped standing by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TookOver {
    /// Nobody is active: it is to start as the coordinator now, on the journal that it kept.
    Now,
    /// It was told to end.
    Stopped,
}

/// Follows the archive of the coordinator whose signing key `config` names into the state folder, until nobody is active any more.
///
/// # Errors
/// [`ArchiveError::NotSynchronous`] when `config` wants no loss and the active coordinator does not wait for the archive; what the archive or the local
/// disk answer, except that a store which is away is waited for.
pub async fn stand_by(
    config: &CoordinatorConfig,
    store: &ArtifactStore,
    token: &CancellationToken,
) -> Result<TookOver, ArchiveError> {
    let path = signing::path_of(config);
    let key = signing::load(&path).map_err(|source| ArchiveError::Key { path, source })?;
    let wants_all = config
        .archive
        .as_ref()
        .is_none_or(|archive| archive.mode == ArchiveMode::Sync);
    let place = Place::of(store.clone(), Trust::of(&key));
    let mut watcher = Watcher::new(place.clone());
    let mut follower = None;
    let mut told = Told::default();
    let mut snapshot_at = Instant::now();
    while !watcher.is_silent() {
        let round = async {
            watcher.look().await?;
            tell(&place, &mut told, wants_all).await?;
            let mut following = match follower.take() {
                Some(following) => following,
                None => open(config, &place).await?,
            };
            let advanced = advance(&mut following, &mut snapshot_at).await;
            follower = Some(following);
            advanced
        };
        let outcome = tokio::select! {
            () = token.cancelled() => return Ok(TookOver::Stopped),
            outcome = Box::pin(round) => outcome,
        };
        let pause = match outcome {
            Ok(()) => LOOK_EVERY,
            Err(error @ (ArchiveError::Store(_) | ArchiveError::Silent)) => {
                tracing::warn!(%error, "the standby cannot see the archive; it neither follows nor takes over meanwhile");
                PAUSE
            }
            // Another one took over from what we had of our own: begin again from the archive.
            Err(error) if error.is_superseded() => {
                drop(follower.take());
                let aside = journal::set_aside(&config.state_dir.join("journal"), "superseded")?;
                tracing::warn!(%error, aside = %aside.display(), "the journal of this machine is not the archive's; it was set aside");
                LOOK_EVERY
            }
            Err(error) => return Err(error),
        };
        tokio::select! {
            () = token.cancelled() => return Ok(TookOver::Stopped),
            () = sleep(pause) => {}
        }
    }
    tracing::warn!(
        after = told.epoch,
        "the active coordinator shows no sign of life; taking over"
    );
    let mut follower = match follower {
        Some(follower) => follower,
        None => open(config, &place).await?,
    };
    follower.advance().await?;
    follower.take_snapshot().await?;
    follower.check_base()?;
    follower.close().await?;
    Ok(TookOver::Now)
}

/// Of what was told already.
#[derive(Debug, Default)]
struct Told {
    epoch: u64,
    strangers: Strangers,
}

/// Says who is active whenever that changes, and refuses one that loses what it answered.
async fn tell(place: &Place, told: &mut Told, wants_all: bool) -> Result<(), ArchiveError> {
    let looked = epoch::look(place, 0).await?;
    told.strangers.tell(&looked.strange);
    let Some(active) = looked.newest.filter(|active| active.epoch != told.epoch) else {
        return Ok(());
    };
    if wants_all && active.mode == ArchiveMode::Async {
        return Err(ArchiveError::NotSynchronous {
            address: active.address,
        });
    }
    tracing::info!(epoch = active.epoch, "standing by for {}", active.address);
    told.epoch = active.epoch;
    Ok(())
}

async fn advance(following: &mut Follower, snapshot_at: &mut Instant) -> Result<(), ArchiveError> {
    following.advance().await?;
    if Instant::now() >= *snapshot_at {
        *snapshot_at = Instant::now() + SNAPSHOT_EVERY;
        following.take_snapshot().await?;
    }
    Ok(())
}

/// Opens the journal of the state folder as a follower, or begins a new one.
async fn open(config: &CoordinatorConfig, place: &Place) -> Result<Follower, ArchiveError> {
    let dir = config.state_dir.join("journal");
    let slots = segments::slots(place).await?;
    if journal::exists(&dir) {
        if let Some(follower) = resume(config, place, &dir).await? {
            return Ok(follower);
        }
        let aside = journal::set_aside(&dir, "superseded")?;
        tracing::warn!(aside = %aside.display(), "the journal of this machine ends before the archive begins; it was set aside");
    }
    Follower::anew(place.clone(), &dir, slots).await
}

async fn resume(
    config: &CoordinatorConfig,
    place: &Place,
    dir: &Path,
) -> Result<Option<Follower>, ArchiveError> {
    let claim = Claim::take(dir)?;
    probe_in_child(&claim, &config.journal_probe).await?;
    let log = super::follow::on_files(move || Ok(SledLog::open(claim)?.0)).await?;
    let slots = segments::slots(place).await?;
    Follower::resume(place.clone(), log, dir, slots).await
}
