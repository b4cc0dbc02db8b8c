//! What a command for the webhooks leads to, beside what is the same for all subscriptions: the bounds of what a webhook alone has, and the spelling of its facts.

use super::fact::WebhookFact;
use super::state::Webhooks;
use crate::ledger::{Ledger, Ledgers};
use crate::notifications::{Change, SubscriptionCommand, SubscriptionRejection, Wanted, decide};
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::webhook::WebhookSpec;

/// Longest address in bytes.
const URL_BYTES_MAX: usize = 4_096;

impl Ledger for Webhooks {
    type Command = SubscriptionCommand<WebhookSpec>;
    type Fact = WebhookFact;
    type Rejection = SubscriptionRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.webhooks
    }

    fn decide(
        &self,
        _: Timestamp,
        command: &Self::Command,
    ) -> Result<Vec<WebhookFact>, SubscriptionRejection> {
        let change = decide(self, "webhook", command, check)?;
        Ok(change.map(WebhookFact::from).into_iter().collect())
    }
}

fn check(spec: &WebhookSpec) -> Result<(), SubscriptionRejection> {
    wanted(spec).check()?;
    if spec.url.len() > URL_BYTES_MAX {
        return Err(SubscriptionRejection::TooLong("an address has at most 4 KiB"));
    }
    Ok(())
}

/// What a webhook wants to be told.
pub(super) fn wanted(spec: &WebhookSpec) -> Wanted<'_> {
    Wanted {
        runs: &spec.runs,
        steps: &spec.steps,
        pipeline: spec.pipeline.as_ref(),
        experiment: spec.experiment.as_ref(),
    }
}

impl From<Change<WebhookSpec>> for WebhookFact {
    fn from(change: Change<WebhookSpec>) -> Self {
        match change {
            Change::Set {
                name,
                spec,
                after,
                by,
            } => Self::WebhookSet {
                name,
                spec,
                after,
                by,
            },
            Change::Removed { name, by } => Self::WebhookRemoved { name, by },
            Change::Paused { name, reason, by } => Self::WebhookPaused { name, reason, by },
            Change::Resumed { name, after, by } => Self::WebhookResumed { name, after, by },
            Change::Settled(settled) => Self::WebhookSettled {
                name: settled.name,
                sequence: settled.sequence,
                about: settled.about,
                tries: settled.tries,
                outcome: settled.outcome,
            },
            Change::Advanced { name, sequence } => Self::WebhookAdvanced { name, sequence },
        }
    }
}
