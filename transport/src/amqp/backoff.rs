//! How long to wait before the next try: doubling, capped, and drawn at random, so that a hundred workers do not all come back to a
//! restarted broker at the same moment.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    first: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) const fn new(first: Duration, max: Duration) -> Self {
        Self {
            next: first,
            first,
            max,
        }
    }

    /// The next wait: between half of and the whole of the present step.
    pub(super) fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.max);
        // The hasher's keys are the one source of randomness in the standard library; this needs no better one.
        let draw = RandomState::new().hash_one(0_u8) % 1000;
        step / 2 + step.mul_f64(f64::from(u16::try_from(draw).unwrap_or(0)) / 2000.0)
    }

    /// It worked: the next trouble starts from the first step.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_start_again() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, max);
        for _ in 0..50 {
            let wait = backoff.wait();
            assert!(wait >= first / 2 && wait <= max, "{wait:?}");
        }
        assert!(backoff.wait() >= max / 2);
        backoff.reset();
        assert!(backoff.wait() <= first);
    }
}
