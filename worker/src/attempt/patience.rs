//! How an attempt that has ended well bears with a store that takes nothing: it tries again at growing pauses until a deadline, because all the work of the step stands
//! behind its outputs. What is tried is in [`super::outputs`] and [`super::finish`].

use std::time::Duration;
use tidemill_artifacts::StoreError;
use tidemill_protocol::failure::{Failure, FailureReason};
use tokio::time::Instant;

/// The pause before the second try; it doubles.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause: how late a store that is back is noticed.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// From here on how long was waited is worth a note.
const WORTH_A_NOTE: Duration = Duration::from_mins(1);

/// What is left of an attempt's patience with the store.
#[derive(Debug)]
pub(super) struct Patience {
    /// What tells this attempt's pauses from those of others: many may wait for one store.
    seed: String,
    limit: Duration,
    deadline: Instant,
    /// When the first try failed, if one did.
    since: Option<Instant>,
    tries: u32,
}

impl Patience {
    /// Patience that lasts so long from the first storing on.
    pub(super) fn new(seed: &str, limit: Duration) -> Self {
        Self {
            seed: seed.to_owned(),
            limit,
            deadline: Instant::now() + limit,
            since: None,
            tries: 0,
        }
    }

    /// So much of it went with an earlier daemon.
    pub(super) fn was_tried_for(&mut self, passed: Duration) {
        self.deadline = Instant::now() + self.limit.saturating_sub(passed);
    }

    /// Waits a while after a failure that will pass.
    ///
    /// # Errors
    /// When it will not, or when patience is at its end.
    pub(super) async fn bear(&mut self, what: &str, error: StoreError) -> Result<(), Failure> {
        let why = crate::error::chain(&error);
        if !error.is_outage() {
            return Err(failure(format!("{what}: {why}")));
        }
        let now = Instant::now();
        let pause = self.next_pause();
        if now + pause > self.deadline {
            let limit = self.limit.as_secs();
            return Err(failure(format!("{what}: not stored within {limit} s: {why}")));
        }
        self.since.get_or_insert(now);
        tracing::warn!(
            attempt = self.seed,
            what,
            why,
            "the store took nothing; trying again"
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// What should be noted of a wait that was a long one.
    pub(super) fn note(&self) -> Option<String> {
        let waited = self.since?.elapsed();
        (waited >= WORTH_A_NOTE).then(|| {
            format!(
                "the outputs waited {} min for the store after {} failed tries",
                waited.as_secs() / 60,
                self.tries
            )
        })
    }

    /// Between half of what is due and all of it, so that those who wait for one store do not come back to it at once.
    fn next_pause(&mut self) -> Duration {
        let due = PAUSE_FIRST.saturating_mul(1 << self.tries.min(10)).min(PAUSE_MAX);
        self.tries += 1;
        let hash = blake3::hash(format!("{}#{}", self.seed, self.tries).as_bytes());
        due / 2 + due * u32::from(hash.as_bytes()[0]) / 510
    }
}

fn failure(message: String) -> Failure {
    Failure::with_message(FailureReason::StoreFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    const HOUR: Duration = Duration::from_hours(1);

    fn away() -> StoreError {
        StoreError::File {
            action: "write",
            path: "/store/tmp".into(),
            source: io::ErrorKind::NotFound.into(),
        }
    }

    /// How often a store that is away for so long is asked, and what comes of it.
    async fn outlast(patience: &mut Patience, away_for: Duration) -> (u32, Result<(), Failure>) {
        let back = Instant::now() + away_for;
        let mut tries = 1;
        while Instant::now() < back {
            if let Err(failure) = patience.bear("output `model`", away()).await {
                return (tries, Err(failure));
            }
            tries += 1;
        }
        (tries, Ok(()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_for_hours_is_outlasted_without_being_asked_all_the_time() {
        let mut patience = Patience::new("a", 24 * HOUR);
        let began = Instant::now();
        let (tries, outcome) = outlast(&mut patience, 20 * HOUR).await;
        outcome.unwrap();
        assert!((20 * 60..20 * 121).contains(&tries), "{tries} tries");
        let late = began.elapsed().saturating_sub(20 * HOUR);
        assert!(late <= PAUSE_MAX, "noticed {late:?} late");
        assert!(patience.note().is_some_and(|note| note.contains("1200 min")));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_what_an_earlier_daemon_waited_counts() {
        let (_, outcome) = outlast(&mut Patience::new("a", HOUR), 2 * HOUR).await;
        let failure = outcome.unwrap_err();
        assert_eq!(failure.reason, FailureReason::StoreFailed);
        assert!(failure.message.contains("within 3600 s"), "{}", failure.message);
        let mut second = Patience::new("a", HOUR);
        second.was_tried_for(HOUR / 2);
        outlast(&mut second, HOUR / 3).await.1.unwrap();
        outlast(&mut second, HOUR / 3).await.1.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_is_not_waited_for() {
        let began = Instant::now();
        let changed = StoreError::Changed { path: "x".into() };
        let failed = Patience::new("a", HOUR).bear("output `model`", changed).await;
        assert!(failed.unwrap_err().message.starts_with("output `model`: "));
        assert!(began.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_wait_for_one_store_do_not_come_back_together() {
        let mut pauses: Vec<Duration> = (0..20)
            .map(|number| {
                let mut patience = Patience::new(&number.to_string(), HOUR);
                (0..9).map(|_| patience.next_pause()).last().unwrap()
            })
            .collect();
        pauses.sort();
        pauses.dedup();
        assert!(pauses.len() > 10, "{pauses:?}");
        assert!(
            pauses
                .iter()
                .all(|pause| (PAUSE_MAX / 2..=PAUSE_MAX).contains(pause))
        );
    }
}
