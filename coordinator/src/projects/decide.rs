//! What may be asked of projects and teams, and which facts follow, or why none do. Asking twice for the same changes nothing and is no error.

use super::fact::{Member, ProjectFact};
use super::state::Projects;
use crate::ledger::{Ledger, Ledgers};
use std::collections::BTreeSet;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::{Role, is_default_project};
use tidemill_protocol::time::Timestamp;

/// Projects at once.
pub const PROJECTS_MAX: usize = 1_000;
/// People and teams with a role in one project.
pub const ROLES_PER_PROJECT_MAX: usize = 1_000;
/// Teams at once.
pub const TEAMS_MAX: usize = 1_000;
/// People in one team.
pub const PEOPLE_PER_TEAM_MAX: usize = 1_000;
/// Longest description in bytes.
const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// Longest name of a person in characters, as for subjects of tokens.
const PERSON_CHARS_MAX: usize = 128;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectCommand {
    /// Make a project, or describe it otherwise.
    Set {
        /// The project.
        project: Name,
        /// Free text.
        description: String,
        /// Who asks.
        by: String,
    },
    /// Give a member a role, or with none take it away.
    SetRole {
        /// The project.
        project: Name,
        /// Who is to have it.
        member: Member,
        /// The role.
        role: Option<Role>,
        /// Who asks.
        by: String,
    },
    /// Remove a project with its roles.
    Remove {
        /// The project.
        project: Name,
        /// Who asks.
        by: String,
    },
    /// Make a team, or give it other people.
    SetTeam {
        /// The team.
        team: Name,
        /// Its people.
        people: BTreeSet<String>,
        /// Who asks.
        by: String,
    },
    /// Remove a team and its roles.
    RemoveTeam {
        /// The team.
        team: Name,
        /// Who asks.
        by: String,
    },
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectRejection {
    /// No such project.
    #[error("there is no project `{0}`")]
    UnknownProject(Name),
    /// No such team.
    #[error("there is no team `{0}`")]
    UnknownTeam(Name),
    /// It is everybody's, and stays.
    #[error("the project `default` is everybody's: it has no roles and is not removed")]
    Default,
    /// A text breaks a rule.
    #[error("{0}")]
    Bad(&'static str),
    /// All the places are taken.
    #[error("{0}")]
    TooMany(&'static str),
}

impl Ledger for Projects {
    type Command = ProjectCommand;
    type Fact = ProjectFact;
    type Rejection = ProjectRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.projects
    }

    fn decide(&self, _: Timestamp, command: &ProjectCommand) -> Result<Vec<ProjectFact>, ProjectRejection> {
        let fact = match command {
            ProjectCommand::Set {
                project,
                description,
                by,
            } => self.set(project, description, by)?,
            ProjectCommand::SetRole {
                project,
                member,
                role,
                by,
            } => self.set_role(project, member, *role, by)?,
            ProjectCommand::Remove { project, by } => {
                if is_default_project(project) {
                    return Err(ProjectRejection::Default);
                }
                let unknown = || ProjectRejection::UnknownProject(project.clone());
                self.get(project).ok_or_else(unknown)?;
                Some(ProjectFact::ProjectRemoved {
                    project: project.clone(),
                    by: by.clone(),
                })
            }
            ProjectCommand::SetTeam { team, people, by } => self.set_team(team, people, by)?,
            ProjectCommand::RemoveTeam { team, by } => {
                self.team(team)
                    .ok_or_else(|| ProjectRejection::UnknownTeam(team.clone()))?;
                Some(ProjectFact::TeamRemoved {
                    team: team.clone(),
                    by: by.clone(),
                })
            }
        };
        Ok(fact.into_iter().collect())
    }
}

type Decided = Result<Option<ProjectFact>, ProjectRejection>;

impl Projects {
    fn set(&self, project: &Name, description: &str, by: &str) -> Decided {
        if description.len() > DESCRIPTION_BYTES_MAX {
            return Err(ProjectRejection::Bad("a description has at most 4 KiB"));
        }
        let known = self.get(project);
        if known.is_none() && self.all().len() >= PROJECTS_MAX {
            return Err(ProjectRejection::TooMany("there are 1,000 projects already"));
        }
        let changes = known.is_none_or(|known| known.description != description);
        Ok(changes.then(|| ProjectFact::ProjectSet {
            project: project.clone(),
            description: description.to_owned(),
            by: by.to_owned(),
        }))
    }

    fn set_role(&self, project: &Name, member: &Member, role: Option<Role>, by: &str) -> Decided {
        if is_default_project(project) {
            return Err(ProjectRejection::Default);
        }
        let unknown = || ProjectRejection::UnknownProject(project.clone());
        let known = self.get(project).ok_or_else(unknown)?;
        let has = match member {
            Member::Person(person) => {
                check_person(person)?;
                known.people.get(person)
            }
            Member::Team(team) => {
                if role.is_some() && self.team(team).is_none() {
                    return Err(ProjectRejection::UnknownTeam(team.clone()));
                }
                known.teams.get(team)
            }
        };
        if has == role.as_ref() {
            return Ok(None);
        }
        let is_full = known.people.len() + known.teams.len() >= ROLES_PER_PROJECT_MAX;
        if has.is_none() && is_full {
            return Err(ProjectRejection::TooMany("the project has 1,000 members already"));
        }
        Ok(Some(ProjectFact::RoleSet {
            project: project.clone(),
            member: member.clone(),
            role,
            by: by.to_owned(),
        }))
    }

    fn set_team(&self, team: &Name, people: &BTreeSet<String>, by: &str) -> Decided {
        people.iter().try_for_each(|person| check_person(person))?;
        if people.len() > PEOPLE_PER_TEAM_MAX {
            return Err(ProjectRejection::TooMany("a team has at most 1,000 people"));
        }
        let known = self.team(team);
        if known.is_none() && self.teams().len() >= TEAMS_MAX {
            return Err(ProjectRejection::TooMany("there are 1,000 teams already"));
        }
        let changes = known.is_none_or(|known| known.people != *people);
        Ok(changes.then(|| ProjectFact::TeamSet {
            team: team.clone(),
            people: people.clone(),
            by: by.to_owned(),
        }))
    }
}

fn check_person(person: &str) -> Result<(), ProjectRejection> {
    let length = person.chars().count();
    let fits = (1..=PERSON_CHARS_MAX).contains(&length) && !person.trim().is_empty();
    if fits && !person.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ProjectRejection::Bad(
        "a person's name has 1 to 128 characters, none of them a control character",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::access::SubjectKind;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn carry_out(projects: &mut Projects, command: &ProjectCommand) -> Result<usize, ProjectRejection> {
        let facts = projects.decide(Timestamp(1), command)?;
        for fact in &facts {
            projects.apply(Timestamp(1), fact);
        }
        Ok(facts.len())
    }

    fn set(project: &str) -> ProjectCommand {
        ProjectCommand::Set {
            project: name(project),
            description: "x".into(),
            by: "root".into(),
        }
    }

    fn role(project: &str, member: Member, role: Option<Role>) -> ProjectCommand {
        ProjectCommand::SetRole {
            project: name(project),
            member,
            role,
            by: "root".into(),
        }
    }

    fn team(people: &[&str]) -> ProjectCommand {
        ProjectCommand::SetTeam {
            team: name("eyes"),
            people: people.iter().map(|person| (*person).to_owned()).collect(),
            by: "root".into(),
        }
    }

    #[test]
    fn a_role_is_the_strongest_of_ones_own_and_ones_teams() {
        let mut projects = Projects::default();
        for command in [
            set("vision"),
            team(&["ada", "bob"]),
            role("vision", Member::Team(name("eyes")), Some(Role::Submitter)),
            role("vision", Member::Person("ada".into()), Some(Role::Operator)),
        ] {
            assert_eq!(carry_out(&mut projects, &command), Ok(1));
            assert_eq!(carry_out(&mut projects, &command), Ok(0), "the same again");
        }
        let has = |subject: &str, kind| projects.role(&name("vision"), subject, kind);
        assert_eq!(has("ada", SubjectKind::Person), Some(Role::Operator));
        assert_eq!(has("bob", SubjectKind::Person), Some(Role::Submitter));
        assert_eq!(has("eyes", SubjectKind::Team), Some(Role::Submitter));
        assert_eq!(has("eve", SubjectKind::Person), None);
        assert_eq!(
            has("eyes", SubjectKind::Person),
            None,
            "a person of a team's name is not the team"
        );
        assert_eq!(
            has("ada", SubjectKind::Team),
            None,
            "nor a team of a person's name the person"
        );
        assert_eq!(projects.role(&name("speech"), "ada", SubjectKind::Person), None);
    }

    #[test]
    fn a_team_that_is_made_again_has_no_role_that_the_old_one_had() {
        let mut projects = Projects::default();
        let member = || Member::Team(name("eyes"));
        for command in [
            set("vision"),
            team(&["ada"]),
            role("vision", member(), Some(Role::Operator)),
            ProjectCommand::RemoveTeam {
                team: name("eyes"),
                by: "root".into(),
            },
            team(&["ada"]),
        ] {
            assert_eq!(carry_out(&mut projects, &command), Ok(1));
        }
        assert_eq!(projects.role(&name("vision"), "ada", SubjectKind::Person), None);
    }

    #[test]
    fn what_makes_no_sense_is_rejected_and_changes_nothing() {
        let mut projects = Projects::default();
        carry_out(&mut projects, &set("vision")).unwrap();
        let before = projects.clone();
        let ada = || Member::Person("ada".into());
        for (command, expected) in [
            (
                role("speech", ada(), Some(Role::Reader)),
                ProjectRejection::UnknownProject(name("speech")),
            ),
            (
                role("vision", Member::Team(name("ears")), Some(Role::Reader)),
                ProjectRejection::UnknownTeam(name("ears")),
            ),
            (
                role("default", ada(), Some(Role::Reader)),
                ProjectRejection::Default,
            ),
            (
                ProjectCommand::Remove {
                    project: name("default"),
                    by: "root".into(),
                },
                ProjectRejection::Default,
            ),
        ] {
            assert_eq!(carry_out(&mut projects, &command), Err(expected));
        }
        assert!(carry_out(&mut projects, &team(&["a\nb"])).is_err());
        assert_eq!(projects, before);
    }
}
