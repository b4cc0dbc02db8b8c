//! The webhooks as their facts left them.

use super::fact::WebhookFact;
use crate::notifications::{Pause, Subscriptions};
use tidemill_protocol::delivery::Delivery;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::webhook::WebhookSpec;

/// All webhooks.
pub type Webhooks = Subscriptions<WebhookSpec>;

impl Webhooks {
    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &WebhookFact) {
        match fact {
            WebhookFact::WebhookSet {
                name,
                spec,
                after,
                by,
            } => self.set((name, &**spec), *after, (at, by)),
            WebhookFact::WebhookRemoved { name, .. } => self.remove(name),
            WebhookFact::WebhookPaused { name, reason, by } => {
                let (by, reason) = (by.clone(), reason.clone());
                self.pause(name, Pause { at, by, reason });
            }
            WebhookFact::WebhookResumed { name, after, .. } => self.resume(name, *after),
            WebhookFact::WebhookAdvanced { name, sequence } => self.advance(name, *sequence),
            WebhookFact::WebhookSettled {
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
