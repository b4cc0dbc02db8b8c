//! What readers could not read whole. A worker says that bytes of an artifact are damaged or gone; here it is looked for itself, because a worker may be wrong, and
//! what is true of it is made harmless: damaged objects are moved away, so that they can be stored again, and results that hold the artifact are taken over no more,
//! so that whoever needs them next makes them anew. What nobody can make again is not brought back by that.

use crate::driver::DurableEvents;
use crate::error::{CommandError, Stopped};
use crate::handle::CoordinatorHandle;
use std::sync::Arc;
use tidemill_engine::{Command, Engine, Event, Fact};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::{AttemptId, StepIndex};
use tidemill_protocol::time::{Millis, Timestamp};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// How many of the newest runs are looked through at the start.
const RUNS_LOOKED_THROUGH: usize = 1_000;
/// Older failures are not looked into again at the start.
const LOOKED_INTO_FOR: Millis = Millis::from_secs(24 * 60 * 60);

/// Looks into each such failure, one at a time, until the token is cancelled: first into those that nobody has looked into, because the coordinator ended. What is
/// missed meanwhile the next reader says again.
pub(crate) async fn run_lost(
    mut live: broadcast::Receiver<Arc<DurableEvents>>,
    handle: CoordinatorHandle,
    token: CancellationToken,
) {
    let now = handle.inner.clock.now();
    let left = handle.look(move |sight| left_over(sight.engine, now));
    for (attempt, digest) in left.await.unwrap_or_default() {
        if settle(&handle, attempt, digest, &token).await.is_none() {
            return;
        }
    }
    loop {
        let batch = tokio::select! {
            () = token.cancelled() => return,
            batch = live.recv() => batch,
        };
        let batch = match batch {
            Ok(batch) => batch,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => break,
        };
        for (attempt, digest) in batch.events.iter().filter_map(loss) {
            if settle(&handle, attempt, digest.to_owned(), &token)
                .await
                .is_none()
            {
                return;
            }
        }
    }
    token.cancelled().await;
}

/// Looks into a loss; nothing when the token was cancelled meanwhile.
async fn settle(
    handle: &CoordinatorHandle,
    attempt: AttemptId,
    digest: String,
    token: &CancellationToken,
) -> Option<()> {
    let looked = token
        .run_until_cancelled(look_into(handle, attempt, digest))
        .await?;
    if let Err(error) = looked {
        tracing::warn!(%attempt, %error, "cannot make a loss harmless");
    }
    Some(())
}

/// Losses that steps ended with, and that are of results which are still taken over.
fn left_over(engine: &Engine, now: Timestamp) -> Vec<(AttemptId, String)> {
    let runs = engine.runs_newest_first(None).take(RUNS_LOOKED_THROUGH);
    let recent = runs.filter(|run| run.finished_at().is_none_or(|at| at + LOOKED_INTO_FOR > now));
    let failed = recent.flat_map(|run| {
        let steps = (0_u32..).map(StepIndex).zip(run.steps());
        steps.filter_map(|(step, state)| {
            let (attempt, last) = state.last_attempt()?;
            let FailureReason::InputLost { digest } = &last.failure()?.reason else {
                return None;
            };
            let run = run.id();
            Some((AttemptId { run, step, attempt }, digest.clone()))
        })
    });
    let is_offered = |(attempt, digest): &(AttemptId, String)| {
        let read = engine.reads(attempt.step_ref()).into_iter();
        let mut lost = read.filter(|artifact| artifact.digest.to_string() == *digest);
        lost.any(|artifact| engine.offers(&artifact))
    };
    failed.filter(is_offered).collect()
}

/// The attempt that failed, and what it could not read.
fn loss(event: &Event) -> Option<(AttemptId, &str)> {
    let Fact::AttemptFailed { attempt, failure, .. } = &event.fact else {
        return None;
    };
    match &failure.reason {
        FailureReason::InputLost { digest } => Some((*attempt, digest)),
        _ => None,
    }
}

async fn look_into(
    handle: &CoordinatorHandle,
    attempt: AttemptId,
    digest: String,
) -> Result<(), CommandError> {
    let Some(artifact) = read_by(handle, attempt, digest).await? else {
        tracing::warn!(%attempt, "a worker misses what its step does not read");
        return Ok(());
    };
    let found = match handle.inner.store.quarantine(&artifact).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%attempt, digest = %artifact.digest, %error, "cannot look whether an artifact is whole");
            return Ok(());
        }
    };
    if found.is_sound {
        tracing::info!(%attempt, digest = %artifact.digest, "an artifact that a worker could not read whole is sound in the store");
        return Ok(());
    }
    handle.inner.metrics.artifacts_lost.add(1);
    tracing::error!(
        %attempt, digest = %artifact.digest, moved = ?found.moved,
        "an artifact is damaged in the store or gone from it; results that hold it are not reused any more"
    );
    handle.command(Command::LoseArtifact { artifact }).await
}

async fn read_by(
    handle: &CoordinatorHandle,
    attempt: AttemptId,
    digest: String,
) -> Result<Option<ArtifactRef>, Stopped> {
    let look = handle.look(move |sight| {
        let mut read = sight.engine.reads(attempt.step_ref()).into_iter();
        read.find(|artifact| artifact.digest.to_string() == digest)
    });
    look.await
}
