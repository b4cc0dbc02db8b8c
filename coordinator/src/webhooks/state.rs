//! The webhooks as their facts left them.

use super::fact::WebhookFact;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::webhook::{Delivery, WebhookSpec};

/// Deliveries of one webhook that are remembered; the journal holds all.
pub const DELIVERIES_KEPT: usize = 100;

/// All webhooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhooks {
    webhooks: BTreeMap<Name, Webhook>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// What it tells, and whom.
    pub spec: Arc<WebhookSpec>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Counts how often it was set.
    pub revision: u64,
    /// Events of the journal up to this one are settled.
    pub settled_to: u64,
    /// The last deliveries, newest last.
    #[serde(default)]
    pub deliveries: VecDeque<Delivery>,
}

impl Webhooks {
    /// A webhook by its name.
    pub fn get(&self, name: &Name) -> Option<&Webhook> {
        self.webhooks.get(name)
    }

    /// All webhooks, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&Name, &Webhook)> {
        self.webhooks.iter()
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &WebhookFact) {
        match fact {
            WebhookFact::WebhookSet {
                name,
                spec,
                after,
                by,
            } => {
                let spec = Arc::new((**spec).clone());
                if let Some(known) = self.webhooks.get_mut(name) {
                    known.spec = spec;
                    known.revision += 1;
                    return;
                }
                let webhook = Webhook {
                    spec,
                    created_at: at,
                    created_by: by.clone(),
                    revision: 1,
                    settled_to: *after,
                    deliveries: VecDeque::new(),
                };
                self.webhooks.insert(name.clone(), webhook);
            }
            WebhookFact::WebhookRemoved { name, .. } => drop(self.webhooks.remove(name)),
            WebhookFact::WebhookSettled {
                name,
                sequence,
                about,
                tries,
                outcome,
            } => {
                let Some(webhook) = self.webhooks.get_mut(name) else {
                    return;
                };
                webhook.settled_to = webhook.settled_to.max(*sequence);
                if webhook.deliveries.len() >= DELIVERIES_KEPT {
                    webhook.deliveries.pop_front();
                }
                webhook.deliveries.push_back(Delivery {
                    sequence: *sequence,
                    about: about.clone(),
                    at,
                    tries: *tries,
                    outcome: outcome.clone(),
                });
            }
        }
    }
}
