//! Signs of life, signed like everything in the archive. The coordinator looks for a newer epoch, then creates a numbered beat; both together make it sure for a while. A watcher judges by its
//! own clock how long there was no new beat; no two clocks are ever compared.

use super::epoch::Strangers;
use super::place::{Place, soon};
use super::sure::{Sure, Surety};
use super::trust::{self, Voucher};
use super::{ArchiveError, BEAT_EVERY, SILENCE_MAX, STRANGE_MAX, SURE_FOR, epoch};
use crate::metrics::Metrics;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tidemill_artifacts::StoreError;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Beats that stay in the store.
const BEATS_KEPT: u64 = 3;
/// Longest time between two looks that counts as silence: a watcher that was stopped itself, or could not look, knows nothing of that time.
const LOOK_COUNTS_MAX: Duration = Duration::from_secs(3);

/// What the bytes of a beat begin with. Earlier versions wrote a line of text.
const BEAT: trust::Kind = trust::Kind {
    signed: *b"TMBEAT1\0",
    unsigned: None,
};

/// What a beat says: which one it is, so that none can be put in the place of another.
#[derive(Debug, Serialize, Deserialize)]
struct Beat {
    epoch: u64,
    number: u64,
}

/// A beat as earlier versions left it.
fn unsigned(epoch: u64, number: u64) -> String {
    format!("beat {number} of epoch {epoch}\n")
}

/// The beats of one incarnation.
#[derive(Debug)]
pub(crate) struct Beats {
    place: Place,
    epoch: u64,
    number: u64,
    surety: Surety,
    metrics: Arc<Metrics>,
    strangers: Strangers,
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
            strangers: Strangers::default(),
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
        let looked = epoch::look(&self.place, self.epoch).await?;
        let fresh = self.strangers.tell(&looked.strange);
        self.metrics.archive_strangers.add(fresh);
        if let Some(newer) = looked.newest {
            return Err(ArchiveError::Superseded {
                epoch: newer.epoch,
                address: newer.address,
            });
        }
        self.number += 1;
        let beat = Beat {
            epoch: self.epoch,
            number: self.number,
        };
        let bytes = trust::seal(BEAT, &beat, self.place.secret()?);
        soon(self.place.create_beat(self.epoch, self.number, bytes.into())).await?;
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
        let mut passed_over = 0;
        for epoch in soon(self.place.beating_epochs()).await?.into_iter().rev() {
            for number in soon(self.place.beat_numbers(epoch)).await?.into_iter().rev() {
                if self.is_sound(epoch, number).await? {
                    return Ok(Some((epoch, number)));
                }
                passed_over += 1;
                if passed_over > STRANGE_MAX {
                    return Err(ArchiveError::Strange {
                        objects: "signs of life",
                        max: STRANGE_MAX,
                    });
                }
            }
        }
        Ok(None)
    }

    /// Whether the coordinator left this beat. One that was cleared away meanwhile was followed by others.
    async fn is_sound(&self, epoch: u64, number: u64) -> Result<bool, ArchiveError> {
        let bytes = match soon(self.place.read_beat(epoch, number)).await {
            Ok(Some(bytes)) => bytes,
            // Nobody leaves such a large one but a stranger.
            Ok(None) | Err(ArchiveError::Store(StoreError::TooLarge { .. })) => return Ok(false),
            Err(error) => return Err(error),
        };
        let trust = self.place.trust();
        if bytes == unsigned(epoch, number) {
            return Ok(trust.accepts(Voucher::Nobody));
        }
        let opened = trust::open::<Beat>(BEAT, &bytes, trust);
        Ok(opened.is_ok_and(|(beat, voucher)| {
            trust.accepts(voucher) && (beat.epoch, beat.number) == (epoch, number)
        }))
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
