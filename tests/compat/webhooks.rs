//! The journal's language about webhooks: one golden entry for each kind of fact and of outcome.

use crate::golden::check_ledger;
use crate::samples as s;
use tidemill_coordinator::webhooks::WebhookFact;
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::webhook::WebhookSpec;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &WebhookFact) -> &'static str {
    match fact {
        WebhookFact::WebhookSet { .. } => "set",
        WebhookFact::WebhookRemoved { .. } => "removed",
        WebhookFact::WebhookSettled { outcome, .. } => match outcome {
            DeliveryOutcome::Delivered { .. } => "settled-delivered",
            DeliveryOutcome::PartlyDelivered { .. } => "settled-partly-delivered",
            DeliveryOutcome::GivenUp { .. } => "settled-given-up",
            DeliveryOutcome::Missed { .. } => "settled-missed",
        },
        WebhookFact::WebhookPaused { .. } => "paused",
        WebhookFact::WebhookResumed { .. } => "resumed",
        WebhookFact::WebhookAdvanced { .. } => "advanced",
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
        experiment: None,
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
        settled(DeliveryOutcome::PartlyDelivered {
            taken: 1,
            why: "eve@example.org: 550 no such user".into(),
        }),
        settled(DeliveryOutcome::Missed { first: 3, last: 12 }),
        WebhookFact::WebhookPaused {
            name: name.clone(),
            reason: "moving house".into(),
            by: by.clone(),
        },
        WebhookFact::WebhookResumed {
            name: name.clone(),
            after: 90,
            by: by.clone(),
        },
        WebhookFact::WebhookAdvanced {
            name: name.clone(),
            sequence: 4_103,
        },
        WebhookFact::WebhookRemoved {
            name: name.clone(),
            by,
        },
    ];
    check_ledger("webhooks", facts, kind);
}
