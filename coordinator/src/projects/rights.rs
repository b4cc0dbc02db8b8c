//! Who may start runs in a project, and change or comment on those that are there. In the project `default` everything is as scopes say. In a project that somebody made, a
//! role is needed, unless the token operates the whole service. A token that is bound to a project starts and changes runs there and nowhere else.

use super::decide::ProjectRejection;
use super::state::Projects;
use crate::access::Caller;
use tidemill_engine::Run;
use tidemill_protocol::access::Scope;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::{Role, default_project, is_default_project};

/// A project in which somebody may start a run: nothing is submitted without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filed(Name);

impl Filed {
    /// For what starts by itself: whether its maker may file runs there was asked when it was made, but the project may be gone by now.
    pub(crate) fn by_schedule(projects: &Projects, wanted: Option<Name>) -> Result<Self, ProjectRejection> {
        let project = wanted.unwrap_or_else(default_project);
        if projects.is_known(&project) {
            Ok(Self(project))
        } else {
            Err(ProjectRejection::UnknownProject(project))
        }
    }

    /// The project.
    pub(crate) fn into_name(self) -> Name {
        self.0
    }
}

/// Why somebody may not do this to a run of a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRight {
    /// No such project.
    #[error("there is no project `{0}`")]
    UnknownProject(Name),
    /// The token is for another project.
    #[error("the token is bound to the project `{bound}`, and this is about `{wanted}`")]
    Bound {
        /// What it is bound to.
        bound: Name,
        /// What it was shown for.
        wanted: Name,
    },
    /// Too weak a role, or none.
    #[error("{who} has not the role {needed} in the project `{project}`")]
    NoRole {
        /// Who asks.
        who: String,
        /// The project.
        project: Name,
        /// What this needs.
        needed: Role,
    },
    /// It is somebody else's run.
    #[error("the run belongs to {owner}, not to {who}")]
    NotTheirs {
        /// Whose it is.
        owner: String,
        /// Who asks.
        who: String,
    },
}

/// The project in which a caller's run is to be filed: the one that is named, else the one that the token is bound to, else `default`.
pub(crate) fn file(projects: &Projects, caller: &Caller, wanted: Option<Name>) -> Result<Filed, NoRight> {
    let bound = caller.bound_to().cloned();
    let project = wanted.or(bound).unwrap_or_else(default_project);
    if !projects.is_known(&project) {
        return Err(NoRight::UnknownProject(project));
    }
    check(projects, caller, &project, Role::Submitter)?;
    Ok(Filed(project))
}

/// Whether a caller may end, retry, delete or describe a run.
pub(crate) fn may_change(projects: &Projects, caller: &Caller, run: &Run) -> Result<(), NoRight> {
    let project = run.project();
    let is_theirs = caller.may_end_run_of(run.submitted_by());
    let needed = if is_theirs {
        Role::Submitter
    } else {
        Role::Operator
    };
    if is_default_project(project) && !is_theirs {
        return Err(NoRight::NotTheirs {
            owner: run.submitted_by().to_owned(),
            who: caller.name().into_owned(),
        });
    }
    check(projects, caller, project, needed)
}

/// Whether a caller may comment on a run.
pub(crate) fn may_comment(projects: &Projects, caller: &Caller, run: &Run) -> Result<(), NoRight> {
    check(projects, caller, run.project(), Role::Submitter)
}

/// Whether a caller has this role in a project.
fn check(projects: &Projects, caller: &Caller, project: &Name, needed: Role) -> Result<(), NoRight> {
    if let Some(bound) = caller.bound_to().filter(|bound| *bound != project) {
        return Err(NoRight::Bound {
            bound: bound.clone(),
            wanted: project.clone(),
        });
    }
    if is_default_project(project) || caller.scope() >= Some(Scope::Operator) {
        return Ok(());
    }
    let role = match caller {
        Caller::Token { subject, kind, .. } => projects.role(project, subject, *kind),
        Caller::Operator
        | Caller::Local
        | Caller::Worker { .. }
        | Caller::Joining { .. }
        | Caller::Attempt { .. }
        | Caller::Nobody => None,
    };
    if role >= Some(needed) {
        return Ok(());
    }
    Err(NoRight::NoRole {
        who: caller.name().into_owned(),
        project: project.clone(),
        needed,
    })
}
