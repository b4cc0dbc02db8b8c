//! How often something happens: counts by the second for the last minute.

use tidemill_protocol::time::Millis;

const SECONDS: usize = 60;

#[derive(Debug, Clone)]
pub(super) struct Rate {
    counts: [u32; SECONDS],
    second: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            counts: [0; SECONDS],
            second: 0,
        }
    }
}

impl Rate {
    pub(super) fn note(&mut self, now: Millis) {
        let second = now.0 / 1000;
        if second > self.second {
            let passed = (second - self.second).min(SECONDS as u64);
            for past in 0..passed {
                self.counts[slot(second - past)] = 0;
            }
            self.second = second;
        }
        self.counts[slot(self.second)] += 1;
    }

    /// The pace at the last event: the better of its second, so far, and the one before.
    pub(super) fn per_second(&self) -> u32 {
        let before = self
            .second
            .checked_sub(1)
            .map_or(0, |second| self.counts[slot(second)]);
        before.max(self.counts[slot(self.second)])
    }

    pub(super) fn last_minute(&self, now: Millis) -> u64 {
        let age = (now.0 / 1000).saturating_sub(self.second);
        let kept = (SECONDS as u64).saturating_sub(age);
        (0..kept)
            .filter_map(|past| self.second.checked_sub(past))
            .map(|s| u64::from(self.counts[slot(s)]))
            .sum()
    }
}

fn slot(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).expect("a remainder of 60 is small")
}

#[cfg(test)]
mod tests {
    use super::{Millis, Rate};

    #[test]
    fn what_happened_more_than_a_minute_ago_does_not_count() {
        let mut rate = Rate::default();
        for second in 0..90 {
            rate.note(Millis(second * 1000));
        }
        assert_eq!(rate.last_minute(Millis(89_000)), 60);
        assert_eq!(rate.last_minute(Millis(119_999)), 30);
        assert_eq!(rate.last_minute(Millis(500_000)), 0);
        rate.note(Millis(500_000));
        assert_eq!(
            rate.last_minute(Millis(500_000)),
            1,
            "old seconds are not mistaken for new ones"
        );
    }

    #[test]
    fn the_pace_is_that_of_the_better_of_two_seconds() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(), 0);
        (0..8).for_each(|_| rate.note(Millis(4_100)));
        rate.note(Millis(5_000));
        assert_eq!(rate.per_second(), 8);
        rate.note(Millis(9_000));
        assert_eq!(rate.per_second(), 1);
    }
}
