//! Tokens: make, list, revoke; and who one is.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::record::Made;
use crate::access::{Access, AccessCommand, AccessRejection, Caller, Secret, Token};
use crate::handle::CoordinatorHandle;
use crate::projects::ProjectRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use tidemill_protocol::access::{Scope, SubjectKind, TokenId};
use tidemill_protocol::api::{
    CallerView, CreateTokenRequest, CreatedToken, ErrorBody, ErrorCode, TokenStatus, TokenView,
};
use tidemill_protocol::name::{Name, NameError};
use tidemill_protocol::time::Timestamp;

impl From<AccessRejection> for ApiError {
    fn from(rejection: AccessRejection) -> Self {
        let code = match &rejection {
            AccessRejection::UnknownToken(_) => ErrorCode::NotFound,
            AccessRejection::IdTaken(_) | AccessRejection::TooMany => ErrorCode::Conflict,
            AccessRejection::AlreadyExpired | AccessRejection::BadSubject | AccessRejection::TooWide => {
                ErrorCode::BadRequest
            }
        };
        Self::new(code, rejection.to_string())
    }
}

/// Says in whose name this request is made, and what it may do.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "access", security(("token" = ["reader"])), responses(
    (status = 200, description = "Who asks.", body = CallerView),
))]
pub(super) async fn whoami(Extension(caller): Extension<Caller>) -> Json<CallerView> {
    let (token, expires_at) = match &caller {
        Caller::Token { id, expires_at, .. } => (Some(id.clone()), *expires_at),
        Caller::Operator
        | Caller::Local
        | Caller::Worker { .. }
        | Caller::Joining { .. }
        | Caller::Attempt { .. }
        | Caller::Nobody => (None, None),
    };
    Json(CallerView {
        subject: caller.name().into_owned(),
        scope: caller.scope().unwrap_or(Scope::Reader),
        token,
        project: caller.bound_to().cloned(),
        expires_at,
    })
}

/// Makes a token. Its text is in this answer and nowhere else. From the first one on, every request over a port needs one.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", security(("token" = ["admin"])),
    request_body = CreateTokenRequest, responses(
    (status = 201, description = "The token.", body = CreatedToken),
    (status = 400, description = "The subject or the time makes no sense.", body = ErrorBody),
    (status = 404, description = "There is no such team or project.", body = ErrorBody),
    (status = 409, description = "There are too many, or the idempotency key made one before: its text is shown once.", body = ErrorBody),
))]
pub(super) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Json(request): Json<CreateTokenRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<CreatedToken>), ApiError> {
    check_names(&handle, &request).await?;
    let secret = Secret::draw().map_err(|error| ApiError::internal(&error))?;
    let now = handle.inner.clock.now();
    let command = AccessCommand::CreateToken {
        id: secret.id().clone(),
        hash: secret.hash(),
        scope: request.scope,
        subject: request.subject,
        kind: request.kind,
        project: request.project,
        expires_at: request.expires_in.map(|length| now + length),
        by: name_of(&caller, request.by),
    };
    handle.change::<Access>(command).await??;
    let created = CreatedToken {
        token: secret.reveal(),
        view: view(&handle, secret.id())?,
    };
    let made = Made("id", created.view.id.to_string());
    Ok((StatusCode::CREATED, Extension(made), Json(created)))
}

/// A token names a team and a project that are there.
async fn check_names(handle: &CoordinatorHandle, request: &CreateTokenRequest) -> Result<(), ApiError> {
    let (subject, project) = (request.subject.clone(), request.project.clone());
    let is_team = request.kind == SubjectKind::Team;
    let looking = handle.look(move |sight| -> Result<(), ApiError> {
        let projects = &sight.ledgers.projects;
        if let Some(project) = project.filter(|project| !projects.is_known(project)) {
            return Err(ProjectRejection::UnknownProject(project).into());
        }
        if is_team {
            let bad = |error: NameError| ApiError::new(ErrorCode::BadRequest, error.to_string());
            let team: Name = subject.parse().map_err(bad)?;
            if projects.team(&team).is_none() {
                return Err(ProjectRejection::UnknownTeam(team).into());
            }
        }
        Ok(())
    });
    looking.await?
}

/// Lists the tokens, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", security(("token" = ["admin"])), params(Asked<TokenView>), responses(
    (status = 200, description = "The tokens, without their secrets.", body = Listing<TokenView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<TokenView>,
) -> Json<Listing<TokenView>> {
    let (access, now) = (handle.access(), handle.inner.clock.now());
    let mut views: Vec<TokenView> = access
        .tokens()
        .map(|token| view_of(&handle, token, now))
        .collect();
    views.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    asked.answer(views)
}

/// Who asks for a change.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ByQuery {
    /// For display; a token's own subject counts instead where one is shown.
    #[serde(default)]
    pub(super) by: Option<String>,
}

/// Revokes a token: no request that comes after the answer is let in with it. A second time changes nothing.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "access", security(("token" = ["admin"])),
    params(("id" = String, Path), ByQuery), responses(
    (status = 200, description = "The token, which is good no more.", body = TokenView),
    (status = 404, description = "There is no such token.", body = ErrorBody),
))]
pub(super) async fn revoke(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<Json<TokenView>, ApiError> {
    let unknown = |_| ApiError::new(ErrorCode::NotFound, "there is no such token");
    let id: TokenId = name.parse().map_err(unknown)?;
    let command = AccessCommand::RevokeToken {
        id: id.clone(),
        by: name_of(&caller, query.by),
    };
    handle.change::<Access>(command).await??;
    Ok(Json(view(&handle, &id)?))
}

/// In whose name a change is made.
pub(super) fn name_of(caller: &Caller, said: Option<String>) -> String {
    caller.acts_as(said).unwrap_or_else(|| caller.name().into_owned())
}

fn view(handle: &CoordinatorHandle, id: &TokenId) -> Result<TokenView, ApiError> {
    let access = handle.access();
    let token = access.token(id);
    let token = token.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the token was forgotten"))?;
    Ok(view_of(handle, token, handle.inner.clock.now()))
}

fn view_of(handle: &CoordinatorHandle, token: &Token, now: Timestamp) -> TokenView {
    let status = if token.revoked_at.is_some() {
        TokenStatus::Revoked
    } else if token.is_live(now) {
        TokenStatus::Live
    } else {
        TokenStatus::Expired
    };
    TokenView {
        id: token.id.clone(),
        scope: token.scope,
        subject: token.subject.clone(),
        kind: token.kind,
        project: token.project.clone(),
        status,
        created_at: token.created_at,
        created_by: token.created_by.clone(),
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
        last_used_at: handle.inner.guard.last_used(&token.id),
    }
}
