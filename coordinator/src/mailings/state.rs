//! The mailings as their facts left them.

use super::fact::MailingFact;
use crate::notifications::{Pause, Subscriptions};
use tidemill_protocol::delivery::Delivery;
use tidemill_protocol::mailing::MailingSpec;
use tidemill_protocol::time::Timestamp;

/// All mailings.
pub type Mailings = Subscriptions<MailingSpec>;

impl Mailings {
    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &MailingFact) {
        match fact {
            MailingFact::MailingSet {
                name,
                spec,
                after,
                by,
            } => self.set((name, &**spec), *after, (at, by)),
            MailingFact::MailingRemoved { name, .. } => self.remove(name),
            MailingFact::MailingPaused { name, reason, by } => {
                let (by, reason) = (by.clone(), reason.clone());
                self.pause(name, Pause { at, by, reason });
            }
            MailingFact::MailingResumed { name, after, .. } => self.resume(name, *after),
            MailingFact::MailingAdvanced { name, sequence } => self.advance(name, *sequence),
            MailingFact::MailingSettled {
                name,
                sequence,
                about,
                tries,
                outcome,
            } => {
                let delivery = Delivery {
                    sequence: *sequence,
                    about: about.clone(),
                    at,
                    tries: *tries,
                    outcome: outcome.clone(),
                };
                self.settle(name, delivery);
            }
        }
    }
}
