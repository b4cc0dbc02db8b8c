//! The keys that were used, as their facts left them: for a day, and of a bounded number, overall and for each subject.

use super::fact::{Created, IdempotencyFact};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::{Millis, Timestamp};

/// How long a key is remembered.
pub const KEPT_FOR: Millis = Millis::from_secs(24 * 60 * 60);
/// Most keys that are remembered; the oldest make room.
pub const KEYS_MAX: usize = 20_000;
/// Most keys of one subject; its oldest make room.
pub const KEYS_PER_SUBJECT_MAX: usize = 5_000;

/// The keys that are remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Idempotency {
    keys: BTreeMap<Digest, Kept>,
    /// The same by the order in which they were first used.
    order: BTreeMap<u64, Digest>,
    /// The numbers of each subject's keys.
    subjects: BTreeMap<String, BTreeSet<u64>>,
}

/// A key that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    number: u64,
    subject: String,
    at: Timestamp,
    request: Digest,
    /// What the request's changes made, in order; none for a change that made nothing new.
    created: Vec<Option<Created>>,
}

/// What is known of a key when a request comes to change something under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing, or not of this change yet.
    New,
    /// The change was made, and made this.
    Again(Option<Created>),
    /// It was used at this moment for another request.
    OtherRequest(Timestamp),
}

impl Idempotency {
    /// What is known of the change with this number, from 0, of a request under a key.
    pub(super) fn find(&self, now: Timestamp, key: Digest, request: Digest, change: usize) -> Seen {
        match self.live(now, key) {
            None => Seen::New,
            Some(kept) if kept.request != request => Seen::OtherRequest(kept.at),
            Some(kept) => kept.created.get(change).cloned().map_or(Seen::New, Seen::Again),
        }
    }

    /// Whether anything was done under a key.
    pub(super) fn knows(&self, now: Timestamp, key: Digest) -> bool {
        self.live(now, key).is_some()
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &IdempotencyFact) {
        let IdempotencyFact::KeyUsed {
            key,
            subject,
            request,
            created,
        } = fact;
        if let Some(kept) = self.keys.get_mut(key)
            && kept.is_live(at)
            && kept.request == *request
        {
            kept.created.push(created.clone());
            return;
        }
        self.forget(*key);
        let number = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        let kept = Kept {
            number,
            subject: subject.clone(),
            at,
            request: *request,
            created: vec![created.clone()],
        };
        self.keys.insert(*key, kept);
        self.order.insert(number, *key);
        self.subjects.entry(subject.clone()).or_default().insert(number);
        self.make_room(at, subject);
    }

    fn live(&self, now: Timestamp, key: Digest) -> Option<&Kept> {
        self.keys.get(&key).filter(|kept| kept.is_live(now))
    }

    /// Forgets what is too old or too much.
    fn make_room(&mut self, now: Timestamp, subject: &str) {
        let own = self.subjects.get(subject);
        let own = own.filter(|own| own.len() > KEYS_PER_SUBJECT_MAX);
        let oldest = own.and_then(|own| own.first());
        if let Some(key) = oldest.and_then(|number| self.order.get(number)).copied() {
            self.forget(key);
        }
        while let Some((_, key)) = self.order.first_key_value() {
            let key = *key;
            if self.keys.len() <= KEYS_MAX && self.live(now, key).is_some() {
                break;
            }
            self.forget(key);
        }
    }

    fn forget(&mut self, key: Digest) {
        let Some(kept) = self.keys.remove(&key) else {
            return;
        };
        self.order.remove(&kept.number);
        if let Some(own) = self.subjects.get_mut(&kept.subject) {
            own.remove(&kept.number);
            if own.is_empty() {
                self.subjects.remove(&kept.subject);
            }
        }
    }
}

impl Kept {
    fn is_live(&self, now: Timestamp) -> bool {
        now.since(self.at) < KEPT_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(ledger: &mut Idempotency, at: u64, subject: &str, key: usize) {
        let fact = IdempotencyFact::KeyUsed {
            key: Digest::of(&key.to_le_bytes()),
            subject: subject.to_owned(),
            request: Digest::of(b"request"),
            created: Some(Created::new(&key)),
        };
        ledger.apply(Timestamp(at), &fact);
    }

    fn knows(ledger: &Idempotency, at: u64, key: usize) -> bool {
        ledger.knows(Timestamp(at), Digest::of(&key.to_le_bytes()))
    }

    #[test]
    fn a_key_is_known_for_a_day_and_then_forgotten_with_the_next() {
        let mut ledger = Idempotency::default();
        used(&mut ledger, 0, "ada", 1);
        assert!(knows(&ledger, KEPT_FOR.0 - 1, 1));
        assert!(!knows(&ledger, KEPT_FOR.0, 1), "although nothing has removed it");
        used(&mut ledger, KEPT_FOR.0, "ben", 2);
        assert_eq!(ledger.len(), 1);
        assert_eq!(ledger.subjects.len(), 1, "nobody is kept who has no key");
    }

    #[test]
    fn a_key_of_yesterday_begins_anew() {
        let mut ledger = Idempotency::default();
        used(&mut ledger, 0, "ada", 1);
        used(&mut ledger, KEPT_FOR.0, "ada", 1);
        let key = Digest::of(&1_usize.to_le_bytes());
        assert_eq!(ledger.keys[&key].created.len(), 1);
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn whoever_uses_too_many_keys_loses_their_own_oldest_and_nobody_elses() {
        let mut ledger = Idempotency::default();
        used(&mut ledger, 0, "ben", usize::MAX);
        for key in 0..=KEYS_PER_SUBJECT_MAX {
            used(&mut ledger, 1, "ada", key);
        }
        assert!(!knows(&ledger, 1, 0));
        assert!(knows(&ledger, 1, 1));
        assert!(knows(&ledger, 1, usize::MAX));
        assert_eq!(ledger.len(), KEYS_PER_SUBJECT_MAX + 1);
    }

    #[test]
    fn the_oldest_of_all_make_room_when_many_use_many() {
        let mut ledger = Idempotency::default();
        for key in 0..=KEYS_MAX {
            used(&mut ledger, 1, &format!("caller-{}", key % 10), key);
        }
        assert_eq!(ledger.len(), KEYS_MAX);
        assert!(!knows(&ledger, 1, 0));
        assert!(knows(&ledger, 1, 1) && knows(&ledger, 1, KEYS_MAX));
    }

    #[test]
    fn each_change_of_a_request_is_found_by_its_place_and_the_next_is_new() {
        let mut ledger = Idempotency::default();
        used(&mut ledger, 0, "ada", 7);
        used(&mut ledger, 1, "ada", 7);
        let (key, request) = (Digest::of(&7_usize.to_le_bytes()), Digest::of(b"request"));
        let find = |request, change| ledger.find(Timestamp(2), key, request, change);
        assert_eq!(find(request, 1), Seen::Again(Some(Created::new(&7))));
        assert_eq!(find(request, 2), Seen::New);
        assert_eq!(find(Digest::of(b"other"), 0), Seen::OtherRequest(Timestamp(0)));
    }
}
