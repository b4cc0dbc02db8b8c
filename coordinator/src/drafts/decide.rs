//! What may be asked of the drafts, and which facts follow, or why none do. Asking twice for the same changes nothing and is no error.

use super::fact::DraftFact;
use super::state::{Draft, Drafts};
use crate::ledger::{Ledger, Ledgers};
use crate::schedules::Asker;
use tidemill_protocol::draft::DraftSpec;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Drafts at once.
pub const DRAFTS_MAX: usize = 1_000;
/// Parameters and tags of one draft.
const ITEMS_MAX: usize = 1_000;
/// Bytes of all texts of one draft together.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftCommand {
    /// Make a draft, or make it another.
    Set {
        /// The draft.
        name: Name,
        /// What it is to be.
        spec: Box<DraftSpec>,
        /// Whether there must be none yet.
        is_new: bool,
        /// Who asks, and what they have seen.
        by: Asker,
    },
    /// Forget a draft.
    Remove {
        /// The draft.
        name: Name,
        /// Who asks, and what they have seen.
        by: Asker,
    },
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftRejection {
    /// No such draft.
    #[error("there is no draft `{0}`")]
    Unknown(Name),
    /// There is one of this name.
    #[error("there is a draft `{0}` already")]
    Exists(Name),
    /// It changed since the caller looked.
    #[error("the draft has revision {found} by now, not {expected}")]
    Changed {
        /// What the caller had seen.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// Somebody else made it.
    #[error("the draft belongs to {0}")]
    NotYours(String),
    /// The pipeline has no such parameter.
    #[error("the pipeline has no parameter `{0}`")]
    UnknownParameter(String),
    /// A text or a list is out of its bounds.
    #[error("{0}")]
    OutOfBounds(&'static str),
    /// All the room is taken.
    #[error("there are {DRAFTS_MAX} drafts already")]
    TooMany,
}

impl Ledger for Drafts {
    type Command = DraftCommand;
    type Fact = DraftFact;
    type Rejection = DraftRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.drafts
    }

    fn decide(&self, _: Timestamp, command: &DraftCommand) -> Result<Vec<DraftFact>, DraftRejection> {
        match command {
            DraftCommand::Set {
                name,
                spec,
                is_new,
                by,
            } => {
                check(spec)?;
                match self.get(name) {
                    Some(_) if *is_new => return Err(DraftRejection::Exists(name.clone())),
                    Some(_) if *self.allowed(name, by)?.spec == **spec => return Ok(Vec::new()),
                    Some(_) => {}
                    None => self.may_be_made(by)?,
                }
                Ok(vec![DraftFact::DraftSet {
                    name: name.clone(),
                    spec: spec.clone(),
                    by: by.name.clone(),
                }])
            }
            DraftCommand::Remove { name, by } => {
                self.allowed(name, by)?;
                Ok(vec![DraftFact::DraftRemoved {
                    name: name.clone(),
                    by: by.name.clone(),
                }])
            }
        }
    }
}

impl Drafts {
    fn may_be_made(&self, by: &Asker) -> Result<(), DraftRejection> {
        match by.expect {
            Some(expected) => Err(DraftRejection::Changed { expected, found: 0 }),
            None if self.all().len() >= DRAFTS_MAX => Err(DraftRejection::TooMany),
            None => Ok(()),
        }
    }

    /// The draft, if this one may change it.
    fn allowed(&self, name: &Name, by: &Asker) -> Result<&Draft, DraftRejection> {
        let known = self
            .get(name)
            .ok_or_else(|| DraftRejection::Unknown(name.clone()))?;
        if !by.may_change_all && known.created_by != by.name {
            return Err(DraftRejection::NotYours(known.created_by.clone()));
        }
        match by.expect.filter(|expected| *expected != known.revision) {
            None => Ok(known),
            Some(expected) => Err(DraftRejection::Changed {
                expected,
                found: known.revision,
            }),
        }
    }
}

fn check(spec: &DraftSpec) -> Result<(), DraftRejection> {
    if spec.parameters.len().max(spec.tags.len()) > ITEMS_MAX {
        return Err(DraftRejection::OutOfBounds(
            "a draft has at most 1,000 parameters and tags",
        ));
    }
    let pairs = spec.parameters.iter().chain(&spec.tags);
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
    let texts = [&spec.display_name, &spec.experiment].into_iter().flatten();
    let texts: usize = texts.map(String::len).sum();
    if pairs + texts + spec.description.len() > TEXT_BYTES_MAX {
        return Err(DraftRejection::OutOfBounds(
            "the texts of a draft have at most 256 KiB together",
        ));
    }
    let known = |name: &str| {
        spec.pipeline
            .parameters
            .iter()
            .any(|doc| doc.name.as_str() == name)
    };
    match spec.parameters.keys().find(|name| !known(name)) {
        Some(name) => Err(DraftRejection::UnknownParameter(name.clone())),
        None => Ok(()),
    }
}
