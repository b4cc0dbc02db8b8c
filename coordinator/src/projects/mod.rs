//! Projects, teams and roles: who may start runs in which project and change those of others; a ledger like the datastores'. Quotas are the engine's, because it holds
//! steps back by them. The project `default` is always there and everybody's. Projects do not hide runs: who may read, reads them all.

mod decide;
mod fact;
mod rights;
mod state;

pub use decide::{
    PEOPLE_PER_TEAM_MAX, PROJECTS_MAX, ProjectCommand, ProjectRejection, ROLES_PER_PROJECT_MAX, TEAMS_MAX,
};
pub use fact::{Member, ProjectFact};
pub(crate) use rights::{Filed, NoRight, file, may_change, may_comment};
pub use state::{Project, Projects, Team};
