//! What happened to projects and teams: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::Role;

/// What happened to a project or a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectFact {
    /// A project was made, or is described otherwise from now on.
    ProjectSet {
        /// The project.
        project: Name,
        /// Free text.
        description: String,
        /// Who did it.
        by: String,
    },
    /// A member has another role in a project, or none any more.
    RoleSet {
        /// The project.
        project: Name,
        /// Who has it.
        member: Member,
        /// The role; none takes it away.
        role: Option<Role>,
        /// Who did it.
        by: String,
    },
    /// A project was removed with its roles. Its runs stay.
    ProjectRemoved {
        /// The project.
        project: Name,
        /// Who did it.
        by: String,
    },
    /// A team was made, or has other people from now on.
    TeamSet {
        /// The team.
        team: Name,
        /// Its people, by the subjects of their tokens.
        people: BTreeSet<String>,
        /// Who did it.
        by: String,
    },
    /// A team was removed, and its roles with it.
    TeamRemoved {
        /// The team.
        team: Name,
        /// Who did it.
        by: String,
    },
}

/// Who has a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// A person, by the subject of their tokens.
    Person(String),
    /// A team: its people, and tokens of its own.
    Team(Name),
}
