//! The journal's language about datastores: one golden entry for each kind of fact.

use crate::golden::check_ledger;
use crate::samples as s;
use serde_json::json;
use tidemill_coordinator::datastores::DatastoreFact;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &DatastoreFact) -> &'static str {
    match fact {
        DatastoreFact::DatastoreSet { .. } => "datastore-set",
        DatastoreFact::DatastoreRemoved { .. } => "datastore-removed",
    }
}

#[test]
fn every_fact_about_datastores_is_read_as_it_was_meant() {
    let definition = json!({
        "url": "s3://lake/raw", "options": {"aws_region": "eu-1"}, "secrets": {"aws_secret_access_key": "lake-key"},
        "description": "what the stations send",
    });
    let facts = [
        DatastoreFact::DatastoreSet {
            name: s::name("lake"),
            definition: serde_json::from_value(definition).expect("a definition is plain data"),
            by: "ada".into(),
        },
        DatastoreFact::DatastoreRemoved {
            name: s::name("lake"),
            by: "ada".into(),
        },
    ];
    check_ledger("datastores", facts, kind);
}
