//! Leases by the moment at which they run out. Whose they are is the engine's knowledge.

use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::time::Millis;

#[derive(Debug, Clone, Default)]
pub(super) struct Leases {
    terms: BTreeMap<AttemptId, (FencingToken, Millis)>,
    by_end: BTreeSet<(Millis, AttemptId)>,
    paused: bool,
}

impl Leases {
    pub(super) fn grant(&mut self, attempt: AttemptId, token: FencingToken, until: Millis) {
        if let Some((_, before)) = self.terms.insert(attempt, (token, until)) {
            self.by_end.remove(&(before, attempt));
        }
        self.by_end.insert((until, attempt));
    }

    /// Lengthens a lease; does nothing for an attempt that has none under this token.
    pub(super) fn renew(&mut self, attempt: &AttemptId, token: FencingToken, until: Millis) {
        if self.terms.get(attempt).is_some_and(|(held, _)| *held == token) {
            self.grant(*attempt, token, until);
        }
    }

    pub(super) fn end(&mut self, attempt: &AttemptId) {
        if let Some((_, until)) = self.terms.remove(attempt) {
            self.by_end.remove(&(until, *attempt));
        }
    }

    pub(super) fn expired(&self, now: Millis) -> Vec<(AttemptId, FencingToken)> {
        let over = self.by_end.iter().take_while(|(until, _)| *until <= now);
        over.filter_map(|(_, attempt)| Some((*attempt, self.terms.get(attempt)?.0)))
            .collect()
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn pause(&mut self) {
        self.paused = true;
    }

    pub(super) fn resume(&mut self, until: Millis) {
        self.paused = false;
        self.by_end = self.terms.keys().map(|attempt| (until, *attempt)).collect();
        for (_, end) in self.terms.values_mut() {
            *end = until;
        }
    }
}
