//! How long a coordinator may be sure that it is the coordinator: for a while after its last good beat, judged by its own monotonic clock, which goes on
//! while the process is stopped. Effects wait until it is sure.

use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Whether effects may go out. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sure(Option<watch::Receiver<Instant>>);

/// The end that beats hold.
#[derive(Debug)]
pub(super) struct Surety(watch::Sender<Instant>);

impl Sure {
    /// Always sure: there is no archive, so nobody else can know that we exist.
    pub(crate) const fn always() -> Self {
        Self(None)
    }

    /// Sure until `until`, and as long as the other end says.
    pub(super) fn until(until: Instant) -> (Surety, Self) {
        let (sender, receiver) = watch::channel(until);
        (Surety(sender), Self(Some(receiver)))
    }

    /// Until when it is sure at present; none when always.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.0.as_ref().map(|until| *until.borrow())
    }

    /// Waits until that moment was moved. False when nobody moves it any more.
    pub(super) async fn changed(&mut self) -> bool {
        match &mut self.0 {
            Some(until) => until.changed().await.is_ok(),
            None => std::future::pending().await,
        }
    }

    /// Whether it is.
    pub(crate) fn is_sure(&self) -> bool {
        self.ends_at().is_none_or(|until| until > Instant::now())
    }

    /// Returns when it is not sure any more.
    pub(crate) async fn lost(&mut self) {
        let Some(until) = &mut self.0 else {
            return std::future::pending().await;
        };
        loop {
            let end = *until.borrow_and_update();
            if end <= Instant::now() {
                return;
            }
            // Whether it was moved or nobody moves it any more: the loop looks again.
            drop(timeout_at(end, until.changed()).await);
        }
    }

    /// Waits until effects may go out; for ever when nobody makes us sure again.
    pub(crate) async fn wait(&mut self) {
        let Some(until) = &mut self.0 else { return };
        while *until.borrow_and_update() <= Instant::now() {
            if until.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Surety {
    /// A beat that was begun at `begun` went well.
    pub(super) fn extend(&self, begun: Instant, by: Duration) {
        self.0.send_replace(begun + by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn effects_wait_from_the_end_of_surety_until_the_next_good_beat() {
        let start = Instant::now();
        let (surety, mut sure) = Sure::until(start + Duration::from_secs(8));
        sure.wait().await;
        tokio::time::advance(Duration::from_secs(9)).await;
        let waiting = tokio::time::timeout(Duration::from_secs(100), sure.wait()).await;
        assert!(waiting.is_err(), "nothing makes it sure but a beat");
        surety.extend(Instant::now(), Duration::from_secs(8));
        sure.wait().await;
        Sure::always().wait().await;
    }
}
