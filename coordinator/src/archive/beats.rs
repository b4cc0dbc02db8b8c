//! Signs of life. The coordinator looks for a newer epoch, then creates a numbered beat; both together make it sure for a while. A watcher judges by its
//! own clock how long there was no new beat; no two clocks are ever compared.

use super::place::{Place, soon};
use super::sure::{Sure, Surety};
use super::{ArchiveError, BEAT_EVERY, SILENCE_MAX, SURE_FOR, epoch};
use crate::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Beats that stay in the store.
const BEATS_KEPT: u64 = 3;
/// Longest time between two looks that counts as silence: a watcher that was stopped itself, or could not look, knows nothing of that time.
const LOOK_COUNTS_MAX: Duration = Duration::from_secs(3);

/// The beats of one incarnation.
#[derive(Debug)]
pub(crate) struct Beats {
    place: Place,
    epoch: u64,
    number: u64,
    surety: Surety,
    metrics: Arc<Metrics>,
}

impl Beats {
    /// Beats of an epoch that was just claimed, and what is sure by them.
    pub(super) fn new(place: Place, epoch: u64, claimed: Instant, metrics: Arc<Metrics>) -> (Self, Sure) {
        let (surety, sure) = Sure::until(claimed + SURE_FOR);
        let beats = Self {
            place,
            epoch,
            number: 0,
            surety,
            metrics,
        };
        (beats, sure)
    }

    /// Beats until the token is cancelled.
    ///
    /// # Errors
    /// [`ArchiveError::Superseded`] when there is a newer epoch.
    pub(crate) async fn run(mut self, token: CancellationToken) -> Result<(), ArchiveError> {
        let mut tick = interval(BEAT_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = token.cancelled() => return Ok(()),
                _ = tick.tick() => {}
            }
            let begun = Instant::now();
            match self.beat().await {
                Ok(()) => {
                    self.surety.extend(begun, SURE_FOR);
                    if std::mem::take(&mut failing) {
                        tracing::info!("the archive answers again");
                    }
                }
                Err(error) if error.is_superseded() => return Err(error),
                Err(error) => {
                    self.metrics.archive_failures.add(1);
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(
                            %error,
                            "no sign of life could be left in the store: without one for {} s nothing more is published",
                            SURE_FOR.as_secs()
                        );
                    }
                }
            }
        }
    }

    /// Leaves one sign of life, and after the first one clears those of earlier epochs away.
    ///
    /// # Errors
    /// [`ArchiveError::Superseded`] when there is a newer epoch, and whatever the store answers.
    pub(super) async fn beat(&mut self) -> Result<(), ArchiveError> {
        let newest = epoch::newest(&self.place).await?;
        if newest.is_some_and(|newest| newest.epoch > self.epoch) {
            return Err(epoch::superseded(&self.place, self.epoch).await);
        }
        self.number += 1;
        soon(self.place.create_beat(self.epoch, self.number)).await?;
        if self.number == 1 {
            self.forget_others().await?;
        }
        if let Some(old) = self.number.checked_sub(BEATS_KEPT).filter(|old| *old > 0) {
            soon(self.place.delete_beat(self.epoch, old)).await?;
        }
        Ok(())
    }

    /// Deletes the beats of earlier epochs.
    async fn forget_others(&self) -> Result<(), ArchiveError> {
        for epoch in soon(self.place.beating_epochs()).await? {
            if epoch < self.epoch {
                for number in soon(self.place.beat_numbers(epoch)).await? {
                    soon(self.place.delete_beat(epoch, number)).await?;
                }
            }
        }
        Ok(())
    }
}

/// Whoever waits for beats to stop.
#[derive(Debug)]
pub(super) struct Watcher {
    place: Place,
    seen: Option<(u64, u64)>,
    silent_for: Duration,
    looked_at: Option<Instant>,
}

impl Watcher {
    /// A watcher that has seen nothing yet.
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            seen: None,
            silent_for: Duration::ZERO,
            looked_at: None,
        }
    }

    /// Looks once. Answers whether there was a new beat, the first one that is seen included.
    ///
    /// # Errors
    /// The store's; then the time since the last look counts for nothing.
    pub(super) async fn look(&mut self) -> Result<bool, ArchiveError> {
        let looked_at = self.looked_at.take();
        let newest = self.newest().await?;
        let now = Instant::now();
        self.looked_at = Some(now);
        if newest > self.seen {
            self.seen = newest;
            self.silent_for = Duration::ZERO;
            return Ok(true);
        }
        let passed = looked_at.map_or(Duration::ZERO, |at| now - at);
        self.silent_for += passed.min(LOOK_COUNTS_MAX);
        Ok(false)
    }

    async fn newest(&self) -> Result<Option<(u64, u64)>, ArchiveError> {
        let Some(epoch) = soon(self.place.beating_epochs()).await?.pop() else {
            return Ok(None);
        };
        let numbers = soon(self.place.beat_numbers(epoch)).await?;
        Ok(numbers.last().map(|number| (epoch, *number)))
    }

    /// Whether there ever was a sign of life.
    pub(super) const fn has_seen_any(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether nobody has shown a sign of life for long enough.
    pub(super) fn is_silent(&self) -> bool {
        self.silent_for >= SILENCE_MAX
    }
}
