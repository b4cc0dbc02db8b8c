//! The journal's language about mailings: one golden entry for each kind of fact and of outcome.

use crate::golden::check_ledger;
use crate::samples as s;
use tidemill_coordinator::mailings::MailingFact;
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::mailing::{EmailAddress, MailingSpec};
use tidemill_protocol::status::{RunStatus, StepStatus};

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &MailingFact) -> &'static str {
    match fact {
        MailingFact::MailingSet { .. } => "set",
        MailingFact::MailingRemoved { .. } => "removed",
        MailingFact::MailingSettled { outcome, .. } => match outcome {
            DeliveryOutcome::Delivered { .. } => "settled-delivered",
            DeliveryOutcome::PartlyDelivered { .. } => "settled-partly-delivered",
            DeliveryOutcome::GivenUp { .. } => "settled-given-up",
            DeliveryOutcome::Missed { .. } => "settled-missed",
        },
        MailingFact::MailingPaused { .. } => "paused",
        MailingFact::MailingResumed { .. } => "resumed",
        MailingFact::MailingAdvanced { .. } => "advanced",
    }
}

fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address of the samples is one")
}

#[test]
fn every_fact_about_mailings_is_read_as_it_was_meant() {
    let (name, by) = (s::name("on-call"), "ada".to_owned());
    let spec = MailingSpec {
        to: vec![address("ada@example.org"), address("eve@example.org")],
        runs: vec![RunStatus::Failed, RunStatus::Aborted],
        steps: vec![StepStatus::Failed],
        pipeline: Some(s::name("train")),
        experiment: Some(s::name("churn")),
    };
    let settled = |outcome| MailingFact::MailingSettled {
        name: name.clone(),
        sequence: 12,
        about: "run failed".into(),
        tries: 3,
        outcome,
    };
    let facts = [
        MailingFact::MailingSet {
            name: name.clone(),
            spec: Box::new(spec),
            after: 7,
            by: by.clone(),
        },
        settled(DeliveryOutcome::Delivered { status: 250 }),
        settled(DeliveryOutcome::GivenUp {
            why: "the mail server cannot be used: no answer".into(),
        }),
        settled(DeliveryOutcome::PartlyDelivered {
            taken: 1,
            why: "eve@example.org: 550 no such user".into(),
        }),
        settled(DeliveryOutcome::Missed { first: 3, last: 12 }),
        MailingFact::MailingPaused {
            name: name.clone(),
            reason: "moving house".into(),
            by: by.clone(),
        },
        MailingFact::MailingResumed {
            name: name.clone(),
            after: 90,
            by: by.clone(),
        },
        MailingFact::MailingAdvanced {
            name: name.clone(),
            sequence: 4_103,
        },
        MailingFact::MailingRemoved {
            name: name.clone(),
            by,
        },
    ];
    check_ledger("mailings", facts, kind);
}
