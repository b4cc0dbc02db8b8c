//! Contents that somebody of this process stores or has asked for lately, and may name at any moment: a sweep spares them. Whoever pins a content and then looks whether
//! it is there sees the truth: a sweep that was about to delete it has done so by then, or does not any more.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tidemill_protocol::digest::Digest;
use tokio::sync::{RwLock, RwLockReadGuard};

/// How long a content stays pinned at least; at most twice as long. Longer than a client takes from its first question to its submission.
const PINNED_FOR: Duration = Duration::from_hours(6);
/// Most contents that are remembered for one such time.
const PINNED_MAX: usize = 500_000;

/// The pins of one store.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    /// Whether they are kept at all: only a process that sweeps needs them.
    are_kept: AtomicBool,
    pinned: RwLock<Pinned>,
}

/// What is pinned, in two generations.
#[derive(Debug)]
pub(crate) struct Pinned {
    begun: Instant,
    since: Instant,
    now: HashSet<Digest>,
    before: HashSet<Digest>,
    /// Whether there were more than are remembered.
    is_short: [bool; 2],
    room: usize,
}

impl Default for Pinned {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            since: now,
            now: HashSet::new(),
            before: HashSet::new(),
            is_short: [false; 2],
            room: PINNED_MAX,
        }
    }
}

impl Pins {
    /// Keeps them from here on.
    pub(crate) fn keep(&self) {
        self.are_kept.store(true, Ordering::Release);
    }

    /// How long it takes until everything is pinned that may be named at any moment: what was asked for before the first pin is not known here.
    pub(crate) async fn whole_in(&self) -> Duration {
        self.pinned.read().await.whole_in(Instant::now())
    }

    /// Whether they are kept.
    pub(crate) fn are_kept(&self) -> bool {
        self.are_kept.load(Ordering::Acquire)
    }

    /// Pins contents. To be called before it is looked whether they are there.
    pub(crate) async fn pin(&self, digests: impl IntoIterator<Item = Digest>) {
        if self.are_kept() {
            self.pinned.write().await.add(digests, Instant::now());
        }
    }

    /// What is pinned. Nothing is pinned while this is held.
    pub(crate) async fn held(&self) -> RwLockReadGuard<'_, Pinned> {
        self.pinned.read().await
    }
}

impl Pinned {
    /// Whether a content is pinned.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.now.contains(digest) || self.before.contains(digest)
    }

    /// Whether more contents were pinned than are known here.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.contains(&true)
    }

    fn whole_in(&self, now: Instant) -> Duration {
        PINNED_FOR.saturating_sub(now.saturating_duration_since(self.begun))
    }

    fn add(&mut self, digests: impl IntoIterator<Item = Digest>, now: Instant) {
        if now.saturating_duration_since(self.since) >= PINNED_FOR {
            self.before = std::mem::take(&mut self.now);
            self.is_short = [false, self.is_short[0]];
            self.since = now;
        }
        for digest in digests {
            if self.now.len() >= self.room && !self.now.contains(&digest) {
                self.is_short[0] = true;
                return;
            }
            self.now.insert(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::of(&[number])
    }

    #[test]
    fn a_content_stays_pinned_for_one_to_two_turns() {
        let mut pinned = Pinned::default();
        let start = pinned.since;
        pinned.add([digest(1)], start);
        pinned.add([digest(2)], start + PINNED_FOR);
        assert!(pinned.has(&digest(1)) && pinned.has(&digest(2)));
        pinned.add([digest(3)], start + 2 * PINNED_FOR);
        assert!(!pinned.has(&digest(1)) && pinned.has(&digest(2)) && pinned.has(&digest(3)));
    }

    #[test]
    fn whoever_has_just_begun_knows_nothing_of_what_was_asked_for_before() {
        let pinned = Pinned::default();
        assert_eq!(pinned.whole_in(pinned.begun), PINNED_FOR);
        assert_eq!(pinned.whole_in(pinned.begun + PINNED_FOR / 3), PINNED_FOR / 3 * 2);
        assert_eq!(pinned.whole_in(pinned.begun + PINNED_FOR), Duration::ZERO);
        assert_eq!(pinned.whole_in(pinned.begun + PINNED_FOR * 9), Duration::ZERO);
    }

    #[test]
    fn more_than_can_be_remembered_is_known_to_be_more() {
        let mut pinned = Pinned {
            room: 2,
            ..Pinned::default()
        };
        let start = pinned.since;
        pinned.add([digest(1), digest(2), digest(1)], start);
        assert!(!pinned.is_short());
        pinned.add([digest(3)], start);
        assert!(pinned.is_short() && !pinned.has(&digest(3)));
        pinned.add([], start + PINNED_FOR);
        assert!(pinned.is_short(), "the last turn still counts");
        pinned.add([], start + 2 * PINNED_FOR);
        assert!(!pinned.is_short());
    }

    #[tokio::test]
    async fn who_does_not_sweep_remembers_nothing() {
        let pins = Pins::default();
        pins.pin([digest(1)]).await;
        assert!(!pins.held().await.has(&digest(1)));
        pins.keep();
        pins.pin([digest(1)]).await;
        assert!(pins.held().await.has(&digest(1)));
    }
}
