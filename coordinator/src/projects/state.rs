//! The projects and teams that are known, as their facts left them, and the role that somebody has.

use super::fact::{Member, ProjectFact};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::access::SubjectKind;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::{Role, is_default_project};
use tidemill_protocol::time::Timestamp;

/// Every project and team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Projects {
    projects: BTreeMap<Name, Project>,
    teams: BTreeMap<Name, Team>,
}

/// A project as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Free text.
    pub description: String,
    /// The roles of people.
    pub people: BTreeMap<String, Role>,
    /// The roles of teams.
    pub teams: BTreeMap<Name, Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its people, by the subjects of their tokens.
    pub people: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
}

impl Projects {
    /// A project that somebody made.
    pub fn get(&self, project: &Name) -> Option<&Project> {
        self.projects.get(project)
    }

    /// Whether there is such a project; `default` always is.
    pub fn is_known(&self, project: &Name) -> bool {
        is_default_project(project) || self.projects.contains_key(project)
    }

    /// The projects that somebody made, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&Name, &Project)> {
        self.projects.iter()
    }

    /// A team.
    pub fn team(&self, team: &Name) -> Option<&Team> {
        self.teams.get(team)
    }

    /// The teams, in the order of their names.
    pub fn teams(&self) -> impl ExactSizeIterator<Item = (&Name, &Team)> {
        self.teams.iter()
    }

    /// The strongest role that a subject has in a project: its own, or that of a team that it is or belongs to.
    pub fn role(&self, project: &Name, subject: &str, kind: SubjectKind) -> Option<Role> {
        let project = self.projects.get(project)?;
        let of_team = |(team, role): (&Name, &Role)| {
            let known = self.teams.get(team)?;
            let belongs = match kind {
                SubjectKind::Person => known.people.contains(subject),
                SubjectKind::Team => team.as_str() == subject,
            };
            belongs.then_some(*role)
        };
        let own = match kind {
            SubjectKind::Person => project.people.get(subject).copied(),
            SubjectKind::Team => None,
        };
        project.teams.iter().filter_map(of_team).max().max(own)
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &ProjectFact) {
        match fact {
            ProjectFact::ProjectSet {
                project,
                description,
                by,
            } => {
                let kept = self.projects.entry(project.clone()).or_insert_with(|| Project {
                    description: String::new(),
                    people: BTreeMap::new(),
                    teams: BTreeMap::new(),
                    created_at: at,
                    created_by: by.clone(),
                });
                kept.description.clone_from(description);
            }
            ProjectFact::RoleSet {
                project,
                member,
                role,
                ..
            } => {
                let Some(project) = self.projects.get_mut(project) else {
                    return;
                };
                match (member, role) {
                    (Member::Person(person), Some(role)) => project.people.insert(person.clone(), *role),
                    (Member::Person(person), None) => project.people.remove(person),
                    (Member::Team(team), Some(role)) => project.teams.insert(team.clone(), *role),
                    (Member::Team(team), None) => project.teams.remove(team),
                };
            }
            ProjectFact::ProjectRemoved { project, .. } => drop(self.projects.remove(project)),
            ProjectFact::TeamSet { team, people, by } => {
                let kept = self.teams.entry(team.clone()).or_insert_with(|| Team {
                    people: BTreeSet::new(),
                    created_at: at,
                    created_by: by.clone(),
                });
                kept.people.clone_from(people);
            }
            ProjectFact::TeamRemoved { team, .. } => {
                self.teams.remove(team);
                // A team that gets this name later is another one.
                for project in self.projects.values_mut() {
                    project.teams.remove(team);
                }
            }
        }
    }
}
