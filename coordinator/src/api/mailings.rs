//! Mailings over REST: made, paused, removed, listed, tried; and what became of each delivery. For operators, because what is told leaves the house.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::subscriptions;
use super::tokens::ByQuery;
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::mailings;
use crate::notifications::Subscription;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tidemill_protocol::api::{ErrorBody, ErrorCode, MailingTestView, MailingView, PauseRequest};
use tidemill_protocol::delivery::{Delivery, DeliveryOutcome};
use tidemill_protocol::mailing::MailingSpec;
use tidemill_protocol::name::Name;

/// Makes a mailing, or makes it another. Ends from now on are told.
#[utoipa::path(put, path = "/api/v1/mailings/{name}", tag = "mailings", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery),
    request_body = MailingSpec, responses(
    (status = 200, description = "The mailing.", body = MailingView),
    (status = 400, description = "It tells nothing, or nobody.", body = ErrorBody),
    (status = 409, description = "The coordinator has no mail server, or there are too many mailings.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(spec): Json<MailingSpec>,
) -> Result<Json<MailingView>, ApiError> {
    if handle.inner.mailer.is_none() {
        let refused = ApiError::new(ErrorCode::Conflict, "this coordinator has no mail server");
        return Err(refused.hint("its settings `smtp_host` and `smtp_from` name one"));
    }
    let made = subscriptions::set((&handle, &caller, query), &name, spec).await?;
    Ok(Json(view(&name, &made)))
}

/// Lists the mailings by name.
#[utoipa::path(get, path = "/api/v1/mailings", tag = "mailings", security(("token" = ["operator"])), params(Asked<MailingView>), responses(
    (status = 200, description = "All of them.", body = Listing<MailingView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<MailingView>,
) -> Result<Json<Listing<MailingView>>, ApiError> {
    Ok(asked.answer(subscriptions::list(&handle, view).await?))
}

/// Shows a mailing.
#[utoipa::path(get, path = "/api/v1/mailings/{name}", tag = "mailings", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The mailing.", body = MailingView),
    (status = 404, description = "There is no such mailing.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<MailingView>, ApiError> {
    let found = subscriptions::find::<MailingSpec>(&handle, &name).await?;
    Ok(Json(view(&name, &found)))
}

/// Removes a mailing.
#[utoipa::path(delete, path = "/api/v1/mailings/{name}", tag = "mailings", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is no such mailing.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    subscriptions::remove::<MailingSpec>((&handle, &caller, query), name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a mailing tell nothing until it is resumed. What ends meanwhile is not told afterwards.
#[utoipa::path(post, path = "/api/v1/mailings/{name}/pause", tag = "mailings", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery),
    request_body = PauseRequest, responses(
    (status = 200, description = "The mailing as it is now.", body = MailingView),
    (status = 404, description = "There is no such mailing.", body = ErrorBody),
))]
pub(super) async fn pause(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(request): Json<PauseRequest>,
) -> Result<Json<MailingView>, ApiError> {
    let paused = subscriptions::pause::<MailingSpec>((&handle, &caller, query), &name, request).await?;
    Ok(Json(view(&name, &paused)))
}

/// Lets a paused mailing tell again, from now on.
#[utoipa::path(post, path = "/api/v1/mailings/{name}/resume", tag = "mailings", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery), responses(
    (status = 200, description = "The mailing as it is now.", body = MailingView),
    (status = 404, description = "There is no such mailing.", body = ErrorBody),
))]
pub(super) async fn resume(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
) -> Result<Json<MailingView>, ApiError> {
    let resumed = subscriptions::resume::<MailingSpec>((&handle, &caller, query), &name).await?;
    Ok(Json(view(&name, &resumed)))
}

/// Lists the last deliveries of a mailing, newest first.
#[utoipa::path(get, path = "/api/v1/mailings/{name}/deliveries", tag = "mailings", security(("token" = ["operator"])), params(("name" = String, Path), Asked<Delivery>), responses(
    (status = 200, description = "The last hundred at most.", body = Listing<Delivery>),
    (status = 404, description = "There is no such mailing.", body = ErrorBody),
))]
pub(super) async fn deliveries(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
    asked: Asked<Delivery>,
) -> Result<Json<Listing<Delivery>>, ApiError> {
    let deliveries = subscriptions::deliveries::<MailingSpec>(&handle, &name).await?;
    Ok(asked.answer(deliveries))
}

/// Sends a test to everybody whom a mailing tells, once, and says what came of it.
#[utoipa::path(post, path = "/api/v1/mailings/{name}/test", tag = "mailings", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 200, description = "What came of it.", body = MailingTestView),
    (status = 404, description = "There is no such mailing.", body = ErrorBody),
))]
pub(super) async fn try_out(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<MailingTestView>, ApiError> {
    let mailing = subscriptions::find::<MailingSpec>(&handle, &name).await?;
    let outcome = mailings::test(&handle, &name, &mailing.spec).await;
    let is_good = matches!(outcome, DeliveryOutcome::Delivered { .. });
    Ok(Json(MailingTestView { outcome, is_good }))
}

fn view(name: &Name, mailing: &Subscription<MailingSpec>) -> MailingView {
    MailingView {
        name: name.clone(),
        spec: (*mailing.spec).clone(),
        created_at: mailing.created_at,
        created_by: mailing.created_by.clone(),
        pause: mailing.pause.as_ref().map(subscriptions::pause_view),
        last: mailing.deliveries.back().cloned(),
    }
}
