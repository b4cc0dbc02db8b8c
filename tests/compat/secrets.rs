//! The journal's language about secrets: one golden entry for each kind of fact, and the step key of a step that names some.

use crate::golden::check;
use crate::samples as s;
use serde_json::json;
use tidemill_coordinator::Entry;
use tidemill_coordinator::ledger::LedgerEvent;
use tidemill_coordinator::secrets::{Sealed, SecretFact};
use tidemill_protocol::name::Name;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &SecretFact) -> &'static str {
    match fact {
        SecretFact::SecretSet { .. } => "secret-set",
        SecretFact::SecretRemoved { .. } => "secret-removed",
    }
}

#[test]
fn every_fact_about_secrets_is_read_as_it_was_meant() {
    let name: Name = "warehouse-password".parse().expect("a name");
    let bytes = |count: u8| (0..count).collect::<Vec<u8>>();
    let sealed: Sealed = serde_json::from_value(json!({
        "key": bytes(8), "nonce": bytes(12), "text": bytes(30),
    }))
    .expect("a sealed value is plain data");
    let facts = [
        SecretFact::SecretSet {
            name: name.clone(),
            version: 2,
            sealed,
            by: "ada".into(),
        },
        SecretFact::SecretRemoved {
            name,
            by: "ada".into(),
        },
    ];
    let entries = facts.map(|fact| {
        let name = kind(&fact);
        (
            name,
            Entry::Ledger(LedgerEvent {
                at: s::MOMENT,
                fact: fact.into(),
            }),
        )
    });
    check("secrets", &entries);
}
