//! The journal's language about projects and teams: one golden entry for each kind of fact and of member.

use crate::golden::check_ledger;
use crate::samples as s;
use tidemill_coordinator::projects::{Member, ProjectFact};
use tidemill_protocol::project::Role;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &ProjectFact) -> &'static str {
    match fact {
        ProjectFact::ProjectSet { .. } => "project-set",
        ProjectFact::RoleSet { member, role, .. } => match (member, role) {
            (Member::Person(_), Some(_)) => "role-set-of-a-person",
            (Member::Team(_), Some(_)) => "role-set-of-a-team",
            (_, None) => "role-taken-away",
        },
        ProjectFact::ProjectRemoved { .. } => "project-removed",
        ProjectFact::TeamSet { .. } => "team-set",
        ProjectFact::TeamRemoved { .. } => "team-removed",
    }
}

#[test]
fn every_fact_about_projects_is_read_as_it_was_meant() {
    let (project, team, by) = (s::name("vision"), s::name("eyes"), "root".to_owned());
    let role = |member, role| ProjectFact::RoleSet {
        project: project.clone(),
        member,
        role,
        by: by.clone(),
    };
    let facts = [
        ProjectFact::ProjectSet {
            project: project.clone(),
            description: "what cars see".into(),
            by: by.clone(),
        },
        role(Member::Person("ada".into()), Some(Role::Operator)),
        role(Member::Team(team.clone()), Some(Role::Submitter)),
        role(Member::Team(team.clone()), None),
        ProjectFact::ProjectRemoved {
            project: project.clone(),
            by: by.clone(),
        },
        ProjectFact::TeamSet {
            team: team.clone(),
            people: ["ada".to_owned(), "bob".to_owned()].into(),
            by: by.clone(),
        },
        ProjectFact::TeamRemoved { team, by: by.clone() },
    ];
    check_ledger("projects", facts, kind);
}
