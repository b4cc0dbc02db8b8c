//! How long something that broke off is asked for again: a coordinator that is being restarted comes back within a minute or two, one that does
//! not is gone, and nobody waits for ever.

use crate::failure::Failure;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pause before the first new try, and the longest one.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// The tries since the last good answer.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    pause: Duration,
    since: Option<Instant>,
}

impl Patience {
    /// Goes on for this long after the last good answer.
    pub(super) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            pause: PAUSE.0,
            since: None,
        }
    }

    /// There was a good answer.
    pub(super) fn met(&mut self) {
        self.since = None;
        self.pause = PAUSE.0;
    }

    /// Whether there was a good answer since the last try, so that this failure is news.
    pub(super) const fn is_fresh(&self) -> bool {
        self.since.is_none()
    }

    /// Waits before the next try; hands the failure back when there were tries enough.
    pub(super) async fn wait(&mut self, failure: Failure) -> Result<(), Failure> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.limit {
            return Err(failure);
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE.1);
        sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn failure() -> Failure {
        Failure::new(Exit::Unreachable, "nobody there")
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_at_its_limit_and_begins_anew_after_a_good_answer() {
        let limit = Duration::from_secs(30);
        let mut patience = Patience::new(limit);
        for _ in 0..2 {
            assert!(patience.is_fresh());
            let begun = Instant::now();
            while patience.wait(failure()).await.is_ok() {
                assert!(!patience.is_fresh());
            }
            let waited = begun.elapsed();
            assert!(waited >= limit && waited <= limit + PAUSE.1, "{waited:?}");
            patience.met();
        }
    }
}
