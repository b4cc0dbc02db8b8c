//! What is said of runs, as its facts left it.

use super::fact::RemarkFact;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use tidemill_protocol::api::RunAct;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::plan::Plan;
use tidemill_protocol::time::Timestamp;

/// Changes of one run that are remembered; the journal holds all.
const CHANGES_KEPT: usize = 100;
/// Characters of what a change was about.
const DETAIL_CHARS_MAX: usize = 200;

/// What is said of all runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remarks {
    runs: BTreeMap<RunId, RunRemarks>,
    /// Bytes of all that is said.
    bytes: u64,
}

/// What is said of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRemarks {
    /// What people call it, in place of the plan's name.
    pub display_name: Option<String>,
    /// Free text, in place of the plan's.
    pub description: Option<String>,
    /// Tags over those of the plan; none where one of those is gone.
    pub tags: BTreeMap<String, Option<String>>,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// The number of the last comment, also of one that was removed.
    pub last_comment: u32,
    /// The last changes, oldest first.
    pub changes: VecDeque<Change>,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its number in the run; none is given twice.
    pub number: u32,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
    /// When it was last changed.
    #[serde(default)]
    pub edited_at: Option<Timestamp>,
}

/// A change of what is said of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What was done.
    pub what: RunAct,
    /// To what, in a few words.
    pub detail: String,
}

impl Remarks {
    /// What is said of a run, if anything is.
    pub fn of(&self, run: RunId) -> Option<&RunRemarks> {
        self.runs.get(&run)
    }

    /// The runs of which something is said.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = RunId> {
        self.runs.keys().copied()
    }

    /// Bytes of all that is said.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What people call a run.
    pub fn display_name<'a>(&'a self, run: RunId, plan: &'a Plan) -> &'a str {
        let said = self.of(run).and_then(|said| said.display_name.as_deref());
        said.unwrap_or(&plan.display_name)
    }

    /// Free text about a run.
    pub fn description<'a>(&'a self, run: RunId, plan: &'a Plan) -> &'a str {
        let said = self.of(run).and_then(|said| said.description.as_deref());
        said.unwrap_or(&plan.description)
    }

    /// The tags of a run.
    pub fn tags<'a>(&self, run: RunId, plan: &'a Plan) -> Cow<'a, BTreeMap<String, String>> {
        let Some(said) = self.of(run).filter(|said| !said.tags.is_empty()) else {
            return Cow::Borrowed(&plan.tags);
        };
        let mut tags = plan.tags.clone();
        for (name, value) in &said.tags {
            match value {
                Some(value) => tags.insert(name.clone(), value.clone()),
                None => tags.remove(name),
            };
        }
        Cow::Owned(tags)
    }

    /// The value of one tag of a run.
    pub fn tag<'a>(&'a self, run: RunId, plan: &'a Plan, name: &str) -> Option<&'a str> {
        let said = self.of(run).and_then(|said| said.tags.get(name));
        match said {
            Some(said) => said.as_deref(),
            None => plan.tags.get(name).map(String::as_str),
        }
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &RemarkFact) {
        let run = fact.run();
        let mut said = self.runs.remove(&run).unwrap_or_default();
        let before = said.bytes();
        if matches!(fact, RemarkFact::RemarksForgotten { .. }) {
            self.bytes -= before;
            return;
        }
        said.apply(at, fact);
        self.bytes = self.bytes - before + said.bytes();
        self.runs.insert(run, said);
    }
}

impl RunRemarks {
    /// A comment by its number.
    pub fn comment(&self, number: u32) -> Option<&Comment> {
        self.comments.iter().find(|comment| comment.number == number)
    }

    fn bytes(&self) -> u64 {
        let texts = [&self.display_name, &self.description].into_iter().flatten();
        let tags = self.tags.iter();
        let bytes = texts.map(String::len).sum::<usize>()
            + tags
                .map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len))
                .sum::<usize>()
            + self
                .comments
                .iter()
                .map(|comment| comment.text.len())
                .sum::<usize>();
        bytes as u64
    }

    fn apply(&mut self, at: Timestamp, fact: &RemarkFact) {
        match fact {
            RemarkFact::RunDescribed {
                display_name,
                description,
                tags,
                by,
                ..
            } => {
                let mut parts = Vec::new();
                if let Some(name) = display_name {
                    parts.push(format!("name {name}"));
                    self.display_name = Some(name.clone());
                }
                if let Some(text) = description {
                    parts.push("description".to_owned());
                    self.description = Some(text.clone());
                }
                for (name, value) in tags {
                    parts.push(match value {
                        Some(value) => format!("tag {name}={value}"),
                        None => format!("no tag {name}"),
                    });
                    self.tags.insert(name.clone(), value.clone());
                }
                self.note(at, by, RunAct::Described, &parts.join(", "));
            }
            RemarkFact::RunCommented {
                comment, text, by, ..
            } => {
                self.last_comment = *comment;
                self.comments.push(Comment {
                    number: *comment,
                    by: by.clone(),
                    at,
                    text: text.clone(),
                    edited_at: None,
                });
                self.note(at, by, RunAct::Commented, &format!("#{comment}"));
            }
            RemarkFact::CommentEdited {
                comment, text, by, ..
            } => {
                let mut all = self.comments.iter_mut();
                if let Some(kept) = all.find(|kept| kept.number == *comment) {
                    kept.text.clone_from(text);
                    kept.edited_at = Some(at);
                }
                self.note(at, by, RunAct::CommentEdited, &format!("#{comment}"));
            }
            RemarkFact::CommentRemoved { comment, by, .. } => {
                self.comments.retain(|kept| kept.number != *comment);
                self.note(at, by, RunAct::CommentRemoved, &format!("#{comment}"));
            }
            RemarkFact::RemarksForgotten { .. } => {}
        }
    }

    fn note(&mut self, at: Timestamp, by: &str, what: RunAct, detail: &str) {
        if self.changes.len() >= CHANGES_KEPT {
            self.changes.pop_front();
        }
        self.changes.push_back(Change {
            at,
            by: by.to_owned(),
            what,
            detail: detail.chars().take(DETAIL_CHARS_MAX).collect(),
        });
    }
}
