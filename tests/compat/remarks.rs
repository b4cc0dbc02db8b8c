//! The journal's language about what people say of runs: one golden entry for each kind of fact.

use crate::golden::check_ledger;
use crate::samples as s;
use tidemill_coordinator::remarks::RemarkFact;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &RemarkFact) -> &'static str {
    match fact {
        RemarkFact::RunDescribed { .. } => "run-described",
        RemarkFact::RunCommented { .. } => "run-commented",
        RemarkFact::CommentEdited { .. } => "comment-edited",
        RemarkFact::CommentRemoved { .. } => "comment-removed",
        RemarkFact::RemarksForgotten { .. } => "remarks-forgotten",
    }
}

#[test]
fn every_fact_about_remarks_is_read_as_it_was_meant() {
    let (run, by) = (s::run(), "ada".to_owned());
    let tags = [
        ("stage".to_owned(), Some("prod".to_owned())),
        ("old".to_owned(), None),
    ];
    let facts = [
        RemarkFact::RunDescribed {
            run,
            display_name: Some("nightly-2".into()),
            description: Some("behind the numbers of March".into()),
            tags: tags.into(),
            by: by.clone(),
        },
        RemarkFact::RunCommented {
            run,
            comment: 3,
            text: "it diverges".into(),
            by: by.clone(),
        },
        RemarkFact::CommentEdited {
            run,
            comment: 3,
            text: "it converges".into(),
            by: by.clone(),
        },
        RemarkFact::CommentRemoved { run, comment: 3, by },
        RemarkFact::RemarksForgotten { run },
    ];
    check_ledger("remarks", facts, kind);
}
