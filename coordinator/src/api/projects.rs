//! Projects and teams over REST: made, described, given roles and quotas, removed. What a role allows is decided in `projects`; a quota is the engine's.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::tokens::{ByQuery, name_of};
use crate::access::Caller;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::projects::{Filed, Member, NoRight, ProjectCommand, ProjectRejection, Projects, Team, file};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tidemill_engine::{Command, ProjectUsage};
use tidemill_protocol::api::{
    ErrorBody, ErrorCode, ProjectRequest, ProjectView, RoleRequest, TeamRequest, TeamView, UsageOfProjectView,
};
use tidemill_protocol::name::Name;
use tidemill_protocol::project::{Quota, default_project, is_default_project};

impl From<ProjectRejection> for ApiError {
    fn from(rejection: ProjectRejection) -> Self {
        let code = match &rejection {
            ProjectRejection::UnknownProject(_) | ProjectRejection::UnknownTeam(_) => ErrorCode::NotFound,
            ProjectRejection::Default | ProjectRejection::TooMany(_) => ErrorCode::Conflict,
            ProjectRejection::Bad(_) => ErrorCode::BadRequest,
        };
        let error = Self::new(code, rejection.to_string());
        match rejection {
            ProjectRejection::UnknownProject(_) => error.hint("tidemill project list shows them"),
            ProjectRejection::UnknownTeam(_) => error.hint("tidemill team list shows them"),
            _ => error,
        }
    }
}

impl From<NoRight> for ApiError {
    fn from(right: NoRight) -> Self {
        let forbidden = |hint: String| Self::new(ErrorCode::Forbidden, right.to_string()).hint(hint);
        match &right {
            NoRight::UnknownProject(project) => ProjectRejection::UnknownProject(project.clone()).into(),
            NoRight::Bound { bound, .. } => forbidden(format!(
                "name the project {bound} or none, or show a token that is not bound to one"
            )),
            NoRight::NoRole { project, needed, .. } => forbidden(format!(
                "somebody with an admin token can give it: tidemill project set-role {project} {needed} --person NAME"
            )),
            NoRight::NotTheirs { .. } => {
                forbidden("a token with the scope operator may end and retry everybody's runs".to_owned())
            }
        }
    }
}

/// The project in which a caller's run is to be filed.
pub(super) async fn filed(
    handle: &CoordinatorHandle,
    caller: &Caller,
    wanted: Option<Name>,
) -> Result<Filed, ApiError> {
    let caller = caller.clone();
    let looking = handle.look(move |sight| file(&sight.ledgers.projects, &caller, wanted));
    Ok(looking.await??)
}

/// Lists the projects by name, `default` first.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", security(("token" = ["reader"])), params(Asked<ProjectView>), responses(
    (status = 200, description = "All of them.", body = Listing<ProjectView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<ProjectView>,
) -> Result<Json<Listing<ProjectView>>, ApiError> {
    let looking = handle.look(|sight| {
        let made = sight.ledgers.projects.all().map(|(name, _)| name);
        let made = made.filter(|name| !is_default_project(name)).cloned();
        let all = std::iter::once(default_project()).chain(made);
        all.map(|name| view(sight, &name)).collect::<Vec<ProjectView>>()
    });
    Ok(asked.answer(looking.await?))
}

/// Shows a project.
#[utoipa::path(get, path = "/api/v1/projects/{name}", tag = "projects", security(("token" = ["reader"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The project.", body = ProjectView),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<ProjectView>, ApiError> {
    shown(&handle, name).await
}

/// Makes a project, or describes it otherwise.
#[utoipa::path(put, path = "/api/v1/projects/{name}", tag = "projects", security(("token" = ["admin"])), params(("name" = String, Path), ByQuery),
    request_body = ProjectRequest, responses(
    (status = 200, description = "The project.", body = ProjectView),
    (status = 409, description = "There are too many.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(request): Json<ProjectRequest>,
) -> Result<Json<ProjectView>, ApiError> {
    let command = ProjectCommand::Set {
        project: name.clone(),
        description: request.description,
        by: name_of(&caller, query.by),
    };
    handle.change::<Projects>(command).await??;
    shown(&handle, name).await
}

/// Gives a person or a team a role in a project, or takes it away.
#[utoipa::path(put, path = "/api/v1/projects/{name}/role", tag = "projects", security(("token" = ["admin"])), params(("name" = String, Path), ByQuery),
    request_body = RoleRequest, responses(
    (status = 200, description = "The project as it is now.", body = ProjectView),
    (status = 400, description = "Neither or both of person and team are named.", body = ErrorBody),
    (status = 404, description = "There is no such project or team.", body = ErrorBody),
    (status = 409, description = "It is `default`, or has too many members.", body = ErrorBody),
))]
pub(super) async fn set_role(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(request): Json<RoleRequest>,
) -> Result<Json<ProjectView>, ApiError> {
    let member = match (request.person, request.team) {
        (Some(person), None) => Member::Person(person),
        (None, Some(team)) => Member::Team(team),
        _ => return Err(ProjectRejection::Bad("name a person or a team").into()),
    };
    let command = ProjectCommand::SetRole {
        project: name.clone(),
        member,
        role: request.role,
        by: name_of(&caller, query.by),
    };
    handle.change::<Projects>(command).await??;
    shown(&handle, name).await
}

/// Bounds what a project may have at once. What is released already goes on.
#[utoipa::path(put, path = "/api/v1/projects/{name}/quota", tag = "projects", security(("token" = ["admin"])), params(("name" = String, Path)),
    request_body = Quota, responses(
    (status = 200, description = "The project as it is now.", body = ProjectView),
    (status = 409, description = "The quota names too many compute targets.", body = ErrorBody),
))]
pub(super) async fn set_quota(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
    Json(quota): Json<Quota>,
) -> Result<Json<ProjectView>, ApiError> {
    let project = find(&handle, name.clone()).await?.name;
    handle.command(Command::SetQuota { project, quota }).await?;
    shown(&handle, name).await
}

/// Removes a project with its roles and its quota. Its runs stay, and only operators change them.
#[utoipa::path(delete, path = "/api/v1/projects/{name}", tag = "projects", security(("token" = ["admin"])), params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
    (status = 409, description = "It is `default`, or runs of it go on.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    let wanted = name.clone();
    let looking = handle.look(move |sight| {
        let mut runs = sight.engine.runs_newest_first(None);
        runs.any(|run| *run.project() == wanted && !run.status().is_terminal())
    });
    if looking.await? {
        let message = format!("runs of the project `{name}` go on");
        return Err(ApiError::new(ErrorCode::Conflict, message)
            .hint(format!("tidemill runs list --project {name} shows them")));
    }
    let command = ProjectCommand::Remove {
        project: name.clone(),
        by: name_of(&caller, query.by),
    };
    handle.change::<Projects>(command).await??;
    let (project, quota) = (name, Quota::default());
    handle.command(Command::SetQuota { project, quota }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the teams by name.
#[utoipa::path(get, path = "/api/v1/teams", tag = "projects", security(("token" = ["reader"])), params(Asked<TeamView>), responses(
    (status = 200, description = "All of them.", body = Listing<TeamView>),
))]
pub(super) async fn teams(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<TeamView>,
) -> Result<Json<Listing<TeamView>>, ApiError> {
    let looking = handle.look(|sight| {
        let teams = sight.ledgers.projects.teams();
        teams
            .map(|(name, team)| team_view(name, team))
            .collect::<Vec<TeamView>>()
    });
    Ok(asked.answer(looking.await?))
}

/// Shows a team.
#[utoipa::path(get, path = "/api/v1/teams/{name}", tag = "projects", security(("token" = ["reader"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The team.", body = TeamView),
))]
pub(super) async fn team(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<TeamView>, ApiError> {
    Ok(Json(find_team(&handle, name).await?))
}

/// Makes a team, or gives it other people.
#[utoipa::path(put, path = "/api/v1/teams/{name}", tag = "projects", security(("token" = ["admin"])), params(("name" = String, Path), ByQuery),
    request_body = TeamRequest, responses(
    (status = 200, description = "The team.", body = TeamView),
    (status = 400, description = "A name is none.", body = ErrorBody),
    (status = 409, description = "There are too many teams, or people in it.", body = ErrorBody),
))]
pub(super) async fn set_team(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(request): Json<TeamRequest>,
) -> Result<Json<TeamView>, ApiError> {
    let command = ProjectCommand::SetTeam {
        team: name.clone(),
        people: request.people,
        by: name_of(&caller, query.by),
    };
    handle.change::<Projects>(command).await??;
    Ok(Json(find_team(&handle, name).await?))
}

/// Removes a team and its roles. Tokens of it stay good for the project `default`.
#[utoipa::path(delete, path = "/api/v1/teams/{name}", tag = "projects", security(("token" = ["admin"])), params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
))]
pub(super) async fn remove_team(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    let command = ProjectCommand::RemoveTeam {
        team: name,
        by: name_of(&caller, query.by),
    };
    handle.change::<Projects>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn find_team(handle: &CoordinatorHandle, name: Name) -> Result<TeamView, ApiError> {
    let looking = handle.look(move |sight| {
        let team = sight.ledgers.projects.team(&name);
        let view = team.map(|team| team_view(&name, team));
        view.ok_or(ProjectRejection::UnknownTeam(name))
    });
    Ok(looking.await??)
}

async fn shown(handle: &CoordinatorHandle, name: Name) -> Result<Json<ProjectView>, ApiError> {
    Ok(Json(find(handle, name).await?))
}

async fn find(handle: &CoordinatorHandle, name: Name) -> Result<ProjectView, ApiError> {
    let looking = handle.look(move |sight| {
        if sight.ledgers.projects.is_known(&name) {
            Ok(view(sight, &name))
        } else {
            Err(ProjectRejection::UnknownProject(name))
        }
    });
    Ok(looking.await??)
}

fn view(sight: &Sight<'_>, name: &Name) -> ProjectView {
    let kept = sight.ledgers.projects.get(name);
    let ProjectUsage {
        running_steps,
        targets,
        queued_runs,
    } = sight.engine.usage(name);
    ProjectView {
        name: name.clone(),
        description: kept.map_or_else(String::new, |kept| kept.description.clone()),
        people: kept.map(|kept| kept.people.clone()).unwrap_or_default(),
        teams: kept.map(|kept| kept.teams.clone()).unwrap_or_default(),
        quota: sight.engine.quota(name).cloned().unwrap_or_default(),
        usage: UsageOfProjectView {
            running_steps,
            targets,
            queued_runs: queued_runs as u64,
        },
        created_at: kept.map(|kept| kept.created_at),
        created_by: kept.map(|kept| kept.created_by.clone()),
    }
}

fn team_view(name: &Name, team: &Team) -> TeamView {
    TeamView {
        name: name.clone(),
        people: team.people.clone(),
        created_at: team.created_at,
        created_by: team.created_by.clone(),
    }
}
