//! The journal's language about keys under which something is done once: one golden entry for each kind of fact.

use crate::golden::check_ledger;
use tidemill_coordinator::idempotency::{Created, IdempotencyFact};
use tidemill_protocol::digest::Digest;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &IdempotencyFact) -> &'static str {
    match fact {
        IdempotencyFact::KeyUsed { created: None, .. } => "key-used-for-a-change",
        IdempotencyFact::KeyUsed {
            created: Some(created),
            ..
        } if created.is_shown_once => "key-used-for-a-token",
        IdempotencyFact::KeyUsed { .. } => "key-used",
    }
}

#[test]
fn every_fact_about_keys_is_read_as_it_was_meant() {
    let used = |created| IdempotencyFact::KeyUsed {
        key: Digest::of(b"key"),
        subject: "ada".into(),
        request: Digest::of(b"request"),
        created,
    };
    let made = |id: &str, is_shown_once| Created {
        id: id.to_owned(),
        is_shown_once,
    };
    let facts = [
        used(None),
        used(Some(made("3", false))),
        used(Some(made("k7dm2x9qpa4w", true))),
    ];
    check_ledger("idempotency", facts, kind);
}
