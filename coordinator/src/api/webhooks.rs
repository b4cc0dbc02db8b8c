//! Webhooks over REST: made, paused, removed, listed, tried; and what became of each delivery. For operators, because what is told leaves the house.

use super::error::ApiError;
use super::listing::{Asked, Listing};
use super::subscriptions;
use super::tokens::ByQuery;
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::notifications::Subscription;
use crate::webhooks::{self, SendError};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tidemill_artifacts::PostError;
use tidemill_protocol::api::{ErrorBody, ErrorCode, PauseRequest, WebhookTestView, WebhookView};
use tidemill_protocol::delivery::Delivery;
use tidemill_protocol::name::Name;
use tidemill_protocol::webhook::WebhookSpec;

impl From<PostError> for ApiError {
    fn from(error: PostError) -> Self {
        let refused = Self::new(ErrorCode::BadRequest, error.to_string());
        match error {
            PostError::Forbidden { .. } => refused
                .hint("the coordinator's setting `webhook_allow` opens places beside the public internet"),
            _ => Self::new(ErrorCode::Conflict, error.to_string()),
        }
    }
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Post(error) => error.into(),
            SendError::Key(error) => error.into(),
            SendError::Stopped(stopped) => stopped.into(),
            SendError::NoSecret(_) | SendError::Sealed(_) => {
                Self::new(ErrorCode::Conflict, error.to_string())
                    .hint("`tidemill secret set NAME` gives it a value")
            }
        }
    }
}

/// Makes a webhook, or makes it another. Ends from now on are told.
#[utoipa::path(put, path = "/api/v1/webhooks/{name}", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery),
    request_body = WebhookSpec, responses(
    (status = 200, description = "The webhook.", body = WebhookView),
    (status = 400, description = "It tells nothing, or the address may not be told.", body = ErrorBody),
    (status = 409, description = "There is no such secret, or there are too many webhooks.", body = ErrorBody),
))]
pub(super) async fn set(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(spec): Json<WebhookSpec>,
) -> Result<Json<WebhookView>, ApiError> {
    handle.inner.poster.check(&spec.url)?;
    let secret = spec.secret.clone();
    let looking = handle.look(move |sight| sight.ledgers.secrets.get(&secret).is_some());
    if !looking.await? {
        return Err(SendError::NoSecret(spec.secret).into());
    }
    let made = subscriptions::set((&handle, &caller, query), &name, spec).await?;
    Ok(Json(view(&name, &made)))
}

/// Lists the webhooks by name.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", security(("token" = ["operator"])), params(Asked<WebhookView>), responses(
    (status = 200, description = "All of them.", body = Listing<WebhookView>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    asked: Asked<WebhookView>,
) -> Result<Json<Listing<WebhookView>>, ApiError> {
    Ok(asked.answer(subscriptions::list(&handle, view).await?))
}

/// Shows a webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{name}", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 200, description = "The webhook.", body = WebhookView),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<WebhookView>, ApiError> {
    let found = subscriptions::find::<WebhookSpec>(&handle, &name).await?;
    Ok(Json(view(&name, &found)))
}

/// Removes a webhook.
#[utoipa::path(delete, path = "/api/v1/webhooks/{name}", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
))]
pub(super) async fn remove(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
) -> Result<StatusCode, ApiError> {
    subscriptions::remove::<WebhookSpec>((&handle, &caller, query), name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a webhook tell nothing until it is resumed. What ends meanwhile is not told afterwards.
#[utoipa::path(post, path = "/api/v1/webhooks/{name}/pause", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery),
    request_body = PauseRequest, responses(
    (status = 200, description = "The webhook as it is now.", body = WebhookView),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
))]
pub(super) async fn pause(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
    Json(request): Json<PauseRequest>,
) -> Result<Json<WebhookView>, ApiError> {
    let paused = subscriptions::pause::<WebhookSpec>((&handle, &caller, query), &name, request).await?;
    Ok(Json(view(&name, &paused)))
}

/// Lets a paused webhook tell again, from now on.
#[utoipa::path(post, path = "/api/v1/webhooks/{name}/resume", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path), ByQuery), responses(
    (status = 200, description = "The webhook as it is now.", body = WebhookView),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
))]
pub(super) async fn resume(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    Query(query): Query<ByQuery>,
) -> Result<Json<WebhookView>, ApiError> {
    let resumed = subscriptions::resume::<WebhookSpec>((&handle, &caller, query), &name).await?;
    Ok(Json(view(&name, &resumed)))
}

/// Lists the last deliveries of a webhook, newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{name}/deliveries", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path), Asked<Delivery>), responses(
    (status = 200, description = "The last hundred at most.", body = Listing<Delivery>),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
))]
pub(super) async fn deliveries(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
    asked: Asked<Delivery>,
) -> Result<Json<Listing<Delivery>>, ApiError> {
    let deliveries = subscriptions::deliveries::<WebhookSpec>(&handle, &name).await?;
    Ok(asked.answer(deliveries))
}

/// Sends a signed test to a webhook's address, once, and says what it answered.
#[utoipa::path(post, path = "/api/v1/webhooks/{name}/test", tag = "webhooks", security(("token" = ["operator"])), params(("name" = String, Path)), responses(
    (status = 200, description = "What it answered.", body = WebhookTestView),
    (status = 404, description = "There is no such webhook.", body = ErrorBody),
    (status = 409, description = "It does not answer, or the secret is missing.", body = ErrorBody),
))]
pub(super) async fn try_out(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<Name>,
) -> Result<Json<WebhookTestView>, ApiError> {
    let webhook = subscriptions::find::<WebhookSpec>(&handle, &name).await?;
    let status = webhooks::test(&handle, &name, &webhook.spec).await?;
    Ok(Json(WebhookTestView {
        status,
        is_good: (200..300).contains(&status),
    }))
}

fn view(name: &Name, webhook: &Subscription<WebhookSpec>) -> WebhookView {
    WebhookView {
        name: name.clone(),
        spec: (*webhook.spec).clone(),
        created_at: webhook.created_at,
        created_by: webhook.created_by.clone(),
        pause: webhook.pause.as_ref().map(subscriptions::pause_view),
        last: webhook.deliveries.back().cloned(),
    }
}
