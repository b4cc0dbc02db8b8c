//! The part that looks at files: each schedule that watches some is looked at again and again, and what is not as it was before is noted. The note is what fires, not the
//! look: it moves the base and names the change in one fact, so no change is in two runs, and none is in no run. Slow stores hinder nobody else.

use super::command::{Difference, ScheduleCommand};
use super::difference;
use super::looks::Looks;
use super::state::{CHANGES_MAX, Schedule, Schedules};
use crate::datastores;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tidemill_artifacts::{Listing, StoreError, list_files};
use tidemill_protocol::api::LookView;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FilesChanged, Trigger};
use tidemill_protocol::time::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often it is asked whose turn it is.
const TURN_EVERY: Duration = Duration::from_millis(500);
/// Looks at once.
const LOOKS_MAX: usize = 4;
/// Longest time of a look.
const LOOK_WITHIN: Duration = Duration::from_mins(2);
/// Longest kept listing.
const LISTING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A look that is to be made.
struct Look {
    handle: CoordinatorHandle,
    name: Name,
    schedule: Schedule,
    files: FilesChanged,
}

/// When a schedule was looked at last, as it was then.
type Turn = (Timestamp, u64, Timestamp);

/// Looks at files as the schedules say, until the token is cancelled.
pub(crate) async fn run_watches(handle: CoordinatorHandle, token: CancellationToken) {
    let mut turns: BTreeMap<Name, Turn> = BTreeMap::new();
    let mut under_way: BTreeSet<Name> = BTreeSet::new();
    let mut looks: JoinSet<(Name, Turn)> = JoinSet::new();
    let mut tick = tokio::time::interval(TURN_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            Some(done) = looks.join_next(), if !looks.is_empty() => {
                let Ok((name, turn)) = done else { return };
                under_way.remove(&name);
                turns.insert(name, turn);
                continue;
            }
            _ = tick.tick() => {}
        }
        let Ok(watching) = watching(&handle).await else {
            return;
        };
        forget(&handle.inner.looks, &mut turns, &watching);
        let now = handle.inner.clock.now();
        for look in watching {
            let is_free = looks.len() < LOOKS_MAX && !under_way.contains(&look.name);
            if is_free && is_due(&look, turns.get(&look.name), now) {
                under_way.insert(look.name.clone());
                looks.spawn(look.make());
            }
        }
    }
}

/// The schedules that watch files and may fire.
async fn watching(handle: &CoordinatorHandle) -> Result<Vec<Look>, Stopped> {
    let own = handle.clone();
    let looking = handle.look(move |sight| {
        let all = sight.ledgers.schedules.all();
        let watching = all.filter_map(|(name, schedule)| {
            let Trigger::FilesChanged(files) = &schedule.spec.trigger else {
                return None;
            };
            schedule.pause.is_none().then(|| Look {
                handle: own.clone(),
                name: name.clone(),
                schedule: schedule.clone(),
                files: files.clone(),
            })
        });
        watching.collect()
    });
    looking.await
}

fn is_due(look: &Look, turn: Option<&Turn>, now: Timestamp) -> bool {
    let schedule = &look.schedule;
    if schedule.changes.len() >= CHANGES_MAX {
        return false;
    }
    turn.is_none_or(|(created_at, revision, at)| {
        let is_same = (*created_at, *revision) == (schedule.created_at, schedule.revision);
        // Also when the clock was set back.
        !is_same || now.since(*at) >= look.files.every || now < *at
    })
}

/// Leaves out what is not watched any more.
fn forget(looks: &watch::Sender<Looks>, turns: &mut BTreeMap<Name, Turn>, watching: &[Look]) {
    let is_watched = |name: &Name| watching.iter().any(|look| look.name == *name);
    turns.retain(|name, _| is_watched(name));
    if looks.borrow().keys().any(|name| !is_watched(name)) {
        looks.send_modify(|looks| Arc::make_mut(looks).retain(|name, _| is_watched(name)));
    }
}

impl Look {
    /// Looks, and notes what was found.
    async fn make(self) -> (Name, Turn) {
        let at = self.handle.inner.clock.now();
        let outcome = tokio::time::timeout(LOOK_WITHIN, self.found()).await;
        let late = || Err(format!("no answer within {} s", LOOK_WITHIN.as_secs()));
        let (files, problem) = match outcome.unwrap_or_else(|_| late()) {
            Ok(files) => (files, None),
            Err(why) => {
                tracing::warn!(name = %self.name, why, "the files of a schedule cannot be looked at");
                (0, Some(why))
            }
        };
        let view = LookView { at, files, problem };
        let name = self.name.clone();
        self.handle.inner.looks.send_modify(|looks| {
            Arc::make_mut(looks).insert(name, view);
        });
        (self.name, (self.schedule.created_at, self.schedule.revision, at))
    }

    /// How many files there are, once it is noted what has changed.
    async fn found(&self) -> Result<u64, String> {
        let listing = self.list().await?;
        let files = listing.len() as u64;
        let bytes = difference::to_bytes(&listing);
        let digest = Digest::of(&bytes);
        if self.schedule.seen.is_some_and(|seen| seen.digest == digest) {
            return Ok(files);
        }
        let keeping = self.handle.inner.store.put_bytes(bytes.into()).await;
        let kept = keeping.map_err(|error| datastores::chain(&error))?;
        let found = self.compared(&listing).await?;
        let noting = self.handle.change::<Schedules>(ScheduleCommand::Look {
            name: self.name.clone(),
            created_at: self.schedule.created_at,
            revision: self.schedule.revision,
            before: self.schedule.seen,
            listing: kept,
            found,
        });
        match noting.await {
            Ok(Ok(_)) => Ok(files),
            // Somebody removed it at this moment.
            Ok(Err(rejection)) => Err(rejection.to_string()),
            Err(stopped) => Err(stopped.to_string()),
        }
    }

    async fn list(&self) -> Result<Listing, String> {
        let name = self.files.datastore.clone();
        let looking = self.handle.look(move |sight| {
            let kept = sight.ledgers.datastores.get(&name);
            kept.map(|kept| kept.definition.clone())
        });
        let definition = looking.await.map_err(|stopped| stopped.to_string())?;
        let definition = definition
            .ok_or_else(|| format!("the coordinator has no datastore `{}`", self.files.datastore))?;
        let secrets = definition.secrets.values().cloned().collect();
        let given = self.handle.open_secrets(secrets).await;
        let given = given.map_err(|error| datastores::chain(&error))?;
        let config = datastores::with_secrets(&definition, &given)?;
        let listed = list_files(&config, &self.files.path, &self.handle.inner.datastores).await;
        listed.map_err(|error| datastores::chain(&error))
    }

    /// What is not as it was; none where nobody knows what was, which makes this look the first.
    async fn compared(&self, listing: &Listing) -> Result<Option<Difference>, String> {
        let Some(seen) = self.schedule.seen else {
            return Ok(None);
        };
        match self.read(&seen).await {
            Ok(Some(before)) => Ok(Some(difference::between(&before, listing))),
            Ok(None) | Err(StoreError::NotFound { .. } | StoreError::Corrupt { .. }) => {
                tracing::error!(name = %self.name, digest = %seen.digest, "what lay there at the last look is lost: this look is the first");
                Ok(None)
            }
            Err(error) => Err(datastores::chain(&error)),
        }
    }

    async fn read(&self, seen: &ArtifactRef) -> Result<Option<Listing>, StoreError> {
        let store = &self.handle.inner.store;
        let bytes = store.get_bytes(&seen.digest, LISTING_BYTES_MAX).await?;
        Ok(difference::from_bytes(&bytes))
    }
}
