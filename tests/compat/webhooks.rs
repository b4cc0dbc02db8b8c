//! The journal's language about webhooks: one golden entry for each kind of fact and of outcome.

use crate::golden::check;
use crate::samples as s;
use tidemill_coordinator::Entry;
use tidemill_coordinator::ledger::LedgerEvent;
use tidemill_coordinator::webhooks::WebhookFact;
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::webhook::{DeliveryOutcome, WebhookSpec};

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &WebhookFact) -> &'static str {
    match fact {
        WebhookFact::WebhookSet { .. } => "set",
        WebhookFact::WebhookRemoved { .. } => "removed",
        WebhookFact::WebhookSettled { outcome, .. } => match outcome {
            DeliveryOutcome::Delivered { .. } => "settled-delivered",
            DeliveryOutcome::GivenUp { .. } => "settled-given-up",
        },
    }
}

#[test]
fn every_fact_about_webhooks_is_read_as_it_was_meant() {
    let (name, by) = (s::name("chat"), "ada".to_owned());
    let spec = WebhookSpec {
        url: "https://chat.example.org/hook".into(),
        secret: s::name("chat-key"),
        runs: vec![RunStatus::Failed, RunStatus::Aborted],
        steps: vec![StepStatus::Failed],
        pipeline: Some(s::name("train")),
    };
    let settled = |outcome| WebhookFact::WebhookSettled {
        name: name.clone(),
        sequence: 12,
        about: "run failed".into(),
        tries: 3,
        outcome,
    };
    let facts = [
        WebhookFact::WebhookSet {
            name: name.clone(),
            spec: Box::new(spec),
            after: 7,
            by: by.clone(),
        },
        settled(DeliveryOutcome::Delivered { status: 204 }),
        settled(DeliveryOutcome::GivenUp {
            why: "it answered 500".into(),
        }),
        WebhookFact::WebhookRemoved {
            name: name.clone(),
            by,
        },
    ];
    let entries = facts.map(|fact| {
        let name = kind(&fact);
        let event = LedgerEvent {
            at: s::MOMENT,
            fact: fact.into(),
        };
        (name, Entry::Ledger(event))
    });
    check("webhooks", &entries);
}
