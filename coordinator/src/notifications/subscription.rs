//! Who is told what, and how far in the journal each has come, as the facts left it. The same for webhooks and mailings, whose facts call what stands here.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tidemill_protocol::delivery::Delivery;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Deliveries of one subscription that are remembered; the journal holds all.
pub const DELIVERIES_KEPT: usize = 100;

/// All subscriptions of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions<S> {
    // Snapshots of before there were mailings say `webhooks`.
    #[serde(alias = "webhooks")]
    all: BTreeMap<Name, Subscription<S>>,
}

impl<S> Default for Subscriptions<S> {
    fn default() -> Self {
        Self { all: BTreeMap::new() }
    }
}

/// Who is told what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription<S> {
    /// What is told, and to whom.
    pub spec: Arc<S>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Counts how often it was set or resumed.
    pub revision: u64,
    /// Events of the journal up to this one are settled.
    pub settled_to: u64,
    /// Why nothing is told.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// The last deliveries, newest last.
    #[serde(default)]
    pub deliveries: VecDeque<Delivery>,
}

/// Why nothing is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

impl<S> Subscription<S> {
    /// Whether it is the one that was made at this moment, and has not come as far as this event.
    pub(crate) fn awaits(&self, created_at: Timestamp, sequence: u64) -> bool {
        self.created_at == created_at && sequence > self.settled_to
    }
}

impl<S> Subscriptions<S> {
    /// One by its name.
    pub fn get(&self, name: &Name) -> Option<&Subscription<S>> {
        self.all.get(name)
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&Name, &Subscription<S>)> {
        self.all.iter()
    }

    /// It was made, or is another from now on. Where a known one has come to stays.
    pub(crate) fn set(&mut self, (name, spec): (&Name, &S), after: u64, (at, by): (Timestamp, &str))
    where
        S: Clone,
    {
        let spec = Arc::new(spec.clone());
        if let Some(known) = self.all.get_mut(name) {
            known.spec = spec;
            known.revision += 1;
            return;
        }
        let made = Subscription {
            spec,
            created_at: at,
            created_by: by.to_owned(),
            revision: 1,
            settled_to: after,
            pause: None,
            deliveries: VecDeque::new(),
        };
        self.all.insert(name.clone(), made);
    }

    /// It was removed.
    pub(crate) fn remove(&mut self, name: &Name) {
        self.all.remove(name);
    }

    /// An event was told, given up or missed.
    pub(crate) fn settle(&mut self, name: &Name, delivery: Delivery) {
        let Some(known) = self.all.get_mut(name) else {
            return;
        };
        known.settled_to = known.settled_to.max(delivery.sequence);
        if known.deliveries.len() >= DELIVERIES_KEPT {
            known.deliveries.pop_front();
        }
        known.deliveries.push_back(delivery);
    }

    /// It has come so far without anything to tell.
    pub(crate) fn advance(&mut self, name: &Name, sequence: u64) {
        if let Some(known) = self.all.get_mut(name) {
            known.settled_to = known.settled_to.max(sequence);
        }
    }

    /// It tells nothing from now on.
    pub(crate) fn pause(&mut self, name: &Name, pause: Pause) {
        if let Some(known) = self.all.get_mut(name) {
            known.pause = Some(pause);
        }
    }

    /// It tells again what ends after this event.
    pub(crate) fn resume(&mut self, name: &Name, after: u64) {
        if let Some(known) = self.all.get_mut(name) {
            known.pause = None;
            // Another part carries for it, which begins here.
            known.revision += 1;
            known.settled_to = known.settled_to.max(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::delivery::DeliveryOutcome;

    fn name() -> Name {
        "chat".parse().unwrap()
    }

    fn made() -> Subscriptions<u8> {
        let mut all = Subscriptions::default();
        all.set((&name(), &1), 7, (Timestamp(1), "ada"));
        all
    }

    fn delivery(sequence: u64) -> Delivery {
        Delivery {
            sequence,
            about: "run failed".into(),
            at: Timestamp(2),
            tries: 1,
            outcome: DeliveryOutcome::Delivered { status: 204 },
        }
    }

    #[test]
    fn the_position_never_goes_back() {
        let mut all = made();
        all.advance(&name(), 500);
        all.settle(&name(), delivery(9));
        all.set((&name(), &2), 600, (Timestamp(3), "eve"));
        let known = all.get(&name()).unwrap();
        assert_eq!(
            (known.settled_to, known.revision, known.created_by.as_str()),
            (500, 2, "ada")
        );
    }

    #[test]
    fn what_ends_during_a_pause_is_behind_the_position() {
        let mut all = made();
        let pause = Pause {
            at: Timestamp(2),
            by: "ada".into(),
            reason: String::new(),
        };
        all.pause(&name(), pause);
        all.resume(&name(), 900);
        let known = all.get(&name()).unwrap();
        assert_eq!((known.settled_to, known.pause.is_none()), (900, true));
    }

    #[test]
    fn the_log_of_deliveries_keeps_the_newest() {
        let mut all = made();
        for sequence in 0..150 {
            all.settle(&name(), delivery(sequence));
        }
        let kept = &all.get(&name()).unwrap().deliveries;
        assert_eq!((kept.len(), kept[0].sequence), (DELIVERIES_KEPT, 50));
    }
}
