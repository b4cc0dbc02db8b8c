//! The journal's language about workers' enrolment: one golden entry for each kind of fact.

use crate::golden::check;
use crate::samples as s;
use std::collections::BTreeSet;
use tidemill_coordinator::Entry;
use tidemill_coordinator::enrolment::EnrolmentFact;
use tidemill_coordinator::ledger::LedgerEvent;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::SignerKey;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &EnrolmentFact) -> &'static str {
    match fact {
        EnrolmentFact::JoinTokenCreated { .. } => "join-token-created",
        EnrolmentFact::JoinTokenRevoked { .. } => "join-token-revoked",
        EnrolmentFact::JoinTokenForgotten { .. } => "join-token-forgotten",
        EnrolmentFact::WorkerEnrolled { .. } => "worker-enrolled",
        EnrolmentFact::WorkerQuarantined { .. } => "worker-quarantined",
        EnrolmentFact::WorkerReleased { .. } => "worker-released",
        EnrolmentFact::WorkerRemoved { .. } => "worker-removed",
    }
}

#[test]
fn every_fact_about_enrolment_is_read_as_it_was_meant() {
    let id: TokenId = "k7dm2x9qpa4w".parse().expect("an id");
    let by = || "ada".to_owned();
    let facts = [
        EnrolmentFact::JoinTokenCreated {
            id: id.clone(),
            hash: Digest::of(b"secret"),
            targets: BTreeSet::from([s::name("gpu-cluster")]),
            class: Some(s::name("gpu")),
            expires_at: Timestamp(1_800_000_000_000),
            by: by(),
        },
        EnrolmentFact::JoinTokenRevoked {
            id: id.clone(),
            by: by(),
        },
        EnrolmentFact::JoinTokenForgotten { id: id.clone() },
        EnrolmentFact::WorkerEnrolled {
            worker: s::worker(),
            key: SignerKey::from_seed(&[5; 32]).trusted(),
            token: id,
        },
        EnrolmentFact::WorkerQuarantined {
            worker: s::worker(),
            reason: "odd results".into(),
            by: by(),
        },
        EnrolmentFact::WorkerReleased {
            worker: s::worker(),
            by: by(),
        },
        EnrolmentFact::WorkerRemoved {
            worker: s::worker(),
            by: by(),
        },
    ];
    let entries = facts.map(|enrolment| {
        let name = kind(&enrolment);
        let fact = enrolment.into();
        (name, Entry::Ledger(LedgerEvent { at: s::MOMENT, fact }))
    });
    check("enrolment", &entries);
}
