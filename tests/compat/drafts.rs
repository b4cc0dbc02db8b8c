//! The journal's language about drafts: one golden entry for each kind of fact.

use crate::golden::check_ledger;
use crate::samples as s;
use std::collections::BTreeMap;
use tidemill_coordinator::drafts::DraftFact;
use tidemill_protocol::catalog::{ParameterDoc, PipelineBody};
use tidemill_protocol::draft::DraftSpec;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &DraftFact) -> &'static str {
    match fact {
        DraftFact::DraftSet { .. } => "set",
        DraftFact::DraftRemoved { .. } => "removed",
    }
}

#[test]
fn every_fact_about_drafts_is_read_as_it_was_meant() {
    let (name, by) = (s::name("tuning"), "ada".to_owned());
    let pairs = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let spec = DraftSpec {
        pipeline: PipelineBody {
            spec: s::file(b"{}"),
            parameters: vec![ParameterDoc {
                name: s::port("trees"),
                type_name: "integer".into(),
                optional: true,
                default: Some("10".into()),
                min: Some("1".into()),
                max: Some("50".into()),
                choices: vec!["10".into()],
                description: "how many".into(),
            }],
        },
        made_of: "train:3".into(),
        parameters: pairs("trees", "12"),
        display_name: Some("tuned".into()),
        experiment: Some("vision".into()),
        tags: pairs("team", "mill"),
        continue_on_step_failure: Some(true),
        description: "trying".into(),
    };
    let facts = [
        DraftFact::DraftSet {
            name: name.clone(),
            spec: Box::new(spec),
            by: by.clone(),
        },
        DraftFact::DraftRemoved { name, by },
    ];
    check_ledger("drafts", facts, kind);
}
