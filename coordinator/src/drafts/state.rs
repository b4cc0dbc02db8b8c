//! The drafts as their facts left them.

use super::fact::DraftFact;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::draft::DraftSpec;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// All drafts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drafts {
    drafts: BTreeMap<Name, Draft>,
}

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What it is.
    pub spec: Arc<DraftSpec>,
    /// Counts every change.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it, and may change it.
    pub created_by: String,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
}

impl Drafts {
    /// A draft by its name.
    pub fn get(&self, name: &Name) -> Option<&Draft> {
        self.drafts.get(name)
    }

    /// All drafts, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&Name, &Draft)> {
        self.drafts.iter()
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &DraftFact) {
        match fact {
            DraftFact::DraftRemoved { name, .. } => drop(self.drafts.remove(name)),
            DraftFact::DraftSet { name, spec, by } => {
                let known = self.drafts.get(name);
                let draft = Draft {
                    spec: Arc::new((**spec).clone()),
                    revision: known.map_or(1, |known| known.revision + 1),
                    created_at: known.map_or(at, |known| known.created_at),
                    created_by: known.map_or_else(|| by.clone(), |known| known.created_by.clone()),
                    changed_at: at,
                    changed_by: by.clone(),
                };
                self.drafts.insert(name.clone(), draft);
            }
        }
    }
}
