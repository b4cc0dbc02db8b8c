//! Projects: what runs are filed under for quotas and fair share. Who has which role in one is the coordinator's to keep; no decision stands here.

use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The project of runs for which nobody named one. It is always there.
pub const DEFAULT_PROJECT: &str = "default";
/// Compute targets that one quota may name.
pub const QUOTA_TARGETS_MAX: usize = 100;

/// The project of runs for which nobody named one.
///
/// # Panics
/// Never: the name is one by its grammar.
pub fn default_project() -> Name {
    DEFAULT_PROJECT.parse().expect("a name by its grammar")
}

/// Whether this is the project of runs for which nobody named one.
pub fn is_default_project(name: &Name) -> bool {
    name.as_str() == DEFAULT_PROJECT
}

/// How much a project may have at once. What is absent is not bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Steps whose attempt is with a worker or on its way to one. 0 holds all steps back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_steps: Option<u32>,
    /// The same for one compute target, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, u32>)]
    pub targets: BTreeMap<Name, u32>,
    /// Runs of which no step was released yet. Submissions beyond are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_runs: Option<u32>,
}

impl Quota {
    /// Whether it bounds nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What a member may do in a project. Each role may do all that those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at its runs.
    Reader,
    /// Start runs in it, comment, and end or retry their own.
    Submitter,
    /// End, retry and delete everybody's runs in it.
    Operator,
}

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Submitter, Self::Operator];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Submitter => "submitter",
            Self::Operator => "operator",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is reader, submitter or operator")]
pub struct RoleError;

impl std::str::FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or(RoleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_weaker_ones_may_and_reads_as_its_word() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("admin".parse::<Role>().is_err());
        assert!(is_default_project(&default_project()));
    }

    #[test]
    fn a_quota_that_is_silent_bounds_nothing_and_unknown_words_are_refused() {
        assert!(serde_json::from_str::<Quota>("{}").unwrap().is_none());
        assert!(serde_json::from_str::<Quota>(r#"{"running": 3}"#).is_err());
    }
}
