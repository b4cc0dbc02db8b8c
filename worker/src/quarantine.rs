//! Whether anything that this worker does counts. The coordinator says for how long it does not, again and again; a worker that is not told any more takes tasks
//! again, so that no release can be lost. Pure.

use std::time::Instant;
use tidemill_protocol::time::Millis;

/// Longest time for which one instruction keeps a worker from taking tasks.
const LENGTH_MAX: Millis = Millis::from_secs(600);

/// Until when nothing counts.
#[derive(Debug, Default)]
pub(crate) struct Quarantine {
    until: Option<Instant>,
}

/// What an instruction changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It begins.
    Begins,
    /// It goes on, or there still is none.
    Stays,
    /// It ends.
    Ends,
}

impl Quarantine {
    /// Whether nothing counts now.
    pub(crate) fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// Takes an instruction: nothing counts for this long, or everything again.
    pub(crate) fn told(&mut self, length: Millis, now: Instant) -> Turn {
        let was_on = self.is_on(now);
        let length = length.min(LENGTH_MAX);
        self.until = (length > Millis(0)).then(|| now + length.to_duration());
        match (was_on, self.is_on(now)) {
            (false, true) => Turn::Begins,
            (true, false) => Turn::Ends,
            _ => Turn::Stays,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_as_long_as_it_is_said_and_not_for_ever() {
        let (mut quarantine, now) = (Quarantine::default(), Instant::now());
        assert_eq!(quarantine.told(Millis(0), now), Turn::Stays);
        assert_eq!(quarantine.told(Millis(1_000), now), Turn::Begins);
        assert_eq!(quarantine.told(Millis(u64::MAX), now), Turn::Stays);
        assert!(quarantine.is_on(now));
        assert!(!quarantine.is_on(now + LENGTH_MAX.to_duration()));
        assert_eq!(quarantine.told(Millis(0), now), Turn::Ends);
        assert!(!quarantine.is_on(now));
    }
}
