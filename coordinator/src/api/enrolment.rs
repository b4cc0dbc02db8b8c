//! Workers' enrolment: join tokens, joining by one, and the end of it. What a quarantine does to a worker's attempts is the driver's.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::record::Made;
use super::tokens::{ByQuery, name_of};
use crate::access::{Caller, Purpose, Secret};
use crate::enrolment::{Enrolment, EnrolmentCommand, EnrolmentRejection, JoinRefusal, JoinToken};
use crate::handle::CoordinatorHandle;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tidemill_protocol::access::TokenId;
use tidemill_protocol::api::{
    CreateJoinTokenRequest, CreatedJoinToken, EnrolRequest, EnrolledView, ErrorBody, ErrorCode,
    JoinTokenStatus, JoinTokenView, QuarantineRequest,
};
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::proof::verify_enrolment;
use tidemill_protocol::time::{Millis, Timestamp};

/// How long a join token is good when nobody says.
const LIFE: Millis = Millis::from_secs(3_600);

impl From<EnrolmentRejection> for ApiError {
    fn from(rejection: EnrolmentRejection) -> Self {
        let code = match &rejection {
            EnrolmentRejection::UnknownToken(_) | EnrolmentRejection::NotEnrolled(_) => ErrorCode::NotFound,
            EnrolmentRejection::Refused(_) | EnrolmentRejection::Used(_) => ErrorCode::Unauthorized,
            EnrolmentRejection::Quarantined(_) | EnrolmentRejection::OtherClass(_) => ErrorCode::Forbidden,
            EnrolmentRejection::IdTaken(_)
            | EnrolmentRejection::TooMany(..)
            | EnrolmentRejection::NameTaken(_)
            | EnrolmentRejection::KeyTaken(_) => ErrorCode::Conflict,
            EnrolmentRejection::BadLife
            | EnrolmentRejection::TooManyTargets
            | EnrolmentRejection::BadClass(_)
            | EnrolmentRejection::BadReason => ErrorCode::BadRequest,
        };
        let hint = match &rejection {
            EnrolmentRejection::Used(_) => {
                Some("each worker needs a join token of its own: `tidemill worker token create`")
            }
            EnrolmentRejection::NameTaken(_) => {
                Some("name this worker otherwise, or forget the other one: `tidemill worker remove NAME`")
            }
            EnrolmentRejection::Quarantined(_) => Some("`tidemill worker release NAME` ends that"),
            _ => None,
        };
        let error = Self::new(code, rejection.to_string());
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Makes a token by which one worker may join. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/join-tokens", tag = "workers", security(("token" = ["admin"])),
    request_body = CreateJoinTokenRequest, responses(
    (status = 201, description = "The token.", body = CreatedJoinToken),
    (status = 400, description = "The class, the targets or the time make no sense.", body = ErrorBody),
    (status = 409, description = "There are too many, or the idempotency key made one before: its text is shown once.", body = ErrorBody),
))]
pub(super) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Json(request): Json<CreateJoinTokenRequest>,
) -> Result<(StatusCode, Extension<Made>, Json<CreatedJoinToken>), ApiError> {
    let secret = Secret::draw_for(Purpose::Join).map_err(|error| ApiError::internal(&error))?;
    let command = EnrolmentCommand::CreateToken {
        id: secret.id().clone(),
        hash: secret.hash(),
        targets: request.targets.into_iter().collect(),
        class: request.class,
        expires_at: handle.inner.clock.now() + request.expires_in.unwrap_or(LIFE),
        by: name_of(&caller, request.by),
    };
    handle.change::<Enrolment>(command).await??;
    let created = CreatedJoinToken {
        token: secret.reveal(),
        view: view(&handle, secret.id())?,
    };
    let made = Made("id", created.view.id.to_string());
    Ok((StatusCode::CREATED, Extension(made), Json(created)))
}

/// Lists the join tokens, newest first.
#[utoipa::path(get, path = "/api/v1/join-tokens", tag = "workers", security(("token" = ["admin"])), params(Asked<JoinTokenView>), responses(
    (status = 200, description = "The join tokens, without their secrets.", body = Listing<JoinTokenView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<JoinTokenView>,
) -> Json<Listing<JoinTokenView>> {
    let (durable, now) = (handle.inner.roster.durable(), handle.inner.clock.now());
    let tokens = durable.enrolment.tokens();
    let mut views: Vec<JoinTokenView> = tokens.map(|token| view_of(token, now)).collect();
    views.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
    asked.answer(views)
}

/// Revokes a join token. A second time changes nothing; a worker that has joined by it stays.
#[utoipa::path(delete, path = "/api/v1/join-tokens/{id}", tag = "workers", security(("token" = ["admin"])),
    params(("id" = String, Path), ByQuery), responses(
    (status = 200, description = "The token, which is good no more.", body = JoinTokenView),
    (status = 404, description = "There is no such token.", body = ErrorBody),
))]
pub(super) async fn revoke(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<Json<JoinTokenView>, ApiError> {
    let unknown = |_| ApiError::new(ErrorCode::NotFound, "there is no such join token");
    let id: TokenId = name.parse().map_err(unknown)?;
    let command = EnrolmentCommand::RevokeToken {
        id: id.clone(),
        by: name_of(&caller, query.by),
    };
    handle.change::<Enrolment>(command).await??;
    Ok(Json(view(&handle, &id)?))
}

/// Enrols a worker: from now on it is known by its own key, and only by that. A token is good for one worker; the same worker may ask again.
#[utoipa::path(post, path = "/api/v1/workers/{worker}/enrol", tag = "workers", security(("join" = [])),
    params(("worker" = String, Path)), request_body = EnrolRequest, responses(
    (status = 200, description = "It is enrolled.", body = EnrolledView),
    (status = 401, description = "The join token is not good, or was used by another worker.", body = ErrorBody),
    (status = 409, description = "The name or the key is another worker's.", body = ErrorBody),
))]
pub(super) async fn enrol(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(request): Json<EnrolRequest>,
) -> Result<Json<EnrolledView>, ApiError> {
    let worker = worker_id(&name)?;
    let Caller::Joining { token } = caller else {
        let message = "only a worker with a join token enrols";
        return Err(ApiError::new(ErrorCode::Forbidden, message));
    };
    if !verify_enrolment(&request.key, &token, &worker, &request.proof) {
        let message = "the request is not signed with the key that is to be enrolled";
        return Err(ApiError::new(ErrorCode::Unauthorized, message));
    }
    let command = EnrolmentCommand::Enrol {
        token,
        worker: worker.clone(),
        key: request.key,
    };
    handle.change::<Enrolment>(command).await??;
    Ok(Json(EnrolledView {
        worker,
        coordinator: handle.inner.view.clone(),
    }))
}

/// Says to an enrolled worker whom it works for.
#[utoipa::path(get, path = "/api/v1/worker", tag = "workers", security(("worker" = [])), responses(
    (status = 200, description = "Who asks, and who answers.", body = EnrolledView),
    (status = 401, description = "The request is not signed by an enrolled worker.", body = ErrorBody),
))]
pub(super) async fn own(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<EnrolledView>, ApiError> {
    let Caller::Worker { id } = caller else {
        return Err(ApiError::new(ErrorCode::Forbidden, "this is for workers only"));
    };
    Ok(Json(EnrolledView {
        worker: id,
        coordinator: handle.inner.view.clone(),
    }))
}

/// Lets nothing of a worker count: what it does is made elsewhere, and its reports change nothing until it is released.
#[utoipa::path(post, path = "/api/v1/workers/{worker}/quarantine", tag = "workers", security(("token" = ["operator"])),
    params(("worker" = String, Path)), request_body = QuarantineRequest, responses(
    (status = 204, description = "It is quarantined."),
    (status = 400, description = "There is no reason, or it is too long.", body = ErrorBody),
))]
pub(super) async fn quarantine(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(request): Json<QuarantineRequest>,
) -> Result<StatusCode, ApiError> {
    let command = EnrolmentCommand::Quarantine {
        worker: worker_id(&name)?,
        reason: request.reason,
        by: name_of(&caller, request.by),
    };
    handle.change::<Enrolment>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a quarantined worker count again.
#[utoipa::path(post, path = "/api/v1/workers/{worker}/release", tag = "workers", security(("token" = ["operator"])),
    params(("worker" = String, Path), ByQuery), responses(
    (status = 204, description = "It is not quarantined."),
))]
pub(super) async fn release(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    let command = EnrolmentCommand::Release {
        worker: worker_id(&name)?,
        by: name_of(&caller, query.by),
    };
    handle.change::<Enrolment>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a worker's key: nothing that is signed with it counts any more, and its name is free. What it does now is lost when its lease ends.
#[utoipa::path(delete, path = "/api/v1/workers/{worker}", tag = "workers", security(("token" = ["admin"])),
    params(("worker" = String, Path), ByQuery), responses(
    (status = 204, description = "It is not enrolled any more."),
    (status = 404, description = "It was not enrolled.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    let command = EnrolmentCommand::Remove {
        worker: worker_id(&name)?,
        by: name_of(&caller, query.by),
    };
    handle.change::<Enrolment>(command).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn worker_id(name: &str) -> Result<WorkerId, ApiError> {
    name.parse()
        .map_err(|error| ApiError::new(ErrorCode::BadRequest, format!("not a worker's name: {error}")))
}

fn view(handle: &CoordinatorHandle, id: &TokenId) -> Result<JoinTokenView, ApiError> {
    let durable = handle.inner.roster.durable();
    let token = durable.enrolment.token(id);
    let token = token.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the join token was forgotten"))?;
    Ok(view_of(token, handle.inner.clock.now()))
}

fn view_of(token: &JoinToken, now: Timestamp) -> JoinTokenView {
    let status = match (&token.used_by, token.refusal(now)) {
        (Some(_), _) => JoinTokenStatus::Used,
        (None, Some(JoinRefusal::Revoked)) => JoinTokenStatus::Revoked,
        (None, Some(JoinRefusal::Expired | JoinRefusal::Unknown)) => JoinTokenStatus::Expired,
        (None, None) => JoinTokenStatus::Live,
    };
    JoinTokenView {
        id: token.id.clone(),
        status,
        targets: token.targets.iter().cloned().collect(),
        class: token.class.clone(),
        created_at: token.created_at,
        created_by: token.created_by.clone(),
        expires_at: token.expires_at,
        worker: token.used_by.clone(),
    }
}
