//! What people may say of runs, and which facts follow, or why none do. Saying the same again changes nothing and is no error. Whether there is such a run is not known here.

use super::fact::RemarkFact;
use super::state::{Comment, Remarks};
use crate::idempotency::Created;
use crate::ledger::{Ledger, Ledgers};
use std::collections::BTreeMap;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::Timestamp;

/// Comments on one run.
pub const COMMENTS_PER_RUN_MAX: usize = 1_000;
/// Longest comment in bytes.
pub const COMMENT_BYTES_MAX: usize = 16 * 1024;
/// Longest description in bytes.
const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Longest name in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Tags of one run that were ever changed.
const TAGS_MAX: usize = 200;
/// Longest name of a tag, and longest value, in bytes.
const TAG_BYTES_MAX: (usize, usize) = (256, 8_192);
/// Bytes of all that is said of all runs: it is kept in memory.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// What the names of tags begin with that tidemill itself sets.
const OWN_TAGS: &str = "tidemill.";

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemarkCommand {
    /// Change what people call a run, say of it, or tag it with.
    Describe {
        /// The run.
        run: RunId,
        /// How it is to be.
        described: Described,
        /// Who asks.
        by: String,
    },
    /// Comment on a run.
    Comment {
        /// The run.
        run: RunId,
        /// What to say.
        text: String,
        /// Who asks.
        by: String,
    },
    /// Give a comment another text.
    Edit {
        /// The run.
        run: RunId,
        /// The comment's number.
        comment: u32,
        /// What it is to say.
        text: String,
        /// Who asks.
        author: Author,
    },
    /// Remove a comment.
    Remove {
        /// The run.
        run: RunId,
        /// The comment's number.
        comment: u32,
        /// Who asks.
        author: Author,
    },
}

/// What is to be said of a run; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// What people call it.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Tags to set, or with none to remove.
    pub tags: BTreeMap<String, Option<String>>,
}

/// Who changes a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// In whose name.
    pub name: String,
    /// Whether they may change those of others.
    pub is_admin: bool,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemarkRejection {
    /// No such comment.
    #[error("the run has no comment {0}")]
    UnknownComment(u32),
    /// Somebody else wrote it.
    #[error("comment {number} is {author}'s")]
    NotTheAuthor {
        /// The comment.
        number: u32,
        /// Who wrote it.
        author: String,
    },
    /// It says nothing, is too long or breaks a rule.
    #[error("{0}")]
    Bad(String),
    /// There is no room.
    #[error("{0}")]
    TooMany(&'static str),
}

impl Ledger for Remarks {
    type Command = RemarkCommand;
    type Fact = RemarkFact;
    type Rejection = RemarkRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.remarks
    }

    fn created(fact: &RemarkFact) -> Option<Created> {
        match fact {
            RemarkFact::RunCommented { comment, .. } => Some(Created::new(comment)),
            _ => None,
        }
    }

    fn decide(&self, _: Timestamp, command: &RemarkCommand) -> Result<Vec<RemarkFact>, RemarkRejection> {
        let fact = match command {
            RemarkCommand::Describe { run, described, by } => self.describe(*run, described, by)?,
            RemarkCommand::Comment { run, text, by } => Some(self.comment(*run, text, by)?),
            RemarkCommand::Edit {
                run,
                comment,
                text,
                author,
            } => {
                let known = self.own_comment(*run, *comment, author)?;
                check_comment(text)?;
                (known.text != *text).then(|| RemarkFact::CommentEdited {
                    run: *run,
                    comment: *comment,
                    text: text.clone(),
                    by: author.name.clone(),
                })
            }
            RemarkCommand::Remove { run, comment, author } => {
                self.own_comment(*run, *comment, author)?;
                Some(RemarkFact::CommentRemoved {
                    run: *run,
                    comment: *comment,
                    by: author.name.clone(),
                })
            }
        };
        let adds = fact
            .as_ref()
            .is_some_and(|fact| !matches!(fact, RemarkFact::CommentRemoved { .. }));
        if adds && self.bytes() >= BYTES_MAX {
            return Err(RemarkRejection::TooMany(
                "there is no room for more names, tags and comments: delete old runs",
            ));
        }
        Ok(fact.into_iter().collect())
    }
}

impl Remarks {
    fn describe(
        &self,
        run: RunId,
        described: &Described,
        by: &str,
    ) -> Result<Option<RemarkFact>, RemarkRejection> {
        check_described(described)?;
        let known = self.of(run);
        let said = |new: &Option<String>, old: Option<&String>| new.clone().filter(|new| Some(new) != old);
        let display_name = said(
            &described.display_name,
            known.and_then(|known| known.display_name.as_ref()),
        );
        let description = said(
            &described.description,
            known.and_then(|known| known.description.as_ref()),
        );
        let old = |name: &String| known.and_then(|known| known.tags.get(name));
        let changed = described
            .tags
            .iter()
            .filter(|(name, value)| old(name) != Some(*value));
        let tags: BTreeMap<String, Option<String>> = changed
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let new = tags.keys().filter(|name| old(name).is_none()).count();
        if known.map_or(0, |known| known.tags.len()) + new > TAGS_MAX {
            return Err(RemarkRejection::TooMany(
                "200 tags of the run were changed already",
            ));
        }
        if display_name.is_none() && description.is_none() && tags.is_empty() {
            return Ok(None);
        }
        Ok(Some(RemarkFact::RunDescribed {
            run,
            display_name,
            description,
            tags,
            by: by.to_owned(),
        }))
    }

    fn comment(&self, run: RunId, text: &str, by: &str) -> Result<RemarkFact, RemarkRejection> {
        check_comment(text)?;
        let known = self.of(run);
        if known.is_some_and(|known| known.comments.len() >= COMMENTS_PER_RUN_MAX) {
            return Err(RemarkRejection::TooMany("the run has 1,000 comments already"));
        }
        let last = known.map_or(0, |known| known.last_comment);
        let comment = last.checked_add(1).ok_or(RemarkRejection::TooMany(
            "the run has no number left for a comment",
        ))?;
        Ok(RemarkFact::RunCommented {
            run,
            comment,
            text: text.to_owned(),
            by: by.to_owned(),
        })
    }

    /// The comment, if this is its author or an admin.
    fn own_comment(&self, run: RunId, number: u32, author: &Author) -> Result<&Comment, RemarkRejection> {
        let known = self.of(run).and_then(|known| known.comment(number));
        let known = known.ok_or(RemarkRejection::UnknownComment(number))?;
        if author.is_admin || known.by == author.name {
            return Ok(known);
        }
        Err(RemarkRejection::NotTheAuthor {
            number,
            author: known.by.clone(),
        })
    }
}

fn check_comment(text: &str) -> Result<(), RemarkRejection> {
    if text.trim().is_empty() {
        return Err(RemarkRejection::Bad("a comment says something".to_owned()));
    }
    if text.len() > COMMENT_BYTES_MAX {
        return Err(RemarkRejection::Bad("a comment has at most 16 KiB".to_owned()));
    }
    Ok(())
}

fn check_described(described: &Described) -> Result<(), RemarkRejection> {
    let bad = |why: String| Err(RemarkRejection::Bad(why));
    if let Some(name) = &described.display_name {
        let fits = !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX;
        if !fits || name.chars().any(char::is_control) {
            return bad("a name has 1 to 256 bytes, none of them a control character".to_owned());
        }
    }
    if described
        .description
        .as_ref()
        .is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX)
    {
        return bad("a description has at most 64 KiB".to_owned());
    }
    for (name, value) in &described.tags {
        if name.trim().is_empty() || name.len() > TAG_BYTES_MAX.0 || name.chars().any(char::is_control) {
            return bad("the name of a tag has 1 to 256 bytes, none of them a control character".to_owned());
        }
        if name.contains(['=', ',']) {
            return bad(format!("the name of a tag holds no `=` and no comma: `{name}`"));
        }
        if name.starts_with(OWN_TAGS) {
            return bad(format!(
                "tags that begin with `{OWN_TAGS}` are tidemill's own: `{name}`"
            ));
        }
        if value.as_ref().is_some_and(|value| value.len() > TAG_BYTES_MAX.1) {
            return bad(format!("the value of a tag has at most 8 KiB: `{name}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "00000000-0000-7000-8000-000000000001";

    fn run() -> RunId {
        RUN.parse().unwrap()
    }

    fn carry_out(remarks: &mut Remarks, command: &RemarkCommand) -> Result<usize, RemarkRejection> {
        let facts = remarks.decide(Timestamp(7), command)?;
        for fact in &facts {
            remarks.apply(Timestamp(7), fact);
        }
        Ok(facts.len())
    }

    fn author(name: &str, is_admin: bool) -> Author {
        Author {
            name: name.into(),
            is_admin,
        }
    }

    fn comment(text: &str, by: &str) -> RemarkCommand {
        RemarkCommand::Comment {
            run: run(),
            text: text.into(),
            by: by.into(),
        }
    }

    fn tag(name: &str, value: Option<&str>) -> RemarkCommand {
        RemarkCommand::Describe {
            run: run(),
            described: Described {
                tags: [(name.to_owned(), value.map(str::to_owned))].into(),
                ..Described::default()
            },
            by: "ada".into(),
        }
    }

    #[test]
    fn a_comment_is_changed_by_its_author_and_by_admins_only() {
        let mut remarks = Remarks::default();
        carry_out(&mut remarks, &comment("diverged", "ada")).unwrap();
        let edit = |author| RemarkCommand::Edit {
            run: run(),
            comment: 1,
            text: "converged".into(),
            author,
        };
        let refused = carry_out(&mut remarks, &edit(author("bob", false)));
        let expected = RemarkRejection::NotTheAuthor {
            number: 1,
            author: "ada".into(),
        };
        assert_eq!(refused, Err(expected));
        assert_eq!(remarks.of(run()).unwrap().comments[0].text, "diverged");
        assert_eq!(carry_out(&mut remarks, &edit(author("ada", false))), Ok(1));
        assert_eq!(
            carry_out(&mut remarks, &edit(author("ada", false))),
            Ok(0),
            "the same again"
        );
        let remove = |author| RemarkCommand::Remove {
            run: run(),
            comment: 1,
            author,
        };
        assert!(carry_out(&mut remarks, &remove(author("bob", false))).is_err());
        assert_eq!(carry_out(&mut remarks, &remove(author("root", true))), Ok(1));
        assert_eq!(
            carry_out(&mut remarks, &remove(author("root", true))),
            Err(RemarkRejection::UnknownComment(1))
        );
        carry_out(&mut remarks, &comment("again", "bob")).unwrap();
        assert_eq!(
            remarks.of(run()).unwrap().comments[0].number,
            2,
            "no number is given twice"
        );
    }

    #[test]
    fn comments_are_bounded_in_length_and_number() {
        let mut remarks = Remarks::default();
        for bad in ["", " \n ", &"x".repeat(COMMENT_BYTES_MAX + 1)] {
            assert!(carry_out(&mut remarks, &comment(bad, "ada")).is_err());
        }
        assert_eq!(remarks, Remarks::default());
        for _ in 0..COMMENTS_PER_RUN_MAX {
            carry_out(&mut remarks, &comment("one more", "ada")).unwrap();
        }
        assert!(matches!(
            carry_out(&mut remarks, &comment("one more", "ada")),
            Err(RemarkRejection::TooMany(_))
        ));
    }

    #[test]
    fn tags_are_set_changed_and_removed_and_tidemills_own_are_not() {
        let mut remarks = Remarks::default();
        assert_eq!(carry_out(&mut remarks, &tag("stage", Some("prod"))), Ok(1));
        assert_eq!(carry_out(&mut remarks, &tag("stage", Some("prod"))), Ok(0));
        assert_eq!(carry_out(&mut remarks, &tag("stage", None)), Ok(1));
        for bad in ["", "a=b", "a,b", "tidemill.pipeline", "a\nb"] {
            assert!(carry_out(&mut remarks, &tag(bad, Some("x"))).is_err(), "{bad:?}");
        }
        let kept: u64 = "stage".len() as u64;
        assert_eq!(remarks.bytes(), kept);
    }

    #[test]
    fn what_was_said_goes_with_the_run_and_leaves_no_bytes() {
        let mut remarks = Remarks::default();
        carry_out(&mut remarks, &comment("gone soon", "ada")).unwrap();
        carry_out(&mut remarks, &tag("a", Some("b"))).unwrap();
        assert!(remarks.bytes() > 0);
        remarks.apply(Timestamp(8), &RemarkFact::RemarksForgotten { run: run() });
        assert_eq!(remarks, Remarks::default());
    }
}
