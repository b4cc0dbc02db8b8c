//! How many tasks this worker lets come: as many as it has free slots, and, while steps are short, a few more, so that no slot waits for the bus. Pure.

use std::time::Duration;

/// Steps shorter than this on average make it worth having the next ones at hand.
const SHORT: f64 = 100.0;
/// Tasks at hand should be started within this time.
const AT_HAND_MS: f64 = 50.0;
/// Most tasks at hand.
const AT_HAND_MAX: u32 = 64;
/// Weight of the newest step in the average.
const WEIGHT: f64 = 0.2;
/// A task that found no slot is given back after this long.
pub(crate) const HELD_MAX: Duration = Duration::from_millis(200);

/// The average length of attempts, and what follows from it.
#[derive(Debug)]
pub(crate) struct Pace {
    slots: u32,
    mean_ms: f64,
    /// Tasks had to be given back and no slot has been freed since.
    stalled: bool,
}

impl Pace {
    /// Nothing is known yet: steps count as long until they prove short.
    pub(crate) fn new(slots: u32) -> Self {
        Self {
            slots,
            mean_ms: 2.0 * SHORT,
            stalled: false,
        }
    }

    /// An attempt took this long and its slot is free again.
    pub(crate) fn freed(&mut self, took: Duration) {
        let took = took.as_secs_f64() * 1000.0;
        // A single long step does not make the others long: what counts is capped.
        self.mean_ms += WEIGHT * (took.min(4.0 * SHORT) - self.mean_ms);
        self.stalled = false;
    }

    /// Tasks waited too long for a slot.
    pub(crate) fn stall(&mut self) {
        self.stalled = true;
        self.mean_ms = self.mean_ms.max(SHORT);
    }

    /// How many unsettled tasks there may be with so many free slots.
    pub(crate) fn window(&self, free: u32) -> u32 {
        if self.stalled {
            return 0;
        }
        if self.mean_ms >= SHORT {
            return free;
        }
        // The same whatever is free at the moment: with short steps that changes faster than a broker could follow.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the value is clamped to a small positive range first"
        )]
        let at_hand = (AT_HAND_MS / self.mean_ms.max(0.5) * f64::from(self.slots))
            .clamp(f64::from(self.slots), f64::from(AT_HAND_MAX.max(self.slots)))
            as u32;
        // In few steps, so that small swings of the average change nothing.
        self.slots + at_hand.next_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_worker_with_long_steps_lets_nothing_come() {
        let mut pace = Pace::new(4);
        assert_eq!(pace.window(4), 4);
        assert_eq!(pace.window(0), 0);
        pace.freed(Duration::from_mins(1));
        assert_eq!((pace.window(1), pace.window(0)), (1, 0));
    }

    #[test]
    fn short_steps_have_followers_at_hand() {
        let mut pace = Pace::new(2);
        for _ in 0..20 {
            pace.freed(Duration::from_millis(2));
        }
        assert!(pace.window(0) > 2);
        assert!(pace.window(0) <= 2 + AT_HAND_MAX.next_power_of_two());
        assert_eq!(pace.window(0), pace.window(2), "no change with every step");
    }

    #[test]
    fn a_stall_closes_the_window_until_a_slot_is_free() {
        let mut pace = Pace::new(2);
        for _ in 0..20 {
            pace.freed(Duration::from_millis(2));
        }
        pace.stall();
        assert_eq!(pace.window(0), 0);
        pace.freed(Duration::from_secs(9));
        assert_eq!(pace.window(1), 1);
    }
}
