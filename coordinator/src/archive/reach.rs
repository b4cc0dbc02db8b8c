//! What keeps a coordinator from answering: it cannot be sure any more that it is the active one, or what it accepted last is not in the archive and everything
//! else waits behind it. Both are judged by its own monotonic clock. What somebody is told of it is the API's business.

use super::{ANSWERS_WAIT_MAX, BEAT_EVERY, SURE_FOR, Sure};
use crate::config::ArchiveMode;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// How long something may hinder it before anybody is told.
const PASSES_WITHIN: Duration = BEAT_EVERY;

/// Whether answers may be given. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Reach(Option<Archived>);

#[derive(Debug, Clone)]
struct Archived {
    mode: ArchiveMode,
    sure: Sure,
    /// Since when the driver has been waiting for the archive; none while it does not.
    waiting: watch::Receiver<Option<Instant>>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Somebody who takes an answer for what is so.
    Anybody,
    /// A worker or the process of an attempt. What they say counts under their fencing token only, so where loss is accepted they are heard in any case.
    Machine,
}

/// What keeps it from answering, and for how long it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// It has left no sign of life in the store for longer than it may be sure of itself.
    Unsure(Duration),
    /// The archive has not taken what was accepted.
    Waiting(Duration),
}

impl Reach {
    /// Nothing ever hinders a coordinator without an archive: nobody else can know of it.
    pub(crate) const fn free() -> Self {
        Self(None)
    }

    /// As these two say.
    pub(super) const fn of(mode: ArchiveMode, sure: Sure, waiting: watch::Receiver<Option<Instant>>) -> Self {
        Self(Some(Archived { mode, sure, waiting }))
    }

    /// What hinders it now.
    pub(crate) fn hindrance(&self, asker: Asker) -> Option<Hindrance> {
        let (archived, now) = (self.0.as_ref()?, Instant::now());
        let unsure = archived.sure_until(asker).filter(|until| *until <= now);
        let unsure = unsure.map(|until| Hindrance::Unsure((now - until) + SURE_FOR));
        unsure.or_else(|| {
            let waited = now - (*archived.waiting.borrow())?;
            (waited >= ANSWERS_WAIT_MAX).then_some(Hindrance::Waiting(waited))
        })
    }

    /// Whether something hinders it that does not pass at once: the next good beat may be on its way, as after the process was stopped for a while.
    pub(crate) async fn lasting_hindrance(&self, asker: Asker) -> Option<Hindrance> {
        self.hindrance(asker)?;
        let _passed = timeout(PASSES_WITHIN, self.clone().passed(asker)).await;
        self.hindrance(asker)
    }

    /// Returns when something hinders it that does not pass at once.
    pub(crate) async fn hindered_for_long(&self, asker: Asker) -> Hindrance {
        loop {
            self.clone().hindered(asker).await;
            if let Some(hindrance) = self.lasting_hindrance(asker).await {
                return hindrance;
            }
        }
    }

    /// Returns when nothing hinders it.
    async fn passed(mut self, asker: Asker) {
        while self.hindrance(asker).is_some() {
            let Some(archived) = &mut self.0 else { return };
            if !archived.moved().await {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns when something hinders it.
    pub(crate) async fn hindered(mut self, asker: Asker) -> Hindrance {
        loop {
            if let Some(hindrance) = self.hindrance(asker) {
                return hindrance;
            }
            let Some(archived) = &mut self.0 else {
                return std::future::pending().await;
            };
            if !archived.changed(asker).await {
                // The coordinator ends, and says so itself.
                return std::future::pending().await;
            }
        }
    }
}

impl Archived {
    /// Until when it is sure of itself, where that matters to whoever asks.
    fn sure_until(&self, asker: Asker) -> Option<Instant> {
        let is_heard = asker == Asker::Machine && self.mode == ArchiveMode::Async;
        self.sure.ends_at().filter(|_| !is_heard)
    }

    /// Waits until there may be something new to say. False when there never will be.
    async fn changed(&mut self, asker: Asker) -> bool {
        let waits = (*self.waiting.borrow_and_update()).map(|since| since + ANSWERS_WAIT_MAX);
        let next = self.sure_until(asker).into_iter().chain(waits).min();
        let moment = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = moment => true,
            moved = self.moved() => moved,
        }
    }

    /// The same without regard to time.
    async fn moved(&mut self) -> bool {
        tokio::select! {
            changed = self.waiting.changed() => changed.is_ok(),
            changed = self.sure.changed() => changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn parts(mode: ArchiveMode) -> (super::super::sure::Surety, watch::Sender<Option<Instant>>, Reach) {
        let (surety, sure) = Sure::until(Instant::now() + SURE_FOR);
        let (waiting, waiting_in) = watch::channel(None);
        (surety, waiting, Reach::of(mode, sure, waiting_in))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_cut_off_for_longer_than_its_term_answers_nobody_until_the_next_good_beat() {
        let (surety, _waiting, reach) = parts(ArchiveMode::Sync);
        for asker in [Asker::Anybody, Asker::Machine] {
            assert_eq!(reach.hindrance(asker), None);
        }
        advance(SURE_FOR).await;
        for asker in [Asker::Anybody, Asker::Machine] {
            assert_eq!(reach.hindrance(asker), Some(Hindrance::Unsure(SURE_FOR)));
        }
        surety.extend(Instant::now(), SURE_FOR);
        assert_eq!(reach.hindrance(Asker::Anybody), None);
    }

    #[tokio::test(start_paused = true)]
    async fn where_loss_is_accepted_attempts_and_workers_are_heard_all_the_same() {
        let (_surety, _waiting, reach) = parts(ArchiveMode::Async);
        advance(SURE_FOR).await;
        assert_eq!(reach.hindrance(Asker::Machine), None);
        assert_eq!(reach.hindrance(Asker::Anybody), Some(Hindrance::Unsure(SURE_FOR)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_for_the_archive_so_long_and_no_longer() {
        let (surety, waiting, reach) = parts(ArchiveMode::Sync);
        let long = ANSWERS_WAIT_MAX * 10;
        surety.extend(Instant::now(), long * 3);
        let early = timeout(long, reach.clone().hindered(Asker::Anybody)).await;
        assert!(early.is_err(), "nothing waits: {early:?}");
        let begun = Instant::now();
        waiting.send_replace(Some(begun));
        let hindered = timeout(long, reach.clone().hindered(Asker::Anybody)).await;
        let Hindrance::Waiting(waited) = hindered.expect("it is told") else {
            panic!("it is sure of itself");
        };
        let late = waited.saturating_sub(ANSWERS_WAIT_MAX);
        assert!(
            waited >= ANSWERS_WAIT_MAX && late < Duration::from_millis(10),
            "{waited:?}"
        );
        waiting.send_replace(None);
        assert_eq!(reach.hindrance(Asker::Anybody), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_with_the_next_beat_is_told_nobody() {
        let (surety, _waiting, reach) = parts(ArchiveMode::Sync);
        advance(SURE_FOR * 5).await;
        let beat = async {
            tokio::time::sleep(PASSES_WITHIN / 2).await;
            surety.extend(Instant::now(), SURE_FOR);
        };
        let (hindrance, ()) = tokio::join!(reach.lasting_hindrance(Asker::Anybody), beat);
        assert_eq!(hindrance, None);
        advance(SURE_FOR).await;
        let begun = Instant::now();
        let hindrance = reach.lasting_hindrance(Asker::Anybody).await;
        assert!(matches!(hindrance, Some(Hindrance::Unsure(_))), "{hindrance:?}");
        assert!(begun.elapsed() >= PASSES_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_hinders_a_coordinator_without_an_archive() {
        let told = timeout(SURE_FOR * 10, Reach::free().hindered(Asker::Anybody)).await;
        assert!(told.is_err(), "{told:?}");
    }
}
