//! The journal's language about tokens: one golden entry for each kind of fact, and the golden events of the engine read as entries.

use crate::golden::{check, folder};
use crate::samples as s;
use std::fs;
use tidemill_coordinator::Entry;
use tidemill_coordinator::access::AccessFact;
use tidemill_coordinator::ledger::LedgerEvent;
use tidemill_engine::Event;
use tidemill_protocol::access::{Scope, SubjectKind, TokenId};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Timestamp;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &AccessFact) -> &'static str {
    match fact {
        AccessFact::TokenCreated { .. } => "token-created",
        AccessFact::TokenBound { .. } => "token-bound",
        AccessFact::TokenRevoked { .. } => "token-revoked",
        AccessFact::TokenForgotten { .. } => "token-forgotten",
    }
}

#[test]
fn every_fact_about_tokens_is_read_as_it_was_meant() {
    let id: TokenId = "k7dm2x9qpa4w".parse().expect("an id");
    let facts = [
        AccessFact::TokenCreated {
            id: id.clone(),
            hash: Digest::of(b"secret"),
            scope: Scope::Submitter,
            subject: "ci".into(),
            expires_at: Some(Timestamp(1_800_000_000_000)),
            by: "ada".into(),
        },
        AccessFact::TokenBound {
            id: id.clone(),
            kind: SubjectKind::Team,
            project: Some(s::name("vision")),
        },
        AccessFact::TokenRevoked {
            id: id.clone(),
            by: "ada".into(),
        },
        AccessFact::TokenForgotten { id },
    ];
    let entries = facts.map(|access| {
        let name = kind(&access);
        (
            name,
            Entry::Ledger(LedgerEvent {
                at: s::MOMENT,
                fact: access.into(),
            }),
        )
    });
    check("access", &entries);
}

#[test]
fn an_event_of_the_engine_is_read_as_an_entry_whoever_wrote_it() {
    let mut count = 0;
    for file in fs::read_dir(folder("facts")).expect("the golden files are there") {
        let bytes = fs::read(file.expect("a file").path()).expect("is readable");
        let event: Event = codec::decode(&bytes).expect("an event");
        assert_eq!(Entry::decode(&bytes).expect("an entry").engine(), Some(event));
        count += 1;
    }
    assert!(count >= 20, "only {count} golden events were found");
}
